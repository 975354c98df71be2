/** Responses of one filter by class, from the sums of the harvest: exact, and without another pass over the pictures. */
import type { Moments } from "../core/artifacts.ts";
import type { ScoreSpread } from "../math/statistics.ts";

/** Mean response to the pictures of a class. */
export interface ClassResponse {
  readonly mean: number;
  /** Standard error of the mean, from the spread within the classes, taken as equal in all of them. */
  readonly error: number;
  /** Pictures of the class. */
  readonly n: number;
}

/**
 * Responses of a filter to each class. Targets must be 0 or 1: one column for two classes (the second is 1), or one
 * column for each class.
 *
 * @param filter column of X
 */
export function responsesByClass(
  { n, p, q, sumX, sumY, xx, xy }: Moments,
  filter: number,
): ScoreSpread & { readonly classes: readonly ClassResponse[] } {
  const squares = xx[filter * p + filter];
  const sums = Array.from({ length: q }, (_, k) => ({ n: sumY[k], sum: xy[filter * q + k] }));
  if (q === 1) sums.unshift({ n: n - sums[0].n, sum: sumX[filter] - sums[0].sum });
  const filled = sums.filter((each) => each.n > 0);
  const between = filled.reduce((total, each) => total + each.sum ** 2 / each.n, 0);
  const within = Math.max(0, squares - between) / Math.max(1, n - filled.length);
  const mean = sumX[filter] / n;
  return {
    mean,
    sd: n < 2 ? 0 : Math.sqrt(Math.max(0, squares - n * mean ** 2) / (n - 1)),
    classes: sums.map((each) =>
      each.n > 0
        ? { mean: each.sum / each.n, error: Math.sqrt(within / each.n), n: each.n }
        : { mean: 0, error: 0, n: 0 },
    ),
  };
}
