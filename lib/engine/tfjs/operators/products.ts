/** Matrix products. */
import * as tf from "@tensorflow/tfjs-core";
import { floatAttribute, intAttribute } from "../../../network/network.ts";
import { neededInput, type Operator, type Operators, trained } from "../site.ts";
import { broadcastTo, TfjsValue } from "../value.ts";

const flip = (matrix: tf.Tensor): tf.Tensor => tf.transpose(matrix, [1, 0]);

/**
 * A B of two matrices. Both gradients are products of matrices turned beforehand: the wasm kernel is slow for products
 * that turn their operands.
 */
export function tensorProduct(a: tf.Tensor, b: tf.Tensor): tf.Tensor {
  const multiply = tf.customGrad((left, right, save) => {
    const [x, y] = [left as tf.Tensor, right as tf.Tensor];
    (save as tf.GradSaveFunc)([x, y]);
    return {
      value: tf.matMul(x, y),
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => [
        tf.matMul(dy, flip(saved[1])),
        tf.matMul(flip(saved[0]), dy),
      ],
    };
  });
  return multiply(a, b);
}

/** alpha op(A) op(B) + beta C */
const gemm: Operator["prepare"] = (site) => {
  const { node } = site;
  const alpha = floatAttribute(node, "alpha", 1);
  const beta = floatAttribute(node, "beta", 1);
  const [flipA, flipB] = [intAttribute(node, "transA", 0) === 1, intAttribute(node, "transB", 0) === 1];
  const turned = (
    inputs: Parameters<ReturnType<Operator["prepare"]>>[0],
    index: number,
    isFlipped: boolean,
  ): tf.Tensor => {
    const value = neededInput(inputs, index);
    return isFlipped ? value.form("flipped", () => flip(value.first())) : value.first();
  };
  return (inputs) => {
    const plain = tensorProduct(turned(inputs, 0, flipA), turned(inputs, 1, flipB));
    const scaled = alpha === 1 ? plain : tf.mul(plain, alpha);
    const c = inputs[2];
    if (c === undefined) return [new TfjsValue(site.outputs[0], scaled)];
    const bias = beta === 1 ? c.first() : tf.mul(c.first(), beta);
    return [new TfjsValue(site.outputs[0], tf.add(scaled, bias))];
  };
};

/** numpy's matmul: stacks of matrices are broadcast; vectors count as a row (left) or a column (right). */
const matMul: Operator["prepare"] = (site) => {
  const [shape] = site.outputs;
  const [left, right] = [site.input(0), site.input(1)];
  const [a, b] = [left.length === 1 ? [1, ...left] : left, right.length === 1 ? [...right, 1] : right];
  const stack = shape.slice(0, shape.length - (left.length > 1 ? 1 : 0) - (right.length > 1 ? 1 : 0));
  return (inputs) => {
    const x = tf.reshape(neededInput(inputs, 0).first(), [...a]);
    const y = tf.reshape(neededInput(inputs, 1).first(), [...b]);
    const result =
      b.length === 2
        ? tensorProduct(tf.reshape(x, [-1, b[0]]), y)
        : tf.matMul(broadcastTo(x, [...stack, ...a.slice(-2)]), broadcastTo(y, [...stack, ...b.slice(-2)]));
    return [new TfjsValue(shape, tf.reshape(result, [...shape]))];
  };
};

export const productKernels: Operators = { Gemm: trained(gemm), MatMul: trained(matMul) };
