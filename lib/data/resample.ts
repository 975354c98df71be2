/** Cuts a box out of a picture at sub-pixel precision and resizes it in one step. */
import type { Crop } from "../core/artifacts.ts";

interface Taps {
  /** First source index of each output position (before clamping). */
  readonly first: Int32Array;
  /** [outputs, length] row-major, each row sums to 1. */
  readonly weights: Float32Array;
  readonly length: number;
}

/**
 * Bilinear when enlarging; when shrinking, the same triangle widened by the factor (so that nothing aliases). The box
 * is not rounded to pixels: half a pixel of a small picture moves the face enough to cost verification accuracy.
 * Outside the picture the edge is repeated.
 *
 * @param pixels RGB, uint8 [height, width, 3]
 * @param crop box in fractions of the picture
 * @returns RGB, uint8 [size.height, size.width, 3]
 */
export function resampleBox(
  pixels: Uint8Array,
  picture: { readonly width: number; readonly height: number },
  crop: Crop,
  size: { readonly width: number; readonly height: number },
): Uint8Array {
  const { width, height } = picture;
  const across = tapsOf(crop[0] * width, crop[2] * width, size.width);
  const down = tapsOf(crop[1] * height, crop[3] * height, size.height);
  const top = Math.min(height - 1, Math.max(0, down.first[0]));
  const last = down.first[size.height - 1] + down.length - 1;
  const bottom = Math.min(height - 1, Math.max(top, last));
  const rows = bottom - top + 1;
  const stride = size.width * 3;
  const lines = new Float32Array(rows * stride);
  for (let y = 0; y < rows; y++) {
    const from = (top + y) * width * 3;
    for (let x = 0; x < size.width; x++) {
      let [r, g, b] = [0, 0, 0];
      for (let k = 0; k < across.length; k++) {
        const weight = across.weights[x * across.length + k];
        const at = from + 3 * clamp(across.first[x] + k, width - 1);
        r += weight * pixels[at];
        g += weight * pixels[at + 1];
        b += weight * pixels[at + 2];
      }
      const to = y * stride + 3 * x;
      lines[to] = r;
      lines[to + 1] = g;
      lines[to + 2] = b;
    }
  }
  const out = new Uint8Array(size.height * stride);
  const line = new Float32Array(stride);
  for (let y = 0; y < size.height; y++) {
    line.fill(0.5); // rounds to the nearest
    for (let k = 0; k < down.length; k++) {
      const weight = down.weights[y * down.length + k];
      if (weight === 0) continue;
      const from = (clamp(down.first[y] + k, height - 1) - top) * stride;
      for (let i = 0; i < stride; i++) line[i] += weight * lines[from + i];
    }
    for (let i = 0; i < stride; i++) out[y * stride + i] = line[i];
  }
  return out;
}

function clamp(index: number, largest: number): number {
  return index < 0 ? 0 : index > largest ? largest : index;
}

/** Weights of the source pixels for every output pixel between `from` and `to` (pixels, edges at whole numbers). */
function tapsOf(from: number, to: number, outputs: number): Taps {
  const scale = (to - from) / outputs;
  const reach = Math.max(1, scale);
  const length = 2 * Math.ceil(reach) + 1;
  const first = new Int32Array(outputs);
  const weights = new Float32Array(outputs * length);
  for (let i = 0; i < outputs; i++) {
    const centre = from + (i + 0.5) * scale - 0.5;
    first[i] = Math.ceil(centre - reach);
    let sum = 0;
    for (let k = 0; k < length; k++) {
      const weight = Math.max(0, 1 - Math.abs(first[i] + k - centre) / reach);
      weights[i * length + k] = weight;
      sum += weight;
    }
    for (let k = 0; k < length; k++) weights[i * length + k] /= sum;
  }
  return { first, weights, length };
}
