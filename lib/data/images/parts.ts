/** Parts of pictures: over-sampling, where a network sees pieces of a slightly larger picture. */
import type { Random } from "../../core/random.ts";
import type { Tensor } from "../../network/network.ts";

/** Where a part begins, and whether it is mirrored. */
export interface Part {
  readonly left: number;
  readonly top: number;
  readonly mirrored: boolean;
}

/** The four corners and the centre, each as it is and mirrored: ten parts (Krizhevsky et al. 2012). */
export function tenParts(from: number, side: number): Part[] {
  const rest = from - side;
  const middle = Math.floor(rest / 2);
  const places = [
    [0, 0],
    [rest, 0],
    [0, rest],
    [rest, rest],
    [middle, middle],
  ];
  return [false, true].flatMap((mirrored) => places.map(([left, top]) => ({ left, top, mirrored })));
}

/** The part in the middle. */
export function centrePart(from: number, side: number): Part {
  const middle = Math.floor((from - side) / 2);
  return { left: middle, top: middle, mirrored: false };
}

/** A part at random, not mirrored. */
export function randomPart(from: number, side: number, random: Random): Part {
  const rest = from - side + 1;
  return { left: random.integer(rest), top: random.integer(rest), mirrored: false };
}

/**
 * Cuts a part out of every picture.
 *
 * @param x [n, c, from, from]
 * @param partOf the part of picture i
 * @returns [n, c, side, side]
 */
export function cutParts(x: Tensor, side: number, partOf: (i: number) => Part): Tensor {
  const [n, channels, height, width] = x.shape;
  const data = new Float32Array(n * channels * side * side);
  let to = 0;
  for (let i = 0; i < n; i++) {
    const { left, top, mirrored } = partOf(i);
    for (let c = 0; c < channels; c++) {
      for (let y = 0; y < side; y++) {
        const start = ((i * channels + c) * height + top + y) * width + left;
        data.set(x.data.subarray(start, start + side), to);
        if (mirrored) data.subarray(to, to + side).reverse();
        to += side;
      }
    }
  }
  return { shape: [n, channels, side, side], data };
}
