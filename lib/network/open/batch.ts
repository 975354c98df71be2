/** Opens what exporters fix to one picture inside a network: Reshape to [1, ...]. Pure. */
import { freeName } from "../edit.ts";
import { int64, intAttribute, type Network, type Node } from "../network.ts";
import { propagate } from "../shapes/infer.ts";

/**
 * The network with every Reshape to one picture taking as many as come: its first number becomes that of its input. Only where
 * the first axis of that input is the batch.
 *
 * @param network its inputs begin with a dimension that has a name, the others are numbers
 */
export function openReshapes(network: Network): Network {
  const batch = otherThan(network);
  const bindings = boundTo(network, batch);
  const nodes = [...network.nodes];
  const parameters = new Map(network.parameters);
  for (let from = 0; ;) {
    const opened = { ...network, nodes, parameters };
    const { shapes, constants } = propagate(opened, { bindings, onError: "skip" });
    const valuesOf = (name: string): readonly number[] | undefined => {
      const parameter = parameters.get(name);
      return parameter === undefined ? constants.get(name)?.values : Array.from(parameter.data, Number);
    };
    const at = nodes.findIndex(
      (node, i) => i >= from && node.op === "Reshape" && shapes.get(node.inputs[0])?.[0] === batch,
    );
    if (at < 0) return from === 0 ? network : opened;
    const node = nodes[at];
    const target = freeTarget(node, valuesOf(node.inputs[1] ?? ""));
    from = at + 1;
    if (target === undefined) continue;
    const name = freeName(`${node.inputs[1]}_open`, parameters);
    parameters.set(name, int64(target));
    nodes[at] = { ...node, inputs: [node.inputs[0], name] };
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
