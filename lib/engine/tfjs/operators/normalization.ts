/** Normalisations. */
import * as tf from "@tensorflow/tfjs-core";
import { floatAttribute, intAttribute, intsAttribute, sizeOf, type Node } from "../../../network/network.ts";
import { fromFront } from "../../../network/operators/attributes.ts";
import type { Shape } from "../../../network/shapes/context.ts";
import {
  type Inputs,
  type Kernel,
  neededInput,
  type Operator,
  type Operators,
  trained,
  type TfjsTrainingHooks,
  untrained,
} from "../site.ts";
import { axisIn, type TfjsLayout, TfjsValue } from "../value.ts";

const all = (rank: number): number[] => Array.from({ length: rank }, (_, i) => i);

interface Statistics {
  readonly centred: tf.Tensor;
  readonly mean: tf.Tensor;
  /** Of the population. */
  readonly variance: tf.Tensor;
}

function statistics(x: tf.Tensor, axes: number[]): Statistics {
  const mean = tf.mean(x, axes, true);
  const centred = tf.sub(x, mean);
  return { centred, mean, variance: tf.mean(tf.mul(centred, centred), axes, true) };
}

const normalised = ({ centred, variance }: Statistics, epsilon: number): tf.Tensor =>
  tf.div(centred, tf.sqrt(tf.add(variance, epsilon)));

/** A vector of channels that broadcasts to a value in `layout`. */
function channels(value: TfjsValue, rank: number, layout: TfjsLayout): tf.Tensor {
  const vector = value.first();
  if (layout === "last" || rank < 3) return vector;
  return tf.reshape(vector, [vector.size, ...Array.from({ length: rank - 2 }, () => 1)]);
}

/**
 * With running statistics; with those of the batch where scale or bias is trained, or where the node says so. The running
 * statistics then follow: running momentum + batch (1 - momentum), with the population variance.
 */
const batchNorm: Operator["prepare"] = (site) => {
  const { node } = site;
  const [shape] = site.outputs;
  const rank = shape.length;
  const epsilon = floatAttribute(node, "epsilon", 1e-5);
  const momentum = floatAttribute(node, "momentum", 0.9);
  const declared = intAttribute(node, "training_mode", 0) === 1;
  return (inputs, training) => {
    const x = neededInput(inputs, 0);
    const tensor = x.in(x.layout);
    const [scale, bias, mean, variance] = [1, 2, 3, 4].map((i) =>
      channels(neededInput(inputs, i), rank, x.layout),
    );
    if (!declared && !usesBatch(node, training)) {
      const factor = tf.div(scale, tf.sqrt(tf.add(variance, epsilon)));
      const offset = tf.sub(bias, tf.mul(mean, factor));
      return [new TfjsValue(shape, tf.add(tf.mul(tensor, factor), offset), { layout: x.layout })];
    }
    const axis = axisIn(x.layout, 1, rank);
    const batch = statistics(
      tensor,
      all(rank).filter((i) => i !== axis),
    );
    const running = [batch.mean, batch.variance].map((fresh, i) => {
      const vector = tf.reshape(fresh, [shape[1]]);
      return tf.add(tf.mul(neededInput(inputs, 3 + i).first(), momentum), tf.mul(vector, 1 - momentum));
    });
    if (training !== undefined)
      running.forEach((value, i) => {
        training.update(node.inputs[3 + i], value);
      });
    const y = tf.add(tf.mul(normalised(batch, epsilon), scale), bias);
    const rest = site.outputs.slice(1, 3).map((size, i) => new TfjsValue(size, running[i]));
    return [new TfjsValue(shape, y, { layout: x.layout }), ...rest];
  };
};

function usesBatch(node: Node, training: TfjsTrainingHooks | undefined): boolean {
  return training !== undefined && (training.isTrained(node, 1) || training.isTrained(node, 2));
}

/** Over the axes from `axis` on; mean and inverse deviation are outputs 1 and 2. */
const layerNorm: Operator["prepare"] = (site) => {
  const rank = site.input(0).length;
  const first = fromFront(intAttribute(site.node, "axis", -1), rank);
  const axes = all(rank).slice(first);
  const epsilon = floatAttribute(site.node, "epsilon", 1e-5);
  return (inputs) => {
    const found = statistics(neededInput(inputs, 0).first(), axes);
    const scaled = tf.mul(normalised(found, epsilon), neededInput(inputs, 1).first());
    const bias = inputs[2];
    const y = bias === undefined ? scaled : tf.add(scaled, bias.first());
    const inverse = (): tf.Tensor => tf.rsqrt(tf.add(found.variance, epsilon));
    return site.outputs.map((shape, i) => new TfjsValue(shape, [() => y, () => found.mean, inverse][i]()));
  };
};

/** y = x (bias + alpha / size (sum of x^2 over `size` neighbouring channels))^-beta */
const lrn: Operator["prepare"] = (site) => {
  const { node } = site;
  const [shape] = site.outputs;
  const size = intAttribute(node, "size", 1);
  const [alpha, beta] = [floatAttribute(node, "alpha", 1e-4), floatAttribute(node, "beta", 0.75)];
  const bias = floatAttribute(node, "bias", 1);
  const [before, after] = [Math.floor((size - 1) / 2), Math.ceil((size - 1) / 2)];
  const [n, c, ...spatial] = shape;
  const places = sizeOf(spatial);
  return (inputs) => {
    const x = tf.reshape(neededInput(inputs, 0).first(), [n, c, places]);
    const squares = tf.pad(tf.mul(x, x), [
      [0, 0],
      [before, after],
      [0, 0],
    ]);
    const shifted = Array.from({ length: size }, (_, i) => tf.slice(squares, [0, i, 0], [n, c, places]));
    const sums = shifted.reduce((a, b) => tf.add(a, b));
    const divisor = tf.pow(tf.add(tf.mul(sums, alpha / size), bias), tf.scalar(beta));
    return [new TfjsValue(shape, tf.reshape(tf.div(x, divisor), [...shape]))];
  };
};

/** Each picture and group of channels by itself; `groups` 0: each channel. Scale and bias per channel or per group. */
function grouped(groups: number, epsilon: number, shape: Shape): Kernel {
  const [n, c] = shape;
  const count = groups === 0 ? c : groups;
  return (inputs: Inputs) => {
    const x = tf.reshape(neededInput(inputs, 0).first(), [n, count, sizeOf(shape) / n / count]);
    const y = normalised(statistics(x, [2]), epsilon);
    const [scale, bias] = [1, 2].map((i) => neededInput(inputs, i).first());
    const isPerGroup = scale.size === count;
    const cells = isPerGroup ? [n, count, sizeOf(shape) / n / count] : [n, c, sizeOf(shape) / n / c];
    const wide = (vector: tf.Tensor): tf.Tensor => tf.reshape(vector, [1, vector.size, 1]);
    const result = tf.add(tf.mul(tf.reshape(y, cells), wide(scale)), wide(bias));
    return [new TfjsValue(shape, tf.reshape(result, [...shape]))];
  };
}

const meanVariance: Operator["prepare"] = (site) => {
  const axes = intsAttribute(site.node, "axes", [0, 2, 3]).map((axis) =>
    fromFront(axis, site.input(0).length),
  );
  return (inputs) => {
    const { centred, variance } = statistics(neededInput(inputs, 0).first(), axes);
    return [new TfjsValue(site.outputs[0], tf.div(centred, tf.add(tf.sqrt(variance), 1e-9)))];
  };
};

const lpNorm: Operator["prepare"] = (site) => {
  const axis = fromFront(intAttribute(site.node, "axis", -1), site.input(0).length);
  const p = intAttribute(site.node, "p", 2);
  return (inputs) => {
    const x = neededInput(inputs, 0).first();
    const size = p === 1 ? tf.sum(tf.abs(x), axis, true) : tf.sqrt(tf.sum(tf.mul(x, x), axis, true));
    const zero = tf.equal(size, 0);
    return [new TfjsValue(site.outputs[0], tf.div(x, tf.add(size, tf.cast(zero, "float32"))))];
  };
};

/** A function along one axis that works on the last one. */
const along =
  (make: (x: tf.Tensor) => tf.Tensor): Operator["prepare"] =>
  (site) => {
    const [shape] = site.outputs;
    const rank = shape.length;
    const axis = fromFront(intAttribute(site.node, "axis", -1), rank);
    const order = [...all(rank).filter((i) => i !== axis), axis];
    const back = all(rank).map((i) => order.indexOf(i));
    return (inputs) => {
      const x = neededInput(inputs, 0).first();
      const y = axis === rank - 1 ? make(x) : tf.transpose(make(tf.transpose(x, order)), back);
      return [new TfjsValue(shape, y)];
    };
  };

/** The wasm kernel makes integers, whatever it is asked for. */
const hardmax = (x: tf.Tensor): tf.Tensor =>
  tf.cast(tf.oneHot(tf.argMax(x, -1), x.shape[x.shape.length - 1], 1, 0, "int32"), "float32");

export const normalizationKernels: Operators = {
  BatchNormalization: trained(batchNorm),
  LayerNormalization: trained(layerNorm),
  LRN: trained(lrn),
  InstanceNormalization: untrained((site) =>
    grouped(0, floatAttribute(site.node, "epsilon", 1e-5), site.outputs[0]),
  ),
  GroupNormalization: untrained((site) =>
    grouped(
      intAttribute(site.node, "num_groups", 1),
      floatAttribute(site.node, "epsilon", 1e-5),
      site.outputs[0],
    ),
  ),
  MeanVarianceNormalization: untrained(meanVariance),
  LpNormalization: untrained(lpNorm),
  Softmax: trained(along((x) => tf.softmax(x))),
  LogSoftmax: trained(along((x) => tf.logSoftmax(x))),
  Hardmax: untrained(along(hardmax)),
};
