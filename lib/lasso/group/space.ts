/**
 * The memory in which paths of several outputs are solved: the columns of G that a support needs, side by side, and room
 * for products. Vectors here are [rows, q] tiled (see `core/tiled.ts`): element (i, k) is at `indexOf(rows, i, k)`.
 */
import { createTileSpace, indexOf, padded, type Tiled, type TileSpace } from "../../math/tiled.ts";
import { supportOf } from "../penalty.ts";
import type { Iterate, Quadratic } from "../problem.ts";

export interface GroupSpace {
  readonly problem: Quadratic;
  readonly tiles: TileSpace;
  /** p, padded. */
  readonly rows: number;
  /** q, padded. */
  readonly outputs: number;
  /** Numbers that matrices are laid over: `m`, `s` and `gram` of p x p, the others of p x q. */
  readonly buffers: Readonly<Record<"gram" | "m" | "s" | "u" | "right" | "out", Float64Array>>;
  /** The support whose rows of G stand in `buffers.gram`, ascending. */
  support: readonly number[];
}

export function createGroupSpace(problem: Quadratic): GroupSpace {
  const [rows, outputs] = [padded(problem.p), padded(problem.q)];
  const [square, whole] = [rows * rows, rows * outputs];
  const tiles = createTileSpace(3 * (square + whole), rows);
  const buffers = {
    gram: tiles.allocate(square),
    m: tiles.allocate(square),
    s: tiles.allocate(square),
    u: tiles.allocate(whole),
    right: tiles.allocate(whole),
    out: tiles.allocate(whole),
  };
  return { problem, tiles, rows, outputs, buffers, support: [] };
}

/** A matrix of zeros at the beginning of a buffer. */
export function zeros(buffer: Float64Array, rows: number, columns: number): Tiled {
  const values = buffer.subarray(0, rows * columns);
  values.fill(0);
  return { rows, columns, values };
}

/**
 * G_:A v
 *
 * @param v [size of A padded, q] tiled
 * @returns [p, q] tiled, in memory that the next product takes
 */
export function spreadOver(space: GroupSpace, support: readonly number[], v: Float64Array): Float64Array {
  const { rows, outputs, buffers, tiles } = space;
  const size = padded(support.length);
  choose(space, support);
  const columns = { rows: size, columns: rows, values: buffers.gram.subarray(0, size * rows) };
  const right = { rows: size, columns: outputs, values: buffers.right.subarray(0, size * outputs) };
  right.values.set(v);
  const out = zeros(buffers.out, rows, outputs);
  tiles.multiply(columns, right, out);
  return out.values;
}

/** corr <- C - G B, afresh. */
export function refresh(space: GroupSpace, { beta, corr }: Iterate): void {
  const { rows, outputs, problem } = space;
  const { q, cov } = problem;
  const support = supportOf(beta, q);
  const v = new Float64Array(padded(support.length) * outputs);
  rowsToTiles(beta, v, support, q);
  corr.set(cov);
  addTiles(corr, spreadOver(space, support, v), { rows, q, factor: -1 });
}

/** Copies the rows A of G unless they are there. */
function choose(space: GroupSpace, support: readonly number[]): void {
  if (sameNumbers(support, space.support)) return;
  const { problem, rows, buffers } = space;
  const { p, gram } = problem;
  const { values } = zeros(buffers.gram, padded(support.length), rows);
  const step = 4 * padded(support.length);
  support.forEach((j, i) => {
    let [from, to] = [j * p, 4 * i];
    const end = from + p;
    for (; from + 4 <= end; from += 4, to += step) {
      for (let k = 0; k < 4; k++) values[to + k] = gram[from + k];
    }
    for (let k = 0; from + k < end; k++) values[to + k] = gram[from + k];
  });
  space.support = support;
}

function sameNumbers(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}

/** Some rows of [p, q] row-major as the rows of a tiled matrix that is otherwise zero. */
export function rowsToTiles(from: Float64Array, to: Float64Array, rows: readonly number[], q: number): void {
  const size = padded(rows.length);
  for (let k = 0; k < q; k++) {
    for (let i = 0, at = indexOf(size, 0, k); i < rows.length; i++, at += 4) to[at] = from[rows[i] * q + k];
  }
}

/** to += factor * from: [p, q] row-major, and [rows, q] tiled with rows of at least p. */
export function addTiles(
  to: Float64Array,
  from: Float64Array,
  { rows, q, factor }: { readonly rows: number; readonly q: number; readonly factor: number },
): void {
  for (let first = 0; first < q; first += 4) {
    const count = Math.min(4, q - first);
    for (let at = first, source = first * rows; at < to.length; at += q, source += 4) {
      for (let k = 0; k < count; k++) to[at + k] += factor * from[source + k];
    }
  }
}

/** out_i <- <a_i, b_i>, the inner products of the rows of two tiled matrices of `rows` rows. */
export function rowProducts(a: Float64Array, b: Float64Array, rows: number): Float64Array {
  const out = new Float64Array(rows);
  for (let tile = 0; tile < a.length; tile += 4 * rows) {
    for (let i = 0, at = tile; i < rows; i++, at += 4) {
      out[i] += a[at] * b[at] + a[at + 1] * b[at + 1] + a[at + 2] * b[at + 2] + a[at + 3] * b[at + 3];
    }
  }
  return out;
}
