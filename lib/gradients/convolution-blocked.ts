/**
 * Convolution and the gradient of its input with onnxruntime's NCHWc kernels.
 *
 * - forward: as it is
 * - dX: a convolution of dY with the weights mirrored and their channels swapped; at stride s zeros are put between the
 *   elements of dY first
 */
import type { Shape } from "../network/shapes/context.ts";
import { reshaped, transposed } from "./arithmetic.ts";
import { NCHWC, nchwcConv, paddedChannels, padVector } from "./blocked.ts";
import type { Graph, Value } from "./graph.ts";
import { pack, type WeightForm } from "./packing.ts";
import { input, plainInput, type Site } from "./site.ts";
import type { Windows } from "../network/windows.ts";

/** Name of the packed weights: the trained tensor itself, or a constant. */
function packedWeights(site: Site, form: WeightForm): string {
  const weights = input(site, 1);
  if (weights.packedName !== undefined) return weights.packedName;
  const { data } =
    site.parameter(1) ?? site.fail("computed weights", "constant or trained weights were needed");
  weights.packedName = site.graph.floats(form.packedShape, pack(data as Float32Array, form));
  return weights.packedName;
}

const groupOf = ({ kind, packedShape }: WeightForm): number => (kind === "channels" ? packedShape[0] : 1);

/** Y = X * W + b */
export function forwardBlocked(site: Site, w: Windows, form: WeightForm): Value {
  const { graph: g } = site;
  const x = input(site, 0);
  const inputs = [form.kind === "rows" ? g.plain(x) : g.blocked(x), packedWeights(site, form)];
  if (site.inputs[2] !== undefined) inputs.push(padVector(g, plainInput(site, 2), form.shape[0]));
  const settings = {
    kernel: w.kernel,
    strides: w.strides,
    dilations: w.dilations,
    pads: [...w.before, ...w.after],
    group: groupOf(form),
  };
  return g.blockedValue(site.outputShapes[0], nchwcConv(g, inputs, settings));
}

/** Whether dX can be had as a convolution: the kernel, mirrored, must reach over the padding. */
export function canGoBack(w: Windows, form: WeightForm): boolean {
  const reach = w.kernel.map((size, i) => (size - 1) * w.dilations[i]);
  return form.kind !== "rows" && reach.every((size, i) => size >= w.before[i]);
}

/** The weights as [o, i, h, w]. */
export function unpackedWeights(site: Site, form: WeightForm): string {
  const { graph: g } = site;
  const { kind, block, shape, packedShape } = form;
  const [outputs, inputs, h, w] = packedShape;
  const step = kind === "blocks" ? block : 1;
  const cells = reshaped(g, packedWeights(site, form), [outputs / block, inputs / step, h * w, step, block]);
  const whole = reshaped(g, transposed(g, cells, [0, 4, 1, 3, 2]), packedShape);
  return shape.every((size, i) => size === packedShape[i])
    ? whole
    : g.op("Slice", [whole, g.ints([0, 0]), g.ints(shape.slice(0, 2)), g.ints([0, 1])]);
}

/** dX [n, i, h, w], blocked. */
export function inputGradientBlocked(site: Site, w: Windows, form: WeightForm, dOutput: Value): Value {
  const { graph: g } = site;
  const { shape } = input(site, 0);
  const reach = w.kernel.map((size, i) => (size - 1) * w.dilations[i]);
  const before = reach.map((size, i) => size - w.before[i]);
  const { name, sizes } = spaced(
    g,
    g.blocked(dOutput),
    [shape[0], form.packedShape[0], ...w.output],
    w,
    form.block,
  );
  const after = w.input.map((size, i) => size + reach[i] - sizes[i] - before[i]);
  const full = nchwcConv(g, [name, mirroredWeights(site, form)], {
    kernel: w.kernel,
    strides: [1, 1],
    dilations: w.dilations,
    pads: [...before, ...after.map((pad) => Math.max(0, pad))],
    group: groupOf(form),
  });
  if (after.every((pad) => pad >= 0)) return g.blockedValue(shape, full);
  // the zeros behind the last element of dY reach further than X
  const made = w.input.map((size, i) => size + Math.max(0, -after[i]));
  const [n, channels] = [shape[0], paddedChannels(shape[1], form.block)];
  const cells = reshaped(g, full, [(n * channels) / form.block, ...made, form.block]);
  const cut = g.op("Slice", [cells, g.ints([0, 0]), g.ints(w.input), g.ints([1, 2])]);
  return g.blockedValue(shape, reshaped(g, cut, [n, channels, ...w.input]));
}

/** Puts stride - 1 zeros behind every element of a blocked tensor [n, C, h, w]; at stride 1 nothing. */
function spaced(
  g: Graph,
  name: string,
  [n, channels, h, w]: Shape,
  { strides: [down, across] }: Windows,
  block: number,
): { name: string; sizes: Shape } {
  if (down === 1 && across === 1) return { name, sizes: [h, w] };
  const cells = reshaped(g, name, [(n * channels) / block, h, 1, w, 1, block]);
  const pads = [0, 0, 0, 0, 0, 0, 0, 0, down - 1, 0, across - 1, 0];
  const wide = g.op("Pad", [cells, g.ints(pads)]);
  return { name: reshaped(g, wide, [n, channels, h * down, w * across]), sizes: [h * down, w * across] };
}

/** [o / B, i / B, h, w, Bi, Bo] -> [i / B, o / B, h, w mirrored, Bo, Bi]; depthwise: mirrored alone. */
function mirroredWeights(site: Site, form: WeightForm): string {
  const { graph: g } = site;
  const { block, packedShape } = form;
  const [outputs, inputs, h, w] = packedShape;
  if (form.kind === "channels") {
    const cells = reshaped(g, packedWeights(site, form), [outputs / block, h * w, block]);
    const reversed = g.ints(Array.from({ length: h * w }, (_, k) => h * w - 1 - k));
    return reshaped(g, g.op("Gather", [cells, reversed], { axis: 1 }), packedShape);
  }
  const [ob, ib, area] = [outputs / block, inputs / block, h * w];
  const squares = reshaped(g, packedWeights(site, form), [ob * ib * area, block, 1, block]);
  const flipped = g.op("ReorderInput", [squares], {}, { domain: NCHWC });
  const rows = reshaped(g, flipped, [ob * ib * area, block * block]);
  const order: number[] = [];
  for (let i = 0; i < ib; i++) {
    for (let o = 0; o < ob; o++) {
      for (let k = area - 1; k >= 0; k--) order.push((o * ib + i) * area + k);
    }
  }
  return reshaped(g, g.op("Gather", [rows, g.ints(order)], { axis: 0 }), [inputs, outputs, h, w]);
}
