/**
 * Coordinate descent on a working set, with covariance updates: the solver of one output where the active set is singular.
 *
 * Friedman, Hastie, Tibshirani: Regularization paths for generalized linear models via coordinate descent, 2010.
 */
import { newtonStep } from "./newton.ts";
import { dualityGap, objective } from "./penalty.ts";
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
  const { lambda } = options;
  const sub = restrict(problem, working);
  const at: Iterate = { beta: rowsOf(iterate.beta, working), corr: rowsOf(iterate.corr, working) };
  let epochs = 0;
  for (;;) {
    for (let i = 0; i < stride; i++) epoch(sub, at, lambda);
    epochs += stride;
    refreshCorrelations(sub, at);
    if (dualityGap(sub, at, lambda) <= options.gap || epochs >= options.maxEpochs) break;
    leap(sub, at, lambda);
  }
  working.forEach((j, row) => (iterate.beta[j] = at.beta[row]));
  refreshCorrelations(problem, iterate);
  return epochs;
}

/** The problem with the working set's rows and columns copied side by side. */
function restrict(problem: Quadratic, working: readonly number[]): Quadratic {
  const { p, gram } = problem;
  const size = working.length;
  const small = new Float64Array(size * size);
  for (let i = 0; i < size; i++) {
    const row = working[i] * p;
    for (let j = 0; j < size; j++) small[i * size + j] = gram[row + working[j]];
  }
  return { p: size, q: 1, gram: small, cov: rowsOf(problem.cov, working), yy: problem.yy };
}

function rowsOf(values: Float64Array, rows: readonly number[]): Float64Array {
  return Float64Array.from(rows, (row) => values[row]);
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

/** One pass over all filters: beta_j <- S(G_jj beta_j + corr_j, lambda) / G_jj, S the soft threshold. */
function epoch({ p, gram }: Quadratic, { beta, corr }: Iterate, lambda: number): void {
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
