/** The LASSO path (ETL, eq. 3 and section 3.3): one hundred solutions from the empty to the nearly full filter set. */
import { refuseUnknown, type OptionNames } from "../core/options.ts";
import type { LassoPath, Moments, PathPoint } from "../core/artifacts.ts";
import { EtlError } from "../core/errors.ts";
import { centre, type CentredMoments } from "../math/moments.ts";
import { createActiveSet, type ActiveSet } from "./active-set.ts";
import { descend } from "./descent.ts";
import { createGroupSolver } from "./groups.ts";
import { momentsOf, type MatrixLike } from "./matrix.ts";
import { expandOutputs, reduceOutputs, type ReducedOutputs } from "./outputs.ts";
import { dualityGap, dualNorm, supportOf } from "./penalty.ts";
import {
  quadratic,
  residual,
  zeroIterate,
  type Iterate,
  type PathSolver,
  type Quadratic,
} from "./problem.ts";

export interface LassoOptions {
  /** Number of lambdas on the geometric grid (at least 2), or the grid itself, descending. Default 100. */
  readonly lambdas?: number | Float64Array;
  /** Largest lambda / smallest lambda, above 1. Default 1e4. */
  readonly ratio?: number;
  /** Largest duality gap, as a share of ||y - mean||^2 / N. Default 1e-6. */
  readonly tol?: number;
  /** Divide filters by their standard deviation first. Coefficients come out in raw units in any case. */
  readonly standardize?: boolean;
}

export const lassoNames: OptionNames<LassoOptions> = {
  lambdas: true,
  ratio: true,
  tol: true,
  standardize: true,
};

/** Passes of coordinate descent at one lambda before it is left with the gap it has. */
const maxEpochs = 4_000;

/**
 * The path of raw responses.
 *
 * @param data.x [n, p]: an ml-matrix `Matrix`, or row-major `{ data, rows, columns }`
 * @param data.y [n], or [n, q] for several outputs
 */
export function lassoPath(
  data: { readonly x: MatrixLike; readonly y: Float64Array | MatrixLike },
  options: LassoOptions = {},
): LassoPath {
  refuseUnknown("lassoPath", options, lassoNames);
  checkOptions(options);
  const { moments, origin } = momentsOf(data.x, data.y);
  return solvePath(centre(moments, { origin }), options);
}

/** The path of moments: the same solutions without the responses. */
export function lassoPathFromMoments(moments: Moments, options: LassoOptions = {}): LassoPath {
  refuseUnknown("lassoPathFromMoments", options, lassoNames);
  checkOptions(options);
  if (moments.n < 2) {
    throw new EtlError("data", `lasso: ${moments.n} rows, at least 2 were needed`);
  }
  return solvePath(centre(moments), options);
}

/**
 * The path of centred moments. One output is solved exactly on its active set, and coordinate descent takes over where that
 * set is singular; several outputs are reduced to the rank of their covariances and solved to the gap. Every point carries
 * its duality gap, computed afresh; where the gap is above `tol * ||y - mean||^2 / N`, the solver ran out of passes, which
 * is a line for the report, not an error.
 *
 * Where y is constant, or every filter is, no filter can explain anything: the grid is all zero, and so is every point.
 */
export function solvePath(centred: CentredMoments, options: LassoOptions): LassoPath {
  const whole = quadratic(centred, options.standardize ?? false);
  const lambdas = lambdaGrid(whole, options);
  const reduced = reduceOutputs(whole);
  const { problem } = reduced;
  const iterate = zeroIterate(problem);
  const solver = problem.q === 1 ? createExactSolver(problem) : createGroupSolver(problem);
  const target = (options.tol ?? 1e-6) * problem.yy;
  const solvable = largestLambda(problem) > 0;
  const points: PathPoint[] = [];
  for (const lambda of lambdas) {
    if (lambda > 0 && solvable) solver.solve(iterate, lambda, target);
    points.push(pointOf(reduced, iterate, centred, lambda));
  }
  return { lambdas, points, p: whole.p, q: whole.q };
}

/**
 * Smallest lambda at which every coefficient is zero: max_j ||x_j'(Y - mean Y)||_2 / N (ETL, section 3.3), in the
 * units of y times x.
 */
function largestLambda(problem: Quadratic): number {
  return dualNorm(problem.cov, problem.q);
}

/** Geometric, descending, from the largest lambda down to largest / ratio; both ends exact. */
function lambdaGrid(problem: Quadratic, options: LassoOptions): Float64Array {
  const { lambdas = 100, ratio = 1e4 } = options;
  if (typeof lambdas !== "number") return lambdas.slice();
  const largest = largestLambda(problem);
  return Float64Array.from({ length: lambdas }, (_, i) => largest * Math.pow(ratio, -i / (lambdas - 1)));
}

/** The solver of one output, along a path. */
function createExactSolver(problem: Quadratic): PathSolver {
  const exact = createActiveSet(problem);
  let previous = largestLambda(problem);
  return {
    solve: (iterate, lambda, target) => {
      solveAt(problem, iterate, { lambda, previous: Math.max(previous, lambda), target, exact });
      previous = lambda;
    },
  };
}

interface Step {
  readonly lambda: number;
  /** The lambda at which the iterate is the solution. */
  readonly previous: number;
  /** Duality gap to reach. */
  readonly target: number;
  readonly exact: ActiveSet;
}

/** Moves the iterate from the solution at the previous lambda to the one at `lambda`. */
function solveAt(problem: Quadratic, iterate: Iterate, step: Step): void {
  const { lambda, target, exact } = step;
  if (exact.solve(iterate, lambda)) return;
  if (!(dualityGap(problem, iterate, lambda) <= target)) descendToGap(problem, iterate, step);
  exact.restart(iterate);
}

/**
 * Coordinate descent on a working set that grows until the gap over all filters is reached. The set starts from the
 * sequential strong rule, |corr_j| >= 2 lambda - previous, which may wrongly discard; so all filters are checked.
 * Tibshirani et al.: Strong rules for discarding predictors in lasso-type problems, 2012.
 */
function descendToGap(problem: Quadratic, { beta, corr }: Iterate, step: Step): void {
  const { p, gram } = problem;
  const { lambda, previous, target } = step;
  const chosen = new Uint8Array(p);
  for (let j = 0; j < p; j++) {
    const strong = Math.abs(corr[j]) >= 2 * lambda - previous;
    if (gram[j * p + j] > 0 && (strong || beta[j] !== 0)) chosen[j] = 1;
  }
  let gap = target;
  for (let epochs = 0; epochs < maxEpochs;) {
    const working = Array.from(chosen.keys()).filter((j) => chosen[j] === 1);
    epochs += descend(problem, { beta, corr }, working, { lambda, gap, maxEpochs: maxEpochs - epochs });
    if (!(dualityGap(problem, { beta, corr }, lambda) > target)) return;
    let grown = false;
    for (let j = 0; j < p; j++) {
      if (chosen[j] === 1 || !(Math.abs(corr[j]) > lambda)) continue;
      chosen[j] = 1;
      grown = true;
    }
    if (!grown) gap /= 10;
  }
}

/** The iterate as an artifact, in raw units. */
function pointOf(
  { problem, basis }: ReducedOutputs,
  iterate: Iterate,
  centred: CentredMoments,
  lambda: number,
): PathPoint {
  const { q: r, scale } = problem;
  const { q } = centred;
  const full = basis ? expandOutputs(iterate.beta, basis, r) : iterate.beta;
  const support = supportOf(iterate.beta, r);
  const beta = new Float64Array(support.length * q);
  const intercept = centred.meanY.slice();
  support.forEach((j, row) => {
    for (let k = 0; k < q; k++) {
      const b = full[j * q + k] * (scale?.[j] ?? 1);
      beta[row * q + k] = b;
      intercept[k] -= centred.meanX[j] * b;
    }
  });
  return {
    lambda,
    support: Uint32Array.from(support),
    beta,
    intercept: q === 1 ? intercept[0] : intercept,
    gap: dualityGap(problem, iterate, lambda),
    rmse: Math.sqrt(residual(problem, iterate) / q),
  };
}

function checkOptions({ lambdas = 100, ratio = 1e4, tol = 1e-6 }: LassoOptions): void {
  if (typeof lambdas === "number") {
    if (!Number.isInteger(lambdas) || lambdas < 2) {
      throw new EtlError("usage", `lasso: lambdas is ${lambdas}, a whole number of at least 2 was needed`);
    }
  } else if (lambdas.length === 0 || lambdas.some((v, i) => !(v >= 0) || (i > 0 && v > lambdas[i - 1]))) {
    throw new EtlError(
      "usage",
      "lasso: lambdas is a list that is empty, negative or rising, a descending one was needed",
    );
  }
  if (!(ratio > 1) || !Number.isFinite(ratio)) {
    throw new EtlError("usage", `lasso: ratio is ${ratio}, a number above 1 was needed`);
  }
  if (!(tol > 0) || !Number.isFinite(tol)) {
    throw new EtlError("usage", `lasso: tol is ${tol}, a number above 0 was needed`);
  }
}
