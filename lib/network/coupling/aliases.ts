import type { Network, Node } from "../network.ts";

/**
 * The network with every Identity of a parameter removed: exporters store equal biases once and read them through
 * Identity nodes. The same object where there is none.
 */
export function withoutAliases(network: Network): Network {
  const outputs = new Set(network.outputs.map(({ name }) => name));
  const aliases = new Map<string, string>();
  for (const { op, domain, inputs, outputs: made } of network.nodes) {
    const source = aliases.get(inputs[0]) ?? inputs[0];
    if (op === "Identity" && domain === "" && network.parameters.has(source) && !outputs.has(made[0])) {
      aliases.set(made[0], source);
    }
  }
  if (aliases.size === 0) return network;
  const nodes = network.nodes
    .filter((node) => !aliases.has(node.outputs[0]))
    .map((node): Node => ({ ...node, inputs: node.inputs.map((input) => aliases.get(input) ?? input) }));
  return { ...network, nodes };
}
