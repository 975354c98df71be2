/** The penalty: lambda sum_j ||B_j||_2, one filter = one group across outputs; lambda ||beta||_1 for one output. */
import type { Iterate, Quadratic } from "./problem.ts";
import { residual } from "./problem.ts";

/** ||values[at .. at + q)||_2. */
export function rowNorm(values: Float64Array, at: number, q: number): number {
  if (q === 1) return Math.abs(values[at]);
  let sum = 0;
  for (let k = 0; k < q; k++) sum += values[at + k] * values[at + k];
  return Math.sqrt(sum);
}

/** Filters of [p, q] with a coefficient that is not zero, ascending. */
export function supportOf(beta: Float64Array, q: number): number[] {
  const support: number[] = [];
  for (let j = 0; j * q < beta.length; j++) if (rowNorm(beta, j * q, q) > 0) support.push(j);
  return support;
}

/** max_j ||values_j||_2 over the rows of [p, q]: the dual norm of the penalty. */
export function dualNorm(values: Float64Array, q: number): number {
  let largest = 0;
  for (let at = 0; at < values.length; at += q) largest = Math.max(largest, rowNorm(values, at, q));
  return largest;
}

/**
 * Duality gap at an iterate, in the units of the objective. Zero at the solution, and an upper bound of how far the
 * objective is above its minimum.
 *
 * The dual point is the residual, scaled by s = min(1, lambda / max_j ||corr_j||) into the feasible set. With
 * R = residual, the difference of primal and dual is R (1 - s)^2 / 2 + sum_j (lambda ||B_j|| - s <corr_j, B_j>): every
 * term is non-negative, so nothing cancels (Fercoq, Gramfort, Salmon: Mind the duality gap, 2015, for the dual point).
 */
export function dualityGap(problem: Quadratic, iterate: Iterate, lambda: number): number {
  const { q } = problem;
  const { beta, corr } = iterate;
  const largest = dualNorm(corr, q);
  const s = largest > lambda ? lambda / largest : 1;
  let gap = 0.5 * residual(problem, iterate) * (1 - s) * (1 - s);
  for (let at = 0; at < beta.length; at += q) {
    const norm = rowNorm(beta, at, q);
    if (norm === 0) continue;
    let inner = 0;
    for (let k = 0; k < q; k++) inner += beta[at + k] * corr[at + k];
    gap += Math.max(0, lambda * norm - s * inner);
  }
  return gap;
}

/** (1/2N) ||Y - B0 - X B||_F^2 + lambda sum_j ||B_j||_2. */
export function objective(problem: Quadratic, iterate: Iterate, lambda: number): number {
  let penalty = 0;
  for (let at = 0; at < iterate.beta.length; at += problem.q) penalty += rowNorm(iterate.beta, at, problem.q);
  return 0.5 * residual(problem, iterate) + lambda * penalty;
}
