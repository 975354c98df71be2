/**
 * Convolution and its gradients with onnxruntime's NCHWc kernels.
 *
 * - forward: as it is
 * - dX: a convolution of dY with the weights mirrored and their channels swapped; at stride s zeros are put between the
 *   elements of dY first
 * - dW[o, c, u] = sum over n and t of X[n, c, t s + u d] dY[n, o, t]: a convolution with batch and channels in each
 *   other's place, dY as the weights, strides and dilations in each other's place
 *
 * Each reaches about the same share of the processor's peak, which matrix products over unfolded patches do not.
 */
import type { Shape } from "../../../network/shapes-context.ts";
import { reshape, transpose } from "./arithmetic.ts";
import { NCHWC, paddedChannels } from "./blocked.ts";
import type { Graph, Value } from "./graph.ts";
import { pack, type WeightForm } from "./packing.ts";
import { input, type InputGradients, plainInput, type Site } from "./site.ts";
import type { Windows } from "../../windows.ts";

interface ConvSettings {
  readonly kernel: Shape;
  readonly strides: Shape;
  readonly dilations: Shape;
  readonly pads: Shape;
}

function nchwcConv(g: Graph, inputs: readonly string[], settings: ConvSettings): string {
  const { kernel, strides, dilations, pads } = settings;
  return g.op(
    "Conv",
    inputs,
    { kernel_shape: kernel, strides, dilations, pads, group: 1, auto_pad: "NOTSET" },
    { domain: NCHWC },
  );
}

/** Name of the packed weights: the trained tensor itself, or a constant. */
function packedWeights(site: Site, form: WeightForm): string {
  const weights = input(site, 1);
  if (weights.packedName !== undefined) return weights.packedName;
  const { data } =
    site.parameter(1) ?? site.fail("computed weights", "constant or trained weights were needed");
  weights.packedName = site.graph.floats(form.packedShape, pack(data as Float32Array, form));
  return weights.packedName;
}

/** Y = X * W + b */
export function forwardBlocked(site: Site, w: Windows, form: WeightForm): Value {
  const { graph: g } = site;
  const x = input(site, 0);
  const inputs = [form.kind === "rows" ? g.plain(x) : g.blocked(x), packedWeights(site, form)];
  if (site.inputs[2] !== undefined) {
    const missing = form.packedShape[0] - form.shape[0];
    const bias = plainInput(site, 2);
    inputs.push(missing === 0 ? bias : g.op("Pad", [bias, g.ints([0, missing])]));
  }
  const settings = {
    kernel: w.kernel,
    strides: w.strides,
    dilations: w.dilations,
    pads: [...w.before, ...w.after],
  };
  return g.blockedValue(site.outputShapes[0], nchwcConv(g, inputs, settings));
}

/** Whether dX can be had as a convolution: the kernel, mirrored, must reach over the padding. */
export function canGoBack(w: Windows, form: WeightForm): boolean {
  const reach = w.kernel.map((size, i) => (size - 1) * w.dilations[i]);
  return form.kind === "blocks" && reach.every((size, i) => size >= w.before[i]);
}

/** The weights as [o, i, h, w]. */
export function unpackedWeights(site: Site, form: WeightForm): string {
  const { graph: g } = site;
  const { kind, block, shape, packedShape } = form;
  const [outputs, inputs, h, w] = packedShape;
  const step = kind === "rows" ? 1 : block;
  const cells = reshape(g, packedWeights(site, form), [outputs / block, inputs / step, h * w, step, block]);
  const whole = reshape(g, transpose(g, cells, [0, 4, 1, 3, 2]), packedShape);
  return shape.every((size, i) => size === packedShape[i])
    ? whole
    : g.op("Slice", [whole, g.ints([0, 0]), g.ints(shape.slice(0, 2)), g.ints([0, 1])]);
}

/** Gradients of W and b; that of X comes from {@link inputGradientBlocked}. */
export function backwardBlocked(site: Site, w: Windows, form: WeightForm, dOutput: Value): InputGradients {
  const { graph: g } = site;
  const dy = g.blocked(dOutput);
  const filters =
    site.wants(1) || site.wants(2) ? gradientAsFilters(g, dy, dOutput.shape, form.block) : undefined;
  return [
    undefined,
    site.wants(1) && filters !== undefined
      ? { shape: form.shape, packedName: weightGradient(site, w, form, filters) }
      : undefined,
    site.wants(2) && filters !== undefined ? biasGradient(site, form, filters, w) : undefined,
  ];
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
  });
  if (after.every((pad) => pad >= 0)) return g.blockedValue(shape, full);
  // the zeros behind the last element of dY reach further than X
  const made = w.input.map((size, i) => size + Math.max(0, -after[i]));
  const [n, channels] = [shape[0], form.packedShape[1]];
  const cells = reshape(g, full, [(n * channels) / form.block, ...made, form.block]);
  const cut = g.op("Slice", [cells, g.ints([0, 0]), g.ints(w.input), g.ints([1, 2])]);
  return g.blockedValue(shape, reshape(g, cut, [n, channels, ...w.input]));
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
  const cells = reshape(g, name, [(n * channels) / block, h, 1, w, 1, block]);
  const pads = [0, 0, 0, 0, 0, 0, 0, 0, down - 1, 0, across - 1, 0];
  const wide = g.op("Pad", [cells, g.ints(pads)]);
  return { name: reshape(g, wide, [n, channels, h * down, w * across]), sizes: [h * down, w * across] };
}

/** [o / B, i / B, h, w, Bi, Bo] -> [i / B, o / B, h, w mirrored, Bo, Bi]. */
function mirroredWeights(site: Site, form: WeightForm): string {
  const { graph: g } = site;
  const { block, packedShape } = form;
  const [outputs, inputs, h, w] = packedShape;
  const [ob, ib, area] = [outputs / block, inputs / block, h * w];
  const squares = reshape(g, packedWeights(site, form), [ob * ib * area, block, 1, block]);
  const flipped = g.op("ReorderInput", [squares], {}, { domain: NCHWC });
  const rows = reshape(g, flipped, [ob * ib * area, block * block]);
  const order: number[] = [];
  for (let i = 0; i < ib; i++) {
    for (let o = 0; o < ob; o++) {
      for (let k = area - 1; k >= 0; k--) order.push((o * ib + i) * area + k);
    }
  }
  return reshape(g, g.op("Gather", [rows, g.ints(order)], { axis: 0 }), [inputs, outputs, h, w]);
}

/** dY [n, o, h, w], blocked -> weights [o, n, h, w] as [o / B, n / B, h w, Bn, Bo]; n is padded with zeros. */
function gradientAsFilters(g: Graph, dy: string, shape: Shape, block: number): string {
  const [n, channels, h, w] = shape;
  const [outputs, images] = [paddedChannels(channels, block), paddedChannels(n, block)];
  const whole = padImages(g, dy, { n, images, rest: [outputs, h, w] });
  const cells = reshape(g, whole, [images / block, block, outputs / block, h * w, block]);
  return reshape(g, transpose(g, cells, [2, 0, 3, 1, 4]), [outputs, images, h, w]);
}

/**
 * X [n, i, h, w] -> [i, n, h, w] with n blocked: [i, n / B, h w, Bn], padded by `before` and `after`: the kernels are
 * two to three times slower where the window hangs over the edge, and here every second window would.
 */
function imagesAsChannels(
  site: Site,
  form: WeightForm,
  { before, after }: { before: Shape; after: Shape },
): string {
  const { graph: g } = site;
  const x = input(site, 0);
  const [n, , h, w] = x.shape;
  const channels = form.packedShape[1];
  const images = paddedChannels(n, form.block);
  const rows =
    form.kind === "rows" || channels === x.shape[1]
      ? g.plain(x)
      : g.op("ReorderOutput", [g.blocked(x)], { channels }, { domain: NCHWC });
  const whole = padImages(g, rows, { n, images, rest: [channels, h, w] });
  const flat = reshape(g, whole, [1, images, channels, h * w]);
  const blocked = g.op("ReorderInput", [flat], {}, { domain: NCHWC });
  const groups = images / form.block;
  const cells = reshape(g, blocked, [groups, channels, h * w * form.block]);
  const swapped = groups === 1 ? cells : transpose(g, cells, [1, 0, 2]);
  const [top, left, bottom, right] = [...before, ...after];
  const shape = [channels, images, h + top + bottom, w + left + right];
  if ([top, left, bottom, right].every((pad) => pad === 0)) return reshape(g, swapped, shape);
  const positions = reshape(g, swapped, [channels * groups, h, w, form.block]);
  return reshape(g, g.op("Pad", [positions, g.ints([0, top, left, 0, 0, bottom, right, 0])]), shape);
}

function padImages(
  g: Graph,
  name: string,
  { n, images, rest }: { n: number; images: number; rest: Shape },
): string {
  if (n === images) return name;
  return g.op("Pad", [reshape(g, name, [n, ...rest]), g.ints([0, 0, 0, 0, images - n, 0, 0, 0])]);
}

/** dW, packed. */
function weightGradient(site: Site, w: Windows, form: WeightForm, filters: string): string {
  const { graph: g } = site;
  const { block, packedShape } = form;
  const [outputs, inputs, h, wide] = packedShape;
  // where the stride does not divide evenly the last rows of X belong to no window: negative pads cut them off
  const after = w.input.map(
    (size, i) =>
      (w.kernel[i] - 1) * w.dilations[i] + (w.output[i] - 1) * w.strides[i] + 1 - size - w.before[i],
  );
  const full = nchwcConv(g, [imagesAsChannels(site, form, { before: w.before, after }), filters], {
    kernel: w.output,
    strides: w.dilations,
    dilations: w.strides,
    pads: [0, 0, 0, 0],
  });
  const cut = reshape(g, full, [inputs, outputs / block, h, wide, block]);
  if (form.kind === "rows") {
    return reshape(g, transpose(g, cut, [1, 0, 2, 3, 4]), packedShape);
  }
  const split = reshape(g, cut, [inputs / block, block, outputs / block, h * wide, block]);
  return reshape(g, transpose(g, split, [2, 0, 3, 1, 4]), packedShape);
}

/** db: sum of dY over images and positions, from its form as filters. */
function biasGradient(site: Site, form: WeightForm, filters: string, w: Windows): Value {
  const { graph: g } = site;
  const { block, packedShape, shape } = form;
  const [n] = input(site, 0).shape;
  const count = paddedChannels(n, block) * w.output[0] * w.output[1];
  const rows = reshape(g, filters, [packedShape[0] / block, count, block]);
  const sums = reshape(g, g.op("ReduceSum", [rows, g.ints([1])], { keepdims: 0 }), [packedShape[0]]);
  const cut = packedShape[0] === shape[0] ? sums : g.op("Slice", [sums, g.ints([0]), g.ints([shape[0]])]);
  return g.value([shape[0]], cut);
}
