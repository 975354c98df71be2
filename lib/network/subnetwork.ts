import type { Network } from "./network.ts";

/**
 * The part of a network that `values` need, with exactly these as its outputs.
 *
 * @param values names of values that nodes of the network make
 */
export function subnetwork(network: Network, values: readonly string[]): Network {
  const needed = new Set(values);
  const nodes = network.nodes.toReversed().filter((node) => {
    if (!node.outputs.some((output) => needed.has(output))) return false;
    for (const input of node.inputs) needed.add(input);
    return true;
  });
  const known = new Map(network.outputs.map((output) => [output.name, output]));
  return {
    ...network,
    inputs: network.inputs.filter(({ name }) => needed.has(name)),
    outputs: values.map((name) => known.get(name) ?? { name, type: "float32", shape: [] }),
    nodes: nodes.reverse(),
    parameters: new Map([...network.parameters].filter(([name]) => needed.has(name))),
  };
}
