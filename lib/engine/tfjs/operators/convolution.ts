/**
 * Convolutions. Images are channels last; padding is written out, so that every backend (some know only "same" and
 * "valid") and every gradient of tfjs (which know no dilation) can follow.
 */
import * as tf from "@tensorflow/tfjs-core";
import { intAttribute, intsAttribute } from "../../../network/network.ts";
import { windowAttributes } from "../../../network/operators/attributes.ts";
import type { Shape } from "../../../network/shapes/context.ts";
import { neededInput, type Operator, type Operators, type TfjsSite, trained } from "../site.ts";
import { TfjsValue } from "../value.ts";
import { asImages, fitted, fromImages, paddedImages, tfjsWindows } from "../windows.ts";
import type { Windows } from "../../../network/windows.ts";

type Pair = [number, number];
const pair = ([a, b]: Shape): Pair => [a, b];

/** Weights [m, c, ...kernel] as [kh, kw, c, m]; those of one axis have kh = 1. */
function turned(weight: tf.Tensor): tf.Tensor4D {
  const [m, c, ...kernel] = weight.shape;
  const wide = kernel.length === 1 ? tf.reshape(weight, [m, c, 1, ...kernel]) : weight;
  return tf.transpose(wide, [2, 3, 1, 0]) as tf.Tensor4D;
}

/** Zeros between the taps of a filter [kh, kw, c, m]. */
function dilated(filter: tf.Tensor4D, [dh, dw]: Shape): tf.Tensor4D {
  if (dh === 1 && dw === 1) return filter;
  const [kh, kw, c, m] = filter.shape;
  const cells = tf.reshape(filter, [kh, 1, kw, 1, c * m]);
  const edges: Pair[] = [
    [0, 0],
    [0, dh - 1],
    [0, 0],
    [0, dw - 1],
    [0, 0],
  ];
  const wide = tf.reshape<tf.Rank.R4>(tf.pad(cells, edges), [kh * dh, kw * dw, c, m]);
  return tf.slice<tf.Rank.R4, tf.Tensor4D>(wide, [0, 0, 0, 0], [(kh - 1) * dh + 1, (kw - 1) * dw + 1, c, m]);
}

/** Parts of equal width along the last axis (or another). */
function parts(x: tf.Tensor, count: number, axis: number): tf.Tensor4D[] {
  return count === 1 ? [x as tf.Tensor4D] : tf.split<tf.Tensor4D>(x, count, axis);
}

function joined(list: tf.Tensor4D[]): tf.Tensor4D {
  return list.length === 1 ? list[0] : tf.concat(list, 3);
}

const conv: Operator["prepare"] = (site) => {
  const shape = site.input(1);
  const w = tfjsWindows(site, shape.slice(2));
  const group = intAttribute(site.node, "group", 1);
  const [filters, perGroup] = shape;
  const isDepthwise = group > 1 && perGroup === 1;
  const rank = site.outputs[0].length;
  // [m, 1, kh, kw] -> [kh, kw, groups, m / groups]: filters of one channel lie side by side
  const depthwiseFilter = (weight: tf.Tensor4D): tf.Tensor4D =>
    tf.reshape(weight, [weight.shape[0], weight.shape[1], group, filters / group]);
  return (inputs) => {
    const images = fitted(asImages(neededInput(inputs, 0).last()), w);
    const weight = neededInput(inputs, 1);
    const filter = weight.form(`filter of ${group}`, () => {
      const plain = dilated(turned(weight.first()), w.dilations);
      return isDepthwise ? depthwiseFilter(plain) : plain;
    }) as tf.Tensor4D;
    const y = isDepthwise
      ? depthwise(images, filter, pair(w.strides))
      : joined(
          parts(images, group, 3).map((x, i) =>
            tf.conv2d(x, parts(filter, group, 3)[i], pair(w.strides), "valid"),
          ),
        );
    const bias = inputs[2];
    const sum = bias === undefined ? y : tf.add(y, bias.first());
    return [new TfjsValue(site.outputs[0], fromImages(sum, rank), { layout: "last" })];
  };
};

/** tfjs knows equal strides alone: with others, every place is computed and the wanted ones are taken. */
function depthwise(images: tf.Tensor4D, filter: tf.Tensor4D, [sh, sw]: Pair): tf.Tensor4D {
  if (sh === sw) return tf.depthwiseConv2d(images, filter, [sh, sw], "valid");
  return everyOther(tf.depthwiseConv2d(images, filter, 1, "valid"), [sh, sw]);
}

/** Every sh-th row and sw-th column, from the first on. */
function everyOther(images: tf.Tensor4D, [sh, sw]: Pair): tf.Tensor4D {
  const [n, h, w, c] = images.shape;
  const [rows, columns] = [Math.ceil(h / sh), Math.ceil(w / sw)];
  const whole = paddedImages(images, { before: [0, 0], after: [rows * sh - h, columns * sw - w] });
  const cells = tf.reshape(whole, [n, rows, sh, columns, sw * c]);
  const taken = tf.slice(cells, [0, 0, 0, 0, 0], [n, rows, 1, columns, c]);
  return tf.reshape(taken, [n, rows, columns, c]);
}

/** Weights [c, m / group, kh, kw]: the gradient of a convolution, run forwards. */
const convTranspose: Operator["prepare"] = (site) => {
  const shape = site.input(1);
  const kernel = shape.slice(2);
  const t = transposedWindows(site, kernel);
  const group = intAttribute(site.node, "group", 1);
  const rank = site.outputs[0].length;
  return (inputs) => {
    const images = asImages(neededInput(inputs, 0).last());
    const weight = neededInput(inputs, 1);
    // [c, m / group, kh, kw] -> [kh, kw, m / group, c], what conv2dTranspose wants
    const filter = weight.form("transposed filter", () =>
      dilated(turned(weight.first()), t.dilations),
    ) as tf.Tensor4D;
    const y = joined(
      parts(images, group, 3).map((x, i) => {
        const own = parts(filter, group, 3)[i];
        const size = [x.shape[0], ...t.full, own.shape[2]] as [number, number, number, number];
        return tf.conv2dTranspose(x, own, size, pair(t.strides), "valid");
      }),
    );
    const cut = paddedImages(y, { before: t.before.map((pad) => -pad), after: t.after });
    const bias = inputs[2];
    const sum = bias === undefined ? cut : tf.add(cut, bias.first());
    return [new TfjsValue(site.outputs[0], fromImages(sum, rank), { layout: "last" })];
  };
};

interface Transposed {
  readonly strides: Shape;
  readonly dilations: Shape;
  /** Spatial sizes before pads are cut off. */
  readonly full: Shape;
  /** What is cut in front; what is added behind (negative: cut). */
  readonly before: Shape;
  readonly after: Shape;
}

/** `output_shape` and automatic pads are spread as ONNX says: the larger half in front, or behind for SAME_UPPER. */
function transposedWindows(site: TfjsSite, kernel: Shape): Transposed {
  const { node } = site;
  const w: Windows = tfjsWindows(site, kernel);
  const flat = kernel.length === 1;
  const { same } = windowAttributes(node, kernel.length);
  const isAutomatic = same !== undefined || intsAttribute(node, "output_shape", []).length > 0;
  const extra = intsAttribute(
    node,
    "output_padding",
    kernel.map(() => 0),
  );
  const more = flat ? [0, ...extra] : extra;
  const full = w.input.map((size, i) => (size - 1) * w.strides[i] + (w.kernel[i] - 1) * w.dilations[i] + 1);
  const before = w.output.map((size, i) => {
    if (!isAutomatic) return w.before[i];
    const total = Math.max(0, full[i] + more[i] - size);
    return same === "upper" ? Math.floor(total / 2) : Math.ceil(total / 2);
  });
  return {
    strides: w.strides,
    dilations: w.dilations,
    full,
    before,
    after: w.output.map((size, i) => size + before[i] - full[i]),
  };
}

export const convolution: Operators = { Conv: trained(conv), ConvTranspose: trained(convTranspose) };
