/** A list of numbers in one or two. */

/** Mean and sample standard deviation (0 for a single value). */
export interface ScoreSpread {
  readonly mean: number;
  readonly sd: number;
}

/** NaN for an empty list. */
export function spread(values: readonly number[]): ScoreSpread {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, sd: values.length < 2 ? 0 : Math.sqrt(squares / (values.length - 1)) };
}

/** Linear interpolation between the two nearest of the sorted values (NumPy's default). */
export function quantile(sorted: readonly number[], q: number): number {
  const at = q * (sorted.length - 1);
  const low = Math.floor(at);
  const high = Math.min(sorted.length - 1, low + 1);
  return sorted[low] + (at - low) * (sorted[high] - sorted[low]);
}

/** The median; undefined for an empty list. */
export function median(values: readonly number[]): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted.length === 0 ? undefined : quantile(sorted, 0.5);
}

/** A range that holds the true value in 95 of 100 samples. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** Wilson's 95 % interval of a share of n cases; [0, 1] where there are none. */
export function wilson(share: number, n: number): Interval {
  if (n <= 0) return { low: 0, high: 1 };
  const z = 1.959964;
  const middle = share + (z * z) / (2 * n);
  const half = z * Math.sqrt((share * (1 - share)) / n + (z * z) / (4 * n * n));
  const scale = 1 + (z * z) / n;
  return { low: Math.max(0, (middle - half) / scale), high: Math.min(1, (middle + half) / scale) };
}

/**
 * Two-sided p-value of `gained` against `lost` where chance would divide them evenly (the exact form of McNemar's test: the
 * cases on which two judges of the same cases disagree).
 */
export function evenSplitProbability(gained: number, lost: number): number {
  const n = gained + lost;
  if (n === 0) return 1;
  const least = Math.min(gained, lost);
  // Terms of the binomial distribution from one to the next, in logarithms: 2^-n vanishes for many cases.
  let [log, sum] = [-n * Math.LN2, 0];
  for (let k = 0; k <= least; k++) {
    sum += Math.exp(log);
    log += Math.log((n - k) / (k + 1));
  }
  return Math.min(1, 2 * sum);
}

/**
 * 95 % interval of the difference of two shares of independent cases, from their Wilson intervals (Newcombe 1998, method 10):
 * right for small counts and for shares of 0 and 1, where the normal approximation gives a width of nothing.
 */
export function shareDifference(
  one: { readonly share: number; readonly n: number },
  other: { readonly share: number; readonly n: number },
): Interval {
  const [a, b] = [wilson(one.share, one.n), wilson(other.share, other.n)];
  const difference = one.share - other.share;
  return {
    low: difference - Math.hypot(one.share - a.low, b.high - other.share),
    high: difference + Math.hypot(a.high - one.share, other.share - b.low),
  };
}

/**
 * Median of some values with the order statistics that hold the true median with at least 95 %: counts of values on either
 * side of it are binomial with one half. With fewer than six values, all of them.
 */
export function medianRange(values: readonly number[]): { median: number; low: number; high: number } {
  const sorted = values.toSorted((a, b) => a - b);
  const n = sorted.length;
  let below = 0;
  for (let tail = 0.5 ** n, term = tail; tail <= 0.025; tail += term) {
    below++;
    term *= (n - below + 1) / below;
  }
  const rank = Math.max(0, below - 1);
  return { median: quantile(sorted, 0.5), low: sorted[rank], high: sorted[n - 1 - rank] };
}

/** Two-sided 5 % bounds of Student's t with 1 to 30 degrees of freedom. */
const STUDENT = [
  12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131,
  2.12, 2.11, 2.101, 2.093, 2.086, 2.08, 2.074, 2.069, 2.064, 2.06, 2.056, 2.052, 2.048, 2.045, 2.042,
];

/** How many standard errors a mean may be off by chance, in 95 of 100 cases. @param freedom at least 1 */
export function studentBound(freedom: number): number {
  return STUDENT[freedom - 1] ?? 1.96 + 2.5 / freedom;
}
