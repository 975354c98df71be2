import { consumersOf, type Network } from "../network.ts";
import { propagate } from "../shapes/infer.ts";
import { withoutAliases } from "./aliases.ts";
import { createCoupler, freeze, freezeInputs, settleParameters } from "./coupler.ts";
import { rules } from "./rules.ts";
import type { CoupledGroup, CoupledLayer, Coupling } from "./types.ts";

/** Batch size of the analysis: larger than 1, so that the batch is never taken for an axis that may vanish. */
const batch = 2;

/**
 * Finds out which channels of a network must be kept or removed together (DESIGN 3.5). Pure; touches no weight.
 * What cannot be followed is frozen with a reason that names the node.
 *
 * @param original shape computations should be folded already, as the readers do
 *
 * A network is analysed once: surgery asks at every step, the report's slider for every gamma, and the answer for one
 * network object never changes.
 */
export function analyseCoupling(original: Network): Coupling {
  const known = analysed.get(original) ?? analyse(original);
  analysed.set(original, known);
  return known;
}

const analysed = new WeakMap<Network, Coupling>();

function analyse(original: Network): Coupling {
  const network = withoutAliases(original);
  const { shapes } = propagate(network, { bindings: { batch }, onError: "skip" });
  const coupler = createCoupler(network, shapes);
  const readers = consumersOf(network);
  for (const node of network.nodes) {
    const rule = rules.get(node.domain === "" ? node.op : `${node.domain}:${node.op}`);
    if (rule) rule(coupler, node);
    else freezeInputs(coupler, node, "is an operator whose channels are not followed");
  }
  // Nothing reads it, so nothing says which of its axes is to become shorter.
  for (const name of coupler.spreads.keys())
    if (!readers.has(name))
      freeze(coupler, name, `nothing reads ${name}, whose channels are spread over several axes`);
  const outputs = new Set(network.outputs.map(({ name }) => name));
  for (const name of outputs) freeze(coupler, name, `network output ${name}`);
  // A weight may be handed out as it is, as prototypes and anchors are.
  for (const { axes } of coupler.uses.filter(({ parameter }) => outputs.has(parameter)))
    for (const { atoms } of axes) coupler.atoms.freeze(atoms, "a network output is the weight itself");
  settleParameters(coupler);
  const closed = coupler.atoms.close();
  const { layouts, spreads, shuffles, layers, uses } = coupler;
  const groups = groupLayers(layers, closed.classOf, closed.frozen);
  return { ...closed, layouts, spreads, shuffles, uses, layers, groups, shapes };
}

/** Joins layers whose outputs share a class. */
function groupLayers(
  layers: readonly CoupledLayer[],
  classOf: Int32Array,
  frozen: ReadonlyMap<number, string>,
): CoupledGroup[] {
  const groupOf = layers.map((_, i) => i);
  const find = (i: number): number => (groupOf[i] === i ? i : (groupOf[i] = find(groupOf[i])));
  const ownerOf = new Map<number, number>();
  for (const [i, layer] of layers.entries()) {
    for (const atom of layer.outputs) {
      const owner = ownerOf.get(classOf[atom]);
      if (owner === undefined) ownerOf.set(classOf[atom], i);
      else {
        const [a, b] = [find(owner), find(i)];
        groupOf[Math.max(a, b)] = Math.min(a, b);
      }
    }
  }
  const members = new Map<number, CoupledLayer[]>();
  for (const [i, layer] of layers.entries()) {
    const root = find(i);
    members.set(root, [...(members.get(root) ?? []), layer]);
  }
  return Array.from(members.values(), (group) => {
    const classes = new Set(group.flatMap(({ outputs }) => Array.from(outputs, (atom) => classOf[atom])));
    const frozenCount = Array.from(classes).filter((id) => frozen.has(id)).length;
    return { layers: group.map(({ name }) => name), classes: classes.size, frozen: frozenCount };
  });
}
