/** Batch normalisation and its gradient, in the layout its input has. */
import { floatAttribute, intAttribute, sizeOf } from "../network/network.ts";
import type { Shape } from "../network/shapes/context.ts";
import { add, mul, neg, reshaped, scale, shift, sqrt, sub, sum } from "./arithmetic.ts";
import { channelSums, cutVector, nchwcConv, padVector, paddedChannels } from "./blocked.ts";
import { filled, type Graph, type Value } from "./graph.ts";
import { standardised, type Normalised, throughStatistics } from "./normalise.ts";
import { CENTRED } from "./simplify.ts";
import { input, type InputGradients, plainInput, type GradientRule, type Site } from "./site.ts";

/** What the forward pass keeps for the gradient. */
type Kept =
  | { readonly layout: "plain"; readonly state: Normalised }
  | { readonly layout: "blocked"; readonly state: BlockedState };

/** Vectors have one number for each padded channel. */
interface BlockedState {
  /** x, or x less a number for each channel. */
  readonly x: string;
  /** Mean of `x`. */
  readonly mean: string;
  /** 1 / deviation */
  readonly inverse: string;
  /** gamma / deviation */
  readonly factor: string;
}

const kept = new WeakMap<Value, Kept>();

const perChannel = (shape: Shape): Shape => [1, shape[1], ...shape.slice(2).map(() => 1)];
const allButChannels = (shape: Shape): number[] => shape.flatMap((_, i) => (i === 1 ? [] : [i]));

/** Batch statistics are used where scale or bias is trained: a frozen layer keeps its running statistics. */
const usesBatch = (site: Site): boolean =>
  site.training.isTrained(site.node, 1) || site.training.isTrained(site.node, 2);

const isCentred = ({ node }: Site): boolean => intAttribute(node, CENTRED, 0) === 1;

/**
 * running <- running * momentum + batch * (1 - momentum), with the population variance, as in ONNX.
 *
 * @param mean mean of the input, [channels]
 */
function updateStatistics(site: Site, mean: string, variance: string): void {
  const { graph: g, node } = site;
  const momentum = floatAttribute(node, "momentum", 0.9);
  const whole = isCentred(site) ? add(g, mean, plainInput(site, 3)) : mean;
  [whole, variance].forEach((batch, i) => {
    const running = plainInput(site, 3 + i);
    const fresh = scale(g, batch, 1 - momentum);
    site.training.update(node.inputs[3 + i], add(g, scale(g, running, momentum), fresh));
  });
}

function forwardPlain(site: Site): Value {
  const { graph: g, node } = site;
  const shape = site.outputShapes[0];
  const epsilon = floatAttribute(node, "epsilon", 1e-5);
  const [x, gamma, beta] = [0, 1, 2].map((index) => plainInput(site, index));
  const channel = perChannel(shape);
  let state: Normalised;
  if (usesBatch(site)) {
    const { mean, variance, ...rest } = standardised(g, x, { shape, axes: allButChannels(shape), epsilon });
    const vector = input(site, 3).shape;
    updateStatistics(site, reshaped(g, mean, vector), reshaped(g, variance, vector));
    state = rest;
  } else {
    const [average, variance] = [3, 4].map((index) => reshaped(g, plainInput(site, index), channel));
    const inverse = g.op("Reciprocal", [sqrt(g, shift(g, variance, epsilon))]);
    state = { xhat: mul(g, sub(g, x, average), inverse), inverse };
  }
  const y = add(g, mul(g, state.xhat, reshaped(g, gamma, channel)), reshaped(g, beta, channel));
  const value = g.value(shape, y);
  kept.set(value, { layout: "plain", state });
  return value;
}

function backwardPlain(site: Site, shape: Shape, state: Normalised, dOutput: Value): InputGradients {
  const { graph: g } = site;
  const axes = allButChannels(shape);
  const dy = g.plain(dOutput);
  const d = mul(g, dy, reshaped(g, plainInput(site, 1), perChannel(shape)));
  const channels = input(site, 1).shape;
  return [
    site.wants(0)
      ? g.value(
          shape,
          usesBatch(site) ? throughStatistics(g, d, state, shape, axes) : mul(g, d, state.inverse),
        )
      : undefined,
    site.wants(1) ? g.value(channels, sum(g, mul(g, dy, state.xhat), axes, 0)) : undefined,
    site.wants(2) ? g.value(channels, sum(g, dy, axes, 0)) : undefined,
  ];
}

/** x factor + offset, one of each for each of the `width` channels: a depthwise convolution with one weight a channel. */
function affine(g: Graph, width: number, x: string, factor: string, offset?: string): string {
  const weights = reshaped(g, factor, [width, 1, 1, 1]);
  return nchwcConv(g, offset === undefined ? [x, weights] : [x, weights, offset], {
    kernel: [1, 1],
    strides: [1, 1],
    dilations: [1, 1],
    pads: [0, 0, 0, 0],
    group: width,
  });
}

/** Sum of a b over images and positions, [padded channels]: each map of `a` is the filter of the same map of `b`. */
function productSums(g: Graph, a: string, b: string, shape: Shape): string {
  const [n, channels, ...area] = shape;
  const width = paddedChannels(channels, g.block);
  const products = nchwcConv(
    g,
    [reshaped(g, a, [1, n * width, ...area]), reshaped(g, b, [n * width, 1, ...area])],
    {
      kernel: area,
      strides: [1, 1],
      dilations: [1, 1],
      pads: [0, 0, 0, 0],
      group: n * width,
    },
  );
  return sum(g, reshaped(g, products, [n, width]), [0], 0);
}

/**
 * The variance is mean(x^2) - mean(x)^2, which is exact enough only where the mean is not far from zero: the running
 * mean was taken off before ({@link CENTRED}), or the mean is taken off here.
 */
function forwardBlocked(site: Site): Value {
  const { graph: g, node } = site;
  const shape = site.outputShapes[0];
  const [, channels] = shape;
  const count = sizeOf(shape) / channels;
  const width = paddedChannels(channels, g.block);
  const vector = (index: number): string => padVector(g, plainInput(site, index), channels);
  let x = g.blocked(input(site, 0));
  let mean = vector(3);
  let variance = vector(4);
  if (usesBatch(site)) {
    mean = scale(g, channelSums(g, x, shape), 1 / count);
    let rest = mean;
    if (!isCentred(site)) {
      x = affine(g, width, x, filled(g, [width], 1), neg(g, mean));
      rest = scale(g, channelSums(g, x, shape), 1 / count);
    }
    const squares = scale(g, productSums(g, x, x, shape), 1 / count);
    variance = g.op("Relu", [sub(g, squares, mul(g, rest, rest))]);
    updateStatistics(site, cutVector(g, mean, channels), cutVector(g, variance, channels));
    mean = rest;
  }
  const inverse = g.op("Reciprocal", [sqrt(g, shift(g, variance, floatAttribute(node, "epsilon", 1e-5)))]);
  const factor = mul(g, vector(1), inverse);
  const value = g.blockedValue(shape, affine(g, width, x, factor, sub(g, vector(2), mul(g, mean, factor))));
  kept.set(value, { layout: "blocked", state: { x, mean, inverse, factor } });
  return value;
}

/**
 * With S = sum(dY) and T = sum(dY xhat) over the m elements of a channel, dX = factor (dY - S / m - xhat T / m); written
 * with x in place of xhat this is dY a + x b + c.
 */
function backwardBlocked(site: Site, shape: Shape, state: BlockedState, dOutput: Value): InputGradients {
  const { graph: g } = site;
  const { x, mean, inverse, factor } = state;
  const [, channels] = shape;
  const count = sizeOf(shape) / channels;
  const width = paddedChannels(channels, g.block);
  const dy = g.blocked(dOutput);
  const total = channelSums(g, dy, shape);
  const along = mul(g, inverse, sub(g, productSums(g, dy, x, shape), mul(g, mean, total)));
  const dInput = (): string => {
    if (!usesBatch(site)) return affine(g, width, dy, factor);
    const ofX = scale(g, mul(g, factor, mul(g, inverse, along)), -1 / count);
    const rest = neg(g, add(g, scale(g, mul(g, factor, total), 1 / count), mul(g, ofX, mean)));
    return add(g, affine(g, width, dy, factor), affine(g, width, x, ofX, rest));
  };
  return [
    site.wants(0) ? g.blockedValue(shape, dInput()) : undefined,
    site.wants(1) ? g.value([channels], cutVector(g, along, channels)) : undefined,
    site.wants(2) ? g.value([channels], cutVector(g, total, channels)) : undefined,
  ];
}

export const batchNorm: GradientRule = {
  forward: (site) => [input(site, 0).blockedName === undefined ? forwardPlain(site) : forwardBlocked(site)],
  backward: (site, [output], [dOutput]): InputGradients => {
    const found = kept.get(output);
    if (dOutput === undefined || found === undefined) return [];
    return found.layout === "plain"
      ? backwardPlain(site, output.shape, found.state, dOutput)
      : backwardBlocked(site, output.shape, found.state, dOutput);
  },
};
