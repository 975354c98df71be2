/** Every Keras layer that can be read, as operators of a network with the channels first. */
import { float32, sizeOf, type Parameter, type Tensor } from "../../network/network.ts";
import { activate, reluLayer, withActivation } from "./activations.ts";
import { kerasError, text } from "./config.ts";
import {
  biasOf,
  expectChannelsLast,
  imageOf,
  isWhole,
  numberOf,
  pairOf,
  single,
  unsupported,
  vectorOf,
  kerasWeight,
  type KerasValue,
  type LayerCall,
  type LayerRule,
  type KerasSize,
} from "./context.ts";
import { extraRules } from "./extra.ts";
import { denseOnImage, windowRules } from "./windows.ts";
import { matrixFromKeras, relayout } from "../permute.ts";

const dense: LayerRule = (call, inputs) => {
  const x = single(call, inputs);
  if (x.shape.length === 3) return withActivation(call, denseOnImage(call, x));
  const kernel = kerasWeight(call, "kernel", 2);
  if (kernel.shape[0] !== x.shape[0]) {
    throw kerasError(call.where, `a matrix for ${kernel.shape[0]} inputs on ${x.shape[0]}`, "equal numbers");
  }
  const weights = matrixFromKeras(kernel, call.where, x.flattened) as Tensor;
  const [outputs] = weights.shape;
  const bias = biasOf(call, outputs);
  const own = bias === undefined ? {} : { bias };
  return withActivation(call, {
    name: call.net.gemm(x.name, { name: call.label, weights, ...own }),
    shape: [outputs],
  });
};

const batchNorm: LayerRule = (call, inputs) => {
  const x = single(call, inputs);
  const axes = call.layer.config["axis"] ?? -1;
  const axis: unknown = Array.isArray(axes) && axes.length === 1 ? axes[0] : axes;
  if (axis !== -1 && axis !== x.shape.length) throw unsupported(call, `axis ${text(axis)}`, "the last axis");
  const channels = x.shape[0] ?? 0;
  const numbers = (name: string): Float32Array => inOrder(vectorOf(call, name, channels), x);
  const filled = (value: number): Float32Array => new Float32Array(channels).fill(value);
  const { config } = call.layer;
  const name = call.net.batchNorm(x.name, {
    name: call.label,
    scale: config["scale"] === false ? filled(1) : numbers("gamma"),
    bias: config["center"] === false ? filled(0) : numbers("beta"),
    mean: numbers("moving_mean"),
    variance: numbers("moving_variance"),
    epsilon: numberOf(call, "epsilon", 1e-3),
  });
  return { ...x, name };
};

/** A vector over flattened channels-last positions, in the order in which they are held here. */
function inOrder(values: Float32Array, { flattened }: KerasValue): Float32Array {
  if (flattened === undefined) return values;
  const [channels, height, width] = flattened;
  const to = { view: [height, width, channels], order: [2, 0, 1], shape: [values.length] };
  return relayout(float32([values.length], values), to, "flattened").data as Float32Array;
}

const same: LayerRule = (call, inputs) => single(call, inputs);

const dropout: LayerRule = (call, inputs) => {
  const x = single(call, inputs);
  return { ...x, name: call.net.dropout(x.name, numberOf(call, "rate", 0.5), { name: call.label }) };
};

const pRelu: LayerRule = (call, inputs) => {
  const x = single(call, inputs);
  if (x.flattened !== undefined)
    throw unsupported(call, "PReLU behind Flatten", "a Dense layer between them");
  const alpha = kerasWeight(call, "alpha", x.shape.length);
  const last = alpha.shape.length - 1;
  const order = [last, ...alpha.shape.keys()].slice(0, last + 1);
  const shape = order.map((axis) => alpha.shape[axis]);
  if (shape.some((size, i) => size !== 1 && size !== x.shape[i])) {
    throw kerasError(call.where, `slopes [${shape.join(", ")}]`, `slopes for [${x.shape.join(", ")}]`);
  }
  const slope: Parameter = relayout(alpha, { view: alpha.shape, order, shape }, call.where);
  const own = call.net.parameter(`${call.label}.slope`, slope);
  return { ...x, name: call.net.node("PRelu", [x.name, own], { name: call.label }) };
};

const leakyRelu: LayerRule = (call, inputs) => {
  const x = single(call, inputs);
  const key = "negative_slope" in call.layer.config ? "negative_slope" : "alpha";
  return { ...x, name: call.net.leakyRelu(x.name, numberOf(call, key, 0.3), { name: call.label }) };
};

const elu: LayerRule = (call, inputs) => {
  const x = single(call, inputs);
  const alpha = { type: "float", value: numberOf(call, "alpha", 1) } as const;
  return { ...x, name: call.net.node("Elu", [x.name], { name: call.label, attributes: { alpha } }) };
};

const softmax: LayerRule = (call, inputs) => {
  const x = single(call, inputs);
  const axis = call.layer.config["axis"] ?? -1;
  if (axis !== -1 && axis !== x.shape.length) throw unsupported(call, `axis ${text(axis)}`, "the last axis");
  return activate(call, x, { activation: "softmax", name: () => call.label });
};

/** Two pairs of whole numbers among the settings: rows before and after, columns before and after. */
function frameOf(call: LayerCall, key: string): readonly [number, number, number, number] {
  const value = call.layer.config[key] ?? 1;
  if (!Array.isArray(value) || value.every(isWhole)) {
    const [y, x] = pairOf(call, key, 1);
    return [y, y, x, x];
  }
  const flat = value.flat() as unknown[];
  const [top, bottom, left, right] = flat;
  if (flat.length === 4 && isWhole(top) && isWhole(bottom) && isWhole(left) && isWhole(right)) {
    return [top, bottom, left, right];
  }
  throw kerasError(call.where, `${key} ${text(value)}`, "two pairs of whole numbers");
}

/** Pads with zeros, or crops where `sign` is -1. */
const frame =
  (key: string, sign: 1 | -1): LayerRule =>
  (call, inputs) => {
    expectChannelsLast(call);
    const x = imageOf(call, inputs);
    const widths = frameOf(call, key);
    if (widths.some((width) => width < 0)) throw kerasError(call.where, `a negative ${key}`, "0 or more");
    const [top, bottom, left, right] = widths.map((width) => sign * width);
    const name = call.net.pad(x.name, [0, 0, top, left, 0, 0, bottom, right], { name: call.label });
    const grow = (size: KerasSize, by: number): KerasSize => (size === undefined ? undefined : size + by);
    return { name, shape: [x.shape[0], grow(x.shape[1], top + bottom), grow(x.shape[2], left + right)] };
  };

const merge =
  (op: "Add" | "Mul" | "Sub" | "Max" | "Min" | "Mean"): LayerRule =>
  (call, inputs) => {
    if (inputs.length < 2) throw kerasError(call.where, `${inputs.length} inputs`, "at least two");
    if (op === "Sub" && inputs.length > 2) throw kerasError(call.where, `${inputs.length} inputs`, "two");
    const rank = inputs[0].shape.length;
    const flattened = inputs.some((value) => value.flattened !== undefined);
    if (flattened || inputs.some((value) => value.shape.length !== rank)) {
      throw unsupported(call, "inputs of different or flattened shape", "inputs of one shape");
    }
    const shape = inputs[0].shape.map((_, i) => broadcast(call, inputs, i));
    const names = inputs.map((value) => value.name);
    if (op === "Max" || op === "Min" || op === "Mean") {
      return { name: call.net.node(op, names, { name: call.label }), shape };
    }
    const last = names.length - 1;
    const name = names.reduce((a, b, i) => {
      return call.net.node(op, [a, b], { name: i === last ? call.label : `${call.label}/${i}` });
    });
    return { name, shape };
  };

function broadcast(call: LayerCall, inputs: readonly KerasValue[], axis: number): KerasSize {
  const sizes = new Set(inputs.map((value) => value.shape[axis]).filter((size) => size !== 1));
  if (sizes.size > 1)
    throw kerasError(call.where, `sizes ${[...sizes].join(" and ")} together`, "equal sizes");
  return sizes.size === 0 ? 1 : [...sizes][0];
}

/** Keras axis of a value -> ours, the batch included: the channels come first here. */
const concat: LayerRule = (call, inputs) => {
  if (inputs.length < 2) throw kerasError(call.where, `${inputs.length} inputs`, "at least two");
  const rank = inputs[0].shape.length;
  const given = call.layer.config["axis"] ?? -1;
  const last = isWhole(given) ? (given < 0 ? given + rank + 1 : given) : 0;
  if (last < 1 || last > rank) throw unsupported(call, `axis ${text(given)}`, "an axis behind the batch");
  const axis = last === rank ? 1 : last + 1;
  if (inputs.some((value) => value.flattened !== undefined || value.shape.length !== rank)) {
    throw unsupported(call, "inputs of different or flattened shape", "inputs of equal rank");
  }
  const shape = inputs[0].shape.map((size, i) => {
    if (i !== axis - 1) return size;
    const sizes = inputs.map((value) => value.shape[i]);
    return sizes.reduce<KerasSize>((a, b) => (a === undefined || b === undefined ? undefined : a + b), 0);
  });
  const names = inputs.map((value) => value.name);
  return { name: call.net.concat(names, { name: call.label, axis }), shape };
};

const flatten: LayerRule = (call, inputs) => {
  expectChannelsLast(call);
  const x = single(call, inputs);
  if (x.shape.length === 1) return x;
  return flat(call, x, call.freeOrder);
};

/** An image as a vector; in Keras's order (channels last) unless the readers can take the channels first. */
function flat(call: LayerCall, x: KerasValue, free: boolean): KerasValue {
  const [channels, height, width] = x.shape;
  if (channels === undefined || height === undefined || width === undefined) {
    throw unsupported(call, "an image of open size made a vector", "a fixed input size");
  }
  const shape = [sizeOf([channels, height, width])];
  if (height * width === 1) return { name: call.net.flatten(x.name, { name: call.label }), shape };
  if (free) {
    const flattened = [channels, height, width] as const;
    return { name: call.net.flatten(x.name, { name: call.label }), shape, flattened };
  }
  const turned = call.net.transpose(x.name, [0, 2, 3, 1], { name: `${call.label}/last` });
  return { name: call.net.flatten(turned, { name: call.label }), shape };
}

const reshape: LayerRule = (call, inputs) => {
  const x = single(call, inputs);
  const given = call.layer.config["target_shape"];
  const known = x.shape.every((size) => size !== undefined);
  if (!Array.isArray(given) || !given.every(isWhole) || !known) {
    throw unsupported(call, `target_shape ${text(given)}`, "whole numbers and a fixed input size");
  }
  const count = x.shape.reduce<number>((product, size) => product * (size ?? 0), 1);
  const rest = given.reduce((product, size) => (size === -1 ? product : product * size), 1);
  const target = given.map((size) => (size === -1 ? count / rest : size));
  const fits = target.every((size) => isWhole(size) && size > 0) && sizeOf(target) === count;
  if (!fits)
    throw kerasError(call.where, `${count} numbers into [${given.join(", ")}]`, "a shape of that many");
  if (x.flattened !== undefined || (target.length !== 1 && target.length !== 3)) {
    throw unsupported(call, `a shape of ${target.length + 1} axes`, "a vector or an image");
  }
  const free = call.freeOrder && target.length === 1;
  const vector = x.shape.length === 1 ? x : flat({ ...call, label: `${call.label}/flat` }, x, free);
  if (target.length === 1) return vector;
  const [height, width, channels] = target;
  if (height * width === 1) {
    const name = call.net.reshape(vector.name, [0, channels, 1, 1], { name: call.label });
    return { name, shape: [channels, 1, 1] };
  }
  const last = call.net.reshape(vector.name, [0, ...target], { name: `${call.label}/last` });
  const name = call.net.transpose(last, [0, 3, 1, 2], { name: call.label });
  return { name, shape: [channels, height, width] };
};

const permuteLayer: LayerRule = (call, inputs) => {
  const x = imageOf(call, inputs);
  const dims = call.layer.config["dims"];
  const sorted = Array.isArray(dims) ? dims.toSorted() : [];
  if (!Array.isArray(dims) || sorted.join() !== "1,2,3") {
    throw unsupported(call, `dims ${text(dims)}`, "an order of 1, 2, 3");
  }
  // Keras axes 1, 2, 3 are height, width, channels; here they lie at 2, 3, 1.
  const ours = [0, 2, 3, 1];
  const [a, b, c] = (dims as number[]).map((axis) => ours[axis]);
  const name = call.net.transpose(x.name, [0, c, a, b], { name: call.label });
  return { name, shape: [c, a, b].map((axis) => x.shape[axis - 1]) };
};

/** y = scale x + offset */
const rescaling: LayerRule = (call, inputs) => {
  const x = single(call, inputs);
  const constant = (part: string, value: number): string =>
    call.net.parameter(`${call.label}.${part}`, float32([], Float32Array.of(value)));
  const scaled = call.net.mul(x.name, constant("scale", numberOf(call, "scale", 1)), {
    name: `${call.label}/scale`,
  });
  const offset = constant("offset", numberOf(call, "offset", 0));
  return { ...x, name: call.net.add(scaled, offset, { name: call.label }) };
};

export const layerRules: Readonly<Record<string, LayerRule>> = {
  ...windowRules,
  ...extraRules,
  Dense: dense,
  BatchNormalization: batchNorm,
  BatchNormalizationV1: batchNorm,
  Activation: (call, inputs) => withActivation(call, single(call, inputs)),
  ReLU: (call, inputs) => reluLayer(call, single(call, inputs)),
  LeakyReLU: leakyRelu,
  PReLU: pRelu,
  ELU: elu,
  Softmax: softmax,
  Dropout: dropout,
  SpatialDropout2D: same,
  GaussianNoise: same,
  GaussianDropout: same,
  AlphaDropout: same,
  ActivityRegularization: same,
  Flatten: flatten,
  Reshape: reshape,
  Permute: permuteLayer,
  ZeroPadding2D: frame("padding", 1),
  Cropping2D: frame("cropping", -1),
  Add: merge("Add"),
  Subtract: merge("Sub"),
  Multiply: merge("Mul"),
  Average: merge("Mean"),
  Maximum: merge("Max"),
  Minimum: merge("Min"),
  Concatenate: concat,
  Rescaling: rescaling,
};

/** Layers that hand an order of channels on to the layer behind, or take it into their own weights. */
export const orderBlind: ReadonlySet<string> = new Set([
  "Dropout",
  "SpatialDropout2D",
  "GaussianNoise",
  "GaussianDropout",
  "AlphaDropout",
  "ActivityRegularization",
  "ReLU",
  "LeakyReLU",
  "ELU",
  "BatchNormalization",
  "BatchNormalizationV1",
  "Rescaling",
  "Flatten",
]);
