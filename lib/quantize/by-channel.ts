/** What treats each channel by itself as the depthwise convolutions it is: kernels for bytes are quick at those, and there is none for it. */
import { dropDead, freshNames, nodeOf } from "../network/edit.ts";
import { affineOf } from "../network/fold-batch-norm.ts";
import {
  consumersOf,
  float32,
  floatAttribute,
  sizeOf,
  type Network,
  type Node,
  type Parameter,
} from "../network/network.ts";
import { inferShapes } from "../network/shapes/infer.ts";
import { placesOf, type Places } from "./places.ts";

/**
 * Norms that no layer takes up, sums and products with parameters, and hard sigmoids, clip(alpha x + beta, 0, 1), become convolutions of
 * 1x1 for each channel where they stand between layers in bytes; what is cut off is the end of its bytes' range. HardSwish is a hard
 * sigmoid times its input. In bytes a channel's one weight is exact.
 */
export function byChannelAsConvolutions(network: Network): Network {
  const shapes = inferShapes(network, { batch: 1 });
  const lines = new Map<Node, Line>();
  for (const node of network.nodes) {
    const line = lineOf(network, node, shapes);
    if (line !== undefined) lines.set(node, line);
  }
  // one that stays as it is may leave those behind it in floats
  while (lines.size > 0) {
    const { made, parts } = withConvolutions(network, lines);
    const places = placesOf(made);
    const readers = consumersOf(made);
    const readOnBytes = (value: string): boolean =>
      readers.get(value)?.some((reader) => places.nodes.has(reader)) ?? false;
    const others = [...lines].filter(([node, { x }]) => {
      const own = parts.get(node) ?? [];
      const isRead = own.some((part) => places.results.get(part)?.some(readOnBytes));
      return !(isRead && places.made.has(x) && isOnBytes(own, places));
    });
    if (others.length === 0) return dropDead(made);
    for (const [node] of others) lines.delete(node);
  }
  return network;
}

/** Each channel of `x` times a factor, plus an offset. */
interface Line {
  readonly x: string;
  /** [channels] */
  readonly factors: Float32Array;
  /** [channels] */
  readonly offsets: Float32Array;
  /** Cut off at 0 and 1; a gate is multiplied by `x` then. */
  readonly squashes?: "alone" | "gate";
}

/** Undefined where a node is something else than a line for each channel of maps. */
function lineOf(
  network: Network,
  node: Node,
  shapes: ReadonlyMap<string, readonly number[]>,
): Line | undefined {
  if (node.domain !== "") return undefined;
  const { parameters } = network;
  const x = node.inputs.find((name) => !parameters.has(name)) ?? "";
  const shape = shapes.get(x);
  if (shape?.length !== 4) return undefined;
  const [, channels] = shape;
  const all = (value: number): Float32Array => new Float32Array(channels).fill(value);
  switch (node.op) {
    case "HardSigmoid": {
      const [alpha, beta] = [floatAttribute(node, "alpha", 0.2), floatAttribute(node, "beta", 0.5)];
      return { x, factors: all(alpha), offsets: all(beta), squashes: "alone" };
    }
    case "HardSwish":
      return { x, factors: all(1 / 6), offsets: all(0.5), squashes: "gate" };
    case "BatchNormalization": {
      const own = affineOf(network, node);
      return own && { x, factors: Float32Array.from(own.k), offsets: Float32Array.from(own.shift) };
    }
    default: {
      const operand = node.inputs.find((name) => name !== x) ?? "";
      const numbers = node.inputs.length === 2 ? forChannels(parameters.get(operand), channels) : undefined;
      const own = numbers && combined(node, numbers, node.inputs[0] === x);
      const isFinite = own?.factors.every(Number.isFinite) === true && own.offsets.every(Number.isFinite);
      return isFinite ? { x, ...own } : undefined;
    }
  }
}

/** A parameter's number for each channel: its own, or one for all. */
function forChannels(parameter: Parameter | undefined, channels: number): Float32Array | undefined {
  if (!(parameter?.data instanceof Float32Array) || parameter.shape.length > 4) return undefined;
  const { shape, data } = parameter;
  if (sizeOf(shape) === 1) return new Float32Array(channels).fill(data[0]);
  return shape.at(-3) === channels && sizeOf(shape) === channels ? data : undefined;
}

/** @param isFirst whether the map is the first operand */
function combined(
  { op }: Node,
  numbers: Float32Array,
  isFirst: boolean,
): Pick<Line, "factors" | "offsets"> | undefined {
  const [ones, none] = [numbers.map(() => 1), numbers.map(() => 0)];
  switch (op) {
    case "Add":
      return { factors: ones, offsets: numbers };
    case "Sub":
      return isFirst
        ? { factors: ones, offsets: numbers.map((value) => -value) }
        : { factors: ones.map(() => -1), offsets: numbers };
    case "Mul":
      return { factors: numbers, offsets: none };
    case "Div":
      return isFirst ? { factors: numbers.map((value) => 1 / value), offsets: none } : undefined;
    default:
      return undefined;
  }
}

/** @returns `parts`: what stands for each of the nodes */
function withConvolutions(
  network: Network,
  lines: ReadonlyMap<Node, Line>,
): { readonly made: Network; readonly parts: ReadonlyMap<Node, readonly Node[]> } {
  const parameters = new Map(network.parameters);
  const fresh = freshNames(network);
  const store = (label: string, parameter: Parameter): string => {
    const name = fresh(label);
    parameters.set(name, parameter);
    return name;
  };
  const parts = new Map<Node, readonly Node[]>();
  for (const [node, { x, factors, offsets, squashes }] of lines) {
    const [{ name }, [result]] = [node, node.outputs];
    const channels = factors.length;
    const weights = store(`${name}.weight`, float32([channels, 1, 1, 1], factors));
    const bias = store(`${name}.bias`, float32([channels], offsets));
    const attributes = {
      kernel_shape: { type: "ints", value: [1, 1] },
      group: { type: "int", value: channels },
    } as const;
    const line = squashes === undefined ? result : fresh(`${name}.line`);
    const conv = nodeOf("Conv", [x, weights, bias], line, attributes);
    const own = [squashes === undefined ? { ...conv, name } : conv];
    if (squashes !== undefined) {
      const ends = [0, 1].map((end) => store(`${name}.${end}`, float32([], Float32Array.of(end))));
      const gate = squashes === "gate" ? fresh(`${name}.gate`) : result;
      own.push(nodeOf("Clip", [line, ...ends], gate));
      if (squashes === "gate") own.push(nodeOf("Mul", [x, gate], result));
    }
    parts.set(node, own);
  }
  const nodes = network.nodes.flatMap((node) => parts.get(node) ?? [node]);
  return { made: { ...network, nodes, parameters }, parts };
}

const isOnBytes = (own: readonly Node[], { nodes }: Places): boolean =>
  own.every((node) => node.op === "Clip" || nodes.has(node));
