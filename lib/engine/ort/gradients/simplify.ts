/** Rewriting a network before it is differentiated, where the result and all gradients stay the same. */
import { consumersOf, type Network, type Node, producersOf } from "../../../network/network.ts";

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
