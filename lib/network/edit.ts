/** Changing a network: names that are free, who reads what, what is still needed. */
import type { Attribute, Network, Node } from "./network.ts";

/** What following the values of a graph needs of a node. */
interface Step {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

/**
 * `label`, or the first of its other forms that is free.
 *
 * @param taken names that are not
 * @param other its n-th form, n from 2; default: `label_2`, `label_3`, ...
 */
export function freeName(
  label: string,
  taken: { has(name: string): boolean },
  other = (n: number): string => `${label}_${n}`,
): string {
  let name = label;
  for (let n = 2; taken.has(name); n++) name = other(n);
  return name;
}

/** Every name in a network: of inputs, parameters, nodes and values. */
function namesIn({ inputs, parameters, nodes }: Network): Set<string> {
  return new Set([
    ...parameters.keys(),
    ...inputs.map(({ name }) => name),
    ...nodes.flatMap(({ name, outputs }) => [name, ...outputs]),
  ]);
}

/** Gives names that nothing in the network has yet, each name once. */
export function freshNames(network: Network): (label: string, other?: (n: number) => string) => string {
  const taken = namesIn(network);
  return (label, other) => {
    const name = freeName(label, taken, other);
    taken.add(name);
    return name;
  };
}

/** `base`, or `base2`, ..., which no name of the network contains: a name with it behind is new. */
export function freshMark(network: Network, base: string): string {
  const names = [...namesIn(network)];
  const isPart = { has: (mark: string) => names.some((name) => name.includes(mark)) };
  return freeName(base, isPart, (n) => `${base}${n}`);
}

/** How often each value is read by nodes; a node that reads it twice counts twice. */
export function readCounts({ nodes }: Pick<Network, "nodes">): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { inputs } of nodes) for (const input of inputs) counts.set(input, (counts.get(input) ?? 0) + 1);
  return counts;
}

/** The nodes that `values` follow from, in the order in which they stand. */
export function nodesFor<N extends Step>(nodes: readonly N[], values: Iterable<string>): N[] {
  const makers = new Map<string, N>();
  for (const node of nodes) for (const output of node.outputs) if (output !== "") makers.set(output, node);
  const needed = new Set<N>();
  const open = [...values];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    const maker = makers.get(name);
    if (maker === undefined || needed.has(maker)) continue;
    needed.add(maker);
    open.push(...maker.inputs);
  }
  return nodes.filter((node) => needed.has(node));
}

/**
 * Drops nodes and parameters that no output needs.
 *
 * @param kept values that stay beside the outputs
 */
export function dropDead(network: Network, kept: readonly string[] = []): Network {
  const values = [...network.outputs.map(({ name }) => name), ...kept];
  const nodes = nodesFor(network.nodes, values);
  const read = new Set([...values, ...nodes.flatMap(({ inputs }) => inputs)]);
  return {
    ...network,
    nodes,
    parameters: new Map([...network.parameters].filter(([name]) => read.has(name))),
  };
}

/** One operator that reads `inputs` and makes `output`, of whose name it is. */
export function nodeOf(
  op: string,
  inputs: readonly string[],
  output: string,
  attributes: Readonly<Record<string, Attribute>> = {},
): Node {
  return { name: output, op, domain: "", inputs, outputs: [output], attributes };
}

/** The node with input `index` replaced; inputs before it that are not given are left out. */
export function withInput(node: Node, index: number, name: string): Node {
  const length = Math.max(node.inputs.length, index + 1);
  return { ...node, inputs: Array.from({ length }, (_, i) => (i === index ? name : (node.inputs[i] ?? ""))) };
}
