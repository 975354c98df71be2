/**
 * What a network costs: multiplications, parameters, bytes, at batch 1 (ETL, eqs. 6-8). The paper's "FLOPS" are
 * multiplications, here called MACs; FLOPs = 2 x MACs.
 */
import { refuseUnknown } from "../core/options.ts";
import type { Cost } from "../core/artifacts.ts";
import { computesOnBytes } from "./bytes.ts";
import { producersOf, sizeOf, type Network, type Node } from "./network.ts";
import { factsOf } from "./operators/facts.ts";
import { inferShapes, propagate, type Bindings } from "./shapes/infer.ts";

export interface LayerCost extends Cost {
  /** Name of the node. */
  readonly name: string;
  readonly op: string;
  /** Shape of the first output at batch 1. */
  readonly output: readonly number[];
  readonly part: "trunk" | "head";
}

export interface NetworkCost {
  readonly total: Cost;
  /** Up to the last pooling before the classifier. */
  readonly trunk: Cost;
  /** The layers after it (see `headNodes`). */
  readonly head: Cost;
  /** Every node that multiplies or stores something, in order. */
  readonly layers: readonly LayerCost[];
}

export interface CostOptions {
  /** Sizes of named dimensions other than the batch, which is 1. */
  readonly bindings?: Bindings;
  /**
   * What to do with an operator that is not known: an error (default), or what it makes, and what follows from that, counts
   * as nothing.
   */
  readonly onUnknown?: "throw" | "skip";
}

type Shapes = ReadonlyMap<string, readonly number[]>;

/**
 * Cost of every layer and of the whole.
 *
 * - Conv: outputs x inputs / groups x kernel x output height x output width; Gemm, MatMul: inputs x outputs
 * - parameters: weights and biases, scale and shift of normalisations, slopes; not the running statistics of batch
 *   normalisation, not index tables and scalar constants (Clip bounds, Resize scales)
 * - bytes: what the file stores for them, running statistics included
 *
 * A parameter that several nodes share is counted once, at the first. Weights that are stored as bytes count at the layer that
 * reads them through DequantizeLinear, their scales in its bytes; what a network in bytes divides its sums by are scales, too.
 */
export function costOf(network: Network, options: CostOptions = {}): NetworkCost {
  refuseUnknown("costOf", options, { bindings: true, onUnknown: true });
  const { shapes } = propagate(network, {
    bindings: { ...options.bindings, batch: 1 },
    onError: options.onUnknown === "skip" ? "unknown" : "throw",
  });
  const head = headNodes(network, shapes);
  const counted = new Set<string>();
  const producers = producersOf(network);
  const inBytes = computesOnBytes(network);
  const layers = network.nodes
    .map((node): LayerCost => ({
      name: node.name,
      op: node.op,
      macs: macsOf(node, shapes),
      ...storageOf(network, node, { counted, producers, inBytes }),
      output: shapes.get(node.outputs[0] ?? "") ?? [],
      part: head.has(node) ? "head" : "trunk",
    }))
    .filter(({ macs, params, bytes }) => macs > 0 || params > 0 || bytes > 0);
  return {
    total: sum(layers),
    trunk: sum(layers.filter(({ part }) => part === "trunk")),
    head: sum(layers.filter(({ part }) => part === "head")),
    layers,
  };
}

const sum = (costs: readonly Cost[]): Cost => ({
  macs: costs.reduce((total, { macs }) => total + macs, 0),
  params: costs.reduce((total, { params }) => total + params, 0),
  bytes: costs.reduce((total, { bytes }) => total + bytes, 0),
});

function macsOf(node: Node, shapes: Shapes): number {
  const [x = [], w = []] = node.inputs.map((name) => shapes.get(name) ?? []);
  const y = shapes.get(node.outputs[0] ?? "") ?? [];
  switch (node.op) {
    case "Conv":
      return sizeOf(y) * sizeOf(w.slice(1));
    case "ConvTranspose":
      return sizeOf(x) * sizeOf(w.slice(1));
    case "Gemm":
      return (sizeOf(y) * sizeOf(w)) / Math.max(1, y[1] ?? 1);
    case "MatMul":
      return sizeOf(y) * (x.at(-1) ?? 1);
    default:
      return 0;
  }
}

interface Storage {
  readonly counted: Set<string>;
  readonly producers: ReadonlyMap<string, Node>;
  /** The network computes on bytes: what its sums are divided by are scales. */
  readonly inBytes: boolean;
}

const readsBytes = (node: Node | undefined): boolean =>
  node !== undefined && node.domain === "" && factsOf(node.op).bytes === "read";

function storageOf(
  network: Network,
  node: Node,
  { counted, producers, inBytes }: Storage,
): { params: number; bytes: number } {
  let [params, bytes] = [0, 0];
  if (readsBytes(node) && network.parameters.has(node.inputs[0])) return { params, bytes };
  const { settings = [], statistics = [], learned } = factsOf(node.op);
  node.inputs.forEach((name, index) => {
    if (counted.has(name) || settings.includes(index)) return;
    const reader = producers.get(name);
    const stored = readsBytes(reader) ? (reader?.inputs ?? []) : [name];
    const [parameter, ...scales] = stored.map((each) => network.parameters.get(each));
    if (parameter === undefined) return;
    const isFloat = parameter.type === "float32" || parameter.type === "float64";
    if (!isFloat && stored.length === 1) return;
    const size = sizeOf(parameter.shape);
    if (size <= 1 && learned !== true) return;
    counted.add(name);
    for (const each of [parameter, ...scales])
      if (each !== undefined)
        bytes += sizeOf(each.shape) * (each.stored === undefined ? each.data.BYTES_PER_ELEMENT : 2);
    if (!statistics.includes(index) && !(inBytes && node.op === "Div")) params += size;
  });
  return { params, bytes };
}

/**
 * The classifier: nodes that come after the picture's height and width were given up, and after which no map with
 * height and width is made again (so the gates of squeeze-and-excitation belong to the trunk). Height and width are
 * given up by Flatten, Reshape, a reduction, a global pool, or a window as large as its input (the first layer of a
 * classifier written as a convolution, which then belongs to the head).
 */
function headNodes(network: Network, shapes: Shapes = inferShapes(network)): Set<Node> {
  const isMap = (name: string): boolean => (shapes.get(name) ?? []).slice(2).some((size) => size > 1);
  const returning = new Set<string>();
  for (const node of network.nodes.toReversed()) {
    const goesBack = node.outputs.some((output) => isMap(output) || returning.has(output));
    if (goesBack) for (const input of node.inputs) returning.add(input);
  }
  const collapsed = new Set<string>();
  const head = new Set<Node>();
  for (const node of network.nodes) {
    const flat = node.outputs.every((output) => !isMap(output));
    const givesUp = flat && node.inputs.slice(0, 1).some((input) => isMap(input));
    if (!givesUp && !node.inputs.some((input) => collapsed.has(input))) continue;
    for (const output of node.outputs) collapsed.add(output);
    if (flat && !node.outputs.some((output) => returning.has(output))) head.add(node);
  }
  return head;
}
