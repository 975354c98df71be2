/**
 * Face verification: do two pictures show the same person? It measures a backbone on a data set before anything is
 * pruned, so that a wrong face box, colour order or mean is caught.
 */
import { EtlError } from "../core/errors.ts";
import { createRandom } from "../core/random.ts";

/** Two pictures by index, and whether they show the same person. */
export interface PairIndex {
  readonly first: number;
  readonly second: number;
  readonly same: boolean;
}

export interface VerifyOptions {
  /**
   * How two descriptors are compared; default `euclidean`: face-resnet was trained for distances, and for descriptors
   * of unit length both give the same order.
   */
  readonly distance?: "cosine" | "euclidean";
  /** Parts of the cross-validated threshold; default 10. */
  readonly folds?: number;
  /** Deals pairs to the folds; default 1. */
  readonly seed?: number;
}

export interface Verification {
  readonly n: number;
  /** Pairs of the same person. */
  readonly positives: number;
  readonly distance: "cosine" | "euclidean";
  /** Share of right answers at the best threshold (chosen on the same pairs), and that threshold. */
  readonly accuracy: number;
  /** A pair counts as the same person at a similarity of at least this (cosine, or minus the distance). */
  readonly threshold: number;
  /** Mean share over the folds, each with the threshold that is best on the other folds. */
  readonly crossValidated: number;
  /** Standard error of `crossValidated` over the folds. */
  readonly crossValidatedError: number;
  /** Area under the receiver operating characteristic. */
  readonly auc: number;
  /** Equal error rate: where as many same pairs are refused as different ones accepted. */
  readonly eer: number;
}

/**
 * Measures verification on pairs.
 *
 * @param descriptors row-major [pictures, width]
 * @throws EtlError kind `data` where there is no pair of one of the two kinds
 */
export function verify(
  descriptors: { readonly width: number; readonly data: Float32Array },
  pairs: readonly PairIndex[],
  options: VerifyOptions = {},
): Verification {
  const { distance = "euclidean", folds = 10, seed = 1 } = options;
  const { width, data } = descriptors;
  const row = (i: number): Float32Array => data.subarray(i * width, (i + 1) * width);
  const scores = pairs.map(({ first, second, same }) => {
    const [a, b] = [row(first), row(second)];
    if (first < 0 || second < 0 || b.length !== width || a.length !== width) {
      const count = data.length / width;
      throw new EtlError(
        "usage",
        `pairs: picture ${Math.max(first, second)} of ${count}, an index was needed`,
      );
    }
    return { similarity: distance === "cosine" ? cosineSimilarity(a, b) : -euclideanDistance(a, b), same };
  });
  const positives = scores.filter(({ same }) => same).length;
  if (positives === 0 || positives === scores.length) {
    throw new EtlError(
      "data",
      `pairs: ${positives} of the same person and ${scores.length - positives} of different ones, both were needed`,
    );
  }
  const sorted = scores.toSorted((a, b) => b.similarity - a.similarity);
  const best = bestThreshold(sorted);
  const shares = crossValidate(scores, Math.min(folds, scores.length), seed);
  const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length;
  const variance =
    shares.reduce((sum, share) => sum + (share - mean) ** 2, 0) / Math.max(1, shares.length - 1);
  return {
    n: scores.length,
    positives,
    distance,
    ...best,
    crossValidated: mean,
    crossValidatedError: Math.sqrt(variance / shares.length),
    ...rocOf(sorted),
  };
}

interface Score {
  readonly similarity: number;
  readonly same: boolean;
}

/** The threshold between two neighbouring similarities that is right most often. @param sorted largest first */
function bestThreshold(sorted: readonly Score[]): { threshold: number; accuracy: number } {
  let right = sorted.filter(({ same }) => !same).length;
  let best = { threshold: sorted[0].similarity + 1, right };
  for (let i = 0; i < sorted.length; i++) {
    right += sorted[i].same ? 1 : -1;
    const next = i + 1 < sorted.length ? sorted[i + 1].similarity : sorted[i].similarity - 1;
    if (next < sorted[i].similarity && right > best.right) {
      best = { threshold: (sorted[i].similarity + next) / 2, right };
    }
  }
  return { threshold: best.threshold, accuracy: best.right / sorted.length };
}

/** Share of right answers in each fold, with the threshold of the others. */
function crossValidate(scores: readonly Score[], folds: number, seed: number): number[] {
  const shuffled = createRandom(seed).shuffle(scores);
  const shares: number[] = [];
  for (let fold = 0; fold < folds; fold++) {
    const rest = shuffled.filter((_, i) => i % folds !== fold);
    const held = shuffled.filter((_, i) => i % folds === fold);
    if (rest.length === 0 || held.length === 0) continue;
    const { threshold } = bestThreshold(rest.toSorted((a, b) => b.similarity - a.similarity));
    const right = held.filter(({ similarity, same }) => similarity >= threshold === same).length;
    shares.push(right / held.length);
  }
  return shares;
}

/** Area and equal error rate of the curve of accepted same pairs over accepted different pairs. Ties share a step. */
function rocOf(sorted: readonly Score[]): { auc: number; eer: number } {
  const positives = sorted.filter(({ same }) => same).length;
  const negatives = sorted.length - positives;
  let [hits, alarms, auc] = [0, 0, 0];
  let eer: number | undefined;
  for (let i = 0; i < sorted.length;) {
    const start = { hits, alarms };
    const { similarity } = sorted[i];
    for (; i < sorted.length && sorted[i].similarity === similarity; i++) {
      if (sorted[i].same) hits++;
      else alarms++;
    }
    auc += ((alarms - start.alarms) / negatives) * ((hits + start.hits) / 2 / positives);
    const [before, after] = [start, { hits, alarms }].map(
      (point) => 1 - point.hits / positives - point.alarms / negatives,
    );
    if (eer === undefined && after <= 0) {
      // On the segment, misses fall from `before` above alarms to `after` below: where they cross.
      const t = before === after ? 0 : before / (before - after);
      eer = (start.alarms + t * (alarms - start.alarms)) / negatives;
    }
  }
  return { auc, eer: eer ?? 0 };
}

/** Cosine of the angle between two vectors; 0 where one is zero. */
export function cosineSimilarity(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    ab += a[i] * b[i];
    aa += a[i] * a[i];
    bb += b[i] * b[i];
  }
  return aa === 0 || bb === 0 ? 0 : ab / Math.sqrt(aa * bb);
}

/** Length of the difference of two vectors. */
function euclideanDistance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] - b[i]) ** 2;
  return Math.sqrt(sum);
}
