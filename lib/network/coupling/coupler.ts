/** The state of an analysis and the few verbs that the operator rules speak in. */
import { groupBy } from "../../core/group-by.ts";
import { readCounts } from "../edit.ts";
import type { Network, Node } from "../network.ts";
import { createAtoms, type Atoms } from "./atoms.ts";
import type { CoupledLayer, Layout, Origin, ParameterAxis, ParameterUse, Spread } from "./types.ts";

/** How one operator passes channels on. */
export type Rule = (coupler: Coupler, node: Node) => void;

export interface Coupler {
  readonly network: Network;
  readonly atoms: Atoms;
  readonly layouts: Map<string, Layout>;
  readonly spreads: Map<string, Spread>;
  readonly shuffles: Map<string, Origin>;
  readonly layers: CoupledLayer[];
  readonly uses: ParameterUse[];
  readonly shapes: ReadonlyMap<string, readonly number[]>;
}

/** A fresh analysis. */
export function createCoupler(network: Network, shapes: ReadonlyMap<string, readonly number[]>): Coupler {
  return {
    network,
    atoms: createAtoms(),
    layouts: new Map(),
    spreads: new Map(),
    shuffles: new Map(),
    layers: [],
    uses: [],
    shapes,
  };
}

/** The node, as reasons name it. */
export function label(node: Node): string {
  return `${node.op} ${node.name}`;
}

/** Shape of a value or parameter; undefined where inference could not tell. */
export function shapeOf(coupler: Coupler, name: string): readonly number[] | undefined {
  return coupler.network.parameters.get(name)?.shape ?? coupler.shapes.get(name);
}

/** Whether `name` is a constant of the network. */
export function isParameter(coupler: Coupler, name: string): boolean;
export function isParameter(coupler: Coupler, name: string | undefined): name is string;
export function isParameter(coupler: Coupler, name: string | undefined): boolean {
  return name !== undefined && coupler.network.parameters.has(name);
}

/** Freezes whatever channels a value has. */
export function freeze(coupler: Coupler, value: string | undefined, because: string): void {
  if (value === undefined) return;
  const atoms = (coupler.layouts.get(value) ?? coupler.spreads.get(value))?.atoms;
  if (atoms) coupler.atoms.freeze(atoms, because);
}

/** Freezes the channels of every input of a node; its outputs then have none that could be removed. */
export function freezeInputs(coupler: Coupler, node: Node, because: string): void {
  for (const input of node.inputs) freeze(coupler, input, `${label(node)} ${because}`);
}

/** Says that input `index` of `node` is a parameter whose `axes` follow these atoms. */
export function useParameter(
  coupler: Coupler,
  node: Node,
  index: number,
  axes: readonly ParameterAxis[],
): void {
  coupler.uses.push({ node: node.name, input: index, parameter: node.inputs[index], axes });
}

/**
 * Brings the readers of shared weights together: where all cut an axis, their atoms are tied; where one does not, the
 * others may not. Vectors (biases that an exporter stored once because they were equal) are cut for each reader apart.
 */
export function settleParameters(coupler: Coupler): void {
  const { network, atoms: all } = coupler;
  const readers = readCounts(network);
  const shared = groupBy(
    coupler.uses.filter(
      ({ parameter }) => (readers.get(parameter) ?? 0) > 1 && !isVector(network, parameter),
    ),
    ({ parameter }) => parameter,
  );
  for (const [name, uses] of shared) {
    const first = new Map<number, Int32Array>();
    for (const { node, axes } of uses) {
      for (const { axis, atoms } of axes) {
        const partner = first.get(axis);
        const everywhere =
          uses.length === readers.get(name) &&
          uses.every((use) => use.axes.some((other) => other.axis === axis));
        if (!everywhere)
          all.freeze(atoms, `${node} shares the parameter ${name} with a node that needs it whole`);
        else if (partner) all.tie(partner, atoms, `the parameter ${name}, which ${node} shares`);
        else first.set(axis, atoms);
      }
    }
  }
}

function isVector(network: Network, name: string): boolean {
  const shape = network.parameters.get(name)?.shape ?? [];
  return shape.filter((size) => size > 1).length <= 1;
}
