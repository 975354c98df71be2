/** PRelu as what kernels in blocks of channels can compute: they know Relu and depthwise convolutions, not PRelu. */
import { float32, type Network, type Node } from "./network.ts";
import { dropDead, freshNames, nodeOf } from "./edit.ts";
import { channelConvolution, forChannels } from "./operators/lines.ts";
import { propagate } from "./shapes/infer.ts";

/**
 * Every PRelu over maps with one slope a channel becomes slope x + (1 - slope) Relu(x), both products depthwise 1x1 convolutions.
 * The function stays; runtimes that leave their blocked layout for a PRelu no longer do.
 */
export function splitPRelu(network: Network): Network {
  if (!network.nodes.some(({ op }) => op === "PRelu")) return network;
  const { shapes } = propagate(network, { bindings: { batch: 1 }, onError: "skip" });
  const parameters = new Map(network.parameters);
  const fresh = freshNames(network);
  const nodes = network.nodes.flatMap((node): Node[] => {
    const [x = "", slopeName = ""] = node.inputs;
    const channels = shapes.get(x)?.[1] ?? 0;
    const slope = forChannels(network.parameters.get(slopeName), channels);
    if (node.op !== "PRelu" || node.domain !== "" || shapes.get(x)?.length !== 4 || slope === undefined)
      return [node];
    const product = (from: string, output: string, factors: Float32Array): Node => {
      const weight = fresh(`${output}.weight`);
      parameters.set(weight, float32([channels, 1, 1, 1], factors));
      return channelConvolution([from, weight], output, channels);
    };
    const [part, positive, other] = ["slope", "relu", "rest"].map((name) => fresh(`${node.name}.${name}`));
    return [
      product(x, part, slope),
      nodeOf("Relu", [x], positive),
      product(
        positive,
        other,
        slope.map((s) => 1 - s),
      ),
      { ...nodeOf("Add", [part, other], node.outputs[0]), name: node.name },
    ];
  });
  return dropDead({ ...network, nodes, parameters });
}
