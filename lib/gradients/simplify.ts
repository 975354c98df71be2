/** Rewriting a network before it is differentiated, where the result and all gradients stay the same. */
import { consumersOf, type Network, type Node, producersOf } from "../network/network.ts";

/**
 * maxpool(relu(x)) -> relu(maxpool(x)): ReLU and its gradient then work on the smaller map. The same element of each
 * window gets the gradient: the first largest one, and none where the largest is not positive.
 *
 * @param kept values that somebody else looks at
 */
export function poolFirst(network: Network, kept: ReadonlySet<string>): Network {
  const producers = producersOf(network);
  const consumers = consumersOf(network);
  const activationOf = (node: Node): Node | undefined => {
    if (node.op !== "MaxPool" || node.outputs.length !== 1) return undefined;
    const [value] = node.inputs;
    const relu = producers.get(value);
    return relu?.op === "Relu" && consumers.get(value)?.length === 1 && !kept.has(value) ? relu : undefined;
  };
  const moved = new Map(
    network.nodes.flatMap((node) => {
      const relu = activationOf(node);
      return relu === undefined ? [] : [[node, relu] as const];
    }),
  );
  const gone = new Set(moved.values());
  const nodes = network.nodes
    .filter((node) => !gone.has(node))
    .flatMap((node) => {
      const relu = moved.get(node);
      if (relu === undefined) return [node];
      const [pooled] = relu.outputs;
      return [
        { ...node, inputs: relu.inputs, outputs: [pooled] },
        { ...relu, inputs: [pooled], outputs: node.outputs },
      ];
    });
  return { ...network, nodes };
}

/** Attribute of a batch normalisation whose input comes without its running mean: see {@link centreNorms}. */
export const CENTRED = "centred";

/**
 * norm(conv(x)) -> norm(conv(x) - running mean): with statistics of the batch the result is the same, and the variance
 * is a difference of small numbers. It costs nothing: the convolution has no bias, and gets this one.
 *
 * @param usesBatch whether a node is a batch normalisation that takes the statistics of the batch
 * @param kept values that somebody else looks at
 */
export function centreNorms(
  network: Network,
  usesBatch: (node: Node) => boolean,
  kept: ReadonlySet<string>,
): Network {
  const producers = producersOf(network);
  const consumers = consumersOf(network);
  const biased = new Map<Node, Node>();
  const centred = new Set<Node>();
  for (const node of network.nodes) {
    const [value] = node.inputs;
    if (!usesBatch(node) || kept.has(value)) continue;
    const conv = producers.get(value);
    if (conv?.op !== "Conv" || (conv.inputs[2] ?? "") !== "" || consumers.get(value)?.length !== 1) continue;
    biased.set(conv, node);
    centred.add(node);
  }
  const nodes = network.nodes.flatMap((node): Node[] => {
    const norm = biased.get(node);
    if (norm !== undefined) {
      const shift = `${norm.name}/shift`;
      return [
        { name: shift, op: "Neg", domain: "", inputs: [norm.inputs[3]], outputs: [shift], attributes: {} },
        { ...node, inputs: [node.inputs[0], node.inputs[1], shift] },
      ];
    }
    if (!centred.has(node)) return [node];
    return [{ ...node, attributes: { ...node.attributes, [CENTRED]: { type: "int", value: 1 } } }];
  });
  return { ...network, nodes };
}
