/** Keras layers around the usual ones: preparing pictures, making maps larger, normalising each place, operators on tensors. */
import { float, int, ints } from "../../network/builder.ts";
import { float32, type Attribute, type Parameter } from "../../network/network.ts";
import { withActivation } from "./activations.ts";
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
import { relayout } from "../permute.ts";

const string = (value: string): Attribute => ({ type: "string", value });

/** Random changes to pictures, which are for training: they hand on their input. */
const augmentations = [
  "Brightness",
  "ColorDegeneration",
  "ColorJitter",
  "Contrast",
  "ElasticTransform",
  "Erasing",
  "Flip",
  "GaussianBlur",
  "Grayscale",
  "Height",
  "Hue",
  "Invert",
  "Perspective",
  "Posterization",
  "Rotation",
  "Saturation",
  "Sharpness",
  "Shear",
  "Translation",
  "Width",
  "Zoom",
].map((kind) => `Random${kind}`);
const forTraining = [...augmentations, "MixUp", "CutMix", "RandAugment", "AugMix", "Identity"];

/** A number for each channel, or one for all, as a parameter that broadcasts to the value. */
function perChannel(call: LayerCall, x: KerasValue, part: string, values: Float32Array): string {
  if (x.flattened !== undefined)
    throw unsupported(call, `${call.layer.kind} behind Flatten`, "a Dense layer between");
  const channels = x.shape[0] ?? 0;
  if (values.length !== 1 && values.length !== channels)
    throw kerasError(call.where, `${values.length} numbers for ${part}`, `1 or ${channels}`);
  const shape = values.length === 1 ? [] : [channels, ...x.shape.slice(1).map(() => 1)];
  return call.net.parameter(`${call.label}.${part}`, float32(shape, values));
}

/** Numbers that are said among the settings, or learned by `adapt`. */
function statistic(call: LayerCall, name: "mean" | "variance"): Float32Array {
  const given = call.layer.config[name] ?? undefined;
  const list: readonly unknown[] = (Array.isArray(given) ? given : [given]).flat(8) as unknown[];
  if (given !== undefined) {
    if (list.every((value) => typeof value === "number")) return Float32Array.from(list);
    throw kerasError(call.where, `${name} ${text(given)}`, "numbers");
  }
  const found = call.weights.get(name);
  return found?.data instanceof Float32Array ? found.data : (kerasWeight(call, name, 1).data as Float32Array);
}

/** (x - mean) / max(sqrt(variance), 1e-7), or the way back. */
const normalization: LayerRule = (call, inputs) => {
  const x = single(call, inputs);
  const axes: readonly unknown[] = [call.layer.config["axis"] ?? []].flat();
  if (axes.some((axis) => axis !== -1 && axis !== x.shape.length))
    throw unsupported(call, `axis ${axes.map(text).join(", ")}`, "the last axis, or none");
  const mean = perChannel(call, x, "mean", statistic(call, "mean"));
  const deviations = statistic(call, "variance").map((value) => Math.max(Math.sqrt(value), 1e-7));
  const deviation = perChannel(call, x, "deviation", deviations);
  const { net, label } = call;
  if (call.layer.config["invert"] === true) {
    const scaled = net.mul(x.name, deviation, { name: `${label}/scale` });
    return { ...x, name: net.add(scaled, mean, { name: label }) };
  }
  const centred = net.node("Sub", [x.name, mean], { name: `${label}/centre` });
  return { ...x, name: net.div(centred, deviation, { name: label }) };
};

const upSampling: LayerRule = (call, inputs) => {
  expectChannelsLast(call);
  const x = imageOf(call, inputs);
  const [rows, columns] = pairOf(call, "size", 2);
  if (rows < 1 || columns < 1) throw kerasError(call.where, `size ${rows}, ${columns}`, "1 or more");
  const how = call.layer.config["interpolation"] ?? "nearest";
  if (how !== "nearest" && how !== "bilinear")
    throw unsupported(call, `interpolation ${text(how)}`, '"nearest" or "bilinear"');
  const scales = call.net.parameter(
    `${call.label}.scales`,
    float32([4], Float32Array.of(1, 1, rows, columns)),
  );
  const attributes =
    how === "nearest"
      ? {
          mode: string("nearest"),
          nearest_mode: string("floor"),
          coordinate_transformation_mode: string("asymmetric"),
        }
      : { mode: string("linear"), coordinate_transformation_mode: string("half_pixel") };
  const name = call.net.node("Resize", [x.name, "", scales], { name: call.label, attributes });
  const times = (size: KerasSize, by: number): KerasSize => (size === undefined ? undefined : size * by);
  return { name, shape: [x.shape[0], times(x.shape[1], rows), times(x.shape[2], columns)] };
};

/** Kernel [height, width, outputs, inputs]; `same` makes maps larger by the stride exactly. */
const convTranspose: LayerRule = (call, inputs) => {
  expectChannelsLast(call);
  const x = imageOf(call, inputs);
  const kernel = kerasWeight(call, "kernel", 4);
  const [height, width, outputs, channels] = kernel.shape;
  if (channels !== x.shape[0])
    throw kerasError(call.where, `a kernel for ${channels} channels`, String(x.shape[0]));
  const strides = pairOf(call, "strides", 1);
  const dilations = pairOf(call, "dilation_rate", 1);
  const isPlain = (call.layer.config["output_padding"] ?? undefined) === undefined;
  if (!isPlain || dilations.some((step) => step !== 1))
    throw unsupported(call, "output_padding or a dilation", "neither");
  const padding = call.layer.config["padding"] ?? "valid";
  if (padding !== "same" && padding !== "valid")
    throw unsupported(call, `padding ${text(padding)}`, '"same" or "valid"');
  const axes = [height, width].map((size, i) => {
    const total = padding === "same" ? Math.max(size - strides[i], 0) : 0;
    const extra = Math.max(strides[i] - size, 0);
    const input = x.shape[i + 1];
    const front = Math.floor(total / 2);
    const out = input === undefined ? undefined : (input - 1) * strides[i] + size - total + extra;
    return { front, back: total - front, extra, out };
  });
  const shape = [channels, outputs, height, width];
  const weights: Parameter = relayout(kernel, { view: kernel.shape, order: [3, 2, 0, 1], shape }, call.where);
  const bias = biasOf(call, outputs);
  const { net, label } = call;
  const names = [
    x.name,
    net.parameter(`${label}.weight`, weights),
    ...(bias === undefined ? [] : [net.parameter(`${label}.bias`, float32([outputs], bias))]),
  ];
  const attributes = {
    kernel_shape: ints([height, width]),
    strides: ints([...strides]),
    pads: ints([...axes.map(({ front }) => front), ...axes.map(({ back }) => back)]),
    output_padding: ints(axes.map(({ extra }) => extra)),
  };
  const name = net.node("ConvTranspose", names, { name: label, attributes });
  return withActivation(call, { name, shape: [outputs, ...axes.map(({ out }) => out)] });
};

/** Over the channels of each place. */
const layerNormalization: LayerRule = (call, inputs) => {
  const x = single(call, inputs);
  const axes: readonly unknown[] = [call.layer.config["axis"] ?? -1].flat();
  if (axes.length !== 1 || (axes[0] !== -1 && axes[0] !== x.shape.length) || x.flattened !== undefined)
    throw unsupported(call, `axis ${axes.map(text).join(", ")}`, "the last axis");
  if (call.layer.config["rms_scaling"] === true) throw unsupported(call, "rms_scaling", "none");
  const channels = x.shape[0] ?? 0;
  const { net, label, layer } = call;
  const vector = (name: string, part: string, fallback: number, isUsed: boolean): string => {
    const values = isUsed ? vectorOf(call, name, channels) : new Float32Array(channels).fill(fallback);
    return net.parameter(`${label}.${part}`, float32([channels], values));
  };
  const scale = vector("gamma", "scale", 1, layer.config["scale"] !== false);
  const shift = vector("beta", "shift", 0, layer.config["center"] !== false);
  const attributes = { axis: int(-1), epsilon: float(numberOf(call, "epsilon", 1e-3)) };
  const normal = (from: string, name: string): string =>
    net.node("LayerNormalization", [from, scale, shift], { name, attributes });
  if (x.shape.length === 1) return { ...x, name: normal(x.name, label) };
  const last = net.transpose(x.name, [0, 2, 3, 1], { name: `${label}/last` });
  return { ...x, name: net.transpose(normal(last, `${label}/normal`), [0, 3, 1, 2], { name: label }) };
};

/** Names of operators on tensors, in Keras 3 and in Keras 2 -> ours. */
const operators: Readonly<Record<string, "Add" | "Sub" | "Mul" | "Div">> = {
  Add: "Add",
  Subtract: "Sub",
  Multiply: "Mul",
  Divide: "Div",
  TrueDivide: "Div",
  "__operators__.add": "Add",
  "math.add": "Add",
  "math.subtract": "Sub",
  "math.multiply": "Mul",
  "math.truediv": "Div",
  "math.divide": "Div",
};

/** `x + 3.0`, `1 / x`, `a * b`. */
const operator =
  (kind: (call: LayerCall) => unknown): LayerRule =>
  (call, inputs) => {
    const named = kind(call);
    const op = typeof named === "string" && Object.hasOwn(operators, named) ? operators[named] : undefined;
    if (op === undefined)
      throw unsupported(call, `the operator ${text(named)}`, `one of ${Object.keys(operators).join(", ")}`);
    const operands = call.operands;
    if (operands.length !== 2 || operands.filter((one) => one === "tensor").length !== inputs.length)
      throw kerasError(call.where, `${operands.length} operands`, "two, each a tensor or a number");
    const tensors = [...inputs];
    const [first] = inputs;
    if (inputs.some((value) => value.flattened !== undefined || value.shape.length !== first.shape.length))
      throw unsupported(call, "operands of different or flattened shape", "operands of equal rank");
    const names = operands.map((one, i) =>
      one === "tensor"
        ? (tensors.shift()?.name ?? "")
        : call.net.parameter(`${call.label}.${i}`, float32([], Float32Array.of(one))),
    );
    const shape = first.shape.map((size, i) => (size === 1 ? (inputs.at(-1)?.shape[i] ?? size) : size));
    return { name: call.net.node(op, names, { name: call.label }), shape };
  };

const handOn: LayerRule = (call, inputs) => single(call, inputs);

/** Operators of Keras 3, whose classes are called as layers are: `Add` of keras.ops beside the layer `Add`. */
export const operatorRules: Readonly<Record<string, LayerRule>> = Object.fromEntries(
  ["Add", "Subtract", "Multiply", "Divide", "TrueDivide"].map((kind) => [kind, operator(() => kind)]),
);

/** The layer of our own that a tfjs model of ours may have. */
const localResponse: LayerRule = (call, inputs) => {
  const x = imageOf(call, inputs);
  const size = numberOf(call, "size", 1);
  if (!isWhole(size) || size < 1) throw unsupported(call, `size ${size}`, "a number of channels");
  const [alpha, beta, bias] = [
    numberOf(call, "alpha", 1e-4),
    numberOf(call, "beta", 0.75),
    numberOf(call, "bias", 1),
  ];
  return { ...x, name: call.net.lrn(x.name, { name: call.label, size, alpha, beta, bias }) };
};

export const extraRules: Readonly<Record<string, LayerRule>> = {
  ...Object.fromEntries(forTraining.map((kind) => [kind, handOn])),
  Normalization: normalization,
  UpSampling2D: upSampling,
  Conv2DTranspose: convTranspose,
  LayerNormalization: layerNormalization,
  LocalResponseNormalization: localResponse,
  Divide: operator(() => "Divide"),
  TrueDivide: operator(() => "TrueDivide"),
  TFOpLambda: operator(({ layer }) => layer.config["function"]),
};

/** Whether a call is one of an operator on two tensors or numbers; the layer of the same name takes one list. */
export const isOperator = (kind: string, operands: LayerCall["operands"]): boolean =>
  operands.length === 2 && Object.hasOwn(operatorRules, kind);
