/**
 * A fluent way to write a network down. Every method adds a node and returns the name of the value it makes, which is
 * the node's name, so that the graph reads well in Netron; weights are named after their node (`conv1.weight`).
 */
import { EtlError } from "../core/errors.ts";
import {
  float32,
  int64,
  type Attribute,
  type Dim,
  type Network,
  type Node,
  type Parameter,
  type Tensor,
  type ValueInfo,
} from "./network.ts";
import { symbolicShapes } from "./open/symbolic.ts";
import { validateNetwork } from "./validate.ts";

/** One number for both axes, or one for each. */
export type Pair = number | readonly [number, number];

/** Padding of both axes on both sides, of each axis, or top, left, bottom, right (ONNX order). */
export type Pads = Pair | readonly [number, number, number, number];

export interface Named {
  /** Node and value name; default: the operator's name with a number. */
  readonly name?: string;
}

export interface WindowOptions extends Named {
  readonly strides?: Pair;
  readonly pads?: Pads;
  readonly dilations?: Pair;
  /** In place of pads, for inputs of open size: TensorFlow's `same`. */
  readonly autoPad?: "SAME_UPPER";
}

export interface ConvOptions extends WindowOptions {
  /** [filters, channels / group, height, width] */
  readonly weights: Tensor;
  /** [filters] */
  readonly bias?: Float32Array;
  readonly group?: number;
}

export interface PoolOptions extends WindowOptions {
  readonly kernel: Pair;
  /** Keep a last window that hangs over the edge. */
  readonly ceil?: boolean;
  /** Average pools: count padded zeros as elements. */
  readonly countPadding?: boolean;
}

export interface GemmOptions extends Named {
  /** [outputs, inputs] (PyTorch's order) */
  readonly weights: Tensor;
  /** [outputs] */
  readonly bias?: Float32Array;
}

export interface BatchNormOptions extends Named {
  /** All [channels]. */
  readonly scale: Float32Array;
  readonly bias: Float32Array;
  readonly mean: Float32Array;
  readonly variance: Float32Array;
  readonly epsilon?: number;
}

export interface NodeOptions extends Named {
  readonly attributes?: Readonly<Record<string, Attribute>>;
  readonly domain?: string;
}

export const int = (value: number): Attribute => ({ type: "int", value });
export const ints = (value: readonly number[]): Attribute => ({ type: "ints", value });
export const float = (value: number): Attribute => ({ type: "float", value });
export const textAttribute = (value: string): Attribute => ({ type: "string", value });

const pair = (value: Pair): readonly [number, number] => (typeof value === "number" ? [value, value] : value);

function fourPads(pads: Pads): readonly number[] {
  if (typeof pads === "number") return [pads, pads, pads, pads];
  return pads.length === 2 ? [...pads, ...pads] : pads;
}

function windowAttributes(options: WindowOptions): Record<string, Attribute> {
  const { strides = 1, pads = 0, dilations = 1 } = options;
  return {
    strides: ints(pair(strides)),
    ...(options.autoPad === undefined
      ? { pads: ints(fourPads(pads)) }
      : { auto_pad: { type: "string", value: options.autoPad } }),
    ...(pair(dilations).some((step) => step !== 1) ? { dilations: ints(pair(dilations)) } : {}),
  };
}

export type Builder = ReturnType<typeof createBuilder>;

/** Starts an empty network. */
export function createBuilder(name: string, { opset = 17 }: { readonly opset?: number } = {}) {
  const inputs: ValueInfo[] = [];
  const nodes: Node[] = [];
  const parameters = new Map<string, Parameter>();
  const taken = new Set<string>();
  const counts = new Map<string, number>();

  const take = (value: string): string => {
    if (taken.has(value)) {
      throw new EtlError("usage", `${name}: "${value}" is named twice, a new name was needed`);
    }
    taken.add(value);
    return value;
  };
  const numbered = (op: string): string => {
    for (;;) {
      const count = (counts.get(op) ?? 0) + 1;
      counts.set(op, count);
      const candidate = `${op.charAt(0).toLowerCase()}${op.slice(1)}${count}`;
      if (!taken.has(candidate)) return candidate;
    }
  };

  /** Adds a constant; returns its name. */
  const parameter = (label: string, value: Parameter): string => {
    parameters.set(take(label), value);
    return label;
  };

  /** Adds any operator with several outputs; returns their names (`name`, `name.1`, ...). */
  const nodeWithOutputs = (
    op: string,
    from: readonly string[],
    outputs: number,
    options: NodeOptions = {},
  ): string[] => {
    const label = options.name ?? numbered(op);
    const made = Array.from({ length: outputs }, (_, i) => take(i === 0 ? label : `${label}.${i}`));
    const { attributes = {}, domain = "" } = options;
    nodes.push({ name: label, op, domain, inputs: from, outputs: made, attributes });
    return made;
  };

  /** Adds any operator with one output. An empty name among the inputs is an omitted optional input. */
  const node = (op: string, from: readonly string[], options: NodeOptions = {}): string =>
    nodeWithOutputs(op, from, 1, options)[0] ?? "";

  const unary =
    (op: string, attributes: Readonly<Record<string, Attribute>> = {}) =>
    (x: string, options: Named = {}): string =>
      node(op, [x], { ...options, attributes });

  const binary =
    (op: string) =>
    (a: string, b: string, options: Named = {}): string =>
      node(op, [a, b], options);

  /** Names a node before its weights are named after it. */
  const withWeights = (op: string, options: Named, add: (label: string) => readonly string[]) => {
    const label = options.name ?? numbered(op);
    return { name: label, weights: add(label) };
  };

  const convolution =
    (op: "Conv" | "ConvTranspose") =>
    (x: string, options: ConvOptions): string => {
      const { weights, bias, group = 1 } = options;
      const own = withWeights(op, options, (label) => [
        parameter(`${label}.weight`, float32(weights.shape, weights.data)),
        ...(bias ? [parameter(`${label}.bias`, float32([bias.length], bias))] : []),
      ]);
      return node(op, [x, ...own.weights], {
        name: own.name,
        attributes: {
          kernel_shape: ints(weights.shape.slice(2)),
          ...windowAttributes(options),
          ...(group === 1 ? {} : { group: int(group) }),
        },
      });
    };

  const pool =
    (op: "MaxPool" | "AveragePool") =>
    (x: string, options: PoolOptions): string =>
      node(op, [x], {
        ...options,
        attributes: {
          kernel_shape: ints(pair(options.kernel)),
          ...windowAttributes(options),
          ...(options.ceil === true ? { ceil_mode: int(1) } : {}),
          ...(options.countPadding === true && op === "AveragePool" ? { count_include_pad: int(1) } : {}),
        },
      });

  const scalar = (label: string, value: number): string =>
    parameter(label, float32([], Float32Array.of(value)));

  return {
    parameter,
    node,
    nodeWithOutputs,
    /** An input; a text among the dimensions is a size known only at run time. */
    input: (label: string, shape: readonly Dim[]): string => {
      inputs.push({ name: take(label), type: "float32", shape });
      return label;
    },
    conv: convolution("Conv"),
    convTranspose: convolution("ConvTranspose"),
    maxPool: pool("MaxPool"),
    averagePool: pool("AveragePool"),
    globalAveragePool: unary("GlobalAveragePool"),
    globalMaxPool: unary("GlobalMaxPool"),
    relu: unary("Relu"),
    sigmoid: unary("Sigmoid"),
    tanh: unary("Tanh"),
    hardSwish: unary("HardSwish"),
    softplus: unary("Softplus"),
    identity: unary("Identity"),
    leakyRelu: (x: string, alpha: number, options: Named = {}): string =>
      node("LeakyRelu", [x], { ...options, attributes: { alpha: float(alpha) } }),
    hardSigmoid: (
      x: string,
      options: Named & { readonly alpha?: number; readonly beta?: number } = {},
    ): string =>
      node("HardSigmoid", [x], {
        ...options,
        attributes: { alpha: float(options.alpha ?? 0.2), beta: float(options.beta ?? 0.5) },
      }),
    /** Slope [channels]: one for each channel, or one for all. */
    pRelu: (x: string, slope: Float32Array, options: Named = {}): string => {
      const own = withWeights("PRelu", options, (label) => [
        parameter(`${label}.slope`, float32([slope.length, 1, 1], slope)),
      ]);
      return node("PRelu", [x, ...own.weights], { name: own.name });
    },
    /** Clip(x, min, max); Relu6 is clip(x, { min: 0, max: 6 }). */
    clip: (x: string, options: Named & { readonly min: number; readonly max: number }): string => {
      const own = withWeights("Clip", options, (label) => [
        scalar(`${label}.min`, options.min),
        scalar(`${label}.max`, options.max),
      ]);
      return node("Clip", [x, ...own.weights], { name: own.name });
    },
    /** x times sigmoid(x). */
    swish: (x: string, options: Named = {}): string => {
      const label = options.name ?? numbered("Swish");
      return node("Mul", [x, node("Sigmoid", [x], { name: `${label}.gate` })], { name: label });
    },
    add: binary("Add"),
    sub: binary("Sub"),
    mul: binary("Mul"),
    div: binary("Div"),
    matMul: binary("MatMul"),
    concat: (parts: readonly string[], options: Named & { readonly axis?: number } = {}): string =>
      node("Concat", parts, { ...options, attributes: { axis: int(options.axis ?? 1) } }),
    /** Pads with zeros; `pads` for every axis: all begins, then all ends. */
    pad: (x: string, pads: readonly number[], options: Named & { readonly value?: number } = {}): string => {
      const own = withWeights("Pad", options, (label) => [
        parameter(`${label}.pads`, int64(pads)),
        ...(options.value === undefined ? [] : [scalar(`${label}.value`, options.value)]),
      ]);
      return node("Pad", [x, ...own.weights], { name: own.name });
    },
    /** Elements from `start` to before `end` of one axis. */
    slice: (
      x: string,
      range: { readonly axis: number; readonly start: number; readonly end: number; readonly step?: number },
      options: Named = {},
    ): string => {
      const own = withWeights("Slice", options, (label) => [
        parameter(`${label}.starts`, int64([range.start])),
        parameter(`${label}.ends`, int64([range.end])),
        parameter(`${label}.axes`, int64([range.axis])),
        parameter(`${label}.steps`, int64([range.step ?? 1])),
      ]);
      return node("Slice", [x, ...own.weights], { name: own.name });
    },
    /** Parts of the given sizes along `axis` (default 1, the channels). */
    split: (
      x: string,
      sizes: readonly number[],
      options: Named & { readonly axis?: number } = {},
    ): string[] => {
      const own = withWeights("Split", options, (label) => [parameter(`${label}.sizes`, int64(sizes))]);
      const attributes = { axis: int(options.axis ?? 1) };
      return nodeWithOutputs("Split", [x, ...own.weights], sizes.length, { name: own.name, attributes });
    },
    /** ONNX's Reshape: 0 copies a dimension, one -1 takes the rest. */
    reshape: (x: string, shape: readonly number[], options: Named = {}): string => {
      const own = withWeights("Reshape", options, (label) => [parameter(`${label}.shape`, int64(shape))]);
      return node("Reshape", [x, ...own.weights], { name: own.name });
    },
    transpose: (x: string, order: readonly number[], options: Named = {}): string =>
      node("Transpose", [x], { ...options, attributes: { perm: ints(order) } }),
    flatten: (x: string, options: Named & { readonly axis?: number } = {}): string =>
      node("Flatten", [x], { ...options, attributes: { axis: int(options.axis ?? 1) } }),
    /** Mean over `axes`, attribute form up to opset 17, input form after. */
    reduceMean: (
      x: string,
      axes: readonly number[],
      options: Named & { readonly keep?: boolean } = {},
    ): string => {
      const keepdims = int(options.keep === false ? 0 : 1);
      if (opset < 18)
        return node("ReduceMean", [x], { ...options, attributes: { axes: ints(axes), keepdims } });
      const own = withWeights("ReduceMean", options, (label) => [parameter(`${label}.axes`, int64(axes))]);
      return node("ReduceMean", [x, ...own.weights], { name: own.name, attributes: { keepdims } });
    },
    /** x [n, inputs] times weights' plus bias -> [n, outputs]. */
    gemm: (x: string, options: GemmOptions): string => {
      const { weights, bias } = options;
      const own = withWeights("Gemm", options, (label) => [
        parameter(`${label}.weight`, float32(weights.shape, weights.data)),
        ...(bias ? [parameter(`${label}.bias`, float32([bias.length], bias))] : []),
      ]);
      return node("Gemm", [x, ...own.weights], { name: own.name, attributes: { transB: int(1) } });
    },
    batchNorm: (x: string, options: BatchNormOptions): string => {
      const parts = ["scale", "bias", "mean", "variance"] as const;
      const own = withWeights("BatchNormalization", options, (label) =>
        parts.map((part) => parameter(`${label}.${part}`, float32([options[part].length], options[part]))),
      );
      const attributes = { epsilon: float(options.epsilon ?? 1e-5) };
      return node("BatchNormalization", [x, ...own.weights], { name: own.name, attributes });
    },
    dropout: (x: string, ratio: number, options: Named = {}): string => {
      const own = withWeights("Dropout", options, (label) => [scalar(`${label}.ratio`, ratio)]);
      return node("Dropout", [x, ...own.weights], { name: own.name });
    },
    softmax: (x: string, options: Named & { readonly axis?: number } = {}): string =>
      node("Softmax", [x], { ...options, attributes: { axis: int(options.axis ?? -1) } }),
    /** Local response normalisation over `size` neighbouring channels. */
    lrn: (
      x: string,
      options: Named & {
        readonly size: number;
        readonly alpha: number;
        readonly beta: number;
        readonly bias: number;
      },
    ): string =>
      node("LRN", [x], {
        ...options,
        attributes: {
          size: int(options.size),
          alpha: float(options.alpha),
          beta: float(options.beta),
          bias: float(options.bias),
        },
      }),
    /** The finished network: shapes of the outputs are inferred, everything is checked. */
    build: (outputs: readonly string[], metadata: Readonly<Record<string, string>> = {}): Network => {
      const open: Network = { name, opset, inputs, outputs: [], nodes, parameters, metadata };
      const shapes = symbolicShapes(open);
      const network: Network = {
        ...open,
        outputs: outputs.map((output) => {
          const shape = shapes.get(output);
          if (shape !== undefined) return { name: output, type: "float32", shape };
          throw new EtlError(
            "usage",
            `${name}: output "${output}": made by nothing, a value of the network was needed`,
          );
        }),
      };
      validateNetwork(network);
      return network;
    },
  };
}
