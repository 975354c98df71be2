/** Pools, on channels-last images. */
import * as tf from "@tensorflow/tfjs-core";
import { intAttribute, sizeOf } from "../../../network/network.ts";
import type { Shape } from "../../../network/shapes/context.ts";
import { neededInput, type Operator, type Operators, trained, untrained } from "../site.ts";
import { TfjsValue } from "../value.ts";
import { asImages, fitted, fromImages, tfjsWindows } from "../windows.ts";
import type { Windows } from "../../../network/windows.ts";

const pair = ([a, b]: Shape): [number, number] => [a, b];

/** Less than every activation. */
const LOWEST = -3.4e38;

const maxPool: Operator["prepare"] = (site) => {
  if (site.outputs.length > 1)
    return site.fail("positions of the maxima as a second output", "one output was needed");
  const w = tfjsWindows(site);
  const [shape] = site.outputs;
  return (inputs) => {
    const images = fitted(asImages(neededInput(inputs, 0).last()), w, LOWEST);
    const isDilated = w.dilations.some((size) => size > 1);
    const y = isDilated
      ? tf.max(gathered(images, w), [2, 4])
      : tf.maxPool(images, pair(w.kernel), pair(w.strides), "valid");
    return [new TfjsValue(shape, fromImages(y, shape.length), { layout: "last" })];
  };
};

/** Every window's elements, [n, rows, kh, columns, kw, c]. */
function gathered(images: tf.Tensor4D, w: Windows): tf.Tensor {
  const places = [0, 1].map((i) =>
    Array.from({ length: w.output[i] }, (_, at) =>
      Array.from({ length: w.kernel[i] }, (_, k) => at * w.strides[i] + k * w.dilations[i]),
    ).flat(),
  );
  const [n, , , c] = images.shape;
  const rows = tf.gather(images, tf.tensor1d(places[0], "int32"), 1);
  const cells = tf.gather(rows, tf.tensor1d(places[1], "int32"), 2);
  return tf.reshape(cells, [n, w.output[0], w.kernel[0], w.output[1], w.kernel[1], c]);
}

/** How many elements each window averages, [1, rows, columns, 1]. */
function counts(w: Windows, countPadding: boolean): Float32Array {
  const along = w.output.map((size, i) =>
    Array.from({ length: size }, (_, place) => {
      const start = place * w.strides[i] - w.before[i];
      const low = countPadding ? -w.before[i] : 0;
      const high = countPadding ? w.input[i] + w.after[i] : w.input[i];
      const at = Array.from({ length: w.kernel[i] }, (_, k) => start + k * w.dilations[i]);
      return at.filter((position) => position >= low && position < high).length;
    }),
  );
  return Float32Array.from(along[0].flatMap((a) => along[1].map((b) => a * b)));
}

/** The sum over each window by the number of elements it really covers. */
const averagePool: Operator["prepare"] = (site) => {
  const w = tfjsWindows(site);
  const [shape] = site.outputs;
  const area = sizeOf(w.kernel);
  const covered = counts(w, intAttribute(site.node, "count_include_pad", 0) === 1);
  const isWhole = covered.every((count) => count === area);
  const factors = covered.map((count) => (count === 0 ? 0 : area / count));
  return (inputs) => {
    const images = fitted(asImages(neededInput(inputs, 0).last()), w);
    const isDilated = w.dilations.some((size) => size > 1);
    const average = isDilated
      ? tf.mean(gathered(images, w), [2, 4])
      : tf.avgPool(images, pair(w.kernel), pair(w.strides), "valid");
    const y = isWhole ? average : tf.mul(average, tf.tensor(factors, [1, w.output[0], w.output[1], 1]));
    return [new TfjsValue(shape, fromImages(y, shape.length), { layout: "last" })];
  };
};

/** One number for each channel, from all places. */
const global =
  (reduce: (x: tf.Tensor, axes: number[]) => tf.Tensor): Operator["prepare"] =>
  (site) => {
    const rank = site.input(0).length;
    const [shape] = site.outputs;
    return (inputs) => {
      const x = neededInput(inputs, 0);
      const axes = Array.from({ length: rank - 2 }, (_, i) => i + (x.layout === "last" ? 1 : 2));
      return [new TfjsValue(shape, reduce(x.in(x.layout), axes), { layout: x.layout })];
    };
  };

/** As a max pool over the whole map, so that of equal values the first gets the gradient. */
const globalMaxPool: Operator["prepare"] = (site) => {
  const [n, c, ...spatial] = site.input(0);
  const [shape] = site.outputs;
  const size = sizeOf(spatial);
  return (inputs) => {
    const rows = tf.reshape<tf.Rank.R4>(neededInput(inputs, 0).last(), [n, 1, size, c]);
    return [new TfjsValue(shape, tf.reshape(tf.maxPool(rows, [1, size], 1, "valid"), [...shape]))];
  };
};

export const poolingKernels: Operators = {
  MaxPool: trained(maxPool),
  AveragePool: trained(averagePool),
  GlobalAveragePool: trained(global((x, axes) => tf.mean(x, axes, true))),
  GlobalMaxPool: trained(globalMaxPool),
  GlobalLpPool: untrained((site) => {
    const p = intAttribute(site.node, "p", 2);
    return global((x, axes) => tf.pow(tf.sum(tf.pow(tf.abs(x), p), axes, true), 1 / p))(site);
  }),
};
