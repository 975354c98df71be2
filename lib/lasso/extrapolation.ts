/** A guess of the next solution of a path: between two changes of the support, a path is smooth in log lambda. */
import { dot } from "./cholesky.ts";
import { rowNorm } from "./penalty.ts";

export interface PastSolution {
  readonly lambda: number;
  /** [p, q] row-major */
  readonly beta: Float64Array;
}

/**
 * The polynomial through the last solutions, row by row: through three where the row is in use in all, through two where
 * it is in the last two, and the last solution's row otherwise. A row that would turn by a right angle becomes zero.
 *
 * @param past newest first, no two at one lambda; three are read
 * @returns [p, q]; undefined where fewer than two solutions are known
 */
export function extrapolated(
  past: readonly PastSolution[],
  lambda: number,
  q: number,
): Float64Array | undefined {
  if (past.length < 2 || !(lambda < past[0].lambda)) return undefined;
  const last = past[0].beta;
  const weights = [2, 3].map((count) => lagrange(past.slice(0, count), lambda));
  const guess = last.slice();
  for (let row = 0; row < guess.length; row += q) {
    let used = 0;
    while (used < past.length && rowNorm(past[used].beta, row, q) > 0) used++;
    if (used < 2) continue;
    const own = weights[used - 2];
    for (let t = row; t < row + q; t++) {
      guess[t] = own.reduce((sum, weight, i) => sum + weight * past[i].beta[t], 0);
    }
    if (dot(guess, row, last, row, q) <= 0) guess.fill(0, row, row + q);
  }
  return guess;
}

/** Weights of the solutions in the polynomial of log lambda through them, at `lambda`. */
function lagrange(past: readonly PastSolution[], lambda: number): number[] {
  const at = past.map((each) => Math.log(each.lambda));
  const x = Math.log(lambda);
  return at.map((xi, i) => at.reduce((w, xj, j) => (i === j ? w : (w * (x - xj)) / (xi - xj)), 1));
}
