/**
 * Fewer outputs for the same path. Neither the datafit nor the penalty changes when outputs are rotated: with Q
 * orthonormal, [q, r], whose columns span the rows of C, the problem of C Q has r <= min(p, q) outputs, and B = B_r Q' is
 * the solution of the problem of C. The classes of a one-hot target lose one output, constant outputs go altogether.
 */
import { rowNorm } from "./penalty.ts";
import type { Quadratic } from "./problem.ts";

export interface ReducedOutputs {
  /** The problem in r outputs. */
  readonly problem: Quadratic;
  /** Q', [r, q] row-major with orthonormal rows; absent where nothing was gained. */
  readonly basis: Float64Array | undefined;
}

/** Rows of C that are below this share of the largest one count as spanned: far below what a gap can notice. */
const spannedShare = 1e-12;

/** Rotates outputs into the row space of C: Gram-Schmidt, twice, on the row with the largest remainder. */
export function reduceOutputs(problem: Quadratic): ReducedOutputs {
  const { p, q, cov } = problem;
  if (q === 1) return { problem, basis: undefined };
  const rest = cov.slice();
  const basis: Float64Array[] = [];
  const smallest = spannedShare * rowNorm(rest, longestRow(rest, q), q);
  for (;;) {
    const at = longestRow(rest, q);
    const direction = rest.slice(at, at + q);
    if (!(rowNorm(direction, 0, q) > smallest)) break;
    for (const earlier of basis) subtractAlong(direction, 0, earlier);
    const norm = rowNorm(direction, 0, q);
    for (let k = 0; k < q; k++) direction[k] /= norm;
    for (let row = 0; row < p * q; row += q) subtractAlong(rest, row, direction);
    rest.fill(0, at, at + q);
    basis.push(direction);
    if (basis.length === q) return { problem, basis: undefined }; // full rank: the outputs as they are
  }
  const r = Math.max(1, basis.length);
  const rotated = new Float64Array(p * r);
  const flat = new Float64Array(r * q);
  basis.forEach((direction, k) => {
    flat.set(direction, k * q);
    for (let j = 0; j < p; j++) rotated[j * r + k] = dotRow(cov, j * q, direction);
  });
  return { problem: { ...problem, q: r, cov: rotated }, basis: flat };
}

/** Where the longest row begins. */
function longestRow(values: Float64Array, q: number): number {
  let [longest, where] = [-1, 0];
  for (let at = 0; at < values.length; at += q) {
    const norm = rowNorm(values, at, q);
    if (norm > longest) [longest, where] = [norm, at];
  }
  return where;
}

function subtractAlong(values: Float64Array, at: number, direction: Float64Array): void {
  const along = dotRow(values, at, direction);
  for (let k = 0; k < direction.length; k++) values[at + k] -= along * direction[k];
}

function dotRow(values: Float64Array, at: number, direction: Float64Array): number {
  let sum = 0;
  for (let k = 0; k < direction.length; k++) sum += values[at + k] * direction[k];
  return sum;
}

/** B = B_r Q', [p, q] row-major. */
export function expandOutputs(beta: Float64Array, basis: Float64Array, r: number): Float64Array {
  const q = basis.length / r;
  const whole = new Float64Array((beta.length / r) * q);
  for (let row = 0, at = 0; row < beta.length; row += r, at += q) {
    for (let k = 0; k < r; k++) {
      const b = beta[row + k];
      if (b !== 0) for (let t = 0; t < q; t++) whole[at + t] += b * basis[k * q + t];
    }
  }
  return whole;
}
