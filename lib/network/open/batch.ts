/** Opens what exporters fix to one picture inside a network: Reshape to [1, ...]. Pure. */
import { freeName, withInput } from "../edit.ts";
import { int64, intAttribute, type Network, type Node } from "../network.ts";
import { propagate } from "../shapes/infer.ts";

/**
 * The network with every Reshape to one picture taking as many as come: its first number becomes that of its input. Only where
 * the first axis of that input is the batch.
 *
 * @param network its inputs begin with a dimension that has a name, the others are numbers
 */
export function openReshapes(network: Network): Network {
  if (!network.nodes.some(({ op }) => op === "Reshape")) return network;
  const batch = otherThan(network);
  const bindings = boundTo(network, batch);
  let opened = network;
  for (;;) {
    const { nodes, parameters } = opened;
    const { shapes, constants } = propagate(opened, { bindings, onError: "skip" });
    const valuesOf = (name: string): readonly number[] | undefined => {
      const parameter = parameters.get(name);
      return parameter === undefined ? constants.get(name)?.values : Array.from(parameter.data, Number);
    };
    const next = nodes.find(
      (node) =>
        node.op === "Reshape" &&
        shapes.get(node.inputs[0])?.[0] === batch &&
        freeTarget(node, valuesOf(node.inputs[1] ?? "")) !== undefined,
    );
    const target = next && freeTarget(next, valuesOf(next.inputs[1]));
    if (next === undefined || target === undefined) return opened;
    const name = freeName(`${next.inputs[1]}_open`, parameters);
    opened = {
      ...opened,
      nodes: nodes.map((node) => (node === next ? withInput(node, 1, name) : node)),
      parameters: new Map(parameters).set(name, int64(target)),
    };
  }
}

/** The target with its first number left open; undefined where it is not 1, or cannot be left open. */
function freeTarget(node: Node, target: readonly number[] | undefined): readonly number[] | undefined {
  if (target?.[0] !== 1) return undefined;
  if (intAttribute(node, "allowzero", 0) === 0) return [0, ...target.slice(1)];
  return target.includes(-1) ? undefined : [-1, ...target.slice(1)];
}

/** A batch that no dimension of the network has, so that it is known wherever it stands. */
function otherThan(network: Network): number {
  const { shapes } = propagate(network, { bindings: boundTo(network, 1), onError: "skip" });
  const taken = new Set([...shapes.values()].flat());
  let batch = 11;
  while (taken.has(batch)) batch += 2;
  return batch;
}

function boundTo({ inputs }: Network, batch: number): Record<string, number> {
  const names = inputs.flatMap(({ shape: [first] }) => (typeof first === "string" ? [first] : []));
  return Object.fromEntries(names.map((name) => [name, batch]));
}
