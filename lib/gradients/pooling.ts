/** Gradients of pooling. */
import { intAttribute, sizeOf } from "../network/network.ts";
import { expanded, reshaped, scale } from "./arithmetic.ts";
import { filled, type Graph } from "./graph.ts";
import { NCHWC, paddedChannels } from "./blocked.ts";
import { copyNode, input, plainInput, type GradientRule, type Rules } from "./site.ts";
import type { Windows } from "../network/windows.ts";
import { windowsOf } from "./windows.ts";

/**
 * The gradient goes to the first maximum of each window. onnxruntime gives its position in the flattened input; windows
 * may overlap, so positions add up.
 */
const maxPool: GradientRule = {
  forward: (site) => {
    const { graph: g, node } = site;
    const attributes = { ...node.attributes } as Record<string, never>;
    const [y, indices] = g.ops("MaxPool", [plainInput(site, 0)], 2, attributes);
    const value = g.value(site.outputShapes[0], y);
    positions.set(value, indices);
    return [value];
  },
  backward: (site, [output], [dOutput]) => {
    const indices = positions.get(output);
    if (dOutput === undefined || indices === undefined) return [];
    const { graph: g } = site;
    const { shape } = input(site, 0);
    const zeros = expanded(g, g.scalar(0), [sizeOf(shape)]);
    const flat = g.op(
      "ScatterElements",
      [zeros, reshaped(g, indices, [-1]), reshaped(g, g.plain(dOutput), [-1])],
      { axis: 0, reduction: "add" },
    );
    return [g.value(shape, reshaped(g, flat, shape))];
  },
};

/** Output of a max pool -> name of the positions of its maxima. */
const positions = new WeakMap<object, string>();

/** How many elements each window averages, [1, 1, ...output]. */
function counts(w: Windows, countPadding: boolean): number[] {
  const along = w.output.map((size, axis) =>
    Array.from({ length: size }, (_, position) => {
      const start = position * w.strides[axis] - w.before[axis];
      const [low, high] = countPadding
        ? [-w.before[axis], w.input[axis] + w.after[axis]]
        : [0, w.input[axis]];
      let count = 0;
      for (let k = 0; k < w.kernel[axis]; k++) {
        const at = start + k * w.dilations[axis];
        if (at >= low && at < high) count++;
      }
      return count;
    }),
  );
  return along.reduce<number[]>((all, axis) => all.flatMap((a) => axis.map((b) => a * b)), [1]);
}

/** Each gradient is spread evenly over its window: repeated where windows tile the input, else a transposed convolution. */
const averagePool: GradientRule = {
  forward: (site) => {
    const { graph: g } = site;
    const x = input(site, 0);
    const w = windowsOf(site);
    if (x.blockedName === undefined || !isTiling(w)) return copyNode(site);
    const settings = {
      kernel_shape: w.kernel,
      strides: w.strides,
      pads: [0, 0, 0, 0],
      auto_pad: "NOTSET",
      ceil_mode: 0,
      count_include_pad: 0,
    };
    return [
      g.blockedValue(site.outputShapes[0], g.op("AveragePool", [x.blockedName], settings, { domain: NCHWC })),
    ];
  },
  backward: (site, _outputs, [dOutput]) => {
    if (dOutput === undefined) return [];
    const { graph: g, node } = site;
    const w = windowsOf(site);
    const shape = input(site, 0).shape;
    const area = sizeOf(w.kernel);
    if (isTiling(w)) {
      const isBlocked = input(site, 0).blockedName !== undefined && dOutput.shape.length === 4;
      if (isBlocked)
        return [g.blockedValue(shape, spreadBlocked(g, scale(g, g.blocked(dOutput), 1 / area), w, shape))];
      return [g.value(shape, spread(g, scale(g, g.plain(dOutput), 1 / area), w, shape))];
    }
    const dy = g.plain(dOutput);
    const divisors = counts(w, intAttribute(node, "count_include_pad", 0) === 1);
    const inverse = Float32Array.from(divisors, (count) => (count === 0 ? 0 : 1 / count));
    const scaled = g.op("Mul", [dy, g.floats([1, 1, ...w.output], inverse)]);
    return [g.value(shape, transposedSum(g, scaled, w, shape))];
  },
};

/** Whether windows lie side by side from the front edge on and never hang over. */
function isTiling(w: Windows): boolean {
  return (
    w.kernel.every((size, i) => size === w.strides[i] && w.dilations[i] === 1 && w.before[i] === 0) &&
    w.output.every((size, i) => size * w.kernel[i] <= w.input[i])
  );
}

/** {@link spread} of a blocked tensor: every position of the input takes a whole block of channels. */
function spreadBlocked(g: Graph, dy: string, w: Windows, shape: readonly number[]): string {
  const [height, width] = w.output;
  const groups = (shape[0] * paddedChannels(shape[1], g.block)) / g.block;
  const cells = reshaped(g, dy, [groups, height * width, g.block]);
  const isCovered = w.input.every((size, i) => size === w.output[i] * w.kernel[i]);
  const source = isCovered ? cells : g.op("Pad", [cells, g.ints([0, 0, 0, 0, 1, 0])]);
  const table: number[] = [];
  for (let y = 0; y < w.input[0]; y++) {
    for (let x = 0; x < w.input[1]; x++) {
      const [row, column] = [Math.floor(y / w.kernel[0]), Math.floor(x / w.kernel[1])];
      table.push(row < height && column < width ? row * width + column : height * width);
    }
  }
  const repeated = g.op("Gather", [source, g.ints(table)], { axis: 1 });
  return reshaped(g, repeated, [shape[0], paddedChannels(shape[1], g.block), ...w.input]);
}

/** Repeats every element over its window of a tiling, zeros behind the last window. */
function spread(g: Graph, dy: string, w: Windows, shape: readonly number[]): string {
  const lead = sizeOf(shape.slice(0, 2));
  const narrow = [lead, ...w.output.flatMap((size) => [size, 1])];
  const wide = [lead, ...w.output.flatMap((size, i) => [size, w.kernel[i]])];
  const covered = w.output.map((size, i) => size * w.kernel[i]);
  const repeated = reshaped(g, expanded(g, reshaped(g, dy, narrow), wide), [
    ...shape.slice(0, 2),
    ...covered,
  ]);
  const rest = covered.map((size, i) => w.input[i] - size);
  if (rest.every((size) => size === 0)) return repeated;
  return g.op("Pad", [repeated, g.ints([...shape.map(() => 0), 0, 0, ...rest])]);
}

/** Sum of every window's value over the elements it covers: a transposed convolution with ones, one channel at a time. */
function transposedSum(g: Graph, dy: string, w: Windows, shape: readonly number[]): string {
  const images = reshaped(g, dy, [sizeOf(shape.slice(0, 2)), 1, ...w.output]);
  const covered = w.output.map(
    (size, i) => (size - 1) * w.strides[i] + (w.kernel[i] - 1) * w.dilations[i] + 1,
  );
  const all = g.op("ConvTranspose", [images, filled(g, [1, 1, ...w.kernel], 1)], {
    kernel_shape: w.kernel,
    strides: w.strides,
    dilations: w.dilations,
  });
  // cut the front padding; behind, cut what hangs over or add what no window reads
  const ends = w.input.map((size, i) => size + w.before[i] - covered[i]);
  const cut = g.op("Pad", [all, g.ints([0, 0, ...w.before.map((pad) => -pad), 0, 0, ...ends])]);
  return reshaped(g, cut, shape);
}

const globalAveragePool: GradientRule = {
  forward: (site) => {
    const { graph: g } = site;
    const { blockedName } = input(site, 0);
    if (blockedName === undefined) return copyNode(site);
    const pooled = g.op("GlobalAveragePool", [blockedName], {}, { domain: NCHWC });
    return [g.blockedValue(site.outputShapes[0], pooled)];
  },
  backward: (site, _outputs, [dOutput]) => {
    if (dOutput === undefined) return [];
    const { graph: g } = site;
    const { shape, blockedName } = input(site, 0);
    if (blockedName !== undefined) {
      const [n, channels, ...area] = shape;
      const width = paddedChannels(channels, g.block);
      const maps = reshaped(g, g.blocked(dOutput), [(n * width) / g.block, 1, g.block]);
      const spread = expanded(g, scale(g, maps, 1 / sizeOf(area)), [
        (n * width) / g.block,
        sizeOf(area),
        g.block,
      ]);
      return [g.blockedValue(shape, reshaped(g, spread, [n, width, ...area]))];
    }
    return [g.value(shape, expanded(g, scale(g, g.plain(dOutput), 1 / sizeOf(shape.slice(2))), shape))];
  },
};

/** The gradient goes to the first maximum of each map. */
const globalMaxPool: GradientRule = {
  backward: (site, _outputs, [dOutput]) => {
    if (dOutput === undefined) return [];
    const { graph: g } = site;
    const { shape } = input(site, 0);
    const rows = [shape[0], shape[1], sizeOf(shape.slice(2))];
    const first = g.op("ArgMax", [reshaped(g, plainInput(site, 0), rows)], { axis: 2, keepdims: 1 });
    const dy = reshaped(g, g.plain(dOutput), [rows[0], rows[1], 1]);
    const flat = g.op("ScatterElements", [expanded(g, g.scalar(0), rows), first, dy], { axis: 2 });
    return [g.value(shape, reshaped(g, flat, shape))];
  },
};

export const pooling: Rules = {
  MaxPool: maxPool,
  AveragePool: averagePool,
  GlobalAveragePool: globalAveragePool,
  GlobalMaxPool: globalMaxPool,
};
