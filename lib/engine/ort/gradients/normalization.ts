/** Gradients of normalisation layers. */
import { floatAttribute, intAttribute, sizeOf } from "../../../network/network.ts";
import type { Shape } from "../../../network/shapes-context.ts";
import {
  add,
  div,
  mean,
  mul,
  reshape,
  scale,
  shift,
  sqrt,
  square,
  sub,
  sum,
  unbroadcast,
} from "./arithmetic.ts";
import { filled, type Graph, type Value } from "./graph.ts";
import { input, type InputGradients, plainInput, type Rule, type Rules, type Site } from "./site.ts";

/** What the forward pass of a normalisation keeps for its gradient. */
interface Normalised {
  /** (x - mean) / deviation */
  readonly xhat: string;
  /** 1 / deviation, broadcastable. */
  readonly inverse: string;
}

const kept = new WeakMap<Value, Normalised>();

/** x normalised over `axes`, with the statistics. */
function normalise(
  g: Graph,
  x: string,
  { shape, axes, epsilon }: { shape: Shape; axes: readonly number[]; epsilon: number },
): Normalised & { mean: string; variance: string } {
  const average = mean(g, x, shape, axes);
  const centred = sub(g, x, average);
  const variance = mean(g, square(g, centred), shape, axes);
  const inverse = g.op("Reciprocal", [sqrt(g, shift(g, variance, epsilon))]);
  return { xhat: mul(g, centred, inverse), inverse, mean: average, variance };
}

/** dx = (d - mean(d) - xhat mean(d xhat)) / deviation, with d = gradient of xhat. */
function throughStatistics(
  g: Graph,
  d: string,
  { xhat, inverse }: Normalised,
  shape: Shape,
  axes: number[],
): string {
  const centre = mean(g, d, shape, axes);
  const along = mean(g, mul(g, d, xhat), shape, axes);
  return mul(g, sub(g, sub(g, d, centre), mul(g, xhat, along)), inverse);
}

const perChannel = (shape: Shape): Shape => [1, shape[1], ...shape.slice(2).map(() => 1)];
const allButChannels = (shape: Shape): number[] => shape.flatMap((_, i) => (i === 1 ? [] : [i]));

/** Batch statistics are used where scale or bias is trained: a frozen layer keeps its running statistics. */
const usesBatch = (site: Site): boolean =>
  site.training.isTrained(site.node, 1) || site.training.isTrained(site.node, 2);

/** running <- running * momentum + batch * (1 - momentum), with the population variance, as in ONNX. */
function updateStatistics(site: Site, mean: string, variance: string): void {
  const { graph: g, node } = site;
  const momentum = floatAttribute(node, "momentum", 0.9);
  const { shape } = input(site, 3);
  [mean, variance].forEach((batch, i) => {
    const running = plainInput(site, 3 + i);
    const fresh = scale(g, reshape(g, batch, shape), 1 - momentum);
    site.training.update(node.inputs[3 + i], add(g, scale(g, running, momentum), fresh));
  });
}

const batchNorm: Rule = {
  forward: (site) => {
    const { graph: g, node } = site;
    const shape = site.outputShapes[0];
    const epsilon = floatAttribute(node, "epsilon", 1e-5);
    const [x, gamma, beta] = [0, 1, 2].map((index) => plainInput(site, index));
    const channel = perChannel(shape);
    let state: Normalised;
    if (usesBatch(site)) {
      const { mean, variance, ...rest } = normalise(g, x, { shape, axes: allButChannels(shape), epsilon });
      updateStatistics(site, mean, variance);
      state = rest;
    } else {
      const [average, variance] = [3, 4].map((index) => reshape(g, plainInput(site, index), channel));
      const inverse = g.op("Reciprocal", [sqrt(g, shift(g, variance, epsilon))]);
      state = { xhat: mul(g, sub(g, x, average), inverse), inverse };
    }
    const y = add(g, mul(g, state.xhat, reshape(g, gamma, channel)), reshape(g, beta, channel));
    const value = g.value(shape, y);
    kept.set(value, state);
    return [value];
  },
  backward: (site, [output], [dOutput]): InputGradients => {
    const state = kept.get(output);
    if (dOutput === undefined || state === undefined) return [];
    const { graph: g } = site;
    const { shape } = output;
    const axes = allButChannels(shape);
    const dy = g.plain(dOutput);
    const d = mul(g, dy, reshape(g, plainInput(site, 1), perChannel(shape)));
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
  },
};

/** y = xhat scale + bias, xhat normalised over the axes from `axis` on. */
const layerNorm: Rule = {
  forward: (site) => {
    const { graph: g, node } = site;
    const { shape } = input(site, 0);
    const state = normalise(g, plainInput(site, 0), {
      shape,
      axes: trailingAxes(site),
      epsilon: floatAttribute(node, "epsilon", 1e-5),
    });
    const scaled = mul(g, state.xhat, plainInput(site, 1));
    const value = g.value(shape, site.inputs[2] === undefined ? scaled : add(g, scaled, plainInput(site, 2)));
    kept.set(value, state);
    return [value];
  },
  backward: (site, [output], [dOutput]): InputGradients => {
    const state = kept.get(output);
    if (dOutput === undefined || state === undefined) return [];
    const { graph: g } = site;
    const { shape } = output;
    const dy = g.plain(dOutput);
    const toShape = (index: number, name: string): Value => {
      const target = input(site, index).shape;
      return g.value(target, unbroadcast(g, name, shape, target));
    };
    return [
      site.wants(0)
        ? g.value(
            shape,
            throughStatistics(g, mul(g, dy, plainInput(site, 1)), state, shape, trailingAxes(site)),
          )
        : undefined,
      site.wants(1) ? toShape(1, mul(g, dy, state.xhat)) : undefined,
      site.wants(2) ? toShape(2, dy) : undefined,
    ];
  },
};

function trailingAxes(site: Site): number[] {
  const rank = input(site, 0).shape.length;
  const axis = intAttribute(site.node, "axis", -1);
  const first = axis < 0 ? axis + rank : axis;
  return Array.from({ length: rank - first }, (_, i) => first + i);
}

/**
 * Local response normalisation: y = x s^-beta, s = bias + alpha / size * (sum of x^2 over `size` neighbouring
 * channels). dx = dy s^-beta - 2 alpha beta / size * x * (sum over the windows that hold the channel of dy y / s).
 */
const lrn: Rule = {
  backward: (site, [output], [dOutput]) => {
    if (dOutput === undefined || !site.wants(0)) return [];
    const { graph: g, node } = site;
    const { shape } = input(site, 0);
    const size = intAttribute(node, "size", 1);
    const alpha = floatAttribute(node, "alpha", 1e-4);
    const beta = floatAttribute(node, "beta", 0.75);
    const [front, back] = [Math.floor((size - 1) / 2), Math.ceil((size - 1) / 2)];
    const x = plainInput(site, 0);
    const dy = g.plain(dOutput);
    const s = shift(
      g,
      scale(g, channelSums(g, square(g, x), shape, front, back), alpha / size),
      floatAttribute(node, "bias", 1),
    );
    const direct = mul(g, dy, g.op("Pow", [s, g.scalar(-beta)]));
    const shared = channelSums(g, div(g, mul(g, dy, g.plain(output)), s), shape, back, front);
    return [g.value(shape, sub(g, direct, scale(g, mul(g, x, shared), (2 * alpha * beta) / size)))];
  },
};

/** Sum over `front` channels before and `back` after each channel, itself included. */
function channelSums(g: Graph, name: string, shape: Shape, front: number, back: number): string {
  const [n, channels, ...spatial] = shape;
  const images = reshape(g, name, [n, 1, channels, sizeOf(spatial)]);
  const sums = g.op("Conv", [images, filled(g, [1, 1, front + back + 1, 1], 1)], {
    pads: [front, 0, back, 0],
  });
  return reshape(g, sums, shape);
}

export const normalization: Rules = {
  BatchNormalization: batchNorm,
  LayerNormalization: layerNorm,
  LRN: lrn,
};
