/** What the light networks are built of. Convolutions are zero and batch norms the identity until they are filled. */
import type { Preprocessing } from "../../core/artifacts.ts";
import type { Builder } from "../../network/builder.ts";
import type { Network } from "../../network/network.ts";
import { describe } from "../metadata.ts";

/** Names of the values that others hold on to. */
export const lightValues = { input: "image", features: "avgpool", embedding: "avgpool/flat" } as const;

/** ImageNet's mean and deviation, RGB, for pictures of any side. */
export function imageNetAt(side: number): Preprocessing {
  return {
    width: side,
    height: side,
    color: "RGB",
    mean: [123.675, 116.28, 103.53],
    scale: [1 / 58.395, 1 / 57.12, 1 / 57.375],
  };
}

export interface ConvNorm {
  readonly conv: string;
  readonly norm: string;
  readonly inputs: number;
  readonly outputs: number;
  readonly size: number;
  readonly stride?: number;
  /** Default 1; `inputs` for a depthwise convolution. */
  readonly group?: number;
}

/** A convolution without bias, padded so that stride 1 keeps the size, and its batch norm. */
export function convNorm(net: Builder, x: string, options: ConvNorm): string {
  const { conv, norm, inputs, outputs, size, stride = 1, group = 1 } = options;
  const shape = [outputs, inputs / group, size, size];
  const y = net.conv(x, {
    name: conv,
    weights: empty(shape),
    strides: stride,
    pads: (size - 1) / 2,
    group,
  });
  const fill = (value: number): Float32Array => new Float32Array(outputs).fill(value);
  return net.batchNorm(y, { name: norm, scale: fill(1), bias: fill(0), mean: fill(0), variance: fill(1) });
}

export interface Linear {
  readonly name: string;
  readonly inputs: number;
  readonly outputs: number;
}

/** A linear layer with bias. */
export function linear(net: Builder, x: string, { name, inputs, outputs }: Linear): string {
  return net.gemm(x, { name, weights: empty([outputs, inputs]), bias: new Float32Array(outputs) });
}

/** A tensor of zeros. */
export function empty(shape: readonly number[]): { shape: readonly number[]; data: Float32Array } {
  return { shape, data: new Float32Array(shape.reduce((product, size) => product * size, 1)) };
}

/** min(max(x, 0), 6), named after what it follows. */
export function relu6(net: Builder, x: string): string {
  return net.clip(x, { name: `${x}/relu6`, min: 0, max: 6 });
}

/** max(x, 0), named after what it follows. */
export function relu(net: Builder, x: string): string {
  return net.relu(x, { name: `${x}/relu` });
}

/** Global average, flat, with the names of {@link lightValues}. */
export function pooled(net: Builder, x: string): string {
  return net.flatten(net.globalAveragePool(x, { name: lightValues.features }), {
    name: lightValues.embedding,
  });
}

/** The network with what a light network says of itself. */
export function finished(
  net: Builder,
  outputs: readonly string[],
  side: number,
  values: { readonly features: string; readonly embedding: string } = lightValues,
): Network {
  const { features, embedding } = values;
  return describe(net.build(outputs), { preprocessing: imageNetAt(side), features, embedding });
}

/**
 * `channels` times a width multiplier, as a multiple of 8 that is not more than a tenth smaller (MobileNetV2's rule).
 */
export function widthOf(channels: number, width: number): number {
  const wanted = channels * width;
  const near = Math.max(8, Math.floor((wanted + 4) / 8) * 8);
  return near < 0.9 * wanted ? near + 8 : near;
}

/** Where the weights of a network are found: */
export const torchvision = "torchvision, saved as .safetensors";

/** or in a file of one's own that has the network's names. */
export function namedWeights(names: string): string {
  return `a .safetensors file with the names ${names}`;
}
