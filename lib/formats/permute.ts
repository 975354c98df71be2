/** Axes of a dense tensor in another order: how weights move between layouts. */
import { EtlError } from "../core/errors.ts";
import { float32, sizeOf, type Parameter } from "../network/network.ts";

/**
 * Result axis i is axis `order[i]` of the data, as `numpy.transpose` has it.
 *
 * @param data row-major, `sizeOf(shape)` numbers
 */
export function permute(
  data: Float32Array,
  shape: readonly number[],
  order: readonly number[],
): Float32Array {
  const result = new Float32Array(data.length);
  if (data.length === 0) return result;
  const strides = shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
  const sizes = order.map((axis) => shape[axis]);
  const steps = order.map((axis) => strides[axis]);
  const index = new Array<number>(order.length).fill(0);
  let from = 0;
  for (let to = 0; to < result.length; to++) {
    result[to] = data[from];
    for (let axis = order.length - 1; axis >= 0; axis--) {
      from += steps[axis];
      if (++index[axis] < sizes[axis]) break;
      from -= steps[axis] * sizes[axis];
      index[axis] = 0;
    }
  }
  return result;
}

/** The order that undoes `order`. */
export function inverseOf(order: readonly number[]): number[] {
  return order.map((_, axis) => order.indexOf(axis));
}

/** A parameter seen as `view`, its axes in another order, seen as `shape`: all the same numbers. */
export interface Relayout {
  readonly view: readonly number[];
  readonly order: readonly number[];
  readonly shape: readonly number[];
}

/** Applies a {@link Relayout} to a float32 parameter. @throws EtlError where the sizes do not fit */
export function relayout(parameter: Parameter, to: Relayout, where: string): Parameter {
  const { data, shape } = parameter;
  if (
    !(data instanceof Float32Array) ||
    sizeOf(to.view) !== data.length ||
    sizeOf(to.shape) !== data.length
  ) {
    throw new EtlError(
      "format",
      `${where}: ${parameter.type} [${shape.join(", ")}], ${sizeOf(to.view)} float32 numbers were needed`,
    );
  }
  return float32(to.shape, permute(data, to.view, to.order));
}

/** Keras kernel [height, width, in, out] -> [out, in, height, width]. */
export function kernelFromKeras(kernel: Parameter, where: string): Parameter {
  const [height, width, inputs, outputs] = kernel.shape;
  const shape = [outputs, inputs, height, width];
  return relayout(kernel, { view: kernel.shape, order: [3, 2, 0, 1], shape }, where);
}

/**
 * Keras matrix [inputs, outputs] -> [outputs, inputs].
 *
 * @param image [channels, height, width] that was flattened with the channels last in front of the matrix: the inputs
 *   are brought into the order with the channels first
 */
export function matrixFromKeras(
  matrix: Parameter,
  where: string,
  image?: readonly [channels: number, height: number, width: number],
): Parameter {
  const [inputs, outputs] = matrix.shape;
  const [channels, height, width] = image ?? [inputs, 1, 1];
  const view = [height, width, channels, outputs];
  return relayout(matrix, { view, order: [3, 2, 0, 1], shape: [outputs, inputs] }, where);
}
