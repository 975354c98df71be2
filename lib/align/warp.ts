/** Cuts a turned square out of a picture. */
import type { Picture } from "./pixels.ts";
import { scaleOf, type Similarity } from "./similarity.ts";

/**
 * Every pixel of the crop is the mean of k x k bilinear samples, k = 1 when enlarging and the reduction rounded up when
 * shrinking, so that nothing aliases. Pixel edges lie at whole numbers. Outside the picture the edge is repeated.
 *
 * @param toPicture brings pixels of the crop to pixels of the picture
 * @param size side of the crop in pixels
 */
export function warp(picture: Picture, toPicture: Similarity, size: number): Picture {
  const { width, height, pixels } = picture;
  const { a, b, tx, ty } = toPicture;
  const k = Math.max(1, Math.ceil(scaleOf(toPicture) - 1e-9));
  const out = new Uint8Array(size * size * 3);
  const weight = 1 / (k * k);
  for (let y = 0, to = 0; y < size; y++) {
    for (let x = 0; x < size; x++, to += 3) {
      let [red, green, blue] = [0, 0, 0];
      for (let sample = 0; sample < k * k; sample++) {
        const u = x + ((sample % k) + 0.5) / k;
        const v = y + (Math.floor(sample / k) + 0.5) / k;
        const px = clamp(a * u - b * v + tx - 0.5, width - 1);
        const py = clamp(b * u + a * v + ty - 0.5, height - 1);
        const [left, top] = [Math.floor(px), Math.floor(py)];
        const [fx, fy] = [px - left, py - top];
        const right = left + 1 < width ? 3 : 0;
        const below = top + 1 < height ? 3 * width : 0;
        const at = 3 * (top * width + left);
        const w00 = (1 - fx) * (1 - fy);
        const w01 = fx * (1 - fy);
        const w10 = (1 - fx) * fy;
        const w11 = fx * fy;
        red += w00 * pixels[at] + w01 * pixels[at + right];
        red += w10 * pixels[at + below] + w11 * pixels[at + below + right];
        green += w00 * pixels[at + 1] + w01 * pixels[at + right + 1];
        green += w10 * pixels[at + below + 1] + w11 * pixels[at + below + right + 1];
        blue += w00 * pixels[at + 2] + w01 * pixels[at + right + 2];
        blue += w10 * pixels[at + below + 2] + w11 * pixels[at + below + right + 2];
      }
      out[to] = red * weight + 0.5;
      out[to + 1] = green * weight + 0.5;
      out[to + 2] = blue * weight + 0.5;
    }
  }
  return { width: size, height: size, pixels: out };
}

function clamp(value: number, largest: number): number {
  return value < 0 ? 0 : value > largest ? largest : value;
}
