/** Reductions over axes, and what looks for positions along one. */
import * as tf from "@tensorflow/tfjs-core";
import { intAttribute, intsAttribute } from "../../../network/network.ts";
import { fromFront } from "../../../network/operators/attributes.ts";
import {
  knownInput,
  neededInput,
  type Operator,
  type Operators,
  type TfjsSite,
  trained,
  untrained,
} from "../site.ts";
import { axisIn, TfjsValue } from "../value.ts";

type Reduce = (x: tf.Tensor, axes: number[], keep: boolean) => tf.Tensor;

/** The axes: input 1 or the attribute; none listed means all, or none with `noop_with_empty_axes`. */
function axesOf(site: TfjsSite): number[] {
  const rank = site.input(0).length;
  const listed = site.has(1) ? knownInput(site, 1, "axes") : intsAttribute(site.node, "axes", []);
  if (listed.length > 0) return listed.map((axis) => fromFront(axis, rank));
  return intAttribute(site.node, "noop_with_empty_axes", 0) === 1
    ? []
    : Array.from({ length: rank }, (_, i) => i);
}

/** @param whole what happens to each element where no axis is reduced */
const reduction =
  (reduce: Reduce, whole: (x: tf.Tensor) => tf.Tensor = tf.clone): Operator["prepare"] =>
  (site) => {
    const axes = axesOf(site);
    const [shape] = site.outputs;
    const rank = site.input(0).length;
    const keep = intAttribute(site.node, "keepdims", 1) === 1;
    // over all places, a map of channels last is as good
    const isSpatial = rank > 2 && axes.length === rank - 2 && axes.every((axis) => axis > 1);
    return (inputs) => {
      const x = neededInput(inputs, 0);
      if (axes.length === 0) return [x.map(whole)];
      if (!isSpatial || x.layout === "first") return [new TfjsValue(shape, reduce(x.first(), axes, keep))];
      const y = reduce(
        x.last(),
        axes.map((axis) => axisIn("last", axis, rank)),
        keep,
      );
      return [new TfjsValue(shape, y, { layout: keep ? "last" : "first" })];
    };
  };

/** Truth values as numbers, and back. */
const ofNumbers =
  (reduce: Reduce): Reduce =>
  (x, axes, keep) =>
    x.dtype === "bool"
      ? tf.notEqual(reduce(tf.cast(x, "int32"), axes, keep), tf.scalar(0, "int32"))
      : reduce(x, axes, keep);

/** log sum exp without overflow. */
const logSumExp: Reduce = (x, axes, keep) => tf.logSumExp(x, axes, keep);

const positions =
  (find: (x: tf.Tensor, axis: number) => tf.Tensor): Operator["prepare"] =>
  (site) => {
    const shape = site.input(0);
    const axis = fromFront(intAttribute(site.node, "axis", 0), shape.length);
    const isLast = intAttribute(site.node, "select_last_index", 0) === 1;
    return (inputs) => {
      const x = neededInput(inputs, 0).first();
      const at = isLast
        ? tf.sub(tf.scalar(shape[axis] - 1, "int32"), find(tf.reverse(x, axis), axis))
        : find(x, axis);
      return [new TfjsValue(site.outputs[0], tf.reshape(at, [...site.outputs[0]]))];
    };
  };

/** Outputs: the k largest (or smallest), and where they are. */
const topK: Operator["prepare"] = (site) => {
  const shape = site.input(0);
  const rank = shape.length;
  const axis = fromFront(intAttribute(site.node, "axis", -1), rank);
  const [k] = knownInput(site, 1, "numbers");
  const isLargest = intAttribute(site.node, "largest", 1) === 1;
  const order = [...shape.keys()].filter((i) => i !== axis).concat(axis);
  const back = [...shape.keys()].map((i) => order.indexOf(i));
  return (inputs) => {
    const x = tf.transpose(neededInput(inputs, 0).first(), order);
    const { values, indices } = tf.topk(isLargest ? x : tf.neg(x), k);
    const found = [isLargest ? values : tf.neg(values), indices];
    return site.outputs.map((output, i) => new TfjsValue(output, tf.transpose(found[i], back)));
  };
};

const cumSum: Operator["prepare"] = (site) => {
  const [axis] = knownInput(site, 1, "axes");
  const exclusive = intAttribute(site.node, "exclusive", 0) === 1;
  const reverse = intAttribute(site.node, "reverse", 0) === 1;
  return (inputs) => {
    const x = neededInput(inputs, 0).first();
    return [
      new TfjsValue(site.outputs[0], tf.cumsum(x, fromFront(axis, x.shape.length), exclusive, reverse)),
    ];
  };
};

const square = (x: tf.Tensor): tf.Tensor => tf.mul(x, x);

export const reductionKernels: Operators = {
  ReduceMean: trained(reduction((x, axes, keep) => tf.mean(x, axes, keep))),
  ReduceSum: trained(reduction((x, axes, keep) => tf.sum(x, axes, keep))),
  ReduceMax: untrained(reduction(ofNumbers((x, axes, keep) => tf.max(x, axes, keep)))),
  ReduceMin: untrained(reduction(ofNumbers((x, axes, keep) => tf.min(x, axes, keep)))),
  ReduceProd: untrained(reduction((x, axes, keep) => tf.prod(x, axes, keep))),
  ReduceL1: untrained(reduction((x, axes, keep) => tf.sum(tf.abs(x), axes, keep), tf.abs)),
  ReduceL2: untrained(reduction((x, axes, keep) => tf.sqrt(tf.sum(square(x), axes, keep)), tf.abs)),
  ReduceLogSum: untrained(reduction((x, axes, keep) => tf.log(tf.sum(x, axes, keep)), tf.log)),
  ReduceLogSumExp: untrained(reduction(logSumExp)),
  ReduceSumSquare: untrained(reduction((x, axes, keep) => tf.sum(square(x), axes, keep), square)),
  ArgMax: untrained(positions((x, axis) => tf.argMax(x, axis))),
  ArgMin: untrained(positions((x, axis) => tf.argMin(x, axis))),
  TopK: untrained(topK),
  CumSum: untrained(cumSum),
};
