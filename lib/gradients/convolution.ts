/** Gradients of convolutions in row-major layout: any rank, groups, strides, dilations, pads. */
import { intAttribute } from "../network/network.ts";
import type { Shape } from "../network/shapes/context.ts";
import { reshape, sum, transpose } from "./arithmetic.ts";
import type { Graph, Value } from "./graph.ts";
import { canGoBack, forwardBlocked, inputGradientBlocked, unpackedWeights } from "./convolution-blocked.ts";
import { type WeightForm, weightForm } from "./packing.ts";
import { copyNode, input, plainInput, type Rule, type Rules, type Site } from "./site.ts";
import type { Windows } from "../network/windows.ts";
import { backwardBlocked } from "./weight-gradient.ts";
import { windowsOf } from "./windows.ts";

/** [n, g c, ...] -> [c, g n, ...]: batch and channels of each group change places. */
function swapBatch(g: Graph, name: string, shape: Shape, group: number): string {
  const [n, channels, ...spatial] = shape;
  const rest = spatial.map((_, i) => i);
  if (group === 1) return transpose(g, name, [1, 0, ...rest.map((i) => i + 2)]);
  const split = reshape(g, name, [n, group, channels / group, ...spatial]);
  const swapped = transpose(g, split, [2, 1, 0, ...rest.map((i) => i + 3)]);
  return reshape(g, swapped, [channels / group, group * n, ...spatial]);
}

/** dX: the transposed convolution of dY with the same weights. */
function inputGradient(
  site: Site,
  w: Windows,
  { dy, weights, group }: { dy: string; weights: string; group: number },
): Value {
  const { graph: g } = site;
  const extra = w.input.map(
    (size, i) =>
      size -
      ((w.output[i] - 1) * w.strides[i] + (w.kernel[i] - 1) * w.dilations[i] + 1 - w.before[i] - w.after[i]),
  );
  const name = g.op("ConvTranspose", [dy, weights], {
    group,
    kernel_shape: w.kernel,
    strides: w.strides,
    dilations: w.dilations,
    pads: [...w.before, ...w.after],
    output_padding: extra.map((rest) => Math.max(0, rest)),
  });
  return g.value(input(site, 0).shape, name);
}

/**
 * dW[o, c, u] = sum over n and t of X[n, c, t stride + u dilation] dY[n, o, t]: a convolution whose batch is the input
 * channels, whose channels are the batch, and whose strides and dilations have changed places.
 */
function weightGradient(site: Site, w: Windows, dy: string, group: number): Value {
  const { graph: g } = site;
  const { shape } = input(site, 1);
  const x = swapBatch(g, plainInput(site, 0), input(site, 0).shape, group);
  const filters = swapOutputs(g, dy, site.outputShapes[0]);
  const full = g.op("Conv", [x, filters], {
    group,
    kernel_shape: w.output,
    strides: w.dilations,
    dilations: w.strides,
    pads: [...w.before, ...w.after],
  });
  // where the stride does not divide evenly the convolution gives more positions than the kernel has
  const axes = w.kernel.map((_, i) => i + 2);
  const cut = g.op("Slice", [full, g.ints(axes.map(() => 0)), g.ints(w.kernel), g.ints(axes)]);
  return g.value(shape, transpose(g, cut, [1, 0, ...axes]));
}

/** [n, o, ...] -> [o, n, ...] */
const swapOutputs = (g: Graph, name: string, shape: Shape): string =>
  transpose(g, name, [1, 0, ...shape.slice(2).map((_, i) => i + 2)]);

/** The blocked form, where the weights are trained in it or constant. */
function formOf(site: Site): WeightForm | undefined {
  const { shape, packedName } = input(site, 1);
  const isUsable = packedName !== undefined || site.parameter(1) !== undefined;
  return isUsable ? weightForm(shape, intAttribute(site.node, "group", 1), site.graph.block) : undefined;
}

const conv: Rule = {
  forward: (site) => {
    const form = formOf(site);
    if (form === undefined) return copyNode(site);
    return [forwardBlocked(site, windowsOf(site, form.shape.slice(2)), form)];
  },
  backward: (site, _outputs, [dOutput]) => {
    if (dOutput === undefined) return [];
    const { graph: g, node } = site;
    const w = windowsOf(site, input(site, 1).shape.slice(2));
    const form = formOf(site);
    const group = intAttribute(node, "group", 1);
    if (form !== undefined) {
      const [, dWeights, dBias] = backwardBlocked(site, w, form, dOutput);
      if (!site.wants(0)) return [undefined, dWeights, dBias];
      const dInput = canGoBack(w, form)
        ? inputGradientBlocked(site, w, form, dOutput)
        : inputGradient(site, w, { dy: g.plain(dOutput), weights: unpackedWeights(site, form), group });
      return [dInput, dWeights, dBias];
    }
    const dy = g.plain(dOutput);
    return [
      site.wants(0) ? inputGradient(site, w, { dy, weights: plainInput(site, 1), group }) : undefined,
      site.wants(1) ? weightGradient(site, w, dy, group) : undefined,
      site.wants(2) ? biasGradient(site, 2, dy) : undefined,
    ];
  },
};

/** Sum over everything but the channels. */
function biasGradient(site: Site, index: number, dy: string): Value {
  const { graph: g } = site;
  const axes = site.outputShapes[0].flatMap((_, i) => (i === 1 ? [] : [i]));
  return g.value(input(site, index).shape, sum(g, dy, axes, 0));
}

/** dX is the convolution of dY with the weights; dW swaps batch and channels, with X and dY in each other's place. */
const convTranspose: Rule = {
  backward: (site, _outputs, [dOutput]) => {
    if (dOutput === undefined) return [];
    const { graph: g, node } = site;
    const group = intAttribute(node, "group", 1);
    const kernel = input(site, 1).shape.slice(2);
    const w = windowsOf(site, kernel);
    const dy = g.plain(dOutput);
    // pads that make the convolution of dY exactly as large as X
    const before = w.before;
    const after = w.input.map(
      (size, i) => (size - 1) * w.strides[i] + (kernel[i] - 1) * w.dilations[i] + 1 - w.output[i] - before[i],
    );
    const pads = [...before, ...after];
    const padded = pads.some((pad) => pad < 0)
      ? g.op("Pad", [dy, g.ints([0, 0, ...before, 0, 0, ...after])])
      : undefined;
    const source = padded ?? dy;
    const used = padded === undefined ? pads : pads.map(() => 0);
    const sourceShape = site.outputShapes[0].map((size, i) =>
      padded === undefined || i < 2 ? size : size + before[i - 2] + after[i - 2],
    );
    const dx = (): string =>
      g.op("Conv", [source, plainInput(site, 1)], {
        group,
        kernel_shape: kernel,
        strides: w.strides,
        dilations: w.dilations,
        pads: used,
      });
    const dw = (): string => {
      const axes = kernel.map((_, i) => i + 2);
      const full = g.op(
        "Conv",
        [swapBatch(g, source, sourceShape, group), swapOutputs(g, plainInput(site, 0), input(site, 0).shape)],
        { group, kernel_shape: w.input, strides: w.dilations, dilations: w.strides, pads: used },
      );
      const cut = g.op("Slice", [full, g.ints(axes.map(() => 0)), g.ints(kernel), g.ints(axes)]);
      return transpose(g, cut, [1, 0, ...axes]);
    };
    return [
      site.wants(0) ? g.value(input(site, 0).shape, dx()) : undefined,
      site.wants(1) ? g.value(input(site, 1).shape, dw()) : undefined,
      site.wants(2) ? biasGradient(site, 2, dy) : undefined,
    ];
  },
};

export const convolutions: Rules = { Conv: conv, ConvTranspose: convTranspose };
