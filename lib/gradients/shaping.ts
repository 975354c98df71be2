/** Gradients of operators that move, cut and join elements. */
import { intAttribute, intsAttribute, sizeOf, stringAttribute } from "../network/network.ts";
import {
  fromFront,
  padAmounts,
  positionsOf,
  sliceLists,
  sliceRanges,
} from "../network/operators/attributes.ts";
import { expanded, frontAxes, reshaped, transposed } from "./arithmetic.ts";
import type { Shape } from "../network/shapes/context.ts";
import type { Graph, Value } from "./graph.ts";
import { copyNode, input, type GradientRule, type Rules, type Site } from "./site.ts";

/** Reshape, Flatten, Squeeze, Unsqueeze: the same elements in the same order. */
const reshaping: GradientRule = {
  forward: (site) => {
    const { graph: g } = site;
    const shape = site.outputShapes[0];
    return [g.value(shape, reshaped(g, g.plain(input(site, 0)), shape))];
  },
  backward: (site, _outputs, [dOutput]) => {
    if (dOutput === undefined || !site.wants(0)) return [];
    const { graph: g } = site;
    const { shape } = input(site, 0);
    return [g.value(shape, reshaped(g, g.plain(dOutput), shape))];
  },
};

const transposing: GradientRule = {
  backward: (site, _outputs, [dOutput]) => {
    if (dOutput === undefined) return [];
    const { graph: g, node } = site;
    const { shape } = input(site, 0);
    const perm = intsAttribute(node, "perm", shape.map((_, i) => i).reverse());
    const inverse = perm.map((_, axis) => perm.indexOf(axis));
    return [g.value(shape, transposed(g, g.plain(dOutput), inverse))];
  },
};

const concat: GradientRule = {
  backward: (site, _outputs, [dOutput]) => {
    if (dOutput === undefined) return [];
    const { graph: g, node } = site;
    const rank = dOutput.shape.length;
    const [axis] = frontAxes([intAttribute(node, "axis", 0)], rank);
    let start = 0;
    return site.inputs.map((value, i) => {
      if (value === undefined) return undefined;
      const end = start + value.shape[axis];
      const from = start;
      start = end;
      if (!site.wants(i)) return undefined;
      return g.value(
        value.shape,
        g.op("Slice", [g.plain(dOutput), g.ints([from]), g.ints([end]), g.ints([axis])]),
      );
    });
  },
};

/** Parts without a gradient count as zeros. */
const split: GradientRule = {
  forward: (site) => {
    const { graph: g, node } = site;
    const { shape } = input(site, 0);
    const [axis] = frontAxes([intAttribute(node, "axis", 0)], shape.length);
    const sizes = site.outputShapes.map((out) => out[axis]);
    const names = g.ops("Split", [g.plain(input(site, 0)), g.ints(sizes)], sizes.length, { axis });
    return names.map((name, i) => g.value(site.outputShapes[i], name));
  },
  backward: (site, _outputs, gradients) => {
    const { graph: g, node } = site;
    const { shape } = input(site, 0);
    const parts = gradients.map((part, i) =>
      part === undefined ? expanded(g, g.scalar(0), site.outputShapes[i]) : g.plain(part),
    );
    const [axis] = frontAxes([intAttribute(node, "axis", 0)], shape.length);
    return [g.value(shape, g.op("Concat", parts, { axis }))];
  },
};

/** Zero or constant padding: the gradient is cut (negative pads: padded with zeros). */
const pad: GradientRule = {
  forward: (site) => {
    const { graph: g, node } = site;
    const x = input(site, 0);
    const pads = stringAttribute(node, "mode", "constant") === "constant" ? padsOf(site) : undefined;
    const isZero = (site.constant(2)?.[0] ?? 0) === 0;
    const shape = site.outputShapes[0];
    const blocked = pads && isZero && x.blockedName !== undefined ? padBlocked(g, x, pads, shape) : undefined;
    return blocked === undefined ? copyNode(site) : [blocked];
  },
  backward: (site, _outputs, [dOutput]) => {
    if (dOutput === undefined) return [];
    const { graph: g, node } = site;
    const mode = stringAttribute(node, "mode", "constant");
    if (mode !== "constant") return site.fail(`padding mode ${mode}`, "constant padding was needed");
    const { shape } = input(site, 0);
    const pads = padsOf(site) ?? site.fail("pads that change from run to run", "constant pads were needed");
    const cut = pads.map((size) => -size);
    const blocked = dOutput.blockedName === undefined ? undefined : padBlocked(g, dOutput, cut, shape);
    return [blocked ?? g.value(shape, g.op("Pad", [g.plain(dOutput), g.ints(cut)]))];
  },
};

/** Pads of all axes, in front and behind, where they are known before the run. */
function padsOf(site: Site): number[] | undefined {
  const amounts = padAmounts(site.node, input(site, 0).shape.length, site.constant);
  return amounts && [...amounts.before, ...amounts.after];
}

/** Pads or cuts a blocked tensor where only whole blocks of channels behind the others are concerned. */
function padBlocked(g: Graph, value: Value, pads: readonly number[], shape: Shape): Value | undefined {
  const [n, channels, h, w] = value.shape;
  const [, front, top, left, , back, bottom, right] = pads;
  const { block } = g;
  const isWhole = channels % block === 0 && back % block === 0;
  if (pads.length !== 8 || pads[0] !== 0 || pads[4] !== 0 || front !== 0 || !isWhole) return undefined;
  const cells = reshaped(g, g.blocked(value), [n, channels / block, h, w, block]);
  const wide = g.op("Pad", [cells, g.ints([0, 0, top, left, 0, 0, back / block, bottom, right, 0])]);
  return g.blockedValue(shape, reshaped(g, wide, shape));
}

/** Elements that were not taken get zeros: padded in front, between (steps) and behind. */
const slice: GradientRule = {
  backward: (site, _outputs, [dOutput]) => {
    if (dOutput === undefined) return [];
    const { graph: g } = site;
    const { shape } = input(site, 0);
    const lists = sliceLists(
      site.node,
      shape.length,
      (index, what) =>
        site.constant(index) ??
        site.fail(`${what} that change from run to run`, `constant ${what} were needed`),
    );
    let name = g.plain(dOutput);
    const sizes = [...dOutput.shape];
    for (const [axis, range] of sliceRanges(lists, shape)) {
      const { start, count, step } = range;
      if (step === 1) {
        const pads = [...sizes, ...sizes].map(() => 0);
        pads[axis] = start;
        pads[axis + sizes.length] = shape[axis] - start - count;
        if (pads.some((size) => size !== 0)) name = g.op("Pad", [name, g.ints(pads)]);
      } else {
        name = scatter(site, name, { axis, indices: positionsOf(range), sizes, size: shape[axis] });
      }
      sizes[axis] = shape[axis];
    }
    return [g.value(shape, name)];
  },
};

interface Scatter {
  readonly axis: number;
  readonly indices: readonly number[];
  /** Sizes of the gradient. */
  readonly sizes: readonly number[];
  /** Size of the axis in the result. */
  readonly size: number;
}

/** Adds the slices of `name` along an axis into zeros: a product with a 0/1 matrix, exact and without races. */
function scatter(site: Site, name: string, { axis, indices, sizes, size }: Scatter): string {
  const { graph: g } = site;
  const matrix = new Float32Array(size * indices.length);
  indices.forEach((index, column) => {
    matrix[fromFront(index, size) * indices.length + column] += 1;
  });
  const [before, after] = [sizeOf(sizes.slice(0, axis)), sizeOf(sizes.slice(axis + 1))];
  const flat = reshaped(g, name, [before, indices.length, after]);
  const spread = g.op("MatMul", [g.floats([size, indices.length], matrix), flat]);
  return reshaped(g, spread, [...sizes.slice(0, axis), size, ...sizes.slice(axis + 1)]);
}

/** Constant indices on one axis; an element that was taken twice gets both gradients. */
const gather: GradientRule = {
  backward: (site, _outputs, [dOutput]) => {
    if (dOutput === undefined || !site.wants(0)) return [];
    const { graph: g, node } = site;
    const { shape } = input(site, 0);
    const indices =
      site.constant(1) ?? site.fail("indices that change from run to run", "constant indices were needed");
    const [axis] = frontAxes([intAttribute(node, "axis", 0)], shape.length);
    const sizes = [...shape.slice(0, axis), indices.length, ...shape.slice(axis + 1)];
    const dy = reshaped(g, g.plain(dOutput), sizes);
    return [g.value(shape, scatter(site, dy, { axis, indices, sizes, size: shape[axis] }))];
  },
};

/** Nearest-neighbour upsampling by whole factors: each element's gradient is the sum over its copies. */
const resize: GradientRule = {
  backward: (site, _outputs, [dOutput]) => {
    if (dOutput === undefined || !site.wants(0)) return [];
    const { graph: g, node } = site;
    const { shape } = input(site, 0);
    const mode = stringAttribute(node, "mode", "nearest");
    const factors = dOutput.shape.map((size, i) => size / shape[i]);
    const simple =
      mode === "nearest" &&
      factors.every(Number.isInteger) &&
      (stringAttribute(node, "coordinate_transformation_mode", "half_pixel") !== "align_corners" ||
        factors.every((factor) => factor === 1));
    if (!simple)
      return site.fail(`resizing (${mode}) by ${factors.join(", ")}`, "nearest by whole factors was needed");
    const split = shape.flatMap((size, i) => [size, factors[i]]);
    const summed = g.op(
      "ReduceSum",
      [reshaped(g, g.plain(dOutput), split), g.ints(shape.map((_, i) => 2 * i + 1))],
      { keepdims: 0 },
    );
    return [g.value(shape, summed)];
  },
};

/** Repeats along axes of size 1. */
const expanding: GradientRule = {
  backward: (site, _outputs, [dOutput]) => {
    if (dOutput === undefined || !site.wants(0)) return [];
    const { graph: g } = site;
    const { shape } = input(site, 0);
    const lead = dOutput.shape.length - shape.length;
    const axes = dOutput.shape.flatMap((size, i) =>
      i < lead || (size !== 1 && shape[i - lead] === 1) ? [i] : [],
    );
    const summed = axes.length === 0 ? g.plain(dOutput) : g.op("ReduceSum", [g.plain(dOutput), g.ints(axes)]);
    return [g.value(shape, reshaped(g, summed, shape))];
  },
};

export const shaping: Rules = {
  Reshape: reshaping,
  Flatten: reshaping,
  Squeeze: reshaping,
  Unsqueeze: reshaping,
  Transpose: transposing,
  Concat: concat,
  Split: split,
  Pad: pad,
  Slice: slice,
  Gather: gather,
  Resize: resize,
  Expand: expanding,
};
