/** Operators that treat each channel of maps by itself, as a x + b: norms, sums and products with parameters, hard sigmoids. */
import { nodeOf } from "../edit.ts";
import { affineOf } from "../fold-batch-norm.ts";
import { floatAttribute, sizeOf, type Network, type Node, type Parameter } from "../network.ts";

/** Each channel of `x` times a factor, plus an offset. */
export interface ChannelLine {
  readonly x: string;
  /** [channels] */
  readonly factors: Float32Array;
  /** [channels] */
  readonly offsets: Float32Array;
  /** Cut off at 0 and 1; a gate is multiplied by `x` then. */
  readonly squashes?: "alone" | "gate";
}

/** Undefined where a node is something else than a line for each channel of maps. */
export function channelLineOf(
  network: Network,
  node: Node,
  shapes: ReadonlyMap<string, readonly number[]>,
): ChannelLine | undefined {
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

/** A parameter's numbers for the channels of an NCHW map; undefined where they are not one a channel, or one for all. */
export function forChannels(parameter: Parameter | undefined, channels: number): Float32Array | undefined {
  if (!(parameter?.data instanceof Float32Array) || parameter.shape.length > 4) return undefined;
  const { shape, data } = parameter;
  if (sizeOf(shape) === 1) return new Float32Array(channels).fill(data[0]);
  return shape.at(-3) === channels && sizeOf(shape) === channels ? data : undefined;
}

/** Each channel times its weight [channels, 1, 1, 1], plus its bias [channels] where there is one. */
export function channelConvolution(inputs: readonly string[], output: string, channels: number): Node {
  return nodeOf("Conv", inputs, output, {
    kernel_shape: { type: "ints", value: [1, 1] },
    group: { type: "int", value: channels },
  });
}

/** @param isFirst whether the map is the first operand */
function combined(
  { op }: Node,
  numbers: Float32Array,
  isFirst: boolean,
): Pick<ChannelLine, "factors" | "offsets"> | undefined {
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
