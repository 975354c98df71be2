/**
 * The path of several outputs. At every lambda: a guess from the last solutions, then in turn a pass of block coordinate
 * descent, which lets filters enter and leave, and a Newton step on the support, which solves for those that stay. On
 * correlated filters that one step does what would take descent hundreds of passes.
 */
import { extrapolated, type PastSolution } from "./extrapolation.ts";
import { createNewton } from "./group/newton.ts";
import { createGroupSpace, refresh } from "./group/space.ts";
import { dualityGap, objective, rowNorm } from "./penalty.ts";
import { subtractRow, type Iterate, type PathSolver, type Quadratic } from "./problem.ts";

/** Descent and Newton steps at one lambda before it is left with the gap it has. */
const maxRounds = 300;
/** Share of the target gap at which correlations are computed afresh: rounding may take the rest. */
const innerShare = 0.9;
/** Relative change from which descent moves a filter that is in use and stays so: the Newton step is for the others. */
const moveShare = 0.1;

/** The solver of at least two outputs; of its kind, one at a time for each thread. */
export function createGroupSolver(problem: Quadratic): PathSolver {
  const space = createGroupSpace(problem);
  const newton = createNewton(space);
  /** Newest first. */
  let past: readonly PastSolution[] = [];

  const guess = (iterate: Iterate, lambda: number): void => {
    const beta = extrapolated(past, lambda, problem.q);
    if (beta === undefined) return;
    const trial: Iterate = { beta, corr: new Float64Array(beta.length) };
    refresh(space, trial);
    if (objective(problem, trial, lambda) >= objective(problem, iterate, lambda)) return;
    iterate.beta.set(trial.beta);
    iterate.corr.set(trial.corr);
  };

  const run = (iterate: Iterate, lambda: number, target: number): void => {
    const inner = innerShare * target;
    let share = moveShare;
    for (let round = 0; round < maxRounds; round++) {
      descend(problem, iterate, lambda, share);
      if (dualityGap(problem, iterate, lambda) > inner) {
        share = newton(iterate, { lambda, target: inner }) ? moveShare : 0;
        if (dualityGap(problem, iterate, lambda) > inner) continue;
      }
      refresh(space, iterate);
      if (dualityGap(problem, iterate, lambda) <= target) return;
    }
    refresh(space, iterate);
  };

  return {
    solve: (iterate, lambda, target) => {
      guess(iterate, lambda);
      if (!(dualityGap(problem, iterate, lambda) <= target)) run(iterate, lambda, target);
      past = [{ lambda, beta: iterate.beta.slice() }, ...past.filter((each) => each.lambda > lambda)].slice(
        0,
        3,
      );
    },
  };
}

/**
 * One pass of block coordinate descent: B_j <- S(G_jj B_j + corr_j, lambda) / G_jj, S the soft threshold of the row's
 * norm. Filters that stay in use and would move by less than `share` of their norm are left alone.
 */
function descend(problem: Quadratic, { beta, corr }: Iterate, lambda: number, share: number): void {
  const { p, q, gram } = problem;
  const delta = new Float64Array(q);
  for (let j = 0; j < p; j++) {
    const at = j * q;
    const curvature = gram[j * p + j];
    if (curvature <= 0) continue;
    for (let k = 0; k < q; k++) delta[k] = beta[at + k] * curvature + corr[at + k];
    const norm = rowNorm(delta, 0, q);
    const shrink = norm > lambda ? (1 - lambda / norm) / curvature : 0;
    for (let k = 0; k < q; k++) delta[k] = delta[k] * shrink - beta[at + k];
    const change = rowNorm(delta, 0, q);
    if (change === 0 || (shrink > 0 && change <= share * rowNorm(beta, at, q))) continue;
    for (let k = 0; k < q; k++) beta[at + k] = shrink > 0 ? beta[at + k] + delta[k] : 0;
    subtractRow(problem, corr, j, delta);
  }
}
