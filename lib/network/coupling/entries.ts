/** Entries of lists that are put together while the network runs: sizes, pads, targets. */
import { integersOf, producersOf, type Network, type Node } from "../network.ts";

/** What is asked: a network and the shapes of its values. */
interface Lists {
  readonly network: Network;
  readonly shapes: ReadonlyMap<string, readonly number[]>;
}

/** Which input of a Concat of lists holds the entry `at`, and where in it. */
export function partAt(lists: Lists, node: Node, at: number): [value: string, at: number] | undefined {
  let start = 0;
  for (const name of node.inputs) {
    const length = lists.network.parameters.get(name)?.shape ?? lists.shapes.get(name);
    if (length?.length !== 1) return undefined;
    if (at < start + length[0]) return [name, at - start];
    start += length[0];
  }
  return undefined;
}

/** The entry of a list, where it is a constant although others are computed. */
export function constantEntry(lists: Lists, list: string, index: number): number | undefined {
  let [value, at] = [list, index];
  for (;;) {
    const numbers = integersOf(lists.network, value);
    if (numbers) return numbers[at];
    const maker = makersIn(lists.network).get(value);
    const part = maker?.op === "Concat" && maker.domain === "" ? partAt(lists, maker, at) : undefined;
    if (part === undefined) return undefined;
    [value, at] = part;
  }
}

const makers = new WeakMap<Network, ReadonlyMap<string, Node>>();

function makersIn(network: Network): ReadonlyMap<string, Node> {
  const known = makers.get(network) ?? producersOf(network);
  makers.set(network, known);
  return known;
}
