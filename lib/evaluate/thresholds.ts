/** Decision thresholds of yes/no outputs that follow the mistakes on the validation part (DMM-CNN, eqs. 5 and 6). */

/** Mistakes of every output on some rows. */
export interface ErrorCounts {
  /** Said yes, and it is no; [q]. */
  readonly falsePositives: Float64Array;
  /** Said no, and it is yes; [q]. */
  readonly falseNegatives: Float64Array;
  /** Rows. */
  readonly samples: number;
}

/**
 * Counts mistakes where output j says yes above its threshold (eq. 5): score > tau_j.
 *
 * @param scores [n, q] row-major, in the units of the thresholds
 * @param targets [n, q], 0 and 1
 * @param thresholds [q]
 * @param mask [n, q], 0 = label missing
 */
export function countErrors(
  scores: ArrayLike<number>,
  targets: ArrayLike<number>,
  {
    thresholds,
    mask,
  }: { readonly thresholds: ArrayLike<number>; readonly mask?: ArrayLike<number> | undefined },
): ErrorCounts {
  const q = thresholds.length;
  const [falsePositives, falseNegatives] = [new Float64Array(q), new Float64Array(q)];
  for (let i = 0; i < scores.length; i++) {
    if (mask !== undefined && !(mask[i] > 0)) continue;
    const j = i % q;
    const [said, is] = [scores[i] > thresholds[j], targets[i] > 0.5];
    if (said && !is) falsePositives[j]++;
    if (!said && is) falseNegatives[j]++;
  }
  return { falsePositives, falseNegatives, samples: scores.length / q };
}

/**
 * One update of the thresholds (eq. 6): tau + gamma l (FP - FN) / V. Where an output says yes too often the threshold
 * rises, where it says no too often it falls, more in later epochs.
 *
 * @param thresholds tau of the update before, [q]; zeros at the start
 * @param errors mistakes on the V validation rows with these thresholds
 * @param epoch l, from 1
 * @param rate gamma; the paper's is 0.01
 */
export function adaptThresholds(
  thresholds: ArrayLike<number>,
  errors: ErrorCounts,
  { epoch, rate = 0.01 }: { readonly epoch: number; readonly rate?: number },
): Float64Array {
  const { falsePositives, falseNegatives, samples } = errors;
  return Float64Array.from(
    thresholds,
    (tau, j) => tau + (rate * epoch * (falsePositives[j] - falseNegatives[j])) / samples,
  );
}

/** A logit as a score in -1..1, the range of the paper's labels: 2 sigmoid(z) - 1. */
export function scoreOfLogit(logit: number): number {
  return Math.tanh(logit / 2);
}

/** The logit of a score; scores at or beyond -1 and 1 are taken for ones just inside. */
export function logitOfScore(score: number): number {
  const edge = 1 - 1e-6;
  return 2 * Math.atanh(Math.min(edge, Math.max(-edge, score)));
}
