/** Gradients of activations. At a kink the derivative is that of PyTorch: 0 for ReLU and at both ends of a clip. */
import { floatAttribute, stringAttribute } from "../network/network.ts";
import { add, mul, scale, shift, square, sub, unbroadcast, where } from "./arithmetic.ts";
import { unaryGradient } from "./elementwise.ts";
import { float } from "../network/builder.ts";
import type { Graph, Value } from "./graph.ts";
import { copyNode, input, type GradientRule, type Rules, type Site } from "./site.ts";

const above = (g: Graph, a: string, limit: number): string => g.op("Greater", [a, g.scalar(limit)]);
const below = (g: Graph, a: string, limit: number): string => g.op("Less", [a, g.scalar(limit)]);

/** Larger than 1 / (distance of neighbouring float32 numbers); a power of two, so that products with it are exact. */
const STEEP = 2 ** 100;
const STEEPEST = 2 ** 127;

/** 1 where `a` is above the limit, else 0: a very steep HardSigmoid, several times faster than Greater and Where. */
function stepUp(g: Graph, a: string, limit: number): string {
  const alpha = limit === 0 ? STEEPEST : STEEP;
  return g.op("HardSigmoid", [a], { alpha: float(alpha), beta: float(-alpha * limit) });
}

/** 1 where `a` is below the limit, else 0. */
function stepDown(g: Graph, a: string, limit: number): string {
  const alpha = limit === 0 ? STEEPEST : STEEP;
  return g.op("HardSigmoid", [a], { alpha: float(-alpha), beta: float(alpha * limit) });
}

/** dy where low < a < high, else 0. */
function between(g: Graph, dy: string, a: string, [low, high]: readonly [number, number]): string {
  const risen = low === -Infinity ? dy : mul(g, dy, stepUp(g, a, low));
  return high === Infinity ? risen : mul(g, risen, stepDown(g, a, high));
}

/** A value in the layout of another one, from the names in that layout. */
function alike(g: Graph, like: Value, make: (name: (value: Value) => string) => string): Value {
  return like.blockedName === undefined
    ? g.value(
        like.shape,
        make((value) => g.plain(value)),
      )
    : g.blockedValue(
        like.shape,
        make((value) => g.blocked(value)),
      );
}

/** max(x, 0), in the layout its input has. */
const relu: GradientRule = {
  forward: (site) => {
    const x = input(site, 0);
    return [alike(site.graph, x, (name) => site.graph.op("Relu", [name(x)]))];
  },
  backward: (site, [output], [dOutput]) => {
    if (dOutput === undefined || !site.wants(0)) return [];
    const { graph: g } = site;
    return [alike(g, output, (name) => between(g, name(dOutput), name(output), [0, Infinity]))];
  },
};

const leakyRelu = unaryGradient((g, { x, dy }, { node }) =>
  g.op("Where", [above(g, x, 0), dy, scale(g, dy, floatAttribute(node, "alpha", 0.01))]),
);

/** x where x > 0, slope * x elsewhere; the slope is broadcast. */
const prelu: GradientRule = {
  backward: (site, _outputs, [dOutput]) => {
    if (dOutput === undefined) return [];
    const { graph: g } = site;
    const [x, slope] = [input(site, 0), input(site, 1)];
    const dy = g.plain(dOutput);
    const positive = above(g, g.plain(x), 0);
    return [
      g.value(x.shape, g.op("Where", [positive, dy, mul(g, dy, g.plain(slope))])),
      site.wants(1)
        ? g.value(
            slope.shape,
            unbroadcast(
              g,
              g.op("Where", [positive, g.scalar(0), mul(g, dy, g.plain(x))]),
              x.shape,
              slope.shape,
            ),
          )
        : undefined,
    ];
  },
};

/** min and max are inputs 1 and 2. */
function boundsOf(site: Site): readonly [number, number] {
  const [low] = site.constant(1) ?? [-Infinity];
  const [high] = site.constant(2) ?? [Infinity];
  return [low, high];
}

/** min(max(x, low), high), in the layout its input has; channels that pad a block must stay zero. */
const clip: GradientRule = {
  forward: (site) => {
    const { graph: g } = site;
    const x = input(site, 0);
    const [low, high] = boundsOf(site);
    if (x.blockedName === undefined || low > 0 || high < 0) return copyNode(site);
    const bounds = [low, high].map((bound) => (Number.isFinite(bound) ? g.scalar(bound) : ""));
    return [g.blockedValue(x.shape, g.op("Clip", [x.blockedName, ...bounds]))];
  },
  backward: (site, [output], [dOutput]) => {
    if (dOutput === undefined || !site.wants(0)) return [];
    const { graph: g } = site;
    return [alike(g, output, (name) => between(g, name(dOutput), name(output), boundsOf(site)))];
  },
};

const sigmoid = unaryGradient((g, { y, dy }) => mul(g, dy, mul(g, y, sub(g, g.scalar(1), y))));

const tanh = unaryGradient((g, { y, dy }) => mul(g, dy, sub(g, g.scalar(1), square(g, y))));

const softplus = unaryGradient((g, { x, dy }) => mul(g, dy, g.op("Sigmoid", [x])));

/** max(0, min(1, alpha x + beta)) */
const hardSigmoid = unaryGradient((g, { y, dy }, { node }) =>
  scale(g, between(g, dy, y, [0, 1]), floatAttribute(node, "alpha", 0.2)),
);

/** x hardSigmoid(x) with slope 1/6: derivative 0, x / 3 + 1 / 2 or 1. */
const hardSwish = unaryGradient((g, { x, dy }) => {
  const middle = shift(g, scale(g, x, 1 / 3), 0.5);
  const slope = g.op("Where", [below(g, x, 3), middle, g.scalar(1)]);
  return mul(g, dy, where(g, above(g, x, -3), slope));
});

/** alpha (exp(x) - 1) below zero */
const elu = unaryGradient((g, { x, y, dy }, { node }) => {
  const alpha = floatAttribute(node, "alpha", 1);
  return g.op("Where", [above(g, x, 0), dy, mul(g, dy, shift(g, y, alpha))]);
});

/** x Phi(x): exact, or with tanh (Gelu's `approximate`). */
const gelu = unaryGradient((g, { x, dy }, { node }) => {
  if (stringAttribute(node, "approximate", "none") === "tanh") return mul(g, dy, tanhGeluSlope(g, x));
  const cdf = shift(g, scale(g, g.op("Erf", [scale(g, x, Math.SQRT1_2)]), 0.5), 0.5);
  const density = scale(g, g.op("Exp", [scale(g, square(g, x), -0.5)]), 1 / Math.sqrt(2 * Math.PI));
  return mul(g, dy, add(g, cdf, mul(g, x, density)));
});

/** With u = sqrt(2/pi) (x + 0.044715 x^3), t = tanh u: (1 + t) / 2 + x (1 - t^2) u' / 2. */
function tanhGeluSlope(g: Graph, x: string): string {
  const k = Math.sqrt(2 / Math.PI);
  const x2 = square(g, x);
  const t = g.op("Tanh", [scale(g, mul(g, x, shift(g, scale(g, x2, 0.044715), 1)), k)]);
  const du = shift(g, scale(g, x2, 3 * 0.044715 * k), k);
  const tail = mul(g, mul(g, x, sub(g, g.scalar(1), square(g, t))), du);
  return scale(g, add(g, shift(g, t, 1), tail), 0.5);
}

/** exp(x - logsumexp): dx = y (dy - sum(dy y)) along the axis. */
const softmax = unaryGradient((g, { y, dy }, { node }) => {
  const axis = node.attributes.axis?.type === "int" ? node.attributes.axis.value : -1;
  const total = g.op("ReduceSum", [mul(g, dy, y), g.ints([axis])], { keepdims: 1 });
  return mul(g, y, sub(g, dy, total));
});

/** dx = dy - exp(y) sum(dy) along the axis. */
const logSoftmax = unaryGradient((g, { y, dy }, { node }) => {
  const axis = node.attributes.axis?.type === "int" ? node.attributes.axis.value : -1;
  const total = g.op("ReduceSum", [dy, g.ints([axis])], { keepdims: 1 });
  return sub(g, dy, mul(g, g.op("Exp", [y]), total));
});

/** The gradient masks or scales: 0 or 1 / (1 - ratio), drawn anew in each step. */
const dropout: GradientRule = {
  forward: (site) => {
    const { graph: g, node } = site;
    const x = input(site, 0);
    const ratio = site.constant(1)?.[0] ?? floatAttribute(node, "ratio", 0.5);
    if (ratio === 0) return [x];
    return [g.value(x.shape, mul(g, g.plain(x), site.training.dropoutMask(node, x.shape, ratio)))];
  },
  backward: (site, [output], [dOutput]) => {
    if (dOutput === undefined) return [];
    const { graph: g, node } = site;
    const ratio = site.constant(1)?.[0] ?? floatAttribute(node, "ratio", 0.5);
    if (ratio === 0) return [dOutput];
    const mask = site.training.dropoutMask(node, output.shape, ratio);
    return [g.value(output.shape, mul(g, g.plain(dOutput), mask))];
  },
};

export const activations: Rules = {
  Relu: relu,
  LeakyRelu: leakyRelu,
  PRelu: prelu,
  Clip: clip,
  Sigmoid: sigmoid,
  HardSigmoid: hardSigmoid,
  HardSwish: hardSwish,
  Tanh: tanh,
  Softplus: softplus,
  Elu: elu,
  Gelu: gelu,
  Softmax: softmax,
  LogSoftmax: logSoftmax,
  Dropout: dropout,
};
