/** From ranges to bytes: value = scale x (byte - zero). Pure arithmetic. */

/** Smallest and largest value that has to be kept. */
export interface Range {
  readonly low: number;
  readonly high: number;
}

/** How a value is stored as uint8. */
export interface Quantizer {
  readonly scale: number;
  /** The byte that means 0: 0 is always exact, as pads and cut-off values are. */
  readonly zero: number;
}

/** Ranges below this are nothing: their steps would be no normal numbers. */
const SMALLEST_STEP = 1e-35;

/** Unsigned bytes over a range, which is widened to 0. */
export function quantizerOf({ low, high }: Range): Quantizer {
  const [from, to] = [Math.min(0, low), Math.max(0, high)];
  const scale = Math.fround((to - from) / 255);
  if (!(scale > SMALLEST_STEP) || !Number.isFinite(scale)) return { scale: 1, zero: 0 };
  return { scale, zero: Math.min(255, Math.max(0, Math.round(-from / scale))) };
}

/** Weights of a layer in bytes. */
export interface ByteWeights {
  /** As the floats lie, [outputs, ...]. */
  readonly data: Int8Array;
  /** [outputs] */
  readonly scales: Float32Array;
  /** In units of input scale x weight scale, [outputs]. */
  readonly bias: Int32Array;
}

/** Largest magnitude of a weight in 8 bits, and in 7: two of those times 255 still fit into 16 bits. */
export const largestWeight = { 8: 127, 7: 63 } as const;

export type WeightBits = keyof typeof largestWeight;

/** Where the bias of a channel would overflow, the channel's weights get coarser steps. */
const LARGEST_BIAS = 2 ** 30;

/**
 * Weights in signed bytes, symmetric, one scale for each output.
 *
 * @param weights [outputs, inner], row-major
 * @param bias [outputs]
 * @param inputScale scale of the layer's input
 */
export function quantizeWeights(
  weights: Float32Array,
  bias: ArrayLike<number>,
  { inputScale, bits }: { readonly inputScale: number; readonly bits: WeightBits },
): ByteWeights {
  const outputs = bias.length;
  const inner = weights.length / outputs;
  const largest = largestWeight[bits];
  const data = new Int8Array(weights.length);
  const scales = new Float32Array(outputs);
  const whole = new Int32Array(outputs);
  for (let o = 0; o < outputs; o++) {
    const [from, to] = [o * inner, (o + 1) * inner];
    let peak = 0;
    for (let i = from; i < to; i++) {
      const size = Math.abs(weights[i]);
      if (size > peak) peak = size;
    }
    const least = Math.abs(bias[o]) / (inputScale * LARGEST_BIAS);
    scales[o] = Math.max(peak / largest, least);
    if (!(scales[o] > 0)) scales[o] = 1;
    const scale = scales[o];
    // At most `largest`, as no weight is larger than the peak. This is Math.round, four times as fast.
    for (let i = from; i < to; i++) data[i] = Math.floor(weights[i] / scale + 0.5);
    whole[o] = Math.round(bias[o] / (inputScale * scale));
  }
  return { data, scales, bias: whole };
}

/**
 * How much rounding the weights moves each output on average: sum of (w - rounded w) x mean of its input. Added to the bias, it
 * takes that back.
 *
 * @param weights [outputs, inputs / group, ...kernel], row-major
 * @param means of the input's channels
 */
export function biasShift(
  weights: Float32Array,
  { data, scales }: Pick<ByteWeights, "data" | "scales">,
  {
    means,
    group,
    kernel,
  }: { readonly means: ArrayLike<number>; readonly group: number; readonly kernel: number },
): Float64Array {
  const outputs = scales.length;
  const inputs = weights.length / outputs / kernel;
  return Float64Array.from({ length: outputs }, (_, o) => {
    const first = Math.floor((o * group) / outputs) * inputs;
    let shift = 0;
    for (let i = 0; i < inputs; i++) {
      const mean = means[first + i];
      for (let k = 0, at = (o * inputs + i) * kernel; k < kernel; k++, at++)
        shift += (weights[at] - data[at] * scales[o]) * mean;
    }
    return shift;
  });
}
