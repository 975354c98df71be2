/**
 * Branches that vanish: where a residual branch keeps none of its inner channels, what its last convolution adds is its bias
 * alone, a constant of every channel. The convolutions go, the constant stays.
 */
import { consumersOf, float32, type Network, type Node, type Parameter } from "../network/network.ts";
import type { Coupling, CoupledLayer } from "../network/coupling/types.ts";
import { withInput } from "../network/edit.ts";

/** The classes of every layer that can lose all its outputs: what reads them is a convolution into a sum with something else. */
export function vanishable(network: Network, coupling: Coupling): ReadonlySet<number> {
  const consumers = consumersOf(network);
  const layers = new Map(coupling.layers.map((layer) => [layer.name, layer]));
  const ends = new Set(network.outputs.map(({ name }) => name));
  const classesOf = (atoms: Int32Array): number[] => Array.from(atoms, (atom) => coupling.classOf[atom]);
  /** Sums of which one side may vanish already: the other has to stay. */
  const claimed = new Set<Node>();

  /** Whether all that follows from a value are branches that end in a sum, and all its channels are among `own`. */
  const endsInSums = (value: string, own: ReadonlySet<number>, sums: Set<Node>): boolean => {
    const atoms = coupling.layouts.get(value)?.atoms;
    const readers = consumers.get(value) ?? [];
    if (atoms === undefined || readers.length === 0 || ends.has(value)) return false;
    if (!classesOf(atoms).every((id) => own.has(id))) return false;
    return readers.every((node) => {
      const layer = layers.get(node.name);
      if (layer === undefined || classesOf(layer.outputs).every((id) => own.has(id)))
        return node.outputs.length === 1 && endsInSums(node.outputs[0], own, sums);
      const sum = ends.has(layer.output) ? undefined : sumBehind(layer, network, { consumers, coupling });
      if (sum === undefined || claimed.has(sum)) return false;
      sums.add(sum);
      return true;
    });
  };
  const found = new Set<number>();
  for (const layer of coupling.layers) {
    const own = new Set(classesOf(layer.outputs));
    if ([...own].some((id) => coupling.frozen.has(id) || found.has(id))) continue;
    const sums = new Set<Node>();
    // Gates and branches inside a branch are made of the same classes: all of them have to end in sums.
    const makers = coupling.layers.filter(({ outputs }) => classesOf(outputs).some((id) => own.has(id)));
    if (!makers.every(({ output }) => endsInSums(output, own, sums))) continue;
    for (const id of own) found.add(id);
    for (const sum of sums) claimed.add(sum);
  }
  return found;
}

/** The sum of two maps of one shape that alone reads a convolution. */
function sumBehind(
  { op, groups, output }: CoupledLayer,
  { parameters }: Network,
  at: { readonly consumers: ReadonlyMap<string, readonly Node[]>; readonly coupling: Coupling },
): Node | undefined {
  const shape = at.coupling.shapes.get(output);
  const [sum, ...more] = at.consumers.get(output) ?? [];
  if (op !== "Conv" || groups !== 1 || shape?.length !== 4 || sum?.op !== "Add" || more.length > 0)
    return undefined;
  const other = sum.inputs.find((input) => input !== output);
  const isAlike = (value: string): boolean => at.coupling.shapes.get(value)?.join() === shape.join();
  if (other === undefined || parameters.has(other)) return undefined;
  return isAlike(other) && isAlike(sum.outputs[0]) ? sum : undefined;
}

/**
 * A cut network without its convolutions that read no channel any more. What such a one adds to a sum is its bias: the sum becomes
 * a depthwise convolution of the other side with weights of 1 and that bias, which runtimes compute in their blocked layout and
 * join with the activation behind it. What only the convolutions read is left for the caller to drop.
 */
export function withoutEmpty(network: Network): Network {
  const { parameters } = network;
  const isEmpty = ({ op, inputs }: Node): boolean =>
    op === "Conv" && parameters.get(inputs[1] ?? "")?.shape[1] === 0;
  const empty = network.nodes.filter(isEmpty);
  if (empty.length === 0) return network;
  const consumers = consumersOf(network);
  const made = new Map<Node, Node>();
  const all = new Map<string, Parameter>(parameters);
  for (const conv of empty) {
    const [value] = conv.outputs;
    const [sum] = consumers.get(value) ?? [];
    const channels = parameters.get(conv.inputs[1])?.shape[0] ?? 0;
    const other = sum.inputs.find((input) => input !== value) ?? "";
    all.set(conv.inputs[1], float32([channels, 1, 1, 1], new Float32Array(channels).fill(1)));
    made.set(sum, {
      ...withInput(conv, 0, other),
      outputs: sum.outputs,
      attributes: { group: { type: "int", value: channels } },
    });
  }
  const nodes = network.nodes.flatMap((node) => (isEmpty(node) ? [] : [made.get(node) ?? node]));
  return { ...network, nodes, parameters: all };
}
