/** Where a layer's weight keeps the numbers of its inputs and outputs. */
import type { CoupledLayer } from "../network/coupling/types.ts";
import { sizeOf } from "../network/network.ts";

/**
 * Calls `visit` for each run of a weight tensor that belongs to one input and one output channel (a kernel, or a single
 * number), with channels counted over all groups.
 */
export function eachKernel(
  layer: CoupledLayer,
  shape: readonly number[],
  visit: (input: number, output: number, start: number, length: number) => void,
): void {
  const [first, second] = shape;
  const length = sizeOf(shape.slice(2));
  const outputFirst = layer.weightOutputAxis === 0;
  const perGroup = (outputFirst ? layer.outputs.length : layer.inputs.length) / layer.groups;
  for (let i = 0; i < first; i++) {
    const offset = Math.floor(i / perGroup) * second;
    for (let j = 0; j < second; j++) {
      const start = (i * second + j) * length;
      if (outputFirst) visit(offset + j, i, start, length);
      else visit(i, offset + j, start, length);
    }
  }
}

/** Multiplies a weight tensor in place by a factor for each output and a factor for each input. */
export function scaleWeights(
  layer: CoupledLayer,
  weights: { readonly shape: readonly number[]; readonly data: Float32Array },
  factors: { readonly outputs: ArrayLike<number>; readonly inputs: ArrayLike<number> },
): void {
  eachKernel(layer, weights.shape, (input, output, start, length) => {
    const factor = factors.outputs[output] * factors.inputs[input];
    if (factor === 1) return;
    for (let i = start; i < start + length; i++) weights.data[i] *= factor;
  });
}
