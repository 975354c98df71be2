/** Pictures and face boxes as the two networks want them: square, the rest black. */
import type { Crop, Preprocessing } from "../core/artifacts.ts";
import { normalise } from "../data/images/normalise.ts";
import { resampleBox } from "../data/images/resample.ts";
import type { Tensor } from "../network/network.ts";
import type { Box } from "./detections.ts";
import type { Picture } from "./pixels.ts";

/** A square of the plane, in pixels of a picture; may stick out of it. */
export interface Square {
  readonly x: number;
  readonly y: number;
  readonly side: number;
}

/** The square that the detector sees: the picture at the upper left; with `margin`, so much black around its middle. */
export function wholeSquare({ width, height }: Picture, margin = 0): Square {
  const longest = Math.max(width, height);
  if (margin === 0) return { x: 0, y: 0, side: longest };
  const side = longest * (1 + 2 * margin);
  return { x: (width - side) / 2, y: (height - side) / 2, side };
}

/** The square around a face box that the landmark network sees. */
export function faceSquare([x0, y0, x1, y1]: Box): Square {
  const side = Math.max(x1 - x0, y1 - y0);
  return { x: (x0 + x1 - side) / 2, y: (y0 + y1 - side) / 2, side };
}

/**
 * A square of a picture, at the size of a network's input. Pixels whose middle lies outside `inside` are black.
 *
 * @returns RGB, uint8 [height, width, 3]
 */
export function squarePixels(
  picture: Picture,
  { x, y, side }: Square,
  { inside, size }: { readonly inside: Box; readonly size: number },
): Uint8Array {
  const crop = [
    x / picture.width,
    y / picture.height,
    (x + side) / picture.width,
    (y + side) / picture.height,
  ] as const;
  const pixels = resampleBox(picture.pixels, picture, crop, { width: size, height: size });
  for (let row = 0; row < size; row++) {
    const middle = y + ((row + 0.5) * side) / size;
    const outside = middle < inside[1] || middle > inside[3];
    for (let column = 0; column < size; column++) {
      const across = x + ((column + 0.5) * side) / size;
      if (!outside && across >= inside[0] && across <= inside[2]) continue;
      pixels.fill(0, 3 * (row * size + column), 3 * (row * size + column + 1));
    }
  }
  return pixels;
}

/** Pixels of one square as a network's input [1, 3, height, width]. */
export function squareTensor(pixels: Uint8Array, preprocessing: Preprocessing): Tensor {
  const { width, height } = preprocessing;
  return { shape: [1, 3, height, width], data: normalise(pixels, preprocessing) };
}

/** Side in pixels of the aligned crops that a network of these inputs wants. */
export function cropSide({ width, height }: Preprocessing): number {
  return Math.max(width, height);
}

/**
 * Aligned crops as a network's input.
 *
 * @param crops squares of the side {@link cropSide}
 * @param part of each square, fractions
 * @returns [crops, 3, height, width]
 */
export function cropsTensor(crops: readonly Picture[], part: Crop, preprocessing: Preprocessing): Tensor {
  const { width, height } = preprocessing;
  const data = new Float32Array(crops.length * 3 * width * height);
  crops.forEach((crop, i) => {
    const seen = resampleBox(crop.pixels, crop, part, { width, height });
    data.set(normalise(seen, preprocessing), i * 3 * width * height);
  });
  return { shape: [crops.length, 3, height, width], data };
}
