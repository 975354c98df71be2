import { float32, type Network, type Node, type Parameter } from "../../lib/network/network.ts";
import { analyseCoupling } from "../../lib/network/coupling/analyse.ts";
import type { Plan } from "../../lib/surgery/plan.ts";

/**
 * The uncut network with the input of every planned layer multiplied by the 0/1 mask of its `keptInputs`: what the cut
 * network must compute. Independent of the surgery but for the axis on which a layer's channels lie.
 */
export function maskNetwork(network: Network, plan: Plan): Network {
  const coupling = analyseCoupling(network);
  const parameters = new Map<string, Parameter>(network.parameters);
  const nodes: Node[] = [];
  for (const node of network.nodes) {
    const row = plan.layers.find(({ name }) => name === node.name);
    const layer = coupling.layers.find(({ name }) => name === node.name);
    if (!row || !layer || row.keptInputs.length === row.totalInputs) {
      nodes.push(node);
      continue;
    }
    const rank = coupling.shapes.get(layer.input)?.length ?? 0;
    const shape = Array.from({ length: rank - layer.inputAxis }, (_, i) => (i === 0 ? row.totalInputs : 1));
    const mask = new Float32Array(row.totalInputs);
    for (const channel of row.keptInputs) mask[channel] = 1;
    const [name, masked] = [`${node.name}/mask`, `${node.name}/masked`];
    parameters.set(name, float32(shape, mask));
    nodes.push({
      name: masked,
      op: "Mul",
      domain: "",
      inputs: [layer.input, name],
      outputs: [masked],
      attributes: {},
    });
    nodes.push({ ...node, inputs: node.inputs.map((input) => (input === layer.input ? masked : input)) });
  }
  return { ...network, nodes, parameters };
}
