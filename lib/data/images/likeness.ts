/**
 * The same photograph in two files: saved anew, at another quality, size or in another format. Compared are the crops, as the means of
 * 16 x 16 cells in grey levels: saving anew moves these by a level or two, another photograph, of the same person too, by
 * several (docs/decisions.md has the distances). A flat picture is like every other flat one, and never compared.
 */

import type { Item, Split } from "../dataset.ts";

/** Cells along one side. */
const SIDE = 16;
/** Bytes that say what a crop looks like. */
export const CELLS = SIDE * SIDE;
/** Mean distance of two copies' cells in grey levels, after their means are made equal. */
const NEAR = 2;
/** Of the means themselves. */
const MEANS = 4;
/** Standard deviation of the cells in grey levels below which there is nothing to compare. */
const FLAT = 12;

/** A picture that is like more others than this is of a kind (drawings, frames of a film), not a copy that was saved anew. */
const COPIES = 4;

/** A crop's cells: [16, 16] grey levels; flat where the crop has too few pixels. @param pixels RGB, uint8 [height, width, 3] */
export function cellsOf(
  pixels: Uint8Array,
  { width, height }: { readonly width: number; readonly height: number },
): Uint8Array {
  // Of a few pixels nothing can be said: flat cells are never compared.
  if (width < 2 * SIDE || height < 2 * SIDE) return new Uint8Array(CELLS);
  const sums = new Float64Array(CELLS);
  const counts = new Uint32Array(CELLS);
  for (let y = 0, at = 0; y < height; y++) {
    const row = Math.floor((y * SIDE) / height) * SIDE;
    for (let x = 0; x < width; x++, at += 3) {
      const cell = row + Math.floor((x * SIDE) / width);
      sums[cell] += 0.299 * pixels[at] + 0.587 * pixels[at + 1] + 0.114 * pixels[at + 2];
      counts[cell]++;
    }
  }
  return Uint8Array.from(sums, (sum, i) => Math.round(sum / counts[i]));
}

interface Cells {
  readonly index: number;
  readonly mean: number;
  /** Less their mean. */
  readonly cells: Float32Array;
}

/**
 * Pairs of pictures that are one photograph.
 *
 * @param cells of every picture, as {@link cellsOf} gives them; flat where there is no picture
 * @returns pairs of indices, the smaller first
 */
export function likePairs(cells: readonly Uint8Array[]): [number, number][] {
  const all = cells.flatMap(centred);
  // Only pictures that are about as bright, in all and in halves, are looked at cell by cell.
  const bins = new Map<number, Cells[]>();
  const places = all.map(placeOf);
  all.forEach((one, i) => {
    const bin = bins.get(places[i]);
    if (bin === undefined) bins.set(places[i], [one]);
    else bin.push(one);
  });
  const pairs: [number, number][] = [];
  all.forEach((one, i) => {
    for (const step of AROUND)
      for (const other of bins.get(places[i] + step) ?? [])
        if (other.index > one.index && areLike(one, other)) pairs.push([one.index, other.index]);
  });
  return pairs;
}

function centred(own: Uint8Array, index: number): Cells[] {
  const mean = own.reduce((sum, value) => sum + value, 0) / CELLS;
  const cells = Float32Array.from(own, (value) => value - mean);
  const spread = Math.sqrt(cells.reduce((sum, value) => sum + value * value, 0) / CELLS);
  return spread < FLAT ? [] : [{ index, mean, cells }];
}

/** Bins along one of the four means; their places are digits of one number. */
const BINS = 512;
/** From a bin to itself and to those beside it. */
const AROUND = [-1, 0, 1].flatMap((i) =>
  [-1, 0, 1].flatMap((j) => [-1, 0, 1].flatMap((k) => [-1, 0, 1].map((l) => digits([i, j, k, l])))),
);

function digits(places: readonly number[]): number {
  return places.reduce((sum, place) => sum * BINS + place, 0);
}

/**
 * The bin of a picture: means of the upper half, of the left half, of two opposite quarters, of all. Those of copies differ by at
 * most `NEAR`, the last by `MEANS`.
 */
function placeOf({ mean, cells }: Cells): number {
  let [upper, left, crossed] = [0, 0, 0];
  for (let i = 0; i < CELLS; i++) {
    const isUpper = i < CELLS / 2;
    const isLeft = i % SIDE < SIDE / 2;
    if (isUpper) upper += cells[i];
    if (isLeft) left += cells[i];
    if (isUpper === isLeft) crossed += cells[i];
  }
  const halves = [upper, left, crossed].map((sum) => BINS / 2 + Math.floor(sum / (CELLS / 2) / NEAR));
  return digits([...halves, Math.floor(mean / MEANS)]);
}

function areLike(one: Cells, other: Cells): boolean {
  if (Math.abs(one.mean - other.mean) > MEANS) return false;
  let sum = 0;
  for (let i = 0; i < CELLS; i++) {
    sum += Math.abs(one.cells[i] - other.cells[i]);
    if (sum > NEAR * CELLS) return false;
  }
  return true;
}

/** The pairs, without those of pictures that are like many. */
function withoutCrowds(pairs: readonly (readonly [number, number])[]): (readonly [number, number])[] {
  const others = new Map<number, number>();
  for (const index of pairs.flat()) others.set(index, (others.get(index) ?? 0) + 1);
  return pairs.filter((pair) => pair.every((index) => (others.get(index) ?? 0) <= COPIES));
}

/** What copies among pictures mean for training. */
export interface Copies {
  /** Index of a picture that must not be trained on -> why. */
  readonly gone: ReadonlyMap<number, string>;
  /** How many copies there are; undefined where there are none. */
  readonly said?: string;
}

/**
 * Copies of pictures of the test part leave training and validation, those of the validation part training; never the other way round.
 *
 * @param items beside the cells
 * @param cells uint8 [items.length, CELLS]
 */
export function findCopies(items: readonly Pick<Item, "file" | "split">[], cells: Uint8Array): Copies {
  const like = likePairs(items.map((_, i) => cells.subarray(i * CELLS, (i + 1) * CELLS)));
  const pairs = withoutCrowds(like);
  const gone = new Map<number, string>();
  const rank = { train: 0, val: 1, test: 2 };
  for (const [a, b] of pairs) {
    const [lower, upper] = rank[items[a].split] < rank[items[b].split] ? [a, b] : [b, a];
    if (items[lower].split === items[upper].split) continue;
    const part = items[upper].split === "test" ? "test" : "validation";
    gone.set(
      lower,
      `the same photograph as ${items[upper].file} of the ${part} part, saved anew: not trained on`,
    );
  }
  const [first] = pairs;
  const crowded = new Set(like.flat()).size - new Set(pairs.flat()).size;
  if (first === undefined)
    return crowded === 0 ? { gone } : { gone, said: `pictures: ${crowdSentence(crowded)}` };
  const names = first.map((i) => items[i].file).join(" and ");
  const left = gone.size === 0 ? "" : `; ${leftText([...gone.keys()].map((i) => items[i].split))}`;
  return {
    gone,
    said: `pictures: ${pairs.length} ${pairs.length === 1 ? "pair is" : "pairs are"} one photograph saved anew (${names})${left}${crowded === 0 ? "" : `; ${crowdSentence(crowded)}`}`,
  };
}

/** "3 left training and 1 left validation because the test (or validation) part has them". @param splits of the pictures that left */
export function leftText(splits: readonly (Split | undefined)[]): string {
  const validation = splits.filter((split) => split === "val").length;
  const training = splits.length - validation;
  const said = [
    ...(training > 0 ? [`${training} left training`] : []),
    ...(validation > 0 ? [`${validation} left validation`] : []),
  ].join(" and ");
  return `${said} because the test ${training > 0 ? "(or validation) " : ""}part has them`;
}

function crowdSentence(pictures: number): string {
  return `${pictures} are each like more than ${COPIES} others (frames of a film, drawings): they stay where they are; a column that names the film or person keeps such pictures in one part`;
}
