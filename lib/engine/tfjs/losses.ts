/** Loss terms on rows [n, elements], as scalars; their gradients are tfjs's. */
import * as tf from "@tensorflow/tfjs-core";
import type { LossTerm } from "../../core/artifacts.ts";

interface Rows {
  readonly z: tf.Tensor;
  readonly target: tf.Tensor;
  readonly mask: tf.Tensor | undefined;
}

const masked = (x: tf.Tensor, mask: tf.Tensor | undefined): tf.Tensor =>
  mask === undefined ? x : tf.mul(x, mask);

/** -sum t log softmax(z) / n */
function softmaxCrossEntropy({ z, target, mask }: Rows): tf.Tensor {
  const products = tf.mul(masked(target, mask), tf.logSoftmax(z));
  return tf.div(tf.neg(tf.sum(products)), z.shape[0]);
}

/** mean of log(1 + exp z) - z t: softplus has the slope sigmoid(z) everywhere, also at 0 */
function sigmoidCrossEntropy({ z, target, mask }: Rows): tf.Tensor {
  const each = tf.sub(tf.softplus(z), tf.mul(z, target));
  return tf.div(tf.sum(masked(each, mask)), z.size);
}

/** mean of (z - t)^2 / 2 */
function squared({ z, target, mask }: Rows): tf.Tensor {
  const difference = tf.sub(z, target);
  return tf.div(tf.sum(masked(tf.mul(difference, difference), mask)), 2 * z.size);
}

const kinds: Readonly<Record<LossTerm["kind"], (rows: Rows) => tf.Tensor>> = {
  "softmax-cross-entropy": softmaxCrossEntropy,
  "sigmoid-cross-entropy": sigmoidCrossEntropy,
  squared,
};

/** One term, unweighted. */
export function lossTerm(kind: LossTerm["kind"], rows: Rows): tf.Tensor {
  return kinds[kind](rows);
}
