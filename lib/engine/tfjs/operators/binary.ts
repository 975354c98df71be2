/** Functions of several values, element by element, with broadcasting. */
import * as tf from "@tensorflow/tfjs-core";
import { intAttribute } from "../../../network/network.ts";
import { neededInput, type Operator, type Operators, trained, untrained } from "../site.ts";
import { commonLayout, operand, perAxis, broadcastTo, TfjsValue } from "../value.ts";

type Combine = (a: tf.Tensor, b: tf.Tensor) => tf.Tensor;

/**
 * All inputs combined from left to right, in one layout.
 *
 * @param repeat tfjs's own kernel does not broadcast: repeat the operands first
 */
const combining =
  (combine: Combine, { repeat = false }: { repeat?: boolean } = {}): Operator["prepare"] =>
  (site) => {
    const [shape] = site.outputs;
    const rank = shape.length;
    return (inputs) => {
      const values = inputs.flatMap((value) => (value === undefined ? [] : [value]));
      const layout = commonLayout(values, rank);
      const target = perAxis(layout, shape);
      const [first, ...others] = values.map((value) => {
        const tensor = operand(value, rank, layout);
        return repeat ? broadcastTo(tensor, target) : tensor;
      });
      const result = others.reduce(combine, first);
      return [new TfjsValue(shape, others.length === 0 ? tf.clone(first) : result, { layout })];
    };
  };

const repeated = (combine: Combine): Operator => untrained(combining(combine, { repeat: true }));

/** Integers: cut towards zero, as ONNX has it. */
const divide: Combine = (a, b) => {
  if (a.dtype !== "int32" || b.dtype !== "int32") return tf.div(a, b);
  const quotient = tf.div(tf.cast(a, "float32"), tf.cast(b, "float32"));
  return tf.cast(quotient, "int32");
};

/** The result has the type of the base. */
const power: Combine = (a, b) =>
  a.dtype === "int32"
    ? tf.cast(tf.round(tf.pow(tf.cast(a, "float32"), b)), "int32")
    : tf.pow(a, tf.cast(b, "float32"));

/** Sign of the divisor as in Python, or with `fmod` that of the dividend as in C. */
const modulo: Operator["prepare"] = (site) => {
  const fmod: Combine = (a, b) => {
    const quotient = tf.div(tf.cast(a, "float32"), tf.cast(b, "float32"));
    const whole = tf.mul(tf.sign(quotient), tf.floor(tf.abs(quotient)));
    const rest = tf.sub(a, tf.mul(whole, b));
    return a.dtype === "int32" ? tf.cast(rest, "int32") : rest;
  };
  return combining(intAttribute(site.node, "fmod", 0) === 1 ? fmod : tf.mod, { repeat: true })(site);
};

const where: Operator["prepare"] = (site) => {
  const [shape] = site.outputs;
  const rank = shape.length;
  return (inputs) => {
    const values = [0, 1, 2].map((index) => neededInput(inputs, index));
    const layout = commonLayout(values, rank);
    const target = perAxis(layout, shape);
    const [condition, a, b] = values.map((value) => broadcastTo(operand(value, rank, layout), target));
    return [new TfjsValue(shape, tf.where(condition, a, b), { layout })];
  };
};

/** x where x > 0, slope x elsewhere; the slope is broadcast. The step has no gradient, a condition would need one. */
const prelu: Operator["prepare"] = (site) => {
  const [shape] = site.outputs;
  const rank = shape.length;
  return (inputs) => {
    const [x, slope] = [neededInput(inputs, 0), neededInput(inputs, 1)];
    const tensor = x.in(x.layout);
    const positive = tf.step(tensor);
    const steep = tf.mul(tf.sub(1, positive), operand(slope, rank, x.layout));
    return [new TfjsValue(shape, tf.mul(tensor, tf.add(positive, steep)), { layout: x.layout })];
  };
};

const mean: Operator["prepare"] = (site) => {
  const sum = combining(tf.add)(site);
  const count = site.node.inputs.length;
  return (inputs, training) => sum(inputs, training).map((value) => value.map((x) => tf.div(x, count)));
};

export const binary: Operators = {
  Add: trained(combining(tf.add)),
  Sub: trained(combining(tf.sub)),
  Mul: trained(combining(tf.mul)),
  Div: trained(combining(divide)),
  Pow: trained(combining(power, { repeat: true })),
  PRelu: trained(prelu),
  Mod: untrained(modulo),
  Where: untrained(where),
  Sum: untrained(combining(tf.add)),
  Mean: untrained(mean),
  Min: repeated(tf.minimum),
  Max: repeated(tf.maximum),
  Equal: repeated(tf.equal),
  Less: repeated(tf.less),
  LessOrEqual: repeated(tf.lessEqual),
  Greater: repeated(tf.greater),
  GreaterOrEqual: repeated(tf.greaterEqual),
  And: repeated(tf.logicalAnd),
  Or: repeated(tf.logicalOr),
  Xor: repeated(tf.logicalXor),
};
