/** TensorFlow's layers with weights, fused or not, and pools. */
import { int, ints } from "../../network/builder.ts";
import { float32, type Attribute, type Parameter, type Tensor } from "../../network/network.ts";
import { kernelFromKeras, relayout } from "../permute.ts";
import {
  beside,
  constantAt,
  emitNode,
  held,
  inputAt,
  plainName,
  refuseNode,
  string,
  type TfCall,
  type TfRule,
  type TfValue,
} from "./context.ts";
import { boolOf, floatOf, intsOf, tfTextOf, textsOf } from "./nodes.ts";

/** Height and width of a list with one number for each axis, batch and channels being 1. */
function overPlaces(call: TfCall, name: string): readonly [number, number] {
  const list = intsOf(call.node, name);
  if (list.length === 0) return [1, 1];
  const [n, h, w, c] = list;
  if (list.length !== 4 || n !== 1 || c !== 1)
    throw refuseNode(call, `${name} ${list.join(", ")}`, "1, height, width, 1");
  return [h, w];
}

export function checkLayout(call: TfCall): void {
  const layout = tfTextOf(call.node, "data_format", "NHWC");
  if (layout !== "NHWC") throw refuseNode(call, `layout ${layout}`, "NHWC");
  if (inputAt(call, 0).rank !== 4)
    throw refuseNode(call, `an input of ${inputAt(call, 0).rank} axes`, "an image");
}

/** Padding of a window: explicit where that does not depend on sizes. */
function windowOf(
  call: TfCall,
  kernel: readonly [number, number],
  {
    strides,
    dilations,
  }: { readonly strides: readonly [number, number]; readonly dilations: readonly [number, number] },
): Record<string, Attribute> {
  const padding = tfTextOf(call.node, "padding", "VALID");
  const common = {
    kernel_shape: ints(kernel),
    strides: ints(strides),
    ...(dilations.some((step) => step !== 1) ? { dilations: ints(dilations) } : {}),
  };
  if (padding === "VALID") return common;
  if (padding === "EXPLICIT") {
    const list = intsOf(call.node, "explicit_paddings");
    if (list.length !== 8) throw refuseNode(call, `${list.length} explicit paddings`, "8");
    return { ...common, pads: ints([list[2], list[4], list[3], list[5]]) };
  }
  if (padding !== "SAME") throw refuseNode(call, `padding ${padding}`, "SAME, VALID or EXPLICIT");
  if (strides.some((step) => step !== 1)) return { ...common, auto_pad: string("SAME_UPPER") };
  const total = kernel.map((size, i) => (size - 1) * dilations[i]);
  const front = total.map((size) => Math.floor(size / 2));
  return { ...common, pads: ints([...front, ...total.map((size, i) => size - front[i])]) };
}

export const tfActivations: Readonly<Record<string, (call: TfCall, x: string, name: string) => string>> = {
  Relu: (call, x, name) => emitNode(call, "Relu", [x], {}, name),
  Relu6: (call, x, name) => clip(call, x, [0, 6], name),
  Elu: (call, x, name) => emitNode(call, "Elu", [x], {}, name),
  Sigmoid: (call, x, name) => emitNode(call, "Sigmoid", [x], {}, name),
  Tanh: (call, x, name) => emitNode(call, "Tanh", [x], {}, name),
  LeakyRelu: (call, x, name) => {
    const alpha = floatOf(call.node, call.node.op === "LeakyRelu" ? "alpha" : "leakyrelu_alpha", 0.2);
    return emitNode(call, "LeakyRelu", [x], { alpha: { type: "float", value: alpha } }, name);
  },
};

function clip(call: TfCall, x: string, [low, high]: readonly [number, number], name: string): string {
  const bound = (label: string, value: number): string =>
    call.net.parameter(call.part(label), float32([], Float32Array.of(value)));
  return emitNode(call, "Clip", [x, bound("low", low), bound("high", high)], {}, name);
}

/** What a fused node does behind its convolution or product: the bias goes into that, the rest follows. */
function fused(
  call: TfCall,
  make: (bias: Parameter | undefined, name: string) => string,
  rank: number,
): TfValue {
  const steps = textsOf(call.node, "fused_ops").filter((one) => one !== "");
  const arguments_ = call.inputs.slice(2).values();
  const next = (): TfValue => {
    const value = arguments_.next();
    if (value.done === true)
      throw refuseNode(call, `${call.inputs.length} inputs`, "one for every fused step");
    return value.value;
  };
  const rest = steps[0] === "BiasAdd" ? steps.slice(1) : steps;
  let bias: Parameter | undefined;
  if (steps[0] === "BiasAdd") {
    bias = next().constant;
    if (bias === undefined) throw refuseNode(call, "a computed bias", "a constant");
  }
  const names = rest.map((_, i) => (i === rest.length - 1 ? call.node.name : call.part("step")));
  let value = make(bias, rest.length === 0 ? call.node.name : call.part("layer"));
  for (const [i, step] of rest.entries()) {
    if (step === "Prelu") value = emitNode(call, "PRelu", [value, beside(call, next(), rank)], {}, names[i]);
    else if (Object.hasOwn(tfActivations, step)) value = tfActivations[step](call, value, names[i]);
    else
      throw refuseNode(
        call,
        `the fused step ${step}`,
        `one of BiasAdd, Prelu, ${Object.keys(tfActivations).join(", ")}`,
      );
  }
  return { name: value, rank };
}

function convolve(call: TfCall, weights: Parameter, group: number): TfValue {
  checkLayout(call);
  const [, , height, width] = weights.shape;
  const strides = overPlaces(call, "strides");
  const attributes = {
    ...windowOf(call, [height, width], { strides, dilations: overPlaces(call, "dilations") }),
    ...(group === 1 ? {} : { group: int(group) }),
  };
  const kernel = call.net.parameter(call.part("weight"), weights);
  const x = held(call, inputAt(call, 0));
  return fused(
    call,
    (bias, name) => {
      const own = bias === undefined ? [] : [call.net.parameter(call.part("bias"), bias)];
      return emitNode(call, "Conv", [x, kernel, ...own], attributes, name);
    },
    4,
  );
}

const conv2d: TfRule = (call) => convolve(call, kernelFromKeras(constantAt(call, 1, 4), call.where), 1);

/** Kernel [height, width, channels, multiplier]. */
const depthwise: TfRule = (call) => {
  const kernel = constantAt(call, 1, 4);
  const [height, width, channels, multiplier] = kernel.shape;
  const shape = [channels * multiplier, 1, height, width];
  const weights = relayout(kernel, { view: kernel.shape, order: [2, 3, 0, 1], shape }, call.where);
  return convolve(call, weights, channels);
};

const matMul: TfRule = (call) => {
  const [a, b] = [inputAt(call, 0), inputAt(call, 1)];
  if (a.rank !== 2 || b.rank !== 2)
    throw refuseNode(call, `operands of ${a.rank} and ${b.rank} axes`, "matrices");
  const [transA, transB] = ["transpose_a", "transpose_b"].map((name) => boolOf(call.node, name));
  const attributes = { ...(transA && { transA: int(1) }), ...(transB && { transB: int(1) }) };
  const [x, y] = [plainName(call, a), plainName(call, b)];
  return fused(
    call,
    (bias, name) => {
      const own = bias === undefined ? [] : [call.net.parameter(call.part("bias"), bias)];
      return emitNode(call, "Gemm", [x, y, ...own], attributes, name);
    },
    2,
  );
};

const pool =
  (op: "MaxPool" | "AveragePool"): TfRule =>
  (call) => {
    checkLayout(call);
    const strides = overPlaces(call, "strides");
    const window = windowOf(call, overPlaces(call, "ksize"), { strides, dilations: [1, 1] });
    return { name: emitNode(call, op, [held(call, inputAt(call, 0))], window), rank: 4 };
  };

/** The gradient of a convolution: [output size, kernel [height, width, outputs, inputs], input]. */
const convTranspose: TfRule = (call) => {
  const kernel = constantAt(call, 1, 4);
  const x = inputAt(call, 2);
  const strides = overPlaces(call, "strides");
  const [height, width, outputs, inputs] = kernel.shape;
  const size = [height, width];
  const same = tfTextOf(call.node, "padding", "VALID") === "SAME";
  const total = size.map((extent, i) => (same ? Math.max(extent - strides[i], 0) : 0));
  const extra = size.map((extent, i) => Math.max(strides[i] - extent, 0));
  const begin = total.map((all) => Math.floor(all / 2));
  const shape = [inputs, outputs, height, width];
  const weights = relayout(kernel, { view: kernel.shape, order: [3, 2, 0, 1], shape }, call.where) as Tensor;
  const own = call.net.parameter(call.part("weight"), { type: "float32", ...weights });
  const attributes = {
    kernel_shape: ints(size),
    strides: ints(strides),
    pads: ints([...begin, ...total.map((all, i) => all - begin[i])]),
    output_padding: ints(extra),
  };
  return { name: emitNode(call, "ConvTranspose", [held(call, x), own], attributes), rank: 4 };
};

export const tfLayerRules: Readonly<Record<string, TfRule>> = {
  Conv2D: conv2d,
  _FusedConv2D: conv2d,
  FusedConv2D: conv2d,
  DepthwiseConv2dNative: depthwise,
  FusedDepthwiseConv2dNative: depthwise,
  _FusedDepthwiseConv2dNative: depthwise,
  Conv2DBackpropInput: convTranspose,
  MatMul: matMul,
  _FusedMatMul: matMul,
  MaxPool: pool("MaxPool"),
  AvgPool: pool("AveragePool"),
};
