/**
 * The datafit: (1/2N) ||Y - B0 - X B||_F^2 as a quadratic of B, for which centred moments are all that is needed.
 *
 * With G = Xc'Xc / N, C = Xc'Yc / N and S = tr Yc'Yc / N the objective is S/2 - <C, B> + <B, G B>/2 + lambda sum_j
 * ||B_j||. Letters are the paper's (ETL, eq. 3): X, Y, beta, lambda; the number of images N is `n`.
 */
import type { CentredMoments } from "../math/moments.ts";

/** The quadratic that the solvers minimise. Filters in columns, p of them; q outputs. */
export interface Quadratic {
  readonly p: number;
  readonly q: number;
  /** G, [p, p] symmetric. Rows of constant filters are zero. */
  readonly gram: Float64Array;
  /** C, [p, q] row-major. */
  readonly cov: Float64Array;
  /** S: mean over images of the squared distance of y to its mean, summed over outputs. */
  readonly yy: number;
  /** Coefficients in raw units are `scale[j]` times the solver's, [p]; absent = 1. */
  readonly scale?: Float64Array;
}

/** A point of the solver and its residual correlations. */
export interface Iterate {
  /** Coefficients, [p, q] row-major. */
  readonly beta: Float64Array;
  /** C - G B = Xc'R / N, [p, q] row-major: minus the gradient of the datafit. */
  readonly corr: Float64Array;
}

/** Solves a problem at one lambda after the other, descending. */
export interface PathSolver {
  /**
   * Moves the iterate from the solution at the lambda before to the one at `lambda`, its correlations afresh.
   *
   * @param target duality gap to reach
   */
  solve(iterate: Iterate, lambda: number, target: number): void;
}

/**
 * @param standardize divides every filter by its standard deviation (population), so that the penalty sees filters of
 *   one size
 */
export function quadratic(centred: CentredMoments, standardize: boolean): Quadratic {
  const { p, q } = centred;
  let yy = 0;
  for (let k = 0; k < q; k++) yy += centred.yy[k * q + k];
  if (!standardize) return { p, q, gram: centred.gram, cov: centred.cov, yy };

  const scale = new Float64Array(p);
  for (let j = 0; j < p; j++) {
    scale[j] = centred.constantX[j] === 1 ? 0 : 1 / Math.sqrt(centred.gram[j * p + j]);
  }
  const gram = new Float64Array(p * p);
  const cov = new Float64Array(p * q);
  for (let i = 0; i < p; i++) {
    for (let j = 0; j < p; j++) gram[i * p + j] = centred.gram[i * p + j] * scale[i] * scale[j];
    if (scale[i] !== 0) gram[i * p + i] = 1;
    for (let k = 0; k < q; k++) cov[i * q + k] = centred.cov[i * q + k] * scale[i];
  }
  return { p, q, gram, cov, yy, scale };
}

/** B = 0. */
export function zeroIterate(problem: Quadratic): Iterate {
  return { beta: new Float64Array(problem.p * problem.q), corr: problem.cov.slice() };
}

/**
 * One output: corr <- C - G beta, afresh, so that nothing drifts. Costs p times the support; four columns at a time, so
 * that corr is read and written a quarter as often.
 */
export function refreshCorrelations({ p, gram, cov }: Quadratic, { beta, corr }: Iterate): void {
  corr.set(cov);
  const active: number[] = [];
  for (let j = 0; j < p; j++) if (beta[j] !== 0) active.push(j);
  let at = 0;
  for (; at + 4 <= active.length; at += 4) {
    const [a, b, c, d] = [active[at] * p, active[at + 1] * p, active[at + 2] * p, active[at + 3] * p];
    const [wa, wb, wc, wd] = [
      beta[active[at]],
      beta[active[at + 1]],
      beta[active[at + 2]],
      beta[active[at + 3]],
    ];
    for (let i = 0; i < p; i++) {
      corr[i] -= wa * gram[a + i] + wb * gram[b + i] + wc * gram[c + i] + wd * gram[d + i];
    }
  }
  for (; at < active.length; at++) {
    const a = active[at] * p;
    const w = beta[active[at]];
    for (let i = 0; i < p; i++) corr[i] -= w * gram[a + i];
  }
}

/** corr -= G_:j delta', a change of row j of B, [q]. */
export function subtractRow(
  { p, q, gram }: Quadratic,
  corr: Float64Array,
  j: number,
  delta: ArrayLike<number>,
): void {
  for (let i = 0, from = j * p, to = 0; i < p; i++, from++) {
    const g = gram[from];
    for (let k = 0; k < q; k++, to++) corr[to] -= g * delta[k];
  }
}

/** ||Y - B0 - X B||_F^2 / N at an iterate; never negative. */
export function residual(problem: Quadratic, { beta, corr }: Iterate): number {
  let sum = problem.yy;
  for (let i = 0; i < beta.length; i++) if (beta[i] !== 0) sum -= beta[i] * (problem.cov[i] + corr[i]);
  return Math.max(0, sum);
}
