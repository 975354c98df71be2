/** Changing the weights of a network without changing anybody else's. */
import { freeName, readCounts, withInput } from "../network/edit.ts";
import { float32, type Network, type Node, type Parameter } from "../network/network.ts";

/** A copy of a network in the making. */
export interface Draft {
  /** The node as it is now. */
  node(name: string): Node | undefined;
  /** The float32 values behind input `index` of a node, a fresh copy. */
  weights(nodeName: string, index: number): { shape: readonly number[]; data: Float32Array } | undefined;
  /** Puts a parameter behind input `index`; where other nodes read the old one, under a name of its own. */
  setInput(nodeName: string, index: number, parameter: Parameter): void;
  /** Adds a vector to the output of a node that has no place for a bias. */
  addAfter(nodeName: string, bias: Float32Array): void;
  /** The result. */
  finish(): Network;
}

/** @param network not changed */
export function createDraft(network: Network): Draft {
  const nodes = new Map(network.nodes.map((node) => [node.name, [node]]));
  const parameters = new Map(network.parameters);
  const readers = readCounts(network);
  const fresh = (base: string): string => freeName(base, parameters, (n) => `${base}_${n - 1}`);
  const nodeNamed = (name: string): Node | undefined => nodes.get(name)?.[0];
  const replace = (name: string, node: Node, ...after: Node[]): void => {
    nodes.set(name, [node, ...(nodes.get(name) ?? []).slice(1), ...after]);
  };

  return {
    node: nodeNamed,
    weights: (nodeName, index) => {
      const name = nodeNamed(nodeName)?.inputs[index] ?? "";
      const parameter = parameters.get(name);
      if (!parameter) return undefined;
      return { shape: parameter.shape, data: Float32Array.from(parameter.data as Float32Array) };
    },
    setInput: (nodeName, index, parameter) => {
      const node = nodeNamed(nodeName);
      if (!node) return;
      const old = node.inputs[index] ?? "";
      const own = parameters.has(old) && (readers.get(old) ?? 0) <= 1;
      const name = own ? old : fresh(old === "" ? `${nodeName}.bias` : `${old}_own`);
      parameters.set(name, parameter);
      if (own) return;
      if (old !== "") readers.set(old, (readers.get(old) ?? 1) - 1);
      readers.set(name, 1);
      replace(nodeName, withInput(node, index, name));
    },
    addAfter: (nodeName, bias) => {
      const node = nodeNamed(nodeName);
      if (!node) return;
      const [output] = node.outputs;
      const name = fresh(`${nodeName}.bias`);
      parameters.set(name, float32([bias.length], bias));
      const bare = `${output}/unbiased`;
      const add: Node = {
        name: `${nodeName}/bias`,
        op: "Add",
        domain: "",
        inputs: [bare, name],
        outputs: [output],
        attributes: {},
      };
      replace(nodeName, { ...node, outputs: [bare] }, add);
    },
    finish: () => ({
      ...network,
      nodes: network.nodes.flatMap(({ name }) => nodes.get(name) ?? []),
      parameters,
    }),
  };
}

/**
 * Weights that several nodes read. Changing one would untie layers that the plan has tied: they are left alone.
 */
export function sharedWeights(network: Network): ReadonlySet<string> {
  const isMatrix = (name: string): boolean => (network.parameters.get(name)?.shape.length ?? 0) > 1;
  return new Set([...readCounts(network)].flatMap(([name, n]) => (n > 1 && isMatrix(name) ? [name] : [])));
}
