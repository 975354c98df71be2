/**
 * onnxruntime's own NCHWc layout, used by hand. Its Conv kernels for this layout are about twice as fast as those for
 * NCHW, but onnxruntime brings a graph into it only where the weights are constants, which trained weights are not.
 *
 * A blocked tensor is seen by onnxruntime as [n, C, h, w] with C rounded up to a multiple of the block; in memory it is
 * [n, C / B, h, w, B].
 */
import { sizeOf } from "../network/network.ts";
import type { Shape } from "../network/shapes/context.ts";
import { reshaped, sum } from "./arithmetic.ts";
import type { Graph, Value } from "./value.ts";

/** Domain of onnxruntime's NCHWc operators. */
export const NCHWC = "com.microsoft.nchwc";

/** `channels` rounded up to whole blocks. */
export function paddedChannels(channels: number, block: number): number {
  return Math.ceil(channels / block) * block;
}

/** Blocked -> row-major; padding channels are dropped. */
export function blockedToPlain(graph: Graph, value: Value): string {
  if (value.blockedName === undefined) throw new Error("a value without a name");
  return graph.op("ReorderOutput", [value.blockedName], { channels: value.shape[1] }, { domain: NCHWC });
}

/** Row-major -> blocked; the channels are padded with zeros first. */
export function plainToBlocked(graph: Graph, value: Value): string {
  if (value.plainName === undefined) throw new Error("a value without a name");
  const missing = paddedChannels(value.shape[1], graph.block) - value.shape[1];
  const source =
    missing === 0
      ? value.plainName
      : graph.op("Pad", [value.plainName, graph.ints([0, 0, 0, 0, 0, missing, 0, 0])]);
  return graph.op("ReorderInput", [source], {}, { domain: NCHWC });
}

export interface ConvSettings {
  readonly kernel: Shape;
  readonly strides: Shape;
  readonly dilations: Shape;
  /** In front of each axis, then behind; never negative. */
  readonly pads: Shape;
  /** Padded channels where every channel has a filter of its own; default 1. */
  readonly group?: number;
}

/** A convolution of blocked tensors: input, packed weights, and a bias of padded size if there is one. */
export function nchwcConv(g: Graph, inputs: readonly string[], settings: ConvSettings): string {
  const { kernel, strides, dilations, pads, group = 1 } = settings;
  return g.op(
    "Conv",
    inputs,
    { kernel_shape: kernel, strides, dilations, pads, group, auto_pad: "NOTSET" },
    { domain: NCHWC },
  );
}

/** Sum of a blocked tensor over images and positions, [padded channels]. */
export function channelSums(g: Graph, name: string, shape: Shape): string {
  const [n, channels, ...spatial] = shape;
  const width = paddedChannels(channels, g.block);
  const maps = reshaped(g, name, [(n * width) / g.block, sizeOf(spatial), g.block]);
  return sum(g, reshaped(g, sum(g, maps, [1], 0), [n, width]), [0], 0);
}

/** A vector with one number a channel, padded with zeros to whole blocks. */
export function padVector(g: Graph, name: string, channels: number): string {
  const missing = paddedChannels(channels, g.block) - channels;
  return missing === 0 ? name : g.op("Pad", [name, g.ints([0, missing])]);
}

/** The first `channels` numbers of a padded vector. */
export function cutVector(g: Graph, name: string, channels: number): string {
  return paddedChannels(channels, g.block) === channels
    ? name
    : g.op("Slice", [name, g.ints([0]), g.ints([channels])]);
}
