/** Cuts a box out of a picture at sub-pixel precision and resizes it in one step. */
import type { Crop } from "../../core/artifacts.ts";

interface Taps {
  /** Where the taps of each output position begin in `at` and `weights`, [outputs + 1]. */
  readonly start: Int32Array;
  /** Source index of each tap, inside the picture. */
  readonly at: Int32Array;
  /** The weights of one output position sum to 1. */
  readonly weights: Float32Array;
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
  const across = tapsOf(crop[0] * width, crop[2] * width, { outputs: size.width, pixels: width });
  const down = tapsOf(crop[1] * height, crop[3] * height, { outputs: size.height, pixels: height });
  const top = down.at[0];
  const rows = down.at[down.at.length - 1] - top + 1;
  const stride = size.width * 3;
  const lines = new Float32Array(rows * stride);
  for (let y = 0; y < rows; y++) {
    resampleLine(
      pixels.subarray((top + y) * width * 3),
      lines.subarray(y * stride, (y + 1) * stride),
      across,
    );
  }
  const out = new Uint8Array(size.height * stride);
  const line = new Float32Array(stride);
  for (let y = 0; y < size.height; y++) {
    const row = out.subarray(y * stride, (y + 1) * stride);
    const last = down.start[y + 1] - 1;
    line.fill(0.5); // rounds to the nearest
    for (let tap = down.start[y]; tap <= last; tap++) {
      const from = (down.at[tap] - top) * stride;
      const [weight, source] = [down.weights[tap], lines.subarray(from, from + stride)];
      if (tap < last) for (let i = 0; i < stride; i++) line[i] += weight * source[i];
      else for (let i = 0; i < stride; i++) row[i] = Math.fround(line[i] + weight * source[i]);
    }
  }
  return out;
}

/** @param pixels the line, RGB; `into` [3 * outputs] */
function resampleLine(pixels: Uint8Array, into: Float32Array, { start, at, weights }: Taps): void {
  let tap = 0;
  for (let x = 1, to = 0; x < start.length; x++, to += 3) {
    let r = 0;
    let g = 0;
    let b = 0;
    for (; tap < start[x]; tap++) {
      const weight = weights[tap];
      const from = 3 * at[tap];
      r += weight * pixels[from];
      g += weight * pixels[from + 1];
      b += weight * pixels[from + 2];
    }
    into[to] = r;
    into[to + 1] = g;
    into[to + 2] = b;
  }
}

/** The source pixels of every output pixel between `from` and `to` (pixels, edges at whole numbers), zero weights left out. */
function tapsOf(
  from: number,
  to: number,
  { outputs, pixels }: { readonly outputs: number; readonly pixels: number },
): Taps {
  const scale = (to - from) / outputs;
  const reach = Math.max(1, scale);
  const start = new Int32Array(outputs + 1);
  const at: number[] = [];
  const weights: number[] = [];
  for (let i = 0; i < outputs; i++) {
    const centre = from + (i + 0.5) * scale - 0.5;
    const first = Math.ceil(centre - reach);
    const own: number[] = [];
    for (let k = first; k < centre + reach; k++) own.push(Math.max(0, 1 - Math.abs(k - centre) / reach));
    const sum = own.reduce((a, b) => a + b, 0);
    own.forEach((weight, k) => {
      if (weight === 0) return;
      at.push(Math.min(pixels - 1, Math.max(0, first + k)));
      weights.push(Math.fround(weight) / sum);
    });
    start[i + 1] = at.length;
  }
  return { start, at: Int32Array.from(at), weights: Float32Array.from(weights) };
}
