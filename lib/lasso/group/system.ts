/**
 * The Newton system of several outputs: on a support A, where no row of B is zero, the objective is smooth, with
 *
 *   Hessian H = M (x) I_q - U W U',  M = G_AA + W,  W = diag(lambda / ||B_j||),  U = the directions u_j = B_j / ||B_j||,
 *
 * and by the formula of Sherman, Morrison and Woodbury its inverse needs two symmetric inverses of the size of the
 * support, however many outputs there are:
 *
 *   H^-1 R = Z + M^-1 diag(t) U,  Z = M^-1 R,  t = S^-1 (u_j . Z_j)_j,  S = W^-1 - M^-1 o U U'  (o: entry by entry)
 *
 * Damped by d, H has (1 - d) W between U and U', and S has W^-1 / (1 - d). Both are kept while support and lambda move on, as the preconditioner of conjugate gradients.
 */
import { indexOf, padded, type Tiled } from "../../math/tiled.ts";
import { rowProducts, rowsToTiles, spreadOver, zeros, type GroupSpace } from "./space.ts";
import { rowNorm, supportOf } from "../penalty.ts";
import type { Iterate } from "../problem.ts";

/**
 * Least damping, the share of W that is put along the directions, where the penalty has no curvature: between copies of a
 * filter there would be none at all, and steps of any length. Steps are shorter for it than Newton's, by far less than they
 * are inexact. With a damping of 1, H = M (x) I_q is the curvature of ||B_j||^2 / 2 ||B_j now|| + ||B_j now|| / 2, which is
 * never below the penalty, so a step lowers the objective however far it goes (Hunter and Li: Variable selection using MM
 * algorithms, 2005).
 */
export const leastDamping = 1e-4;

/** A linear system at an iterate; vectors are [size, q] tiled. */
export interface GroupSystem {
  /** A, ascending; the rows of the vectors. */
  readonly support: readonly number[];
  /** Rows of the vectors: the size of A, padded. */
  readonly size: number;
  /** Diagonal of W, [size of A]. */
  readonly weight: Float64Array;
  /** U, a vector. */
  readonly direction: Float64Array;
  /** From `leastDamping` to 1. */
  readonly damping: number;
}

/** The inverse of a system, which may be an earlier one. */
export interface GroupInverse {
  /** Position of every filter in the inverse, [p], -1 where it has none. */
  readonly positions: Int32Array;
  readonly size: number;
  /** M^-1, [size, size] */
  readonly m: Tiled;
  /** S^-1, [size, size] */
  readonly s: Tiled;
  /** U, [size, q] tiled */
  readonly direction: Float64Array;
}

/** The system at an iterate. */
export function systemAt({ problem, outputs }: GroupSpace, iterate: Iterate, lambda: number): GroupSystem {
  const { q } = problem;
  const support = supportOf(iterate.beta, q);
  const size = padded(support.length);
  const norms = support.map((j) => rowNorm(iterate.beta, j * q, q));
  const direction = new Float64Array(size * outputs);
  rowsToTiles(iterate.beta, direction, support, q);
  for (let tile = 0; tile < direction.length; tile += 4 * size) {
    for (let i = 0; i < norms.length; i++) {
      for (let at = tile + 4 * i; at < tile + 4 * i + 4; at++) direction[at] /= norms[i];
    }
  }
  const weight = Float64Array.from(norms, (norm) => lambda / norm);
  return { support, size, direction, weight, damping: leastDamping };
}

/**
 * out <- H v
 *
 * @returns G_:A v, [p, q] tiled, in memory that the next product takes
 */
export function applyHessian(
  space: GroupSpace,
  system: GroupSystem,
  v: Float64Array,
  out: Float64Array,
): Float64Array {
  const { support, size, weight, direction, damping } = system;
  const all = spreadOver(space, support, v);
  const along = rowProducts(direction, v, size);
  for (let tile = 0, from = 0; tile < v.length; tile += 4 * size, from += 4 * space.rows) {
    for (let i = 0; i < support.length; i++) {
      const [at, source, w, a] = [tile + 4 * i, from + 4 * support[i], weight[i], (1 - damping) * along[i]];
      for (let k = 0; k < 4; k++) {
        out[at + k] = all[source + k] + w * (v[at + k] - a * direction[at + k]);
      }
    }
  }
  return all;
}

/** Inverts a system, in the memory of the inverse before. */
export function invertSystem(space: GroupSpace, system: GroupSystem): GroupInverse {
  const { support, size, direction } = system;
  const m = mainMatrix(space, system);
  space.tiles.invert(m);
  const s = smallMatrix(space, system, m);
  const positions = new Int32Array(space.problem.p).fill(-1);
  support.forEach((j, i) => (positions[j] = i));
  return { positions, size, m, s, direction };
}

/** M; where it is padded, its largest diagonal. */
function mainMatrix({ problem, buffers }: GroupSpace, { support, size, weight }: GroupSystem): Tiled {
  const { p, gram } = problem;
  const m = zeros(buffers.m, size, size);
  let largest = 0;
  for (let j = 0; j < support.length; j++) {
    const row = support[j] * p;
    for (let i = 0, at = indexOf(size, 0, j); i < support.length; i++, at += 4) {
      m.values[at] = gram[row + support[i]];
    }
    largest = Math.max(largest, (m.values[indexOf(size, j, j)] += weight[j]));
  }
  for (let i = support.length; i < size; i++) m.values[indexOf(size, i, i)] = largest;
  return m;
}

/** S^-1 = W^1/2 (I / (1 - d) - W^1/2 (M^-1 o U U') W^1/2)^-1 W^1/2, of a finite number where d is 1 */
function smallMatrix(space: GroupSpace, { size, weight, direction, damping }: GroupSystem, m: Tiled): Tiled {
  const { tiles, buffers, outputs } = space;
  const turned = zeros(buffers.u, outputs, size);
  for (let k = 0; k < outputs; k++) {
    for (let i = 0, at = indexOf(size, 0, k); i < size; i++, at += 4) {
      turned.values[indexOf(outputs, k, i)] = direction[at];
    }
  }
  const s = zeros(buffers.s, size, size);
  const { values } = s;
  tiles.multiply(turned, turned, s, "upper");
  const diagonal = 1 / Math.max(1e-3, 1 - damping);
  const root = new Float64Array(size);
  for (let i = 0; i < weight.length; i++) root[i] = Math.sqrt(weight[i]);
  for (let j = 0; j < size; j++) {
    for (let i = 0, at = indexOf(size, 0, j); i <= j; i++, at += 4) {
      values[at] *= -root[i] * root[j] * m.values[at];
      if (i === j) values[at] += diagonal;
    }
  }
  tiles.invert(s);
  for (let j = 0; j < size; j++) {
    for (let i = 0, at = indexOf(size, 0, j); i < size; i++, at += 4) values[at] *= root[i] * root[j];
  }
  return s;
}

/**
 * out <- about H^-1 v, by an inverse that may be of an earlier iterate: filters that entered since are scaled by their
 * curvature, filters that left count as zero.
 */
export function precondition(
  space: GroupSpace,
  system: GroupSystem,
  inverse: GroupInverse,
  { v, out }: { readonly v: Float64Array; readonly out: Float64Array },
): void {
  const { problem, outputs, buffers, tiles } = space;
  const { support, weight } = system;
  const { size, m, s, direction } = inverse;
  const places = support.map((j) => inverse.positions[j]);
  const right = zeros(buffers.right, size, outputs);
  const z = zeros(buffers.out, size, outputs);
  moveRows(places, { from: v, to: right.values }, { rows: system.size, inverseRows: size, way: "in" });
  tiles.multiply(m, right, z);
  const t = timesSymmetric(s, rowProducts(direction, z.values, size));
  for (let tile = 0; tile < right.values.length; tile += 4 * size) {
    for (let i = 0, at = tile; i < size; i++, at += 4) {
      for (let k = 0; k < 4; k++) right.values[at + k] = t[i] * direction[at + k];
    }
  }
  tiles.multiply(m, right, z);
  moveRows(places, { from: z.values, to: out }, { rows: system.size, inverseRows: size, way: "out" });
  places.forEach((place, i) => {
    if (place >= 0) return;
    const curvature = problem.gram[support[i] * (problem.p + 1)] + weight[i];
    for (let at = 4 * i; at < v.length; at += 4 * system.size) {
      for (let k = 0; k < 4; k++) out[at + k] = v[at + k] / curvature;
    }
  });
}

/** Copies the rows that system and inverse share, into the inverse's order or out of it. */
function moveRows(
  places: readonly number[],
  { from, to }: { readonly from: Float64Array; readonly to: Float64Array },
  { rows, inverseRows, way }: { rows: number; inverseRows: number; way: "in" | "out" },
): void {
  const tiles = (way === "in" ? from : to).length / (4 * rows);
  for (let tile = 0; tile < tiles; tile++) {
    for (let i = 0; i < places.length; i++) {
      if (places[i] < 0) continue;
      const [own, there] = [4 * (tile * rows + i), 4 * (tile * inverseRows + places[i])];
      const [source, target] = way === "in" ? [own, there] : [there, own];
      for (let k = 0; k < 4; k++) to[target + k] = from[source + k];
    }
  }
}

/** S a */
function timesSymmetric({ rows, values }: Tiled, a: Float64Array): Float64Array {
  const out = new Float64Array(rows);
  for (let j = 0, at = 0; j < rows; j += 4) {
    const [a0, a1, a2, a3] = [a[j], a[j + 1], a[j + 2], a[j + 3]];
    for (let i = 0; i < rows; i++, at += 4) {
      out[i] += values[at] * a0 + values[at + 1] * a1 + values[at + 2] * a2 + values[at + 3] * a3;
    }
  }
  return out;
}
