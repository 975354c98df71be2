/** Channels of zeros as what kernels in blocks of channels can compute: they know convolutions, not Pad. */
import { float32, stringAttribute, type Network, type Node } from "./network.ts";
import { dropDead, freshNames } from "./edit.ts";
import { inputsFrom, padAmounts } from "./operators/attributes.ts";
import { inferShapes } from "./shapes/infer.ts";

/**
 * Every Pad that adds channels of zeros to maps becomes a 1x1 convolution with the identity as its weights; zeros around the
 * picture become its padding. The function stays, and costs inputs x outputs multiplications a place more; runtimes that leave
 * their blocked layout, or their bytes, for a Pad no longer do.
 */
export function padsAsConvolutions(network: Network): Network {
  const shapes = inferShapes(network, { batch: 1 });
  const parameters = new Map(network.parameters);
  const fresh = freshNames(network);
  const nodes = network.nodes.map((node): Node => {
    const [x = ""] = node.inputs;
    const channels = shapes.get(x)?.[1] ?? 0;
    const pads = zerosAdded(network, node, shapes.get(x));
    if (pads === undefined) return node;
    const [, before, top, left, , after, bottom, right] = pads;
    const width = before + channels + after;
    const identity = new Float32Array(width * channels);
    for (let c = 0; c < channels; c++) identity[(before + c) * channels + c] = 1;
    const weight = fresh(`${node.name}.weight`);
    parameters.set(weight, float32([width, channels, 1, 1], identity));
    const attributes = {
      kernel_shape: { type: "ints", value: [1, 1] },
      pads: { type: "ints", value: [top, left, bottom, right] },
    } as const;
    return { ...node, op: "Conv", inputs: [x, weight], attributes };
  });
  return dropDead({ ...network, nodes, parameters });
}

/** The eight sizes of a Pad that adds channels of zeros to NCHW maps, and takes nothing; undefined of anything else. */
function zerosAdded(
  network: Network,
  node: Node,
  shape: readonly number[] | undefined,
): number[] | undefined {
  const [, , value = ""] = node.inputs;
  if (node.op !== "Pad" || node.domain !== "" || shape?.length !== 4) return undefined;
  const amounts = padAmounts(node, 4, inputsFrom(network, node));
  if (amounts === undefined || stringAttribute(node, "mode", "constant") !== "constant") return undefined;
  if (value !== "" && Number(network.parameters.get(value)?.data[0] ?? Number.NaN) !== 0) return undefined;
  const { before, after } = amounts;
  const pads = [...before, ...after];
  const adds = pads.every((size) => size >= 0) && before[0] === 0 && after[0] === 0;
  return adds && before[1] + after[1] > 0 ? pads : undefined;
}
