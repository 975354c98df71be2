/** Max pooling and its gradient. */
import { intsAttribute, sizeOf } from "../../../network/network.ts";
import type { Shape } from "../../../network/shapes-context.ts";
import type { Windows } from "../../windows.ts";
import { add, expand, mul, neg, reshape, sub } from "./arithmetic.ts";
import { NCHWC, nchwcConv, paddedChannels } from "./blocked.ts";
import { float, type Graph, type Value } from "./graph.ts";
import { input, plainInput, type Rule, type Site } from "./site.ts";
import { windowsOf } from "./windows.ts";

/** Most elements of a window that are tried one after the other. */
const LARGEST_WINDOW = 25;

/** The lowest float32: what is not there is never the largest. */
const LOWEST = -3.4028234663852886e38;

/**
 * The gradient goes to the first maximum of each window, in both layouts.
 *
 * - row-major: onnxruntime gives the position of each maximum, and gradients are added up there. Pooling with positions is
 *   seven times as slow as without, and adding up runs on one thread.
 * - blocked: see {@link blockedGradient}.
 */
export const maxPool: Rule = {
  forward: (site) => {
    const { graph: g, node } = site;
    const windows = blockedWindows(site);
    if (windows !== undefined) {
      const { kernel, strides, dilations, before, after } = windows;
      const settings = { kernel_shape: kernel, strides, dilations, pads: [...before, ...after] };
      const y = g.op("MaxPool", [g.blocked(input(site, 0))], settings, { domain: NCHWC });
      return [g.blockedValue(site.outputShapes[0], y)];
    }
    const [y, indices] = g.ops("MaxPool", [plainInput(site, 0)], 2, { ...node.attributes } as Record<
      string,
      never
    >);
    const value = g.value(site.outputShapes[0], y);
    positions.set(value, indices);
    return [value];
  },
  backward: (site, [output], [dOutput]) => {
    if (dOutput === undefined) return [];
    const { graph: g } = site;
    const { shape } = input(site, 0);
    const indices = positions.get(output);
    if (indices === undefined) return [g.blockedValue(shape, blockedGradient(site, output, dOutput))];
    const zeros = expand(g, g.scalar(0), [sizeOf(shape)]);
    const flat = g.op(
      "ScatterElements",
      [zeros, reshape(g, indices, [-1]), reshape(g, g.plain(dOutput), [-1])],
      { axis: 0, reduction: "add" },
    );
    return [g.value(shape, reshape(g, flat, shape))];
  },
};

/** Output of a max pool -> name of the positions of its maxima. */
const positions = new WeakMap<Value, string>();

/** The windows, padded as far as they reach, where a blocked input can be pooled as it is; else undefined. */
function blockedWindows(site: Site): Windows | undefined {
  if (input(site, 0).blockedName === undefined || site.node.outputs.length > 1) return undefined;
  const w = windowsOf(site, intsAttribute(site.node, "kernel_shape", []));
  const after = w.after.map((pad, i) => {
    const reach = (w.output[i] - 1) * w.strides[i] + (w.kernel[i] - 1) * w.dilations[i] + 1;
    return Math.max(pad, reach - w.input[i] - w.before[i]);
  });
  const isPlain = w.kernel.every(
    (size, i) =>
      [w.before[i], after[i]].every((pad) => pad >= 0 && pad < size) &&
      w.dilations[i] === 1 &&
      w.strides[i] <= size,
  );
  return isPlain && sizeOf(w.kernel) <= LARGEST_WINDOW ? { ...w, after } : undefined;
}

/** What the parts of {@link blockedGradient} have in common. */
interface Pooling {
  readonly graph: Graph;
  readonly windows: Windows;
  /** Images and padded channels. */
  readonly lead: Shape;
  /** Spatial sizes of X with its edges, and of every map of what its elements get. */
  readonly padded: Shape;
  readonly woven: Shape;
}

/**
 * dX of a blocked tensor, without positions: each place of a window in turn takes what is left of the window's gradient if
 * its element equals the maximum, so that the first maximum gets it all. Every operation is on maps of the size of Y and
 * runs on all threads.
 *
 * With stride s, places k, k + s, k + 2s, ... of the windows are elements k, k + s, ... of X: what they get is added up in
 * s x s maps, which are woven together in the end.
 */
function blockedGradient(site: Site, output: Value, dOutput: Value): string {
  const { graph } = site;
  const windows = blockedWindows(site) ?? site.fail("other windows", "those of the forward pass were needed");
  const x = input(site, 0);
  const padded = windows.input.map((size, i) => windows.before[i] + size + windows.after[i]);
  const pooling = {
    graph,
    windows,
    lead: [x.shape[0], paddedChannels(x.shape[1], graph.block)],
    padded,
    woven: padded.map((size, i) => Math.ceil(size / windows.strides[i])),
  };
  return weave(pooling, sharesOf(pooling, graph.blocked(x), graph.blocked(output), graph.blocked(dOutput)));
}

/** "row,column" of an element within its cell of s x s -> what all such elements get, [n, C, woven]. */
function sharesOf(pooling: Pooling, x: string, y: string, dy: string): Map<string, string> {
  const { graph: g, windows, woven } = pooling;
  const { kernel, strides } = windows;
  const elements = withEdges(pooling, x);
  const below = neg(g, y);
  const shares = new Map<string, string>();
  let left = dy;
  for (let place = 0; place < sizeOf(kernel); place++) {
    // what nobody took before is the last one's
    let taken = left;
    if (place < sizeOf(kernel) - 1) {
      const chosen = picked(pooling, elements, { kernel, place, strides, pads: [0, 0, 0, 0] });
      taken = mul(g, left, isZero(g, add(g, chosen, below)));
      left = sub(g, left, taken);
    }
    const at = [Math.floor(place / kernel[1]), place % kernel[1]];
    const key = at.map((offset, i) => offset % strides[i]).join();
    const shift = at.map((offset, i) => Math.floor(offset / strides[i]));
    const behind = woven.map((size, i) => size - shift[i] - windows.output[i]);
    const pads = [...shift, ...behind];
    const moved = pads.every((pad) => pad === 0)
      ? taken
      : picked(pooling, taken, { kernel: [1, 1], place: 0, strides: [1, 1], pads });
    const others = shares.get(key);
    shares.set(key, others === undefined ? moved : add(g, moved, others));
  }
  return shares;
}

/** 1 where `a` is zero, 0 where it is less: a very steep HardSigmoid. */
const isZero = (g: Graph, a: string): string =>
  g.op("HardSigmoid", [a], { alpha: float(2 ** 127), beta: float(1) });

/** X with the lowest number wherever a window reaches over its edge, [n, C, padded]. */
function withEdges({ graph: g, windows, lead, padded }: Pooling, x: string): string {
  const { before, after, input: sizes } = windows;
  if (padded.every((size, i) => size === sizes[i])) return x;
  const cells = reshape(g, x, [sizeOf(lead) / g.block, ...sizes, g.block]);
  const wide = g.op("Pad", [cells, g.ints([0, ...before, 0, 0, ...after, 0]), g.scalar(LOWEST)]);
  return reshape(g, wide, [...lead, ...padded]);
}

/** The element at one place of every window: a depthwise convolution with a single 1 in each filter. */
function picked(
  { graph: g, lead: [, channels] }: Pooling,
  x: string,
  {
    kernel,
    place,
    strides,
    pads,
  }: { readonly kernel: Shape; readonly place: number; readonly strides: Shape; readonly pads: Shape },
): string {
  const weights = new Float32Array(channels * sizeOf(kernel));
  for (let block = 0; block < channels / g.block; block++) {
    const start = (block * sizeOf(kernel) + place) * g.block;
    weights.fill(1, start, start + g.block);
  }
  const filters = g.floats([channels, 1, ...kernel], weights);
  return nchwcConv(g, [x, filters], { kernel, strides, dilations: [1, 1], pads, group: channels });
}

/** One tensor like X from the s x s maps of its elements. */
function weave({ graph: g, windows, lead, woven }: Pooling, shares: ReadonlyMap<string, string>): string {
  const { strides, before, input: sizes } = windows;
  const groups = sizeOf(lead) / g.block;
  const beside = (names: readonly string[], shape: Shape): string => {
    const parts = names.map((name) => reshape(g, name, shape));
    return parts.length === 1 ? parts[0] : g.op("Concat", parts, { axis: 2 });
  };
  const rows = Array.from({ length: strides[0] }, (_, row) => {
    const columns = Array.from({ length: strides[1] }, (_, column) => shares.get(`${row},${column}`) ?? "");
    return beside(columns, [groups * woven[0], woven[1], 1, g.block]);
  });
  const whole = woven.map((size, i) => size * strides[i]);
  const all = reshape(g, beside(rows, [groups, woven[0], 1, whole[1] * g.block]), [
    groups,
    ...whole,
    g.block,
  ]);
  const ends = before.map((pad, i) => pad + sizes[i]);
  const isWhole = whole.every((size, i) => size === sizes[i]);
  const cut = isWhole ? all : g.op("Slice", [all, g.ints(before), g.ints(ends), g.ints([1, 2])]);
  return reshape(g, cut, [...lead, ...sizes]);
}
