/**
 * Kernels that the wasm backend lacks, or has only in a slow form, made of those it has. Each is one product or one
 * depthwise convolution per place of the filter. Registered once, for the backend "wasm".
 */
import * as tf from "@tensorflow/tfjs-core";
import { plainKernels } from "./kernels-plain.ts";

type Four = [number, number, number, number];

interface KernelArguments {
  readonly inputs: Readonly<Record<string, tf.Tensor>>;
  readonly attrs: Readonly<Record<string, unknown>>;
}

/** Window geometry of a convolution whose padding is explicit, "valid" or "same". */
function geometry(input: Four, filter: Four, attrs: KernelArguments["attrs"]): tf.backend_util.Conv2DInfo {
  const strides = attrs["strides"] as [number, number] | number;
  return tf.backend_util.computeConv2DInfo(
    input,
    filter,
    strides,
    1,
    attrs["pad"] as "valid" | "same" | number,
  );
}

/**
 * The input as the windows read it: padded in front, and behind as far as the last window reaches and to whole strides.
 */
function framed(x: tf.Tensor4D, info: tf.backend_util.Conv2DInfo): tf.Tensor4D {
  const { top, left } = info.padInfo;
  const whole = (size: number, stride: number): number => Math.ceil(size / stride) * stride;
  const height = whole((info.outHeight - 1) * info.strideHeight + info.filterHeight, info.strideHeight);
  const width = whole((info.outWidth - 1) * info.strideWidth + info.filterWidth, info.strideWidth);
  const [bottom, right] = [height - info.inHeight - top, width - info.inWidth - left];
  const isGrown = top > 0 || left > 0 || bottom > 0 || right > 0;
  const grown = isGrown
    ? tf.pad(x, [
        [0, 0],
        [top, Math.max(0, bottom)],
        [left, Math.max(0, right)],
        [0, 0],
      ])
    : x;
  if (grown.shape[1] === height && grown.shape[2] === width) return grown;
  return tf.slice(grown, [0, 0, 0, 0], [x.shape[0], height, width, x.shape[3]]);
}

/**
 * What place (row, column) of the filter reads, [n outHeight outWidth, c]. The wasm backend copies slices of up to four
 * axes run by run: rows are cut as wholes, and only strides make short runs.
 */
function readAt(
  frame: tf.Tensor4D,
  info: tf.backend_util.Conv2DInfo,
  row: number,
  column: number,
): tf.Tensor2D {
  const { strideHeight: sh, strideWidth: sw, outHeight, outWidth } = info;
  const [n, height, width, c] = frame.shape;
  const line = width * c;
  if (sh === 1 && sw === 1) {
    const size = [n, outHeight, outWidth * c];
    return tf.reshape(tf.slice(tf.reshape(frame, [n, height, line]), [0, row, column * c], size), [-1, c]);
  }
  const steps = tf.reshape(frame, [n, height / sh, sh * line]);
  const rows = tf.slice(steps, [0, Math.floor(row / sh), (row % sh) * line], [n, outHeight, line]);
  const cells = tf.reshape(rows, [n * outHeight, width / sw, sw * c]);
  const begin = [0, Math.floor(column / sw), (column % sw) * c];
  return tf.reshape(tf.slice(cells, begin, [n * outHeight, outWidth, c]), [-1, c]);
}

/** One matrix [c, ...] for each place of the filter, joined to [kh, kw, ...]. */
function eachPlace(
  info: tf.backend_util.Conv2DInfo,
  frame: tf.Tensor4D,
  make: (read: tf.Tensor2D) => tf.Tensor,
  shape: number[],
): tf.Tensor {
  const places = Array.from({ length: info.filterHeight * info.filterWidth }, (_, place) =>
    tf.tidy(() => make(readAt(frame, info, Math.floor(place / info.filterWidth), place % info.filterWidth))),
  );
  return tf.reshape(tf.stack(places), shape);
}

/** dW[place] = X[place]' dY: a product of matrices for each place. */
function filterGradient({ inputs, attrs }: KernelArguments): tf.Tensor {
  const x = inputs["x"] as tf.Tensor4D;
  const dy = inputs["dy"] as tf.Tensor4D;
  const shape = attrs["filterShape"] as Four;
  const info = geometry(x.shape, shape, attrs);
  const flat = tf.transpose(tf.reshape(dy, [-1, shape[3]]));
  const made = eachPlace(info, framed(x, info), (read) => tf.matMul(flat, read), [
    shape[0],
    shape[1],
    shape[3],
    shape[2],
  ]);
  return tf.transpose(made, [0, 1, 3, 2]);
}

/** Zeros between and around dY, so that a convolution of stride 1 with the turned filter gives dX. */
function scattered(dy: tf.Tensor4D, info: tf.backend_util.Conv2DInfo): tf.Tensor4D {
  const { strideHeight: sh, strideWidth: sw, filterHeight, filterWidth, padInfo, inHeight, inWidth } = info;
  const [n, h, w, c] = dy.shape;
  let wide: tf.Tensor4D = dy;
  if (sh > 1 || sw > 1) {
    const cells = tf.reshape(dy, [n, h, 1, w, c]);
    const spaced = tf.pad(cells, [
      [0, 0],
      [0, 0],
      [0, sh - 1],
      [0, 0],
      [0, (sw - 1) * c],
    ]);
    wide = tf.slice(
      tf.reshape(spaced, [n, h * sh, w * sw, c]),
      [0, 0, 0, 0],
      [n, (h - 1) * sh + 1, (w - 1) * sw + 1, c],
    ) as tf.Tensor4D;
  }
  const [top, left] = [filterHeight - 1 - padInfo.top, filterWidth - 1 - padInfo.left];
  const bottom = inHeight + filterHeight - 1 - top - wide.shape[1];
  const right = inWidth + filterWidth - 1 - left - wide.shape[2];
  return tf.pad(wide, [
    [0, 0],
    [top, bottom],
    [left, right],
    [0, 0],
  ]);
}

/** A filter turned by half: its places in reverse order (the backend's own `reverse` and `gather` are slow). */
function turned(filter: tf.Tensor4D): tf.Tensor4D {
  const [kh, kw, c, m] = filter.shape;
  if (kh * kw === 1) return filter;
  const rows = tf.reshape(filter, [kh * kw, c * m]);
  const places = Array.from({ length: kh * kw }, (_, i) => tf.slice(rows, [kh * kw - 1 - i, 0], [1, c * m]));
  return tf.reshape(tf.concat(places, 0), [kh, kw, c, m]);
}

/** dX as a convolution with the filter turned by half and its channels swapped. */
function inputGradient({ inputs, attrs }: KernelArguments): tf.Tensor {
  const dy = inputs["dy"] as tf.Tensor4D;
  const filter = inputs["filter"] as tf.Tensor4D;
  const info = geometry(attrs["inputShape"] as Four, filter.shape, attrs);
  const swapped = tf.transpose<tf.Tensor4D>(turned(filter), [0, 1, 3, 2]);
  return tf.conv2d(scattered(dy, info), swapped, 1, "valid");
}

/** dW[place, c, m] = sum of X[place, c] dY[c, m] over pictures and places. */
function depthwiseFilterGradient({ inputs, attrs }: KernelArguments): tf.Tensor {
  const x = inputs["x"] as tf.Tensor4D;
  const dy = inputs["dy"] as tf.Tensor4D;
  const shape = attrs["filterShape"] as Four;
  const [, , c, multiplier] = shape;
  const info = geometry(x.shape, shape, attrs);
  const rows = tf.reshape(dy, [-1, c, multiplier]);
  return eachPlace(info, framed(x, info), (read) => tf.sum(tf.mul(tf.reshape(read, [-1, c, 1]), rows), 0), [
    ...shape,
  ]);
}

/** dX: for each of the multiplier's parts a depthwise convolution with the turned filter, added up. */
function depthwiseInputGradient({ inputs, attrs }: KernelArguments): tf.Tensor {
  const dy = inputs["dy"] as tf.Tensor4D;
  const filter = inputs["filter"] as tf.Tensor4D;
  const [kh, kw, c, multiplier] = filter.shape;
  const info = geometry(attrs["inputShape"] as Four, filter.shape, attrs);
  const [n, h, w] = dy.shape;
  const cells = tf.reshape(dy, [n, h, w, c, multiplier]);
  const parts = Array.from({ length: multiplier }, (_, m) => {
    const own = tf.reshape<tf.Rank.R4>(tf.slice(cells, [0, 0, 0, 0, m], [n, h, w, c, 1]), [n, h, w, c]);
    const part = tf.slice<tf.Rank.R4, tf.Tensor4D>(turned(filter), [0, 0, 0, m], [kh, kw, c, 1]);
    return tf.depthwiseConv2d(scattered(own, info), part, 1, "valid");
  });
  return parts.reduce((a, b) => tf.add(a, b));
}

const kernels: Readonly<Record<string, (given: KernelArguments) => tf.Tensor>> = {
  Conv2DBackpropFilter: filterGradient,
  Conv2DBackpropInput: inputGradient,
  DepthwiseConv2dNativeBackpropFilter: depthwiseFilterGradient,
  DepthwiseConv2dNativeBackpropInput: depthwiseInputGradient,
};

/** Registers the kernels for the wasm backend. */
export function registerWasmKernels(): void {
  const composed = Object.entries(kernels).map(([name, compute]): [string, tf.KernelFunc] => [
    name,
    ({ inputs, attrs }) =>
      tf.tidy(() => compute({ inputs: inputs as Record<string, tf.Tensor>, attrs: attrs ?? {} })),
  ]);
  for (const [kernelName, kernelFunc] of [...composed, ...Object.entries(plainKernels)]) {
    if (tf.getKernel(kernelName, "wasm") !== undefined) tf.unregisterKernel(kernelName, "wasm");
    tf.registerKernel({ kernelName, backendName: "wasm", kernelFunc });
  }
}
