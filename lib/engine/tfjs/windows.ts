/** Sliding windows over channels-last images: every operator has two spatial axes, those of one a first one of size 1. */
import * as tf from "@tensorflow/tfjs-core";
import type { Shape } from "../../network/shapes/context.ts";
import { resolveWindows, type Windows } from "../../network/windows.ts";
import type { TfjsSite } from "./site.ts";

/** Windows of a node whose input 0 is [n, c, ...spatial], with two spatial axes. */
export function tfjsWindows(site: TfjsSite, kernelShape?: Shape): Windows {
  const input = site.input(0).slice(2);
  if (input.length > 2 || input.length < 1) {
    return site.fail(`${input.length} spatial axes`, "one or two were needed");
  }
  const windows = resolveWindows(site.node, { input, output: site.outputs[0].slice(2) }, kernelShape);
  if (input.length === 2) return windows;
  const { kernel, strides, dilations, before, after, output } = windows;
  return {
    kernel: [1, ...kernel],
    strides: [1, ...strides],
    dilations: [1, ...dilations],
    before: [0, ...before],
    after: [0, ...after],
    input: [1, ...input],
    output: [1, ...output],
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
  return paddedImages(
    images,
    { before: w.before, after: wanted.map((size, i) => size - w.input[i] - w.before[i]) },
    fill,
  );
}

/** Images padded (or cut, where negative) along their two spatial axes. */
export function paddedImages(
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
