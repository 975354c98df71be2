/** Every operator that can be written as tfjs layers. What is missing is refused with the node and the reason. */
import {
  floatAttribute,
  intAttribute,
  integersOf,
  intsAttribute,
  stringAttribute,
  type Parameter,
} from "../../network/network.ts";
import {
  inputsFrom,
  fromFront,
  padAmounts,
  sliceLists,
  sliceRanges,
} from "../../network/operators/attributes.ts";
import { factsOf } from "../../network/operators/facts.ts";
import {
  affine,
  asImage,
  emit,
  filledSource,
  floatsOf,
  frameImage,
  heldOf,
  layerOf,
  parameterOf,
  pickChannels,
  plain,
  rearranged,
  refuse,
  shapeInOp,
  vector,
  type EmitOptions,
  type Held,
  type WeightSource,
  type WriteOp,
} from "./emit.ts";
import { responseNormalization } from "./response.ts";
import { shuffleFrom } from "./shuffle.ts";
import { windowWriters, type WriteRule } from "./windows.ts";

/** A layer that treats every number alike: the value stays held as it was. */
const alike =
  (kind: string, options: (op: WriteOp) => EmitOptions): WriteRule =>
  (op) => {
    const held = heldOf(op, 0);
    return { ...held, layer: emit(op, kind, [held.layer], options(op)) };
  };

const activation = (name: string): WriteRule => alike("Activation", () => ({ config: { activation: name } }));

/** The one number that an input holds. */
function scalarOf(op: WriteOp, index: number, fallback: number): number {
  const parameter = parameterOf(op, index);
  if (parameter === undefined) {
    if ((op.node.inputs[index] ?? "") === "") return fallback;
    throw refuse(op, `input ${index} is computed`, "a parameter");
  }
  if (parameter.data.length === 1) return Number(parameter.data[0]);
  throw refuse(op, `${parameter.data.length} numbers at input ${index}`, "one");
}

const clip: WriteRule = (op) => {
  const [low, high] = [scalarOf(op, 1, -Infinity), scalarOf(op, 2, Infinity)];
  if (low !== 0) throw refuse(op, `bounds ${low} and ${high}`, "a lower bound of 0");
  return alike("ReLU", () => ({ config: Number.isFinite(high) ? { max_value: high } : {} }))(op);
};

const pRelu: WriteRule = (op) => {
  const held = heldOf(op, 0);
  const [, name] = op.node.inputs;
  const slopes = floatsOf(op, name);
  const shape = shapeInOp(op, op.node.inputs[0]);
  const channels = shape[1];
  const image = shape.length === 4;
  const input = asImage(op.emitter, held);
  const own = perChannel(op, parameterOf(op, 1), shape.length, channels);
  if (own !== undefined) {
    const size = image ? [1, 1, channels] : [channels];
    const alpha: WeightSource =
      slopes.length === channels ? { ...vector(op, name), shape: size } : { shape: size, data: own };
    const config = image ? { shared_axes: [1, 2] } : {};
    return plain(emit(op, "PReLU", [input], { config, weights: { alpha } }));
  }
  const [, height, width] = shape.slice(1);
  if (!image || slopes.length !== channels * height * width) {
    throw refuse(op, `${slopes.length} slopes`, "one for all, one for each channel or one for each place");
  }
  const to = { view: [channels, height, width], order: [1, 2, 0], shape: [height, width, channels] };
  return plain(emit(op, "PReLU", [input], { weights: { alpha: rearranged(op, name, to) } }));
};

/** A constant operand as one number for each channel; undefined where it differs within a channel. */
function perChannel(
  op: WriteOp,
  parameter: Parameter | undefined,
  rank: number,
  channels: number,
): Float32Array | undefined {
  if (!(parameter?.data instanceof Float32Array))
    throw refuse(op, "a constant that is not float32", "float32");
  const { data, shape } = parameter;
  const aligned = [...new Array<number>(Math.max(0, rank - shape.length)).fill(1), ...shape];
  if (aligned.length !== rank || aligned.some((size, axis) => axis !== 1 && size !== 1)) return undefined;
  if (data.length === 1) return new Float32Array(channels).fill(data[0]);
  return data.length === channels ? data : undefined;
}

/** Add, Sub, Mul or Div of two values, or of a value and a constant for each channel. */
const arithmetic: WriteRule = (op) => {
  const { node, emitter } = op;
  const constant = [0, 1].find((index) => parameterOf(op, index) !== undefined);
  if (constant === undefined) {
    const kind = { Add: "Add", Mul: "Multiply" }[node.op];
    if (kind === undefined) throw refuse(op, "two values", "a constant as the second");
    const ranks = node.inputs.map((name) => shapeInOp(op, name).length);
    if (new Set(ranks).size > 1) throw refuse(op, `values of ${ranks.join(" and ")} axes`, "equal ranks");
    return merged(op, kind);
  }
  const [value] = [1 - constant];
  if (constant === 0 && (node.op === "Sub" || node.op === "Div")) {
    throw refuse(op, "a constant as the first operand", "a value");
  }
  const shape = shapeInOp(op, node.inputs[value]);
  const channels = shape[1];
  const numbers = perChannel(op, parameterOf(op, constant), shape.length, channels);
  const same = shapeInOp(op, node.outputs[0]).join() === shape.join();
  if (numbers === undefined || !same) {
    throw refuse(op, "a constant that is not one number for each channel", "such a one");
  }
  const input = asImage(emitter, heldOf(op, value));
  const name = node.inputs[constant];
  const exact = (): WeightSource =>
    floatsOf(op, name).length === channels ? vector(op, name) : { shape: [channels], data: numbers };
  const changed = (change: (x: number) => number): WeightSource => ({
    shape: [channels],
    data: numbers.map(change),
  });
  switch (node.op) {
    case "Add":
      return plain(affine(op, input, { channels, shift: exact() }));
    case "Sub":
      return plain(affine(op, input, { channels, shift: changed((x) => -x) }));
    case "Mul":
      return plain(affine(op, input, { channels, scale: exact() }));
    default:
      return plain(affine(op, input, { channels, scale: changed((x) => 1 / x) }));
  }
};

function merged(op: WriteOp, kind: string, config: Readonly<Record<string, unknown>> = {}): Held {
  const inputs = op.node.inputs.map((_, index) => layerOf(op, index));
  if (inputs.length === 1) return plain(inputs[0]);
  return plain(emit(op, kind, inputs, { config }));
}

const concat: WriteRule = (op) => {
  const rank = shapeInOp(op, op.node.outputs[0]).length;
  const given = intAttribute(op.node, "axis", 1);
  const axis = fromFront(given, rank);
  if ((rank !== 4 && rank !== 2) || axis < 1) throw refuse(op, `axis ${given}`, "an axis behind the batch");
  return merged(op, "Concatenate", { axis: axis === 1 ? -1 : axis - 1 });
};

const batchNorm: WriteRule = (op) => {
  const { node } = op;
  if (node.outputs.slice(1).some((name) => name !== ""))
    throw refuse(op, "outputs for training", "one output");
  const [, gamma, beta, mean, variance] = node.inputs;
  const held = heldOf(op, 0);
  const layer = emit(op, "BatchNormalization", [held.layer], {
    config: { axis: -1, epsilon: floatAttribute(node, "epsilon", 1e-5), scale: true, center: true },
    weights: {
      gamma: vector(op, gamma),
      beta: vector(op, beta),
      moving_mean: vector(op, mean),
      moving_variance: vector(op, variance),
    },
  });
  return { ...held, layer };
};

/** HardSigmoid = clip(alpha x + beta, 0, 1). */
function hardSigmoid(op: WriteOp, input: string, { alpha, beta }: { alpha: number; beta: number }): string {
  const channels = shapeInOp(op, op.node.inputs[0])[1];
  const [scale, shift] = [filledSource(channels, alpha), filledSource(channels, beta)];
  const line = affine(op, input, { channels, scale, shift, suffix: "_line" });
  return emit(op, "ReLU", [line], { config: { max_value: 1 }, suffix: "_clip" });
}

const hardSigmoidRule: WriteRule = (op) => {
  const [alpha, beta] = [floatAttribute(op.node, "alpha", 0.2), floatAttribute(op.node, "beta", 0.5)];
  if (Math.fround(alpha) === Math.fround(0.2) && beta === 0.5) return activation("hard_sigmoid")(op);
  return plain(hardSigmoid(op, layerOf(op, 0), { alpha, beta }));
};

const hardSwish: WriteRule = (op) => {
  const input = layerOf(op, 0);
  const gate = hardSigmoid(op, input, { alpha: 1 / 6, beta: 0.5 });
  return plain(emit(op, "Multiply", [input, gate]));
};

const softmax =
  (name: string): WriteRule =>
  (op) => {
    const rank = shapeInOp(op, op.node.inputs[0]).length;
    const given = intAttribute(op.node, "axis", -1);
    if (fromFront(given, rank) !== 1) throw refuse(op, `axis ${given}`, "the channels");
    const input = layerOf(op, 0);
    if (name === "softmax") return plain(emit(op, "Softmax", [input], { config: { axis: -1 } }));
    return plain(emit(op, "Activation", [input], { config: { activation: name } }));
  };

const pad: WriteRule = (op) => {
  const { node, emitter } = op;
  const shape = shapeInOp(op, node.inputs[0]);
  const amounts = padAmounts(node, shape.length, inputsFrom(emitter.network, node));
  const mode = stringAttribute(node, "mode", "constant");
  if (amounts === undefined || shape.length !== 4 || mode !== "constant") {
    throw refuse(op, `mode ${mode} or pads that are not eight constants`, "zeros around an image");
  }
  if (scalarOf(op, 2, 0) !== 0) throw refuse(op, "padding with other numbers than zero", "zeros");
  const [batch, front, top, left] = amounts.before;
  const [behind, back, bottom, right] = amounts.after;
  if (batch !== 0 || behind !== 0) throw refuse(op, "padding of the batch", "padding of images");
  const [, channels] = shape;
  let layer = layerOf(op, 0);
  if (front !== 0 || back !== 0) {
    const sources = Array.from({ length: channels + front + back }, (_, i) => {
      const source = i - front;
      return source >= 0 && source < channels ? source : undefined;
    });
    layer = pickChannels(op, layer, { channels, sources, suffix: "_channels" });
  }
  return plain(frameImage(op, layer, [top, left, bottom, right]));
};

const slice: WriteRule = (op) => {
  const { node, emitter } = op;
  const shape = shapeInOp(op, node.inputs[0]);
  const lists = sliceLists(node, shape.length, inputsFrom(emitter.network, node));
  const [taken, ...others] = lists === undefined ? [] : sliceRanges(lists, shape);
  if (taken === undefined || others.length > 0 || shape.length !== 4 || taken[1].step !== 1) {
    throw refuse(op, "a slice over several axes or with steps", "a range of one axis of an image");
  }
  const [axis, { start: from, end: to }] = taken;
  if (axis === 0 || to <= from) throw refuse(op, `axis ${axis}, ${from} to ${to}`, "a part of the image");
  if (axis === 1) return plain(pickRange(op, { from, to }));
  const cut = [-from, to - shape[axis]];
  return plain(frameImage(op, layerOf(op, 0), axis === 2 ? [cut[0], 0, cut[1], 0] : [0, cut[0], 0, cut[1]]));
};

function pickRange(op: WriteOp, { from, to, suffix }: { from: number; to: number; suffix?: string }): string {
  const channels = shapeInOp(op, op.node.inputs[0])[1];
  const sources = Array.from({ length: to - from }, (_, i) => from + i);
  return pickChannels(op, layerOf(op, 0), { channels, sources, ...(suffix === undefined ? {} : { suffix }) });
}

/** Channels of an image or numbers of a vector in another order, by constant indices. */
const gather: WriteRule = (op) => {
  const { node, emitter } = op;
  const shape = shapeInOp(op, node.inputs[0]);
  const listed = integersOf(emitter.network, node.inputs[1]);
  const axis = fromFront(intAttribute(node, "axis", 0), shape.length);
  const kept = shapeInOp(op, node.outputs[0]).length === shape.length;
  if (listed === undefined || axis !== 1 || !kept || (shape.length !== 4 && shape.length !== 2))
    throw refuse(op, `indices along axis ${axis} of ${shape.length}`, "constant ones along the channels");
  const [, channels] = shape;
  const sources = listed.map((index) => fromFront(index, channels));
  if (shape.length === 4) return plain(pickChannels(op, layerOf(op, 0), { channels, sources }));
  const data = new Float32Array(channels * sources.length);
  sources.forEach((source, i) => (data[source * sources.length + i] = 1));
  const config = { units: sources.length, use_bias: false, trainable: false };
  const kernel = { shape: [channels, sources.length], data };
  return plain(emit(op, "Dense", [layerOf(op, 0)], { config, weights: { kernel } }));
};

const split: WriteRule = (op) => {
  const { node, emitter } = op;
  const rank = shapeInOp(op, node.inputs[0]).length;
  const axis = intAttribute(node, "axis", 0);
  if (rank !== 4 || (axis !== 1 && axis !== -3)) throw refuse(op, `axis ${axis}`, "the channels of an image");
  let from = 0;
  const parts = node.outputs.map((output, i) => {
    const to = from + shapeInOp(op, output)[1];
    const held = plain(pickRange(op, { from, to, suffix: i === 0 ? "" : `_${i}` }));
    from = to;
    emitter.held.set(output, held);
    return held;
  });
  return parts[0];
};

/** Flatten, and Reshape, Squeeze or ReduceMean where they do what Flatten or a pool does. */
const flatten: WriteRule = (op) => {
  const { node } = op;
  const [from, to] = [shapeInOp(op, node.inputs[0]), shapeInOp(op, node.outputs[0])];
  const held = heldOf(op, 0);
  const [, channels, height = 1, width = 1] = from;
  if (from.join() === to.join()) return held;
  if (from.length === 4 && to.length === 2 && to[1] === channels * height * width && to[0] === from[0]) {
    if (held.form === "pooled") return plain(held.layer);
    if (height * width === 1) return plain(emit(op, "Flatten", [held.layer]));
    if (takesAnyOrder(op, node.outputs[0])) {
      return { ...plain(emit(op, "Flatten", [held.layer])), turned: [channels, height, width] };
    }
    const first = emit(op, "Permute", [held.layer], { config: { dims: [3, 1, 2] }, suffix: "_first" });
    return plain(emit(op, "Flatten", [first]));
  }
  const pointlike = to.length === 4 && to[2] * to[3] === 1 && to[1] === from[1] && to[0] === from[0];
  if (from.length === 2 && pointlike) return { ...held, form: "pooled" };
  throw refuse(op, `[${from.join(", ")}] to [${to.join(", ")}]`, "an image made a vector");
};

/** Whether a flattened value reaches matrices only, through nodes that treat every number alike. */
function takesAnyOrder({ emitter: { network } }: WriteOp, value: string): boolean {
  const open = [value];
  const outputs = new Set(network.outputs.map(({ name }) => name));
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (outputs.has(name)) return false;
    for (const node of network.nodes) {
      if (!node.inputs.includes(name)) continue;
      const matrix = (node.op === "Gemm" || node.op === "MatMul") && network.parameters.has(node.inputs[1]);
      if (matrix && node.inputs[0] === name) continue;
      if (factsOf(node.op).channels !== "each") return false;
      open.push(node.outputs[0]);
    }
  }
  return true;
}

const reduceMean: WriteRule = (op) => {
  const { node, emitter } = op;
  const listed = integersOf(emitter.network, node.inputs[1]) ?? intsAttribute(node, "axes", []);
  const rank = shapeInOp(op, node.inputs[0]).length;
  const axes = listed.map((axis) => fromFront(axis, rank)).toSorted();
  if (rank !== 4 || axes.join() !== "2,3") throw refuse(op, `axes ${axes.join(", ")}`, "height and width");
  const layer = emit(op, "GlobalAveragePooling2D", [layerOf(op, 0)]);
  return intAttribute(node, "keepdims", 1) === 1 ? { layer, form: "pooled" } : plain(layer);
};

export const operatorWriters: Readonly<Record<string, WriteRule>> = {
  ...windowWriters,
  Relu: alike("ReLU", () => ({})),
  LeakyRelu: alike("LeakyReLU", ({ node }) => ({ config: { alpha: floatAttribute(node, "alpha", 0.01) } })),
  Elu: (op) => {
    const alpha = floatAttribute(op.node, "alpha", 1);
    if (alpha !== 1) throw refuse(op, `alpha ${alpha}`, "alpha 1");
    return activation("elu")(op);
  },
  Clip: clip,
  PRelu: pRelu,
  Sigmoid: activation("sigmoid"),
  Tanh: activation("tanh"),
  Softplus: activation("softplus"),
  Softsign: activation("softsign"),
  HardSigmoid: hardSigmoidRule,
  HardSwish: hardSwish,
  Softmax: softmax("softmax"),
  LogSoftmax: softmax("log_softmax"),
  LRN: responseNormalization,
  Identity: (op) => heldOf(op, 0),
  Dropout: alike("Dropout", (op) => ({ config: { rate: scalarOf(op, 1, 0.5) } })),
  BatchNormalization: batchNorm,
  Add: arithmetic,
  Sub: arithmetic,
  Mul: arithmetic,
  Div: arithmetic,
  Sum: (op) => merged(op, "Add"),
  Max: (op) => merged(op, "Maximum"),
  Min: (op) => merged(op, "Minimum"),
  Concat: concat,
  Pad: pad,
  Slice: slice,
  Gather: gather,
  Split: split,
  Flatten: flatten,
  Reshape: (op) => shuffleFrom(op) ?? flatten(op),
  Squeeze: flatten,
  Unsqueeze: flatten,
  ReduceMean: reduceMean,
};
