/** Depthwise convolutions in bytes: kernels compute 16 channels at a time, and what is left one by one. */
import { fillChannels, type Width } from "../network/fill-channels.ts";
import { intAttribute, sizeOf, type Network } from "../network/network.ts";
import { inferShapes } from "../network/shapes/infer.ts";

/** Channels that the kernels compute at a time. */
const DEPTHWISE_BLOCK = 16;
/** A multiplication of a channel that is left takes as long as so many of a layer that reads all channels (docs/decisions.md). */
const TAIL = 100;

/** The same function, where channels of zeros cost its other layers less than single channels cost depthwise ones. */
export function withoutTails(network: Network): Network {
  const { nodes, parameters } = network;
  const shapes = inferShapes(network, { batch: 1 });
  const layers = nodes.flatMap((node) => {
    const [x, weight] = node.inputs;
    const [y] = node.outputs;
    const shape = node.op === "Conv" && node.domain === "" ? parameters.get(weight)?.shape : undefined;
    const made = shapes.get(y);
    if (shape?.length !== 4 || made === undefined) return [];
    const [width, inputs, ...kernel] = shape;
    const group = intAttribute(node, "group", 1);
    return { x, y, width, inputs, group, each: sizeOf(kernel) * sizeOf(made.slice(2)) };
  });
  const pays = (values: ReadonlySet<string>, { before, after }: Width): boolean => {
    let [tails, added] = [0, 0];
    for (const { x, y, width, inputs, group, each } of layers) {
      if (group > 1 && values.has(x)) tails += each * (before % DEPTHWISE_BLOCK);
      if (group === 1 && values.has(x)) added += each * width * (after - before);
      if (group === 1 && values.has(y)) added += each * inputs * (after - before);
    }
    return added < TAIL * tails;
  };
  return fillChannels(network, { multiple: DEPTHWISE_BLOCK, least: 1, pays });
}
