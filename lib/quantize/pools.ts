/** Average pools as the convolutions they are: kernels for bytes are quick at those, and slow at averages. */
import { freshNames } from "../network/edit.ts";
import { float32, intAttribute, type Network, type Node } from "../network/network.ts";
import { extentOf, windowAttributes, type WindowAttributes } from "../network/operators/attributes.ts";
import { propagate } from "../network/shapes/infer.ts";
import { placesOf } from "./places.ts";

/**
 * Every average pool between layers in bytes becomes a depthwise convolution whose weights are 1 / (places of a window): in bytes
 * they are all one number, and the same function. A pool whose windows are not all of one size stays: at borders it counts fewer
 * places.
 */
export function poolsAsConvolutions(network: Network): Network {
  const onBytes = placesOf(network).nodes;
  const pools = network.nodes.filter((node) => node.op === "AveragePool" && onBytes.has(node));
  if (pools.length === 0) return network;
  const { shapes } = propagate(network, { bindings: { batch: 1 }, onError: "skip" });
  const parameters = new Map(network.parameters);
  const fresh = freshNames(network);
  const nodes = network.nodes.map((node): Node => {
    const shape = shapes.get(node.inputs[0]);
    if (!pools.includes(node) || shape?.length !== 4) return node;
    const windows = windowAttributes(node, 2);
    if (!isUniform(node, windows, shape.slice(2))) return node;
    const [channels, [height, width]] = [shape[1], windows.kernel];
    const weight = fresh(`${node.name}.weight`);
    const average = new Float32Array(channels * height * width).fill(1 / (height * width));
    parameters.set(weight, float32([channels, 1, height, width], average));
    const ints = (value: readonly number[]) => ({ type: "ints", value }) as const;
    const { kernel, strides, dilations, pads } = windows;
    return {
      ...node,
      op: "Conv",
      inputs: [node.inputs[0], weight],
      attributes: {
        kernel_shape: ints(kernel),
        strides: ints(strides),
        dilations: ints(dilations),
        pads: ints(pads),
        group: { type: "int", value: channels },
      },
    };
  });
  return { ...network, nodes, parameters };
}

/** Whether every window averages over as many places. */
function isUniform(node: Node, windows: WindowAttributes, sides: readonly number[]): boolean {
  const { kernel, dilations, pads, isAutomatic, ceil } = windows;
  if (isAutomatic || kernel.length !== 2) return false;
  const counts = intAttribute(node, "count_include_pad", 0) === 1;
  if (pads.some((size) => size > 0) && !counts) return false;
  // rounding up may add a window that reaches over the end
  return !ceil && sides.every((side, i) => side + pads[i] + pads[i + 2] >= extentOf(kernel[i], dilations[i]));
}
