/** Where a network computes on bytes: which layers get int8 weights, and which values are stored as uint8. Pure. */
import {
  consumersOf,
  floatAttribute,
  intAttribute,
  producersOf,
  type Network,
  type Node,
} from "../network/network.ts";
import { factsOf, type ByteKind } from "../network/operators/facts.ts";
import { inferShapes } from "../network/shapes/infer.ts";

/** What {@link placesOf} finds. */
export interface Places {
  /** Layers whose weights become int8, in order. */
  readonly layers: readonly Node[];
  /** All nodes that compute on bytes, the layers among them. */
  readonly nodes: ReadonlySet<Node>;
  /** Value stored as bytes -> the value whose range it has: its own, or that of what was handed on unchanged. */
  readonly values: ReadonlyMap<string, string>;
  /** What each of the nodes stores: behind the activation that is fused with it. */
  readonly results: ReadonlyMap<Node, readonly string[]>;
  /** Those that a node in bytes makes: whoever reads them reads what the bytes say. */
  readonly made: ReadonlySet<string>;
}

/**
 * Layers compute on bytes, unless they make an output of the network, which may be moved, cut off or squashed on its way: a last
 * layer stays in floats, as bytes would be its answer.
 * So do the sums, products, gates, pools and concatenations between them. An activation that only cuts off (Relu, Clip) belongs to what stands
 * before it: nothing is stored between the two.
 *
 * @param inFloat names of layers that stay in floats
 */
export function placesOf(network: Network, inFloat: ReadonlySet<string> = new Set()): Places {
  const search = searchOf(network);
  const nodes = new Set<Node>();
  const made = new Set<string>();
  for (const node of network.nodes) {
    if (!computesOnBytes(node, { ...search, made, inFloat })) continue;
    nodes.add(node);
    for (const value of resultsOf(node, search)) made.add(value);
  }
  dropTails(network, nodes, made, search);
  const values = new Map<string, string>();
  const results = new Map<Node, readonly string[]>();
  for (const node of network.nodes) {
    if (!nodes.has(node)) continue;
    const inputs = dataOf(node, network);
    for (const value of inputs) if (!values.has(value)) values.set(value, value);
    const first = values.get(inputs[0]) ?? inputs[0];
    const isSame = bytesOf(node) === "same";
    const stored = resultsOf(node, search);
    results.set(node, stored);
    for (const value of stored) values.set(value, isSame ? first : value);
  }
  const layers = network.nodes.filter((node) => nodes.has(node) && bytesOf(node) === "layer");
  return { layers, nodes, values, results, made };
}

/** Whether its parameters are learned. */
export const learns = ({ op, domain }: Node): boolean => domain === "" && factsOf(op).learned === true;

interface Search {
  readonly network: Network;
  readonly producers: ReadonlyMap<string, Node>;
  readonly consumers: ReadonlyMap<string, readonly Node[]>;
  readonly outputs: ReadonlySet<string>;
  /** Values that become an output without anything being summed or averaged. */
  readonly answers: ReadonlySet<string>;
  readonly shapes: ReadonlyMap<string, readonly number[]>;
}

function searchOf(network: Network): Search {
  const outputs = new Set(network.outputs.map(({ name }) => name));
  const answers = new Set(outputs);
  for (const node of network.nodes.toReversed())
    if (handsOn(node) && node.outputs.some((value) => answers.has(value)))
      for (const value of dataOf(node, network)) answers.add(value);
  return {
    network,
    producers: producersOf(network),
    consumers: consumersOf(network),
    outputs,
    answers,
    shapes: inferShapes(network, { batch: 1 }),
  };
}

function bytesOf(node: Node): ByteKind | undefined {
  return node.domain === "" ? factsOf(node.op).bytes : undefined;
}

/** Moves numbers, or maps each by itself. */
function handsOn({ op, domain }: Node): boolean {
  if (domain !== "") return false;
  const { channels, learned, bytes, activation, answer, squashes } = factsOf(op);
  if (channels === "pool" || learned === true) return false;
  return bytes === "same" || bytes === "own" || activation === true || answer === true || squashes === true;
}

/** Inputs that are no parameters and no settings. */
function dataOf(node: Node, { parameters }: Pick<Network, "parameters">): string[] {
  const { settings = [] } = factsOf(node.op);
  return node.inputs.filter((name, i) => name !== "" && !settings.includes(i) && !parameters.has(name));
}

/** What is stored of a node's results: behind the activation that is fused with it. */
function resultsOf(node: Node, { consumers, outputs, network }: Search): readonly string[] {
  const kind = bytesOf(node);
  if (kind !== "layer" && kind !== "sum") return node.outputs.filter((name) => name !== "");
  let [value] = node.outputs;
  for (;;) {
    const readers: readonly Node[] = consumers.get(value) ?? [];
    const [reader] = readers;
    const cutsOff = readers.length === 1 && bytesOf(reader) === "fused" && !outputs.has(value);
    if (!cutsOff || dataOf(reader, network).length !== 1) return [value];
    [value] = reader.outputs;
  }
}

function computesOnBytes(
  node: Node,
  search: Search & { readonly made: ReadonlySet<string>; readonly inFloat: ReadonlySet<string> },
): boolean {
  const { network, made, inFloat, answers, shapes } = search;
  const kind = bytesOf(node);
  if (kind === undefined || inFloat.has(node.name)) return false;
  if (resultsOf(node, search).some((value) => answers.has(value))) return false;
  const data = dataOf(node, network);
  switch (kind) {
    case "layer":
      return data.length === 1 && data[0] === node.inputs[0] && hasPlainWeights(node, network);
    case "sum": {
      const [a, b] = data.map((value) => shapes.get(value));
      return (
        data.length === 2 &&
        a !== undefined &&
        b !== undefined &&
        combine(a, b) &&
        data.some((value) => made.has(value))
      );
    }
    case "same":
    case "own":
      return data.length > 0 && data.every((value) => made.has(value));
    default:
      return false;
  }
}

/** Float weights with the outputs along the first axis, and nothing that scales them in the node. */
export function hasPlainWeights(node: Node, { parameters }: Network): boolean {
  const [, weight = "", bias = ""] = node.inputs;
  const plain = (name: string): boolean => parameters.get(name)?.type === "float32";
  if (!plain(weight) || (bias !== "" && !plain(bias))) return false;
  const rank = parameters.get(weight)?.shape.length;
  if (node.op === "Conv") return rank === 4;
  const factors = floatAttribute(node, "alpha", 1) === 1 && floatAttribute(node, "beta", 1) === 1;
  return factors && intAttribute(node, "transA", 0) === 0 && intAttribute(node, "transB", 0) === 1;
}

/** What only hands on to nodes in floats stays in floats itself: the last pool, for example. */
function dropTails(network: Network, nodes: Set<Node>, made: Set<string>, search: Search): void {
  for (const node of network.nodes.toReversed()) {
    const kind = bytesOf(node);
    if (!nodes.has(node) || (kind !== "same" && kind !== "own")) continue;
    const results = resultsOf(node, search);
    if (results.some((value) => search.consumers.get(value)?.some((reader) => nodes.has(reader)))) continue;
    nodes.delete(node);
    for (const value of results) made.delete(value);
  }
}

/** Maps of one shape, or a map and a number for each of its channels: what kernels for bytes combine. */
function combine(a: readonly number[], b: readonly number[]): boolean {
  if (a.join() === b.join()) return true;
  const isGate = ([n, c, ...sides]: readonly number[], [m, d]: readonly number[]): boolean =>
    n === m && c === d && sides.length === 2 && sides.every((side) => side === 1);
  return a.length === b.length && (isGate(a, b) || isGate(b, a));
}
