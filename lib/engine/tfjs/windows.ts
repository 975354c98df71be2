/** Strides, pads and dilations of sliding-window operators, as numbers. */
import { intsAttribute, stringAttribute } from "../../network/network.ts";
import type { Shape } from "../../network/shapes-context.ts";
import * as tf from "@tensorflow/tfjs-core";
import type { Site } from "./site.ts";

/** Two spatial axes: those of one axis have a first one of size 1. */
export interface Windows {
  readonly kernel: Shape;
  readonly strides: Shape;
  readonly dilations: Shape;
  /** In front of each spatial axis; negative pads cut. */
  readonly before: Shape;
  /** Behind each spatial axis, as declared. */
  readonly after: Shape;
  /** Spatial sizes of input and output. */
  readonly input: Shape;
  readonly output: Shape;
}

/** Windows of a node whose input 0 is [n, c, ...spatial], with `auto_pad` and `ceil_mode` resolved from the shapes. */
export function windowsOf(site: Site, kernelShape?: Shape): Windows {
  const { node } = site;
  const sizes = site.input(0).slice(2);
  const output = site.outputs[0].slice(2);
  if (sizes.length > 2 || sizes.length < 1) {
    return site.fail(`${sizes.length} spatial axes`, "one or two were needed");
  }
  const ones = sizes.map(() => 1);
  const kernel = kernelShape ?? intsAttribute(node, "kernel_shape", ones);
  const strides = intsAttribute(node, "strides", ones);
  const dilations = intsAttribute(node, "dilations", ones);
  const pads = intsAttribute(
    node,
    "pads",
    [...sizes, ...sizes].map(() => 0),
  );
  const auto = stringAttribute(node, "auto_pad", "NOTSET");
  const extents = kernel.map((size, i) => (size - 1) * dilations[i] + 1);
  const total = output.map((size, i) => Math.max(0, (size - 1) * strides[i] + extents[i] - sizes[i]));
  const isSame = auto.startsWith("SAME");
  const before = sizes.map((_, i) => {
    if (isSame) return auto === "SAME_UPPER" ? Math.floor(total[i] / 2) : Math.ceil(total[i] / 2);
    return auto === "VALID" ? 0 : pads[i];
  });
  const after = sizes.map((_, i) => {
    if (isSame) return total[i] - before[i];
    return auto === "VALID" ? 0 : pads[i + sizes.length];
  });
  const flat = sizes.length === 1;
  const two = (values: Shape, fill: number): Shape => (flat ? [fill, ...values] : values);
  return {
    kernel: two(kernel, 1),
    strides: two(strides, 1),
    dilations: two(dilations, 1),
    before: two(before, 0),
    after: two(after, 0),
    input: two(sizes, 1),
    output: two(output, 1),
  };
}

/** A channels-last tensor with two spatial axes, [n, h, w, c]; of one axis, h = 1. */
export function asImages(value: tf.Tensor): tf.Tensor4D {
  const x = value.dtype === "float32" ? value : tf.cast(value, "float32");
  if (x.shape.length === 4) return x as tf.Tensor4D;
  const [n, length, channels] = x.shape;
  return tf.reshape(x, [n, 1, length, channels]);
}

/** Images as the channels-last form of an output of rank `rank`. */
export function fromImages(images: tf.Tensor, rank: number): tf.Tensor {
  if (rank === 4) return images;
  const [n, , length, channels] = images.shape;
  return tf.reshape(images, [n, length, channels]);
}

/**
 * Images padded with `fill`, or cut, so that windows without padding give exactly the output: `before` in front, and
 * behind whatever the last window needs.
 */
export function fitted(images: tf.Tensor4D, w: Windows, fill = 0): tf.Tensor4D {
  const wanted = w.output.map(
    (size, i) => (size - 1) * w.strides[i] + (w.kernel[i] - 1) * w.dilations[i] + 1,
  );
  return padded(
    images,
    { before: w.before, after: wanted.map((size, i) => size - w.input[i] - w.before[i]) },
    fill,
  );
}

/** Images padded (or cut, where negative) along their two spatial axes. */
export function padded(
  images: tf.Tensor4D,
  { before, after }: { before: Shape; after: Shape },
  fill = 0,
): tf.Tensor4D {
  const [n, h, w, c] = images.shape;
  const [top, left] = before;
  const [bottom, right] = after;
  let result = images;
  if ([top, left, bottom, right].some((size) => size < 0)) {
    const [y, x] = [Math.max(0, -top), Math.max(0, -left)];
    const height = h - y - Math.max(0, -bottom);
    const width = w - x - Math.max(0, -right);
    result = tf.slice(result, [0, y, x, 0], [n, height, width, c]);
  }
  if ([top, left, bottom, right].every((size) => size <= 0)) return result;
  const edges = [
    [0, 0],
    [Math.max(0, top), Math.max(0, bottom)],
    [Math.max(0, left), Math.max(0, right)],
    [0, 0],
  ] as [number, number][];
  return tf.pad(result, edges, fill);
}
