/** Gradients of normalisation layers. */
import { fromFront } from "../network/operators/attributes.ts";
import { floatAttribute, intAttribute, sizeOf } from "../network/network.ts";
import type { Shape } from "../network/shapes/context.ts";
import { add, div, mul, reshaped, scale, shift, square, sub, unbroadcast } from "./arithmetic.ts";
import { batchNorm } from "./batch-norm.ts";
import { filled, type Graph, type Value } from "./graph.ts";
import { standardised, type Normalised, throughStatistics } from "./normalise.ts";
import { input, type InputGradients, plainInput, type GradientRule, type Rules, type Site } from "./site.ts";

/** Output -> what the forward pass keeps for the gradient. */
const kept = new WeakMap<Value, Normalised>();

/** y = xhat scale + bias, xhat normalised over the axes from `axis` on. */
const layerNorm: GradientRule = {
  forward: (site) => {
    const { graph: g, node } = site;
    const { shape } = input(site, 0);
    const state = standardised(g, plainInput(site, 0), {
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
  const first = fromFront(axis, rank);
  return Array.from({ length: rank - first }, (_, i) => first + i);
}

/**
 * Local response normalisation: y = x s^-beta, s = bias + alpha / size * (sum of x^2 over `size` neighbouring
 * channels). dx = dy s^-beta - 2 alpha beta / size * x * (sum over the windows that hold the channel of dy y / s).
 */
const lrn: GradientRule = {
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
  const images = reshaped(g, name, [n, 1, channels, sizeOf(spatial)]);
  const sums = g.op("Conv", [images, filled(g, [1, 1, front + back + 1, 1], 1)], {
    pads: [front, 0, back, 0],
  });
  return reshaped(g, sums, shape);
}

export const normalization: Rules = {
  BatchNormalization: batchNorm,
  LayerNormalization: layerNorm,
  LRN: lrn,
};
