/**
 * Weight averaging: the mean of a run's weights over its last epochs lies nearer to the middle of what training wanders
 * about than any single epoch does (Izmailov et al., "Averaging Weights Leads to Wider Optima and Better
 * Generalization", UAI 2018).
 */
import type { Tensor } from "../network/network.ts";

type Weights = ReadonlyMap<string, Tensor>;

/** How many epochs are averaged after `epoch` of `epochs`: those of the second half, 0 before. */
export function averagedEpochs(epoch: number, epochs: number): number {
  return Math.max(0, epoch - Math.floor(epochs / 2));
}

/**
 * The mean of `count` epochs' weights.
 *
 * @param mean that of the `count - 1` epochs before; left alone
 * @param weights of the newest epoch
 */
export function meanWeights(mean: Weights | undefined, weights: Weights, count: number): Weights {
  if (mean === undefined || count <= 1) return weights;
  const share = 1 / count;
  return new Map(
    [...weights].map(([name, { shape, data }]) => {
      const before = mean.get(name)?.data;
      if (before?.length !== data.length) throw new Error(`${name}: the mean has other weights`);
      const sum = new Float32Array(data.length);
      for (let i = 0; i < sum.length; i++) sum[i] = before[i] + share * (data[i] - before[i]);
      return [name, { shape, data: sum }];
    }),
  );
}
