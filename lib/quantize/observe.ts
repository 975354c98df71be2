/** Numbers about values inside a network, computed beside them: no map leaves the engine. */
import type { Network, Node } from "../network/network.ts";

/** Nodes that read `value`, or each other, and end in `output`. */
export interface Observation {
  readonly value: string;
  readonly nodes: readonly Node[];
  readonly output: string;
}

/** The network with observations right behind what they look at. @returns it, and the outputs that hold them */
export function observing(
  network: Network,
  observations: readonly Observation[],
): { readonly network: Network; readonly outputs: readonly string[] } {
  const about = new Map<string, Node[]>();
  for (const { value, nodes } of observations) about.set(value, [...(about.get(value) ?? []), ...nodes]);
  const nodes = [
    ...network.inputs.flatMap(({ name }) => about.get(name) ?? []),
    ...network.nodes.flatMap((one) => [one, ...one.outputs.flatMap((name) => about.get(name) ?? [])]),
  ];
  return { network: { ...network, nodes }, outputs: observations.map(({ output }) => output) };
}

/** Reductions over everything give one number. */
export const overAll = { keepdims: { type: "int", value: 0 } } as const;
