/**
 * Block coordinate descent on a working set, with covariance updates: the general solver, for any number of outputs.
 *
 * Friedman, Hastie, Tibshirani: Regularization paths for generalized linear models via coordinate descent, 2010;
 * extrapolation: Bertrand, Massias: Anderson acceleration of coordinate descent, 2021.
 */
import { newtonStep } from "./newton.ts";
import { dualityGap, objective, rowNorm } from "./penalty.ts";
import type { Iterate, Quadratic } from "./problem.ts";
import { refreshCorrelations } from "./problem.ts";

export interface DescentOptions {
  readonly lambda: number;
  /** Duality gap of the problem restricted to the working set at which to stop. */
  readonly gap: number;
  readonly maxEpochs: number;
}

/** Passes between two Newton steps. */
const stride = 4;

/**
 * Minimises over the filters in `working` (the others keep their value); updates `iterate` in place, its correlations
 * afresh over all filters.
 *
 * @returns the number of epochs
 */
export function descend(
  problem: Quadratic,
  iterate: Iterate,
  working: readonly number[],
  options: DescentOptions,
): number {
  const { q } = problem;
  const { lambda } = options;
  const sub = restrict(problem, working);
  const at: Iterate = { beta: rowsOf(iterate.beta, working, q), corr: rowsOf(iterate.corr, working, q) };
  let epochs = 0;
  for (;;) {
    for (let i = 0; i < stride; i++) epoch(sub, at, lambda);
    epochs += stride;
    refreshCorrelations(sub, at);
    if (dualityGap(sub, at, lambda) <= options.gap || epochs >= options.maxEpochs) break;
    leap(sub, at, lambda);
  }
  working.forEach((j, row) => {
    for (let k = 0; k < q; k++) iterate.beta[j * q + k] = at.beta[row * q + k];
  });
  refreshCorrelations(problem, iterate);
  return epochs;
}

/** The problem with the working set's rows and columns copied side by side. */
function restrict(problem: Quadratic, working: readonly number[]): Quadratic {
  const { p, q, gram } = problem;
  const size = working.length;
  const small = new Float64Array(size * size);
  for (let i = 0; i < size; i++) {
    const row = working[i] * p;
    for (let j = 0; j < size; j++) small[i * size + j] = gram[row + working[j]];
  }
  return { p: size, q, gram: small, cov: rowsOf(problem.cov, working, q), yy: problem.yy };
}

function rowsOf(values: Float64Array, rows: readonly number[], q: number): Float64Array {
  const some = new Float64Array(rows.length * q);
  rows.forEach((row, at) => {
    for (let k = 0; k < q; k++) some[at * q + k] = values[row * q + k];
  });
  return some;
}

/** A Newton step on the support, shortened until the objective falls; nothing where it does not. */
function leap(problem: Quadratic, iterate: Iterate, lambda: number): void {
  const step = newtonStep(problem, iterate, lambda);
  if (step === undefined) return;
  const before = objective(problem, iterate, lambda);
  const trial: Iterate = { beta: new Float64Array(step.length), corr: new Float64Array(step.length) };
  for (let length = 1; length > 0.1; length /= 2) {
    for (let t = 0; t < step.length; t++) trial.beta[t] = iterate.beta[t] + length * step[t];
    refreshCorrelations(problem, trial);
    if (objective(problem, trial, lambda) >= before) continue;
    iterate.beta.set(trial.beta);
    iterate.corr.set(trial.corr);
    return;
  }
}

/** One pass over all filters of the problem. */
function epoch(problem: Quadratic, iterate: Iterate, lambda: number): void {
  if (problem.q === 1) scalarEpoch(problem, iterate, lambda);
  else blockEpoch(problem, iterate, lambda);
}

/** beta_j <- S(G_jj beta_j + corr_j, lambda) / G_jj, S the soft threshold. */
function scalarEpoch({ p, gram }: Quadratic, { beta, corr }: Iterate, lambda: number): void {
  for (let j = 0; j < p; j++) {
    const row = j * p;
    const curvature = gram[row + j];
    if (curvature <= 0) continue;
    const old = beta[j];
    const z = old * curvature + corr[j];
    const next = z > lambda ? (z - lambda) / curvature : z < -lambda ? (z + lambda) / curvature : 0;
    const delta = next - old;
    if (delta === 0) continue;
    beta[j] = next;
    for (let i = 0; i < p; i++) corr[i] -= delta * gram[row + i];
  }
}

/** The same for rows of q coefficients: the row's norm is thresholded. */
function blockEpoch({ p, q, gram }: Quadratic, { beta, corr }: Iterate, lambda: number): void {
  const delta = new Float64Array(q);
  for (let j = 0; j < p; j++) {
    const row = j * p;
    const at = j * q;
    const curvature = gram[row + j];
    if (curvature <= 0) continue;
    for (let k = 0; k < q; k++) delta[k] = beta[at + k] * curvature + corr[at + k];
    const norm = rowNorm(delta, 0, q);
    const shrink = norm > lambda ? (1 - lambda / norm) / curvature : 0;
    let moved = false;
    for (let k = 0; k < q; k++) {
      const next = delta[k] * shrink;
      delta[k] = next - beta[at + k];
      if (delta[k] !== 0) moved = true;
      beta[at + k] = next;
    }
    if (!moved) continue;
    for (let i = 0, to = 0; i < p; i++) {
      const g = gram[row + i];
      for (let k = 0; k < q; k++, to++) corr[to] -= g * delta[k];
    }
  }
}
