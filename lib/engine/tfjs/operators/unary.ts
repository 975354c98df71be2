/** Functions of one value, element by element: the layout does not matter. */
import * as tf from "@tensorflow/tfjs-core";
import { floatAttribute, intAttribute, stringAttribute } from "../../../network/network.ts";
import { need, type Operator, type Operators, type Site, trained, untrained } from "../site.ts";
import { Value } from "../value.ts";

type Make = (x: tf.Tensor) => tf.Tensor;

const each =
  (make: (site: Site) => Make): Operator["prepare"] =>
  (site) => {
    const f = make(site);
    return (inputs) => [need(inputs, 0).map(f)];
  };
const trains = (make: (site: Site) => Make): Operator => trained(each(make));
const simple = (f: Make): Operator => trained(each(() => f));
const fixed = (make: (site: Site) => Make): Operator => untrained(each(make));

/** min(max(x, low), high). At both ends the derivative is 0, as PyTorch has it. */
function clipped(x: tf.Tensor, low: number, high: number): tf.Tensor {
  const clip = tf.customGrad((given, save) => {
    const a = given as tf.Tensor;
    (save as tf.GradSaveFunc)([a]);
    return {
      value: limited(a, low, high),
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => {
        const inside = tf.logicalAnd(tf.greater(saved[0], low), tf.less(saved[0], high));
        return tf.mul(dy, tf.cast(inside, "float32"));
      },
    };
  });
  return clip(x);
}

function limited(x: tf.Tensor, low: number, high: number): tf.Tensor {
  const above = low === -Infinity ? x : tf.maximum(x, tf.scalar(low, x.dtype as "float32"));
  const both = high === Infinity ? above : tf.minimum(above, tf.scalar(high, x.dtype as "float32"));
  return both === x ? tf.clone(x) : both;
}

/** Bounds are inputs 1 and 2. */
const clip: Operator["prepare"] = (site) => {
  const bounds = [1, 2].map((index) => (site.has(index) ? site.constant(index)?.[0] : undefined));
  if ([1, 2].some((index) => site.has(index) && bounds[index - 1] === undefined)) {
    return site.fail("bounds that change from run to run", "constant bounds were needed");
  }
  const [low = -Infinity, high = Infinity] = bounds;
  return (inputs) => [
    need(inputs, 0).map((x) => (x.dtype === "float32" ? clipped(x, low, high) : limited(x, low, high))),
  ];
};

const negative = (x: tf.Tensor): tf.Tensor => tf.minimum(x, 0);

/** alpha (exp(x) - 1) below zero; exp never sees a large number. */
const elu = (x: tf.Tensor, alpha: number): tf.Tensor =>
  tf.add(tf.relu(x), tf.mul(tf.expm1(negative(x)), alpha));

const selu = ({ node }: Site): Make => {
  const alpha = floatAttribute(node, "alpha", 1.6732632423543772);
  const gamma = floatAttribute(node, "gamma", 1.0507009873554805);
  return (x) => tf.mul(elu(x, alpha), gamma);
};

const hardSigmoid = ({ node }: Site): Make => {
  const [alpha, beta] = [floatAttribute(node, "alpha", 0.2), floatAttribute(node, "beta", 0.5)];
  return (x) => clipped(tf.add(tf.mul(x, alpha), beta), 0, 1);
};

const hardSwish: Make = (x) => tf.mul(x, clipped(tf.add(tf.mul(x, 1 / 6), 0.5), 0, 1));

/** x Phi(x), exact or with tanh. */
const gelu = ({ node }: Site): Make => {
  if (stringAttribute(node, "approximate", "none") !== "tanh") {
    return (x) => tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1));
  }
  return (x) => {
    const inner = tf.mul(tf.mul(x, tf.add(tf.mul(tf.mul(x, x), 0.044715), 1)), Math.sqrt(2 / Math.PI));
    return tf.mul(tf.mul(x, 0.5), tf.add(tf.tanh(inner), 1));
  };
};

const thresholded = ({ node }: Site): Make => {
  const alpha = floatAttribute(node, "alpha", 1);
  return (x) => tf.where(tf.greater(x, alpha), x, tf.zerosLike(x));
};

const shrink = ({ node }: Site): Make => {
  const [bias, lambda] = [floatAttribute(node, "bias", 0), floatAttribute(node, "lambd", 0.5)];
  return (x) => {
    const low = tf.where(tf.less(x, -lambda), tf.add(x, bias), tf.zerosLike(x));
    return tf.where(tf.greater(x, lambda), tf.sub(x, bias), low);
  };
};

const isInf = ({ node }: Site): Make => {
  const up = intAttribute(node, "detect_positive", 1) === 1;
  const down = intAttribute(node, "detect_negative", 1) === 1;
  return (x) => {
    if (up && down) return tf.isInf(x);
    if (!up && !down) return tf.zeros(x.shape, "bool");
    return tf.logicalAnd(tf.isInf(x), up ? tf.greater(x, 0) : tf.less(x, 0));
  };
};

/** ONNX's element types as tfjs has them: 64 bits become 32. */
const castTypes: Readonly<Partial<Record<number, "float32" | "int32" | "bool">>> = {
  1: "float32",
  11: "float32",
  6: "int32",
  7: "int32",
  9: "bool",
};

/** A tensor in another element type; floats are cut towards zero. */
function castTo(x: tf.Tensor, type: "float32" | "int32" | "bool"): tf.Tensor {
  if (x.dtype === type) return tf.clone(x);
  return type === "bool" ? tf.notEqual(x, tf.scalar(0, x.dtype as "float32")) : tf.cast(x, type);
}

const cast = (site: Site): Make => {
  const code = intAttribute(site.node, "to", 0);
  const type =
    castTypes[code] ??
    site.fail(`a cast to ONNX's type ${code}`, "float, double, int32, int64 or bool was needed");
  return (x) => castTo(x, type);
};

const castLike: Operator["prepare"] = () => (inputs) => {
  const type = need(inputs, 1).first().dtype as "float32" | "int32" | "bool";
  return [need(inputs, 0).map((x) => castTo(x, type))];
};

/** At inference the value as it is; in training times a mask. */
const dropout: Operator["prepare"] = (site) => {
  const ratio = site.constant(1)?.[0] ?? floatAttribute(site.node, "ratio", 0.5);
  if ((site.constant(2)?.[0] ?? 0) !== 0) {
    return site.fail("training mode in the network itself", "a network for inference was needed");
  }
  const [shape] = site.outputs;
  const rest = site.outputs.slice(1);
  return (inputs, training) => {
    const x = need(inputs, 0);
    const kept = rest.map((mask) => new Value(mask, tf.ones([...mask], "bool")));
    if (training === undefined || ratio === 0) return [x.map(tf.clone), ...kept];
    const mask = training.dropoutMask(site.node, shape, ratio);
    return [x.map((tensor) => tf.mul(tensor, mask.in(x.layout))), ...kept];
  };
};

export const unary: Operators = {
  Relu: simple(tf.relu),
  LeakyRelu: trains(({ node }) => {
    const alpha = floatAttribute(node, "alpha", 0.01);
    return (x) => tf.leakyRelu(x, alpha);
  }),
  Elu: trains(({ node }) => {
    const alpha = floatAttribute(node, "alpha", 1);
    return (x) => elu(x, alpha);
  }),
  Selu: fixed(selu),
  Celu: fixed(({ node }) => {
    const alpha = floatAttribute(node, "alpha", 1);
    return (x) => tf.add(tf.maximum(x, 0), tf.mul(tf.expm1(tf.div(negative(x), alpha)), alpha));
  }),
  Clip: trained(clip),
  Sigmoid: simple(tf.sigmoid),
  HardSigmoid: trains(hardSigmoid),
  HardSwish: simple(hardSwish),
  Tanh: simple(tf.tanh),
  Erf: simple(tf.erf),
  Gelu: trains(gelu),
  Mish: fixed(() => (x) => tf.mul(x, tf.tanh(tf.softplus(x)))),
  Softplus: simple(tf.softplus),
  Softsign: fixed(() => (x) => tf.div(x, tf.add(tf.abs(x), 1))),
  ThresholdedRelu: fixed(thresholded),
  Shrink: fixed(shrink),
  Exp: simple(tf.exp),
  Log: simple(tf.log),
  Sqrt: simple(tf.sqrt),
  Abs: simple(tf.abs),
  Neg: simple(tf.neg),
  Reciprocal: simple((x) => tf.div(1, x)),
  Identity: simple(tf.clone),
  Dropout: trained(dropout),
  Sign: fixed(() => tf.sign),
  Floor: fixed(() => tf.floor),
  Ceil: fixed(() => tf.ceil),
  Round: fixed(() => tf.round),
  Not: fixed(() => tf.logicalNot),
  IsNaN: fixed(() => tf.isNaN),
  IsInf: fixed(isInf),
  Sin: fixed(() => tf.sin),
  Cos: fixed(() => tf.cos),
  Tan: fixed(() => tf.tan),
  Asin: fixed(() => tf.asin),
  Acos: fixed(() => tf.acos),
  Atan: fixed(() => tf.atan),
  Sinh: fixed(() => tf.sinh),
  Cosh: fixed(() => tf.cosh),
  Asinh: fixed(() => tf.asinh),
  Acosh: fixed(() => tf.acosh),
  Atanh: fixed(() => tf.atanh),
  Cast: fixed(cast),
  CastLike: untrained(castLike),
};
