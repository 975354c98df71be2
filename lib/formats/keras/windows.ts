/** Keras layers that slide a window: convolutions and pools. */
import type { Pads } from "../../network/builder.ts";
import { float32, type Parameter, type Tensor } from "../../network/network.ts";
import { withActivation } from "./activations.ts";
import { kerasError, text } from "./config.ts";
import {
  biasOf,
  expectChannelsLast,
  imageOf,
  pairOf,
  unsupported,
  weightOf,
  type KerasValue,
  type LayerCall,
  type LayerRule,
  type Size,
} from "./context.ts";
import { kernelFromKeras, relayout } from "../permute.ts";

interface Window {
  readonly kernel: readonly [number, number];
  readonly strides: readonly [number, number];
  readonly dilations: readonly [number, number];
}

/** Explicit pads (top, left, bottom, right), or how they follow from an open size, and the sizes that come out. */
interface Placed {
  readonly pads: { readonly pads: Pads } | { readonly autoPad: "SAME_UPPER" };
  readonly sizes: readonly [Size, Size];
}

/** TensorFlow's `same` (the smaller half in front) or `valid` padding. */
function place(call: LayerCall, sizes: readonly Size[], { kernel, strides, dilations }: Window): Placed {
  const padding = call.layer.config["padding"] ?? "valid";
  if (padding !== "same" && padding !== "valid") {
    throw unsupported(call, `padding ${text(padding)}`, '"same" or "valid"');
  }
  if ([...strides, ...dilations, ...kernel].some((step) => step < 1)) {
    throw kerasError(call.where, "a window, stride or dilation below one", "numbers above zero");
  }
  const axes = [0, 1].map((axis) => {
    const [size, stride] = [sizes[axis + 1], strides[axis]];
    const extent = (kernel[axis] - 1) * dilations[axis] + 1;
    if (padding === "valid") {
      const out = size === undefined ? undefined : Math.floor((size - extent) / stride) + 1;
      return { front: 0, back: 0, out };
    }
    const out = size === undefined ? undefined : Math.ceil(size / stride);
    const total = out === undefined ? extent - 1 : Math.max(0, (out - 1) * stride + extent - (size ?? 0));
    return { front: Math.floor(total / 2), back: Math.ceil(total / 2), out };
  });
  const [y, x] = axes;
  if ([y.out, x.out].some((out) => out !== undefined && out < 1)) {
    throw kerasError(
      call.where,
      `a window larger than its input of ${sizes.slice(1).join("x")}`,
      "one inside",
    );
  }
  // What a stride leaves of an open size is known only at run time.
  const isOpen = padding === "same" && [0, 1].some((i) => sizes[i + 1] === undefined && strides[i] !== 1);
  return {
    pads: isOpen ? { autoPad: "SAME_UPPER" } : { pads: [y.front, x.front, y.back, x.back] },
    sizes: [y.out, x.out],
  };
}

/** @param weights [out, in / group, height, width] */
function convolve(
  call: LayerCall,
  x: KerasValue,
  kernel: { weights: Parameter; group: number; bias?: Float32Array | undefined; name?: string },
): KerasValue {
  const { weights, group, bias, name = call.label } = kernel;
  const [outputs, perGroup, height, width] = weights.shape;
  const channels = x.shape[0] ?? 0;
  if (group < 1 || perGroup * group !== channels || outputs % group !== 0) {
    const found = `a kernel for ${perGroup * group} channels in ${group} groups`;
    throw kerasError(call.where, `${found} on ${channels}`, "matching numbers");
  }
  const pointwise = name !== call.label;
  const window: Window = {
    kernel: [height, width],
    strides: pointwise ? [1, 1] : pairOf(call, "strides", 1),
    dilations: pointwise ? [1, 1] : pairOf(call, "dilation_rate", 1),
  };
  const { pads, sizes } = place(call, x.shape, window);
  const { strides, dilations } = window;
  const tensor = weights as Tensor;
  const own = bias === undefined ? {} : { bias };
  const made = call.net.conv(x.name, { name, weights: tensor, ...own, ...pads, strides, dilations, group });
  return { name: made, shape: [outputs, ...sizes] };
}

const conv2d: LayerRule = (call, inputs) => {
  expectChannelsLast(call);
  const x = imageOf(call, inputs);
  const weights = kernelFromKeras(weightOf(call, "kernel", 4), call.where);
  const group = pairOf(call, "groups", 1)[0];
  const bias = biasOf(call, weights.shape[0]);
  return withActivation(call, convolve(call, x, { weights, group, bias }));
};

/** Kernel [height, width, channels, multiplier] -> [channels * multiplier, 1, height, width] */
function depthwiseKernel(call: LayerCall): Parameter {
  const names = ["depthwise_kernel", "kernel"];
  const kernel = weightOf(call, names.find((name) => call.weights.has(name)) ?? names[0], 4);
  const [height, width, channels, multiplier] = kernel.shape;
  const shape = [channels * multiplier, 1, height, width];
  return relayout(kernel, { view: kernel.shape, order: [2, 3, 0, 1], shape }, call.where);
}

const depthwise: LayerRule = (call, inputs) => {
  expectChannelsLast(call);
  const x = imageOf(call, inputs);
  const weights = depthwiseKernel(call);
  const bias = biasOf(call, weights.shape[0]);
  return withActivation(call, convolve(call, x, { weights, group: x.shape[0] ?? 0, bias }));
};

const separable: LayerRule = (call, inputs) => {
  expectChannelsLast(call);
  const x = imageOf(call, inputs);
  const deep = convolve(call, x, { weights: depthwiseKernel(call), group: x.shape[0] ?? 0 });
  const weights = kernelFromKeras(weightOf(call, "pointwise_kernel", 4), call.where);
  const bias = biasOf(call, weights.shape[0]);
  const name = `${call.label}/pointwise`;
  return withActivation(call, convolve(call, deep, { weights, group: 1, bias, name }));
};

const pool =
  (op: "maxPool" | "averagePool"): LayerRule =>
  (call, inputs) => {
    expectChannelsLast(call);
    const x = imageOf(call, inputs);
    const kernel = pairOf(call, "pool_size", 2);
    const given = call.layer.config["strides"] ?? undefined;
    const strides = given === undefined ? kernel : pairOf(call, "strides", 1);
    const { pads, sizes } = place(call, x.shape, { kernel, strides, dilations: [1, 1] });
    const name = call.net[op](x.name, { name: call.label, kernel, strides, ...pads });
    return { name, shape: [x.shape[0], ...sizes] };
  };

const globalPool =
  (op: "globalAveragePool" | "globalMaxPool"): LayerRule =>
  (call, inputs) => {
    expectChannelsLast(call);
    const x = imageOf(call, inputs);
    const [channels] = x.shape;
    const pooled = call.net[op](x.name, { name: call.label });
    if (call.layer.config["keepdims"] === true) return { name: pooled, shape: [channels, 1, 1] };
    return { name: call.net.flatten(pooled, { name: `${call.label}/flat` }), shape: [channels] };
  };

/** Dense on a vector is a matrix, on an image a 1x1 convolution. */
export const denseOnImage = (call: LayerCall, x: KerasValue): KerasValue => {
  const matrix = weightOf(call, "kernel", 2);
  const kernel = float32([1, 1, ...matrix.shape], matrix.data as Float32Array);
  const weights = kernelFromKeras(kernel, call.where);
  const bias = biasOf(call, weights.shape[0]);
  const group = 1;
  const [outputs, inputs] = weights.shape;
  if (inputs !== x.shape[0]) throw kerasError(call.where, `${x.shape[0]} channels`, String(inputs));
  const own = bias === undefined ? {} : { bias };
  const name = call.net.conv(x.name, { name: call.label, weights: weights as Tensor, ...own, group });
  return { name, shape: [outputs, ...x.shape.slice(1)] };
};

export const windowRules: Readonly<Record<string, LayerRule>> = {
  Conv2D: conv2d,
  Convolution2D: conv2d,
  DepthwiseConv2D: depthwise,
  SeparableConv2D: separable,
  MaxPooling2D: pool("maxPool"),
  AveragePooling2D: pool("averagePool"),
  GlobalAveragePooling2D: globalPool("globalAveragePool"),
  GlobalMaxPooling2D: globalPool("globalMaxPool"),
};
