/**
 * Gradients of a blocked convolution's weights and bias: dW[o, c, u] = sum over n and t of X[n, c, t s + u d] dY[n, o, t].
 *
 * - 1x1: a matrix product for each image, or one for all images where the weights are larger than the maps
 * - few inputs: a matrix product with the patches of X
 * - depthwise: a depthwise convolution of X with dY as the filters; blocked dY already has the order of its weights
 * - else: a convolution with batch and channels in each other's place, dY as the weights
 *
 * In both convolutions strides and dilations are in each other's place.
 */
import { sizeOf } from "../network/network.ts";
import type { Shape } from "../network/shapes/context.ts";
import type { Windows } from "../network/windows.ts";
import { reshaped, sum, transposed } from "./arithmetic.ts";
import { channelSums, cutVector, NCHWC, nchwcConv, paddedChannels } from "./blocked.ts";
import type { Graph, Value } from "./graph.ts";
import { pack, type WeightForm, weightForm } from "./packing.ts";
import { input, type InputGradients, type Site } from "./site.ts";

/** Gradients of W and b; that of X comes from `inputGradientBlocked`. */
export function backwardBlocked(site: Site, w: Windows, form: WeightForm, dOutput: Value): InputGradients {
  const { graph: g } = site;
  const { shape } = form;
  const weights = (): string =>
    form.kind === "channels"
      ? depthwiseGradient(site, w, form, dOutput)
      : isPointwise(w, form)
        ? pointwiseGradient(site, form, dOutput)
        : hasSmallPatches(form)
          ? patchGradient(site, w, form, dOutput)
          : imagesGradient(site, w, form, dOutput);
  const bias = (): string => cutVector(g, channelSums(g, g.blocked(dOutput), dOutput.shape), shape[0]);
  return [
    undefined,
    site.wants(1) ? { shape, packedName: weights() } : undefined,
    site.wants(2) ? g.value([shape[0]], bias()) : undefined,
  ];
}

const isPointwise = (w: Windows, { kind }: WeightForm): boolean =>
  kind === "blocks" &&
  w.kernel.every((size, i) => size === 1 && w.strides[i] === 1 && w.before[i] === 0 && w.after[i] === 0);

/**
 * How far behind X the windows reach. Negative where the stride does not divide evenly: the last rows of X belong to no
 * window.
 */
const reachBehind = (w: Windows): number[] =>
  w.input.map(
    (size, i) =>
      (w.kernel[i] - 1) * w.dilations[i] + (w.output[i] - 1) * w.strides[i] + 1 - size - w.before[i],
  );

/** Row-major with padded channels, [n, channels, ...]. */
function paddedRows(g: Graph, value: Value, channels: number): string {
  return channels === value.shape[1]
    ? g.plain(value)
    : g.op("ReorderOutput", [g.blocked(value)], { channels }, { domain: NCHWC });
}

/** A blocked value, with its channels padded to `width`. */
type Part = readonly [value: Value, width: number];

/** Sum over images and positions of the products of every channel of `a` with every channel of `b`, [width of a, of b]. */
function channelProducts(g: Graph, a: Part, b: Part): string {
  const [[{ shape }, rows], [, columns]] = [a, b];
  const [n, , h, w] = shape;
  const area = h * w;
  // one product for all images, where a product for each would be larger than what it is made of
  if (rows * columns > area * (rows + columns)) {
    const lists = [a, b].map(([value, channels]) => {
      const options = { channels, channels_last: 1 };
      const last = g.op("ReorderOutput", [g.blocked(value)], options, { domain: NCHWC });
      return reshaped(g, last, [n * area, channels]);
    });
    return g.op("Gemm", lists, { transA: 1 });
  }
  const maps = [a, b].map(([value, width]) => reshaped(g, paddedRows(g, value, width), [n, width, area]));
  return sum(g, g.op("FusedMatMul", maps, { transB: 1 }, { domain: "com.microsoft" }), [0], 0);
}

/** dW of a 1x1 convolution, packed. */
function pointwiseGradient(site: Site, form: WeightForm, dOutput: Value): string {
  const { graph: g } = site;
  const { block, packedShape } = form;
  const [outputs, inputs] = packedShape;
  const [ob, ib] = [outputs / block, inputs / block];
  const [dy, x]: Part[] = [
    [dOutput, outputs],
    [input(site, 0), inputs],
  ];
  // the product is fastest with more rows than columns
  const cells =
    outputs >= inputs
      ? transposed(g, reshaped(g, channelProducts(g, dy, x), [ob, block, ib, block]), [0, 2, 3, 1])
      : transposed(g, reshaped(g, channelProducts(g, x, dy), [ib, block, ob, block]), [2, 0, 1, 3]);
  return reshaped(g, cells, packedShape);
}

/** Most elements of a patch for which patches are made. */
const SMALL_PATCH = 32;

const hasSmallPatches = ({ kind, shape }: WeightForm): boolean =>
  kind === "rows" && sizeOf(shape.slice(1)) <= SMALL_PATCH;

/**
 * dW of a first layer, packed: a product of dY with the patches of X. Patches are made by a convolution, each filter of
 * which picks one element.
 */
function patchGradient(site: Site, w: Windows, form: WeightForm, dOutput: Value): string {
  const { graph: g } = site;
  const { block, packedShape } = form;
  const [outputs] = packedShape;
  const size = sizeOf(form.shape.slice(1));
  const picks = weightForm([size, ...form.shape.slice(1)], 1, block) ?? form;
  const unit = Float32Array.from({ length: size * size }, (_, i) => (i % (size + 1) === 0 ? 1 : 0));
  const patches = nchwcConv(g, [g.plain(input(site, 0)), g.floats(picks.packedShape, pack(unit, picks))], {
    kernel: w.kernel,
    strides: w.strides,
    dilations: w.dilations,
    pads: [...w.before, ...w.after],
  });
  const value = g.blockedValue([dOutput.shape[0], size, ...w.output], patches);
  const product = channelProducts(g, [dOutput, outputs], [value, size]);
  const cells = transposed(g, reshaped(g, product, [outputs / block, block, size]), [0, 2, 1]);
  return reshaped(g, cells, packedShape);
}

/** dW of a depthwise convolution, packed: every image and channel has a window of its own, images are summed after. */
function depthwiseGradient(site: Site, w: Windows, form: WeightForm, dOutput: Value): string {
  const { graph: g } = site;
  const { block, packedShape } = form;
  const [n] = dOutput.shape;
  const [channels] = packedShape;
  const maps = n * channels;
  const after = reachBehind(w);
  // pads must not be negative: positions behind the kernel are cut off the result instead
  const made = w.kernel.map((size, i) => size + Math.floor(Math.max(0, -after[i]) / w.dilations[i]));
  const windows = nchwcConv(
    g,
    [
      reshaped(g, g.blocked(input(site, 0)), [1, maps, ...w.input]),
      reshaped(g, g.blocked(dOutput), [maps, 1, ...w.output]),
    ],
    {
      kernel: w.output,
      strides: w.dilations,
      dilations: w.strides,
      pads: [...w.before, ...after.map((pad) => Math.max(0, pad))],
      group: maps,
    },
  );
  const total = sum(g, reshaped(g, windows, [n, (channels / block) * made[0], made[1], block]), [0], 0);
  if (made.every((size, i) => size === w.kernel[i])) return reshaped(g, total, packedShape);
  const cells = reshaped(g, total, [channels / block, ...made, block]);
  const cut = g.op("Slice", [cells, g.ints([0, 0]), g.ints(w.kernel), g.ints([1, 2])]);
  return reshaped(g, cut, packedShape);
}

/** Bytes of filters that stay in a core's own cache; machines with blocks of 16 channels have a larger one. */
const cacheBytes = (block: number): number => (block > 8 ? 2 ** 20 : 7 * 2 ** 16);

/**
 * How many rows of dY make one band. The kernel reads its filters, four blocks of them, once for every row of its output:
 * in bands they come from the cache. All rows where they are few, or where the bands of X would overlap by half.
 */
function bandRows(w: Windows, block: number): number {
  const [height, width] = w.output;
  const limit = cacheBytes(block) / (Float32Array.BYTES_PER_ELEMENT * 4 * block * block * width);
  if (height <= limit) return height;
  let rows = Math.floor(limit);
  while (rows > 1 && height % rows !== 0) rows--;
  return rows > 0 && rowsRead(w, rows) <= 2 * rows * w.strides[0] ? rows : height;
}

/** How many rows of X a band of dY looks at. */
const rowsRead = (w: Windows, rows: number): number =>
  (rows - 1) * w.strides[0] + (w.kernel[0] - 1) * w.dilations[0] + 1;

/** dW of any other convolution, packed. */
function imagesGradient(site: Site, w: Windows, form: WeightForm, dOutput: Value): string {
  const { graph: g } = site;
  const { block, packedShape } = form;
  const [outputs, inputs, h, wide] = packedShape;
  const rows = bandRows(w, block);
  const bands = w.output[0] / rows;
  const images = paddedChannels(dOutput.shape[0], block) * bands;
  const whole = imagesAsChannels(site, form, { before: w.before, after: reachBehind(w) });
  const x = bands === 1 ? whole.name : inBands(g, whole, w, rows, block);
  const filters = reshaped(g, gradientAsFilters(g, dOutput, block), [outputs, images, rows, w.output[1]]);
  const full = nchwcConv(g, [x, filters], {
    kernel: [rows, w.output[1]],
    strides: w.dilations,
    dilations: w.strides,
    pads: [0, 0, 0, 0],
  });
  const cut = reshaped(g, full, [inputs, outputs / block, h, wide, block]);
  if (form.kind === "rows") {
    return reshaped(g, transposed(g, cut, [1, 0, 2, 3, 4]), packedShape);
  }
  const split = reshaped(g, cut, [inputs / block, block, outputs / block, h * wide, block]);
  return reshaped(g, transposed(g, split, [2, 0, 3, 1, 4]), packedShape);
}

/** [i, n, h, w], n blocked -> [i, n bands, rows that a band reads, w]: every band counts as an image of its own. */
function inBands(g: Graph, { name, shape }: Made, w: Windows, rows: number, block: number): string {
  const [inputs, images, height, width] = shape;
  const [read, bands] = [rowsRead(w, rows), w.output[0] / rows];
  const order = Array.from({ length: bands * read }, (_, i) => {
    const band = Math.floor(i / read);
    return band * rows * w.strides[0] + (i % read);
  });
  const cells = reshaped(g, name, [(inputs * images) / block, height, width, block]);
  return reshaped(g, g.op("Gather", [cells, g.ints(order)], { axis: 1 }), [
    inputs,
    images * bands,
    read,
    width,
  ]);
}

/** A tensor that no value stands for. */
interface Made {
  readonly name: string;
  readonly shape: Shape;
}

/** dY [n, o, h, w], blocked -> weights [o, n, h, w] as [o / B, n / B, h w, Bn, Bo]; n is padded with zeros. */
function gradientAsFilters(g: Graph, dOutput: Value, block: number): string {
  const [n, channels, h, w] = dOutput.shape;
  const [outputs, images] = [paddedChannels(channels, block), paddedChannels(n, block)];
  const whole = padImages(g, g.blocked(dOutput), { n, images, rest: [outputs, h, w] });
  const cells = reshaped(g, whole, [images / block, block, outputs / block, h * w, block]);
  return reshaped(g, transposed(g, cells, [2, 0, 3, 1, 4]), [outputs, images, h, w]);
}

/**
 * X [n, i, h, w] -> [i, n, h, w] with n blocked: [i, n / B, h w, Bn], padded by `before` and `after`: the kernels are
 * two to three times slower where the window hangs over the edge, and here every second window would.
 */
function imagesAsChannels(
  site: Site,
  form: WeightForm,
  { before, after }: { before: Shape; after: Shape },
): Made {
  const { graph: g } = site;
  const x = input(site, 0);
  const [n, , h, w] = x.shape;
  const channels = form.packedShape[1];
  const images = paddedChannels(n, form.block);
  const whole = padImages(g, paddedRows(g, x, channels), { n, images, rest: [channels, h, w] });
  const flat = reshaped(g, whole, [1, images, channels, h * w]);
  const blocked = g.op("ReorderInput", [flat], {}, { domain: NCHWC });
  const groups = images / form.block;
  const cells = reshaped(g, blocked, [groups, channels, h * w * form.block]);
  const swapped = groups === 1 ? cells : transposed(g, cells, [1, 0, 2]);
  const [top, left, bottom, right] = [...before, ...after];
  const shape = [channels, images, h + top + bottom, w + left + right];
  if ([top, left, bottom, right].every((pad) => pad === 0))
    return { name: reshaped(g, swapped, shape), shape };
  const positions = reshaped(g, swapped, [channels * groups, h, w, form.block]);
  const padded = g.op("Pad", [positions, g.ints([0, top, left, 0, 0, bottom, right, 0])]);
  return { name: reshaped(g, padded, shape), shape };
}

function padImages(
  g: Graph,
  name: string,
  { n, images, rest }: { n: number; images: number; rest: Shape },
): string {
  if (n === images) return name;
  return g.op("Pad", [reshaped(g, name, [n, ...rest]), g.ints([0, 0, 0, 0, images - n, 0, 0, 0])]);
}
