/** Kernels of classification quality: confusion, precision and recall, reliability bins. */
import type { Metrics } from "../record/record.ts";

/** Counts of truth (rows) against prediction (columns). */
export type Confusion = readonly (readonly number[])[];

/**
 * Counts classes.
 *
 * @param truth class indices, [n]
 * @param predicted class indices, [n]
 */
export function confusionOf(
  truth: ArrayLike<number>,
  predicted: ArrayLike<number>,
  classes: number,
): Confusion {
  const table = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  for (let i = 0; i < truth.length; i++) table[truth[i]][predicted[i]]++;
  return table;
}

/** Precision, recall and F1 of one class; 0 where the denominator is 0. */
export interface ClassScore {
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
  /** Rows of the class in the truth, and among the predictions. */
  readonly actual: number;
  readonly predicted: number;
}

/** Scores of every class of a confusion table. */
export function classScores(confusion: Confusion): ClassScore[] {
  return confusion.map((row, c) => {
    const hit = row[c];
    const actual = row.reduce((sum, count) => sum + count, 0);
    const predicted = confusion.reduce((sum, other) => sum + other[c], 0);
    return {
      precision: predicted === 0 ? 0 : hit / predicted,
      recall: actual === 0 ? 0 : hit / actual,
      f1: actual + predicted === 0 ? 0 : (2 * hit) / (actual + predicted),
      actual,
      predicted,
    };
  });
}

/** Mean recall over the classes that occur in the truth. */
export function balancedAccuracyOf(scores: readonly ClassScore[]): number {
  return meanOf(scores.filter(({ actual }) => actual > 0).map(({ recall }) => recall));
}

/** Share of the diagonal. */
export function accuracyOf(confusion: Confusion): number {
  const total = confusion.flat().reduce((sum, count) => sum + count, 0);
  return confusion.reduce((sum, row, c) => sum + row[c], 0) / total;
}

/** Standard error of a share `p` of `n` independent rows (binomial). */
export function binomialError(p: number, n: number): number {
  return Math.sqrt(Math.max(0, p * (1 - p)) / n);
}

/**
 * Reliability of the predicted class (Guo et al. 2017): bins of equal width over (0, 1] of its probability; empty
 * bins are left out.
 *
 * @param confidence probability of the predicted class, [n]
 * @param right whether the prediction was right, [n]
 */
export function calibrationOf(
  confidence: ArrayLike<number>,
  right: ArrayLike<boolean>,
  bins: number,
): NonNullable<Metrics["calibration"]> {
  const sums = Array.from({ length: bins }, () => ({ confidence: 0, right: 0, n: 0 }));
  for (let i = 0; i < confidence.length; i++) {
    const bin = sums[Math.min(bins - 1, Math.max(0, Math.ceil(confidence[i] * bins) - 1))];
    bin.confidence += confidence[i];
    bin.right += right[i] ? 1 : 0;
    bin.n++;
  }
  return sums
    .filter(({ n }) => n > 0)
    .map((bin) => ({ confidence: bin.confidence / bin.n, accuracy: bin.right / bin.n, n: bin.n }));
}

/** Mean; 0 for none. */
export function meanOf(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}
