/** What of a network costs time: multiplications by kind of layer, maps that are written, weights that are read, nodes. Pure. */
import { intAttribute, sizeOf, type Network, type Node } from "../network/network.ts";
import { windowAttributes } from "../network/operators/attributes.ts";
import { factsOf } from "../network/operators/facts.ts";
import { propagate } from "../network/shapes/infer.ts";

/** Kind of work -> how much of it: multiplications of layers by kernel, stride and map, and what is {@link shared} by all. */
export type Work = ReadonlyMap<string, number>;

export const shared = { maps: "maps", weights: "weights", nodes: "nodes" } as const;

/** How kinds of matrix products begin. */
export const productKind = "product";

/** Blocks of filters that a kernel computes with one reading of its input, at most. */
const SET = 4;

/** Multiplications of filters that are computed by fewer than {@link SET} blocks at a time: they read their input more often. */
export const shortSets: readonly string[] = Array.from({ length: SET - 1 }, (_, i) => `in sets of ${i + 1}`);

/**
 * The work of one picture.
 *
 * Kernels compute a block of channels at a time, so widths count as the next multiple of it: between two multiples a filter is
 * free. Channels fewer than a block (a picture's colours) are read as they are.
 */
export function workOf(network: Network, block: number): Work {
  return workAndKinds(network, block).work;
}

/** The work, and the kinds of the layers by their names. */
export function workAndKinds(
  network: Network,
  block: number,
): { readonly work: Work; readonly kinds: ReadonlyMap<string, string> } {
  // what is behind an operator that is not known counts as its nodes alone
  const { shapes } = propagate(network, { bindings: { batch: 1 }, onError: "unknown" });
  const work = new Map<string, number>();
  const kinds = new Map<string, string>();
  const read = new Set(network.inputs.map(({ name }) => name));
  const add = (kind: string, amount: number): void => {
    work.set(kind, (work.get(kind) ?? 0) + amount);
  };
  for (const node of network.nodes) {
    const [output = ""] = node.outputs;
    const y = shapes.get(output);
    add(shared.nodes, 1);
    if (y === undefined) continue;
    add(shared.maps, sizeOf([y[0] ?? 1, padded(y[1] ?? 1, block), ...y.slice(2)]));
    const layer = layerOf(network, node, { output: y, block, first: read.has(node.inputs[0]) });
    if (layer === undefined) continue;
    kinds.set(node.name, layer.kind);
    add(layer.kind, layer.macs);
    if (layer.short !== undefined) add(shortSets[layer.short.blocks - 1], layer.short.macs);
    add(shared.weights, layer.weights);
  }
  return { work, kinds };
}

/** Weights of a matrix that no cache holds. */
const LARGE = 2 ** 20;

const isLayer = ({ op, domain }: Node): boolean =>
  domain === "" && factsOf(op).channels === "own" && factsOf(op).learned === true;

function isByPlace(node: Node, [, inner, ...kernel]: readonly number[]): boolean {
  return intAttribute(node, "group", 1) > 1 && inner === 1 && kernel.every((size) => size === 1);
}

/** The next multiple; channels fewer than a block are read as they are. */
function padded(channels: number, block: number): number {
  return channels < block ? channels : Math.ceil(channels / block) * block;
}

/** Multiplications of a layer. */
interface LayerWork {
  readonly kind: string;
  readonly macs: number;
  readonly weights: number;
  /** The last filters, where they are no whole set. */
  readonly short?: { readonly blocks: number; readonly macs: number } | undefined;
}

/** @returns undefined for what is no layer */
function layerOf(
  { parameters }: Network,
  node: Node,
  at: {
    readonly output: readonly number[];
    readonly block: number;
    /** Reads the network's input. */
    readonly first: boolean;
  },
): LayerWork | undefined {
  const { output, block, first } = at;
  const weight = (parameters.get(node.inputs[1] ?? "") ?? parameters.get(node.inputs[0] ?? ""))?.shape;
  // A convolution of every channel by itself, a place at a time, is a matter of writing the map.
  if (!isLayer(node) || weight === undefined || isByPlace(node, weight)) return undefined;
  const map = output.slice(2);
  if (map.length === 0) {
    const weights = sizeOf(weight);
    return { kind: `${productKind}, ${weights > LARGE ? "large" : "small"}`, macs: weights, weights };
  }
  const group = intAttribute(node, "group", 1);
  const [outer = 1, inner = 1, ...kernel] = weight;
  const isDepthwise = group > 1 && inner === 1;
  const wide = padded(outer, block);
  const reads = isDepthwise ? 1 : inner * group < block ? inner : padded(inner, block);
  const weights = wide * reads * sizeOf(kernel);
  const strides = windowAttributes(node, 2).strides.join("x");
  const form = isDepthwise ? "depthwise" : first ? "first" : group > 1 ? "grouped" : "dense";
  const kind = `${form}: ${node.op} ${kernel.join("x")}/${strides} to ${map.join("x")}`;
  const macs = weights * sizeOf(map);
  const blocks = (wide / block) % SET;
  const isInSets = block > 1 && group === 1 && Number.isInteger(blocks) && blocks > 0;
  return {
    kind,
    macs,
    weights,
    short: isInSets ? { blocks, macs: (macs * blocks * block) / wide } : undefined,
  };
}
