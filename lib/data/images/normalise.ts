/** Pixels become a network's input. */
import type { Preprocessing } from "../../core/artifacts.ts";
import { samePixels, writePixels } from "./pixels.ts";

/** For each channel a table from pixel 0..255 to the network's input; `gain` multiplies the pixel first (clamped). */
export function channelTables(preprocessing: Preprocessing, gain = 1): readonly Float32Array[] {
  return preprocessing.mean.map((mean, c) => {
    const table = new Float32Array(256);
    const scale = preprocessing.scale[c];
    for (let v = 0; v < 256; v++) table[v] = (Math.min(255, v * gain) - mean) * scale;
    return table;
  });
}

/**
 * Pixels become the network's input: (pixel - mean) * scale, channel order as `preprocessing.color`.
 *
 * @param pixels RGB, uint8 [n, height, width, 3]
 * @returns float32 [n, 3, height, width]
 */
export function normalise(pixels: Uint8Array, preprocessing: Preprocessing): Float32Array {
  const out = new Float32Array(pixels.length);
  const change = { tables: channelTables(preprocessing), order: channelOrder(preprocessing) };
  const same = samePixels(preprocessing);
  const image = 3 * preprocessing.width * preprocessing.height;
  for (let at = 0; at < pixels.length; at += image) {
    writePixels(pixels.subarray(at, at + image), out.subarray(at, at + image), change, same);
  }
  return out;
}

/** Which RGB channel each input channel of the network reads. */
export function channelOrder(preprocessing: Preprocessing): readonly [number, number, number] {
  return preprocessing.color === "BGR" ? [2, 1, 0] : [0, 1, 2];
}
