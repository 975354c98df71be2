/** Weights of the outputs in a loss: for rare labels, and for labels that are still being learned. */

/**
 * Dynamic weights (DMM-CNN, eq. 4): lambda_j = |L_j(t) - L_j(t-1)| / L_j(t-1), from the validation loss of every output
 * now and at the update before. An output whose loss still falls gets a large weight, one that stands still a small one.
 *
 * @param current L(t), [q]
 * @param previous L(t-1), [q]; an output without loss there gets the weight 0
 */
export function dynamicWeights(current: ArrayLike<number>, previous: ArrayLike<number>): Float64Array {
  return Float64Array.from(previous, (before, j) =>
    before === 0 ? 0 : Math.abs((current[j] - before) / before),
  );
}

/**
 * The same weights, none above 1. A loss that falls gives less than 1 (all of it gone: 1); only one that more than doubles gives
 * more, and then the more the worse training goes: without a bound a network that diverges does so ever faster.
 */
export function boundedWeights(weights: ArrayLike<number>): Float64Array {
  return Float64Array.from(weights, (weight) => (weight <= 1 ? weight : 1));
}

/** The same weights with a mean of 1, so that the whole loss keeps its size; all 1 where all are 0 or one is no number. */
export function withMeanOne(weights: ArrayLike<number>): Float64Array {
  const all = Float64Array.from(weights);
  const mean = all.reduce((sum, weight) => sum + weight, 0) / all.length;
  return mean > 0 && mean < Infinity ? all.map((weight) => weight / mean) : all.fill(1);
}

/**
 * Dynamic Weight Average (Liu, Johns and Davison 2019; in DMM-CNN's Table 2): lambda_j = q softmax_j(w_j / T) with
 * w_j = L_j(t-1) / L_j(t-2) of the training losses. An output whose loss falls slowly gets a larger weight; their mean is 1.
 *
 * A ratio that is no number (no loss before, a diverged one) counts as 1, as of a loss that stands still.
 *
 * @param current L(t-1), [q]
 * @param previous L(t-2), [q]
 * @param temperature T, how even the weights are; the paper's is 2
 */
export function averageWeights(
  current: ArrayLike<number>,
  previous: ArrayLike<number>,
  temperature = 2,
): Float64Array {
  const ratios = Float64Array.from(previous, (before, j) => {
    const ratio = current[j] / before;
    return (Number.isFinite(ratio) ? ratio : 1) / temperature;
  });
  const largest = ratios.reduce((most, ratio) => Math.max(most, ratio), -Infinity);
  return withMeanOne(ratios.map((ratio) => Math.exp(ratio - largest)));
}

/**
 * Adaptive weights (AW: He et al. 2017; in DMM-CNN's Table 2): the trend of the validation loss |L(t) - L(t-1)| / L(t) times
 * the loss L(t) itself, each over its mean, the product with a mean of 1.
 *
 * @param current L(t), [q]; an output without loss gets the weight 0
 * @param previous L(t-1), [q]
 */
export function adaptiveWeights(current: ArrayLike<number>, previous: ArrayLike<number>): Float64Array {
  const trend = Float64Array.from(current, (now, j) => (now > 0 ? Math.abs(now - previous[j]) / now : 0));
  const [trends, losses] = [withMeanOne(trend), withMeanOne(current)];
  return withMeanOne(trends.map((each, j) => each * losses[j]));
}

/**
 * Weight of the positive examples of every output: negatives / positives. 1 where an output has only one of the two.
 *
 * @param targets [n, q] row-major, 0 and 1
 * @param mask [n, q], 0 = label missing
 */
export function positiveWeights(
  targets: ArrayLike<number>,
  q: number,
  mask?: ArrayLike<number>,
): Float64Array {
  const [positives, negatives] = [new Float64Array(q), new Float64Array(q)];
  for (let i = 0; i < targets.length; i++) {
    if (mask !== undefined && !(mask[i] > 0)) continue;
    (targets[i] > 0.5 ? positives : negatives)[i % q]++;
  }
  return positives.map((count, j) => (count > 0 && negatives[j] > 0 ? negatives[j] / count : 1));
}

/**
 * The factor of every term of a batch's loss: 0 where the label is missing, else the output's weight, times its positive
 * weight where the label is yes.
 *
 * @param targets [n, q], 0 and 1
 */
export function termWeights(
  targets: ArrayLike<number>,
  q: number,
  weights: {
    readonly mask?: ArrayLike<number> | undefined;
    readonly positive?: ArrayLike<number> | undefined;
    readonly output?: ArrayLike<number> | undefined;
  },
): Float32Array {
  const { mask, positive, output } = weights;
  return Float32Array.from(targets, (target, i) => {
    const j = i % q;
    const plain = (mask?.[i] ?? 1) * (output?.[j] ?? 1);
    return target > 0.5 ? plain * (positive?.[j] ?? 1) : plain;
  });
}
