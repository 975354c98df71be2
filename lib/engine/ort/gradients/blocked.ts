/**
 * onnxruntime's own NCHWc layout, used by hand. Its Conv kernels for this layout are about twice as fast as those for
 * NCHW, but onnxruntime brings a graph into it only where the weights are constants, which trained weights are not.
 *
 * A blocked tensor is seen by onnxruntime as [n, C, h, w] with C rounded up to a multiple of the block; in memory it is
 * [n, C / B, h, w, B].
 */
import type { Graph, Value } from "./graph-types.ts";

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
