/** Convolutions, pools and matrices as tfjs layers. */
import { extentOf, windowAttributes, type WindowAttributes } from "../../network/operators/attributes.ts";
import { factsOf } from "../../network/operators/facts.ts";
import { consumersOf, floatAttribute, intAttribute, producersOf } from "../../network/network.ts";
import {
  asImage,
  emit,
  frameImage,
  heldOf,
  layerOf,
  parameterOf,
  plain,
  rearranged,
  refuse,
  shapeInOp,
  vector,
  type Held,
  type WeightSource,
  type WriteOp,
} from "./emit.ts";

export type WriteRule = (op: WriteOp) => Held;

interface Padding {
  readonly padding: "valid" | "same";
  /** Rows and columns of zeros to put around first: top, left, bottom, right. */
  readonly frame: readonly [number, number, number, number];
}

/** How ONNX's explicit pads are said in TensorFlow. */
function paddingOf(op: WriteOp, kernel: readonly number[]): Padding {
  const { node } = op;
  const input = shapeInOp(op, node.inputs[0]);
  const output = shapeInOp(op, node.outputs[0]);
  const { same, strides, dilations, pads } = windowAttributes(node, 2);
  if (same === "upper") return { padding: "same", frame: [0, 0, 0, 0] };
  if (same === "lower") throw refuse(op, "auto_pad SAME_LOWER", "explicit pads");
  const axes = [0, 1].map((axis) => {
    const [size, out, stride] = [input[axis + 2], output[axis + 2], strides[axis]];
    const extent = extentOf(kernel[axis], dilations[axis]);
    const front = pads[axis];
    // What the last window reaches over the edge; the rest of the padding is never read.
    const back = Math.max(0, (out - 1) * stride + extent - size - front);
    const total = Math.max(0, (Math.ceil(size / stride) - 1) * stride + extent - size);
    const same =
      out === Math.ceil(size / stride) && front === Math.floor(total / 2) && back === Math.ceil(total / 2);
    return { front, back, same };
  });
  const [y, x] = axes;
  if (axes.every(({ front, back }) => front === 0 && back === 0)) {
    return { padding: "valid", frame: [0, 0, 0, 0] };
  }
  if (y.same && x.same) return { padding: "same", frame: [0, 0, 0, 0] };
  return { padding: "valid", frame: [y.front, x.front, y.back, x.back] };
}

const isFramed = (frame: readonly number[]): boolean => frame.some((width) => width > 0);

const conv: WriteRule = (op) => {
  const { node } = op;
  const weight = parameterOf(op, 1);
  if (weight === undefined || weight.shape.length !== 4) {
    throw refuse(
      op,
      `weights ${weight === undefined ? "that are computed" : `of ${weight.shape.length} axes`}`,
      "a two-dimensional kernel",
    );
  }
  const [outputs, perGroup, height, width] = weight.shape;
  const group = intAttribute(node, "group", 1);
  const { strides, dilations } = windowAttributes(node, 2);
  const deep = group > 1;
  if (deep && perGroup !== 1) {
    throw refuse(op, `${group} groups of ${perGroup} channels`, "one group, or one channel in each,");
  }
  if (dilations.some((step) => step > 1) && (deep || strides.some((step) => step > 1))) {
    throw refuse(op, "dilations with groups or strides", "dilations of 1");
  }
  const { padding, frame } = paddingOf(op, [height, width]);
  let input = layerOf(op, 0);
  if (isFramed(frame)) input = frameImage(op, input, frame, "_pad");
  const bias = biasOf(op, 2, outputs);
  const config = { kernel_size: [height, width], strides, padding, use_bias: bias !== undefined };
  const multiplier = outputs / group;
  const kernel = deep
    ? rearranged(op, node.inputs[1], {
        view: [group, multiplier, height, width],
        order: [2, 3, 0, 1],
        shape: [height, width, group, multiplier],
      })
    : rearranged(op, node.inputs[1], {
        view: weight.shape,
        order: [2, 3, 1, 0],
        shape: [height, width, perGroup, outputs],
      });
  const more: Record<string, WeightSource> = bias === undefined ? {} : { bias };
  return plain(
    deep
      ? emit(op, "DepthwiseConv2D", [input], {
          config: { ...config, depth_multiplier: multiplier },
          weights: { depthwise_kernel: kernel, ...more },
        })
      : emit(op, "Conv2D", [input], {
          config: { ...config, filters: outputs, dilation_rate: dilations },
          weights: { kernel, ...more },
        }),
  );
};

function biasOf(op: WriteOp, index: number, length: number): WeightSource | undefined {
  const name = op.node.inputs[index] ?? "";
  if (name === "") return undefined;
  const bias = vector(op, name);
  if (bias.data.length === length) return bias;
  throw refuse(op, `a bias of ${bias.data.length} numbers`, String(length));
}

const maxPool: WriteRule = (op) => {
  const { node } = op;
  const { strides, kernel } = poolOf(op);
  if (node.outputs.length > 1) throw refuse(op, "indices as a second output", "one output");
  const { padding, frame } = paddingOf(op, kernel);
  let input = layerOf(op, 0);
  if (isFramed(frame)) {
    // tfjs pads with zeros only, which do not win over numbers that are never negative.
    if (!isNonNegative(op, node.inputs[0])) {
      throw refuse(op, `pads ${frame.join(", ")} on numbers that may be negative`, "a Relu before it");
    }
    input = frameImage(op, input, frame, "_pad");
  }
  const config = { pool_size: kernel, strides, padding };
  return plain(emit(op, "MaxPooling2D", [input], { config }));
};

const averagePool: WriteRule = (op) => {
  const { node } = op;
  const { strides, kernel, pads, ceil } = poolOf(op);
  const { padding, frame } = paddingOf(op, kernel);
  const counted = intAttribute(node, "count_include_pad", 0) === 1;
  const padded = pads.some((pad) => pad > 0) || padding === "same";
  let input = layerOf(op, 0);
  let mode = padding;
  if (padded && counted && !ceil) {
    input = frameImage(op, input, pads, "_pad");
    mode = "valid";
  } else if (isFramed(frame) || (padded && counted)) {
    throw refuse(op, `pads ${frame.join(", ")} that are not counted`, "padding as TensorFlow does it");
  }
  const config = { pool_size: kernel, strides, padding: mode };
  return plain(emit(op, "AveragePooling2D", [input], { config }));
};

function poolOf(op: WriteOp): WindowAttributes {
  const pool = windowAttributes(op.node, 2);
  if (pool.dilations.some((step) => step > 1)) throw refuse(op, "dilations", "dilations of 1");
  if (pool.kernel.length !== 2) throw refuse(op, `a window of ${pool.kernel.length} axes`, "two");
  return pool;
}

/** Whether a value is never negative, as far as the nodes that make it show. */
function isNonNegative(op: WriteOp, value: string): boolean {
  const { network } = op.emitter;
  const makers = producersOf(network);
  const open = [value];
  const seen = new Set(open);
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    const maker = makers.get(name);
    if (maker === undefined) return false;
    const floor = maker.op === "Clip" ? network.parameters.get(maker.inputs[1] ?? "")?.data[0] : undefined;
    const { squashes = maker.op === "Relu", keepsSign } = factsOf(maker.op);
    if (squashes || (floor !== undefined && floor >= 0)) continue;
    if (keepsSign !== true) return false;
    const reads = maker.op === "Dropout" ? maker.inputs.slice(0, 1) : maker.inputs;
    for (const read of reads) if (!seen.has(read)) open.push(read);
    for (const read of reads) seen.add(read);
  }
  return true;
}

const globalPool =
  (kind: "GlobalAveragePooling2D" | "GlobalMaxPooling2D"): WriteRule =>
  (op) => ({ layer: emit(op, kind, [layerOf(op, 0)]), form: "pooled" });

const gemm: WriteRule = (op) => {
  const { node } = op;
  const plainFactors = floatAttribute(node, "alpha", 1) === 1 && floatAttribute(node, "beta", 1) === 1;
  if (!plainFactors || intAttribute(node, "transA", 0) !== 0) {
    throw refuse(op, "alpha, beta or transA", "a plain product");
  }
  const transposed = intAttribute(node, "transB", 0) === 1;
  return plain(matrix(op, { transposed, bias: node.inputs[2] ?? "" }));
};

const matMul: WriteRule = (op) => {
  const { emitter, node } = op;
  const { network, fused } = emitter;
  const [output] = node.outputs;
  const [next, ...others] = consumersOf(network).get(output) ?? [];
  const length = parameterOf(op, 1)?.shape[1];
  // A MatMul and the Add of a vector behind it are one Dense layer.
  if (next?.op === "Add" && others.length === 0 && !network.outputs.some(({ name }) => name === output)) {
    const other = next.inputs.find((name) => name !== output) ?? "";
    const bias = network.parameters.get(other);
    if (bias?.shape.length === 1 && bias.shape[0] === length) {
      fused.add(next.name);
      const held = plain(matrix(op, { transposed: false, bias: other }));
      emitter.held.set(next.outputs[0], held);
      return held;
    }
  }
  return plain(matrix(op, { transposed: false, bias: "" }));
};

function matrix(op: WriteOp, { transposed, bias }: { transposed: boolean; bias: string }): string {
  const { node, emitter } = op;
  const weight = parameterOf(op, 1);
  if (weight === undefined || weight.shape.length !== 2 || shapeInOp(op, node.inputs[0]).length !== 2) {
    throw refuse(op, "a product that is not a vector times a parameter", "[n, inputs] times a matrix");
  }
  const [outputs, inputs] = transposed ? weight.shape : weight.shape.toReversed();
  const held = heldOf(op, 0);
  const [channels, height, width] = held.turned ?? [inputs, 1, 1];
  const kernel = rearranged(op, node.inputs[1], {
    view: transposed ? [outputs, channels, height, width] : [channels, height, width, outputs],
    order: transposed ? [2, 3, 1, 0] : [1, 2, 0, 3],
    shape: [inputs, outputs],
  });
  const own: Record<string, WeightSource> = bias === "" ? {} : { bias: vector(op, bias) };
  if (own["bias"] !== undefined && own["bias"].data.length !== outputs) {
    throw refuse(op, `a bias of ${own["bias"].data.length} numbers`, String(outputs));
  }
  return emit(op, "Dense", [asImage(emitter, held)], {
    config: { units: outputs, use_bias: bias !== "" },
    weights: { kernel, ...own },
  });
}

export const windowWriters: Readonly<Record<string, WriteRule>> = {
  Conv: conv,
  MaxPool: maxPool,
  AveragePool: averagePool,
  GlobalAveragePool: globalPool("GlobalAveragePooling2D"),
  GlobalMaxPool: globalPool("GlobalMaxPooling2D"),
  Gemm: gemm,
  MatMul: matMul,
};
