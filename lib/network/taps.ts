/** Where the responses of a network's filters are read (DESIGN, "tap"). */
import { consumersOf, type Network, type Node } from "./network.ts";
import { factsOf } from "./operators/facts.ts";
import { inferShapes } from "./shapes/infer.ts";

/** The tensor whose pooled response is harvested for a convolution: what the next layers consume. */
export interface Tap {
  /** Name of the value, [n, channels, ...]. */
  readonly tap: string;
  /** Name of the convolution; the last one where several meet in the tap (a residual sum). */
  readonly layer: string;
  /** All convolutions that meet in the tap, in order. */
  readonly layers: readonly string[];
  readonly channels: number;
}

/**
 * One tap for every value in which convolutions end, in the order of the network. From the convolution's output the
 * search goes on through normalisation, activations (also those written as products, x * sigmoid(x)), gates of
 * squeeze-and-excitation and residual sums, as long as exactly one layer consumes the value.
 */
export function findTaps(network: Network): Tap[] {
  const shapes = inferShapes(network);
  const search: Search = {
    network,
    consumers: consumersOf(network),
    channels: (value) => shapes.get(value)?.[1],
    outputs: new Set(network.outputs.map(({ name }) => name)),
  };
  const taps = new Map<string, string[]>();
  for (const node of network.nodes) {
    if (node.op !== "Conv" || node.domain !== "") continue;
    const tap = follow(node.outputs[0] ?? "", search);
    const layers = taps.get(tap) ?? [];
    layers.push(node.name);
    taps.set(tap, layers);
  }
  return [...taps].map(([tap, layers]) => ({
    tap,
    layer: layers.at(-1) ?? "",
    layers,
    channels: search.channels(tap) ?? 0,
  }));
}

interface Search {
  readonly network: Network;
  readonly consumers: ReadonlyMap<string, readonly Node[]>;
  readonly channels: (value: string) => number | undefined;
  readonly outputs: ReadonlySet<string>;
}

/** The value at the end of the chain that starts at `value`. */
function follow(value: string, search: Search): string {
  let current = value;
  for (;;) {
    const next = step(current, search);
    if (next === undefined || search.channels(next) !== search.channels(value)) return current;
    current = next;
  }
}

function step(value: string, search: Search): string | undefined {
  if (search.outputs.has(value)) return undefined;
  const consumers = search.consumers.get(value) ?? [];
  const [first, second] = consumers;
  if (first === undefined) return undefined;
  if (consumers.length === 2 && second !== undefined) return gated(value, [first, second], search);
  if (consumers.length > 2) return undefined;
  const output = first.outputs[0];
  if (first.domain !== "") return undefined;
  if (factsOf(first.op).activation) return first.inputs[0] === value ? output : undefined;
  if (first.op === "Add" || first.op === "Mul") return output;
  if (factsOf(first.op).arithmetic) return isScaling(first, value, search) ? output : undefined;
  // A sum may need its summand padded at the edges first.
  if (first.op === "Pad" && output !== undefined && !search.outputs.has(output)) {
    const [sum, ...more] = search.consumers.get(output) ?? [];
    if (sum?.op === "Add" && more.length === 0) return output;
  }
  return undefined;
}

/** Whether every other operand is a parameter. */
function isScaling(node: Node, value: string, search: Search): boolean {
  return node.inputs.every(
    (input) => input === value || input === "" || search.network.parameters.has(input),
  );
}

/** value * f(value), where f is a chain that nothing else reads: its product. */
function gated(value: string, pair: readonly [Node, Node], search: Search): string | undefined {
  for (const [product, start] of [pair, [pair[1], pair[0]]] as const) {
    if (product.op !== "Mul" || !product.inputs.includes(value)) continue;
    const other = product.inputs.find((input) => input !== value);
    if (other !== undefined && reaches(start, value, other, search)) return product.outputs[0];
  }
  return undefined;
}

/** Whether the chain that begins with node `start`, fed by `from`, ends in `target`, read by nothing else before. */
function reaches(start: Node, from: string, target: string, search: Search): boolean {
  let [node, value]: [Node | undefined, string] = [start, from];
  while (node !== undefined) {
    const passes =
      factsOf(node.op).activation === true || factsOf(node.op).gate === true || isAffine(node, value, search);
    const output: string | undefined = node.outputs[0];
    if (!passes || output === undefined || search.outputs.has(output)) return false;
    const consumers: readonly Node[] = search.consumers.get(output) ?? [];
    if (output === target) return consumers.length === 1;
    // The gate itself may be a gated activation (a swish inside a squeeze-and-excitation).
    const [first, second] = consumers;
    const inner: string | undefined =
      consumers.length === 2 && first && second ? gated(output, [first, second], search) : undefined;
    value = inner ?? output;
    const readers: readonly Node[] = search.consumers.get(value) ?? [];
    if (inner === target) return readers.length === 1;
    if (readers.length !== 1) return false;
    node = readers[0];
  }
  return false;
}

const isAffine = (node: Node, value: string, search: Search): boolean =>
  factsOf(node.op).arithmetic === true && isScaling(node, value, search);

/**
 * The network with the global average of every tap as further outputs, [n, channels].
 *
 * @returns the network, and tap -> name of its pooled output
 */
export function withPooledTaps(
  network: Network,
  taps: readonly Pick<Tap, "tap" | "channels">[],
): { network: Network; outputs: Map<string, string> } {
  const outputs = new Map<string, string>();
  const pools = new Map<string, readonly Node[]>();
  const pooled = [...network.outputs];
  const batch = network.inputs[0]?.shape[0] ?? "batch";
  for (const { tap, channels } of taps) {
    if (outputs.has(tap)) continue;
    const [mean, flat] = [`${tap}/pooled/mean`, `${tap}/pooled`];
    const flatten = { axis: { type: "int", value: 1 } } as const;
    pools.set(tap, [
      { name: mean, op: "GlobalAveragePool", domain: "", inputs: [tap], outputs: [mean], attributes: {} },
      { name: flat, op: "Flatten", domain: "", inputs: [mean], outputs: [flat], attributes: flatten },
    ]);
    pooled.push({ name: flat, type: "float32", shape: [batch, channels] });
    outputs.set(tap, flat);
  }
  // Right behind what they read: at the end of the list, onnxruntime would run them last and keep every map till then.
  const nodes = network.nodes.flatMap((node) => [
    node,
    ...node.outputs.flatMap((output) => pools.get(output) ?? []),
  ]);
  return { network: { ...network, nodes, outputs: pooled }, outputs };
}
