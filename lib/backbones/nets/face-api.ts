/** The weights inside the installed package `@vladmandic/face-api`, brought from tfjs's layouts into ONNX's. */
import { EtlError } from "../../core/errors.ts";
import { permute } from "../../formats/permute.ts";
import type { Parameter, Tensor } from "../../network/network.ts";

/** Named tensors of a manifest. */
export type FaceApiWeights = ReadonlyMap<string, Parameter>;

/** What a weight must be, and the file it was looked for in. */
export interface Expected {
  readonly shape: readonly number[];
  readonly where: string;
}

/** A float32 weight of exactly this shape. */
export function weightOf(
  weights: FaceApiWeights,
  name: string,
  { shape, where }: Expected,
): Parameter & { readonly data: Float32Array } {
  const parameter = weights.get(name);
  const needed = `float32 [${shape.join(", ")}] was needed`;
  if (parameter === undefined) throw new EtlError("format", `${where}: no weight "${name}", ${needed}`);
  const found = `${parameter.type} [${parameter.shape.join(", ")}]`;
  if (found !== `float32 [${shape.join(", ")}]` || !(parameter.data instanceof Float32Array)) {
    throw new EtlError("format", `${where}: weight "${name}" is ${found}, ${needed}`);
  }
  return { ...parameter, data: parameter.data };
}

/** Filters of a convolution: `expected.shape` is [height, width, in, out], the result [out, in, height, width]. */
export function filtersOf(weights: FaceApiWeights, name: string, expected: Expected): Tensor {
  const [height, width, inputs, outputs] = expected.shape;
  const { data } = weightOf(weights, name, expected);
  return { shape: [outputs, inputs, height, width], data: permute(data, expected.shape, [3, 2, 0, 1]) };
}

/** Filters of a depthwise convolution: [height, width, channels, 1] becomes [channels, 1, height, width]. */
export function depthwiseOf(weights: FaceApiWeights, name: string, expected: Expected): Tensor {
  const [height, width, channels] = expected.shape;
  const { data } = weightOf(weights, name, expected);
  return { shape: [channels, 1, height, width], data: permute(data, expected.shape, [2, 3, 0, 1]) };
}
