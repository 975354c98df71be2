/** Convolutions with what follows them, and their gradients in every form they have in a blocked layout. */
import { float32, type Parameter } from "../../lib/network/network.ts";
import { type Case, node, randomParameter } from "./gradient-check.ts";

const p = (shape: readonly number[], seed = 1, spread = 1): Parameter =>
  randomParameter(shape, { seed, spread });
const scalar = (value: number): Parameter => float32([], Float32Array.of(value));

function conv(
  title: string,
  x: readonly number[],
  w: readonly number[],
  values: Parameters<typeof node>[4] = {},
): Case {
  return {
    title: `Conv ${title}`,
    nodes: [node("y", "Conv", ["x", "w", "b"], ["y"], values)],
    parameters: { x: p(x), w: p(w, 2), b: p([w[0]], 3) },
  };
}

/** A convolution, batch normalisation and what is named. */
function normed(
  title: string,
  channels: number,
  { after = [], isFrozen = false, hasBias = false }: Options = {},
): Case {
  const names = ["n", ...after.map((_, i) => (i === after.length - 1 ? "y" : `a${i}`))];
  const norm = { g: randomParameter([channels], { seed: 4, positive: true }), b: p([channels], 5) };
  const inputs = hasBias ? ["x", "w", "c"] : ["x", "w"];
  return {
    title: `Conv, BatchNormalization ${title}`,
    nodes: [
      node("conv", "Conv", inputs, ["conv"], { pads: [1, 1, 1, 1] }),
      node("n", "BatchNormalization", ["conv", "g", "b", "m", "v"], [after.length === 0 ? "y" : "n"]),
      ...after.map((op, i) =>
        node(`after${i}`, op, op === "Clip" ? [names[i], "low", "high"] : [names[i]], [names[i + 1]]),
      ),
    ],
    parameters: { x: p([3, 4, 5, 6]), w: p([channels, 4, 3, 3], 2, 0.5), ...(isFrozen ? {} : norm) },
    fixed: {
      ...(isFrozen ? norm : {}),
      ...(after.includes("Clip") ? { low: scalar(-0.25), high: scalar(1.5) } : {}),
      ...(hasBias ? { c: p([channels], 6) } : {}),
      m: p([channels], 7),
      v: randomParameter([channels], { seed: 8, positive: true }),
    },
    epsilon: 5e-4,
    tolerance: 3e-2,
  };
}

/** A depthwise convolution, which keeps values apart, and the largest of each window. */
function pooled(title: string, x: readonly number[], values: Parameters<typeof node>[4]): Case {
  return {
    title: `Conv, MaxPool ${title}`,
    nodes: [
      node("c", "Conv", ["x", "w"], ["c"], { group: x[1] }),
      node("y", "MaxPool", ["c"], ["y"], values),
    ],
    parameters: { x: p(x), w: randomParameter([x[1], 1, 1, 1], { seed: 2, positive: true }) },
    epsilon: 5e-4,
    tolerance: 3e-2,
  };
}

interface Options {
  readonly after?: readonly string[];
  readonly isFrozen?: boolean;
  readonly hasBias?: boolean;
}

export const blocks: readonly Case[] = [
  conv("depthwise, 5x5, broken blocks", [3, 19, 7, 9], [19, 1, 5, 5], { group: 19, pads: [2, 2, 2, 2] }),
  conv("depthwise, stride 3 that does not divide", [2, 8, 11, 9], [8, 1, 3, 2], {
    group: 8,
    strides: [3, 3],
    pads: [1, 0, 0, 1],
  }),
  conv("depthwise, strided and dilated", [2, 16, 11, 12], [16, 1, 3, 3], {
    group: 16,
    strides: [2, 3],
    dilations: [2, 1],
    pads: [1, 1, 1, 1],
  }),
  conv("depthwise, last rows unread", [2, 8, 10, 10], [8, 1, 2, 2], { group: 8, strides: [4, 4] }),
  conv("depthwise, padding beyond the kernel", [2, 8, 4, 5], [8, 1, 2, 1], { group: 8, pads: [2, 1, 2, 1] }),
  conv("depthwise, one image", [1, 24, 6, 6], [24, 1, 3, 3], { group: 24, pads: [1, 1, 1, 1] }),
  conv("1x1, large maps", [3, 16, 9, 8], [40, 16, 1, 1]),
  conv("1x1, large maps, fewer channels out", [3, 40, 9, 8], [16, 40, 1, 1]),
  conv("1x1, small maps", [3, 32, 2, 3], [48, 32, 1, 1]),
  conv("1x1, small maps, fewer channels out, broken blocks", [2, 43, 2, 3], [21, 43, 1, 1]),
  conv("1x1, padded", [2, 16, 3, 3], [16, 16, 1, 1], { pads: [1, 0, 0, 1] }),
  conv("in bands of rows", [2, 8, 24, 20], [8, 8, 3, 3], { pads: [1, 1, 1, 1] }),
  conv("in bands of rows, stride 2", [9, 8, 49, 43], [8, 8, 3, 3], { strides: [2, 2] }),
  {
    ...conv("few channels in bands of rows, 7x7, stride 2", [2, 3, 50, 48], [16, 3, 7, 7], {
      strides: [2, 2],
    }),
    tolerance: 5e-2,
  },
  normed("of the batch", 16),
  normed("of the batch, broken blocks", 11, { after: ["Relu"] }),
  normed("of the batch, behind a bias", 19, { hasBias: true }),
  normed("of the batch, Clip, average", 16, { after: ["Clip", "GlobalAveragePool"] }),
  normed("of the batch, Relu, average, broken blocks", 13, { after: ["Relu", "GlobalAveragePool"] }),
  normed("frozen", 16, { isFrozen: true, after: ["Relu"] }),
  normed("frozen, broken blocks", 11, { isFrozen: true, after: ["Clip"] }),
  pooled("3x3, stride 2", [2, 16, 5, 7], { kernel_shape: [3, 3], strides: [2, 2] }),
  pooled("3x3, stride 2, even sizes, broken blocks", [1, 19, 6, 4], {
    kernel_shape: [3, 3],
    strides: [2, 2],
  }),
  pooled("3x3, stride 2, padded", [1, 19, 4, 5], {
    kernel_shape: [3, 3],
    strides: [2, 2],
    pads: [1, 1, 1, 1],
  }),
  pooled("2x2, stride 2, last row unread", [2, 8, 5, 4], { kernel_shape: [2, 2], strides: [2, 2] }),
  pooled("3x2, stride 1, padded", [1, 16, 4, 4], {
    kernel_shape: [3, 2],
    strides: [1, 1],
    pads: [1, 0, 1, 1],
  }),
  pooled("3x3, stride 2, over the edge", [1, 16, 6, 6], {
    kernel_shape: [3, 3],
    strides: [2, 2],
    ceil_mode: 1,
  }),
  pooled("5x3, strides 3 and 2", [1, 16, 9, 7], { kernel_shape: [5, 3], strides: [3, 2] }),
  pooled("dilated", [1, 16, 6, 6], { kernel_shape: [2, 2], strides: [1, 1], dilations: [2, 2] }),
  pooled("stride above the window", [1, 16, 7, 7], { kernel_shape: [2, 2], strides: [3, 3] }),
  {
    title: "two convolutions, added, Relu",
    nodes: [
      node("a", "Conv", ["x", "w", "b"], ["a"], { pads: [1, 1, 1, 1] }),
      node("c", "Conv", ["x", "v"], ["c"]),
      node("s", "Add", ["c", "a"]),
      node("y", "Relu", ["s"]),
    ],
    parameters: { x: p([2, 8, 5, 5]), w: p([16, 8, 3, 3], 2), b: p([16], 3), v: p([16, 8, 1, 1], 4) },
    epsilon: 2e-3,
    tolerance: 3e-2,
  },
  {
    title: "a convolution that is added to its own Relu",
    nodes: [
      node("a", "Conv", ["x", "w"], ["a"], { pads: [1, 1, 1, 1] }),
      node("r", "Relu", ["a"]),
      node("y", "Add", ["a", "r"]),
    ],
    parameters: { x: p([2, 8, 4, 4]), w: p([8, 8, 3, 3], 2) },
    epsilon: 2e-3,
    tolerance: 3e-2,
  },
  {
    title: "a convolution added to itself",
    nodes: [node("a", "Conv", ["x", "w"], ["a"]), node("y", "Add", ["a", "a"])],
    parameters: { x: p([2, 8, 4, 4]), w: p([8, 8, 3, 3], 2) },
  },
  {
    title: "Conv, Clip that moves zero",
    nodes: [node("a", "Conv", ["x", "w"], ["a"]), node("y", "Clip", ["a", "low", "high"])],
    parameters: { x: p([2, 8, 4, 4]), w: p([11, 8, 3, 3], 5) },
    fixed: { low: scalar(0.5), high: scalar(3) },
    epsilon: 1e-3,
    tolerance: 3e-2,
  },
];
