/** Ridge regression of removed channels on kept ones, from a covariance alone. */
import { choleskyFactor, solveFactored } from "../math/cholesky.ts";

/** x_removed ~ a x_kept + c. Channels are counted from the beginning of the group. */
export interface PredictedFilters {
  readonly kept: Uint32Array;
  readonly removed: Uint32Array;
  /** [removed, kept], row-major */
  readonly a: Float64Array;
  /** [removed] */
  readonly c: Float64Array;
  /** Variance of the removed channels, summed. */
  readonly variance: number;
  /** The part of it that the kept channels explain. */
  readonly explained: number;
}

/**
 * A = G_rk (G_kk + ridge * mean(diag G_kk) I)^-1 by Cholesky, c = mean_r - A mean_k. Kept channels that never vary get
 * zeros.
 *
 * @param statistics mean [p] and covariance [p, p] of the pooled responses
 * @returns undefined where none of the channels is removed
 */
export function predictFilters(
  statistics: { readonly mean: Float64Array; readonly cov: Float64Array },
  how: {
    readonly from: number;
    readonly to: number;
    readonly stays: (channel: number) => boolean;
    readonly ridge: number;
  },
): PredictedFilters | undefined {
  const { mean, cov } = statistics;
  const { from, to, stays, ridge } = how;
  const p = mean.length;
  const channels = Array.from({ length: to - from }, (_, i) => from + i);
  const kept = channels.filter((channel) => stays(channel));
  const removed = channels.filter((channel) => !stays(channel));
  if (removed.length === 0) return undefined;
  const size = kept.length;
  const gram = new Float64Array(size * size);
  let trace = 0;
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < size; j++) gram[i * size + j] = cov[kept[i] * p + kept[j]];
    trace += Math.max(0, gram[i * size + i]);
  }
  const a = new Float64Array(removed.length * size);
  let [variance, explained] = [0, 0];
  const penalty = (ridge * trace) / size;
  if (trace > 0) {
    for (let i = 0; i < size; i++) gram[i * size + i] += penalty;
    choleskyFactor(gram, size);
  }
  const row = new Float64Array(size);
  for (const [r, channel] of removed.entries()) {
    const own = Math.max(0, cov[channel * p + channel]);
    variance += own;
    if (trace === 0 || own === 0) continue;
    for (let k = 0; k < size; k++) row[k] = cov[channel * p + kept[k]];
    solveFactored(gram, size, row);
    a.set(row, r * size);
    // row G_kk row' = row g - penalty |row|^2, since row (G_kk + penalty I) = g.
    let share = 0;
    for (let k = 0; k < size; k++) share += row[k] * (cov[channel * p + kept[k]] + penalty * row[k]);
    explained += Math.min(own, Math.max(0, share));
  }
  const c = Float64Array.from(removed, (channel, r) => {
    let value = mean[channel];
    for (let k = 0; k < size; k++) value -= a[r * size + k] * mean[kept[k]];
    return value;
  });
  const toLocal = (list: readonly number[]): Uint32Array =>
    Uint32Array.from(list, (channel) => channel - from);
  return { kept: toLocal(kept), removed: toLocal(removed), a, c, variance, explained };
}
