/** Shapes of operators that move elements without computing with them. */
import { intAttribute, intsAttribute, sizeOf } from "../network.ts";
import {
  fromFront,
  padAmounts,
  shapeEntries,
  sliceLists,
  sliceRanges,
  splitSizes,
  type SliceRange,
} from "../operators/attributes.ts";
import {
  axisOf,
  broadcast,
  known,
  show,
  type OpContext,
  type Shape,
  type ShapeRule,
  type ShapeRules,
} from "./context.ts";

const reshape: ShapeRule = (op) => {
  const x = op.input(0);
  const target = known(op, 1, "the target shape");
  const copyZero = intAttribute(op.node, "allowzero", 0) === 0;
  const shape = target.map((dim, i) => (dim === 0 && copyZero ? (x[i] ?? 0) : dim));
  const free = shape.indexOf(-1);
  const rest = sizeOf(shape.filter((_, i) => i !== free));
  if (free >= 0) shape[free] = rest === 0 ? 0 : sizeOf(x) / rest;
  if (shape.some((dim) => !Number.isInteger(dim) || dim < 0) || sizeOf(shape) !== sizeOf(x)) {
    op.fail(`${show(x)} into ${show(target)}`, `a shape of ${sizeOf(x)} elements was needed`);
  }
  return [shape];
};

const flatten: ShapeRule = (op) => {
  const x = op.input(0);
  const axis = intAttribute(op.node, "axis", 1);
  const at = fromFront(axis, x.length);
  if (at < 0 || at > x.length)
    op.fail(`axis ${axis} of a tensor of rank ${x.length}`, "an axis inside it was needed");
  return [[sizeOf(x.slice(0, at)), sizeOf(x.slice(at))]];
};

const transpose: ShapeRule = (op) => {
  const x = op.input(0);
  const order = intsAttribute(
    op.node,
    "perm",
    x.map((_, i) => x.length - 1 - i),
  );
  if (
    order.length !== x.length ||
    new Set(order).size !== x.length ||
    order.some((i) => i < 0 || i >= x.length)
  ) {
    op.fail(`perm ${show(order)} on ${show(x)}`, "a permutation of its axes was needed");
  }
  return [order.map((i) => x[i] ?? 0)];
};

const concat: ShapeRule = (op) => {
  const shapes = op.node.inputs.map((_, i) => op.input(i));
  const [first = []] = shapes;
  const axis = axisOf(op, intAttribute(op.node, "axis", 1), first.length);
  const fits = (shape: Shape): boolean =>
    shape.length === first.length && shape.every((dim, i) => i === axis || dim === first[i]);
  if (!shapes.every(fits)) {
    op.fail(`shapes ${shapes.map(show).join(" and ")}`, `equal sizes outside axis ${axis} were needed`);
  }
  return [
    first.map((dim, i) => (i === axis ? shapes.reduce((sum, shape) => sum + (shape[axis] ?? 0), 0) : dim)),
  ];
};

/** Sizes of the parts: input 1, or `num_outputs` equal parts with a smaller last one (opset 18), or equal parts. */
const split: ShapeRule = (op) => {
  const x = op.input(0);
  const axis = axisOf(op, intAttribute(op.node, "axis", 0), x.length);
  const whole = x[axis] ?? 0;
  const count = op.node.outputs.length;
  const sizes = splitSizes(op.node, whole, (index, what) => known(op, index, what));
  const ragged = !op.has(1) && op.node.attributes["num_outputs"] === undefined && whole % count !== 0;
  if (ragged || sizes.length !== count || sizes.reduce((sum, size) => sum + size, 0) !== whole) {
    op.fail(
      `${whole} elements in parts of ${show(sizes)}`,
      `${count} parts that add up to ${whole} were needed`,
    );
  }
  return sizes.map((size) => x.map((dim, i) => (i === axis ? size : dim)));
};

/** Inputs data, starts, ends, axes, steps: what is taken along every axis. */
export function slicedAxes(op: OpContext, x: Shape): SliceRange[] {
  const lists = sliceLists(
    op.node,
    x.length,
    (index, what) => known(op, index, what),
    (axis, rank) => axisOf(op, axis, rank),
  );
  const { starts, ends, axes, steps } = lists;
  if ([ends, axes, steps].some((list) => list.length !== starts.length) || steps.includes(0)) {
    op.fail("starts, ends, axes, steps of different lengths or a step of 0", "lists that agree were needed");
  }
  const ranges = sliceRanges(lists, x);
  return x.map((size, axis) => ranges.get(axis) ?? { start: 0, end: size, step: 1, count: size });
}

const slice: ShapeRule = (op) => [slicedAxes(op, op.input(0)).map(({ count }) => count)];

const pad: ShapeRule = (op) => {
  const x = op.input(0);
  const pads = known(op, 1, "pads");
  const { before, after, axes } = padAmounts(
    op.node,
    x.length,
    (index, what) => known(op, index, what),
    (axis, rank) => axisOf(op, axis, rank),
  );
  if (pads.length !== 2 * axes.length) {
    op.fail(`${pads.length} pads`, `${2 * axes.length} for ${axes.length} axes were needed`);
  }
  const shape = x.map((dim, axis) => dim + before[axis] + after[axis]);
  if (shape.some((dim) => dim < 0))
    op.fail(`pads ${show(pads)} on ${show(x)}`, "sizes above zero were needed");
  return [shape];
};

/** Axes of Squeeze and Unsqueeze: input 1, or an attribute in networks below opset 13. */
const axesOf = (op: OpContext): readonly number[] | undefined =>
  op.has(1)
    ? known(op, 1, "axes")
    : op.node.attributes["axes"] === undefined
      ? undefined
      : intsAttribute(op.node, "axes", []);

const squeeze: ShapeRule = (op) => {
  const x = op.input(0);
  const axes = axesOf(op)?.map((axis) => axisOf(op, axis, x.length));
  const wide = axes?.find((axis) => x[axis] !== 1);
  if (wide !== undefined) op.fail(`axis ${wide} of ${show(x)}`, "an axis of size 1 was needed");
  return [x.filter((dim, i) => (axes === undefined ? dim !== 1 : !axes.includes(i)))];
};

const unsqueeze: ShapeRule = (op) => {
  const x = op.input(0);
  const listed = axesOf(op) ?? op.fail("no axes", "axes were needed");
  const rank = x.length + listed.length;
  const axes = new Set(listed.map((axis) => axisOf(op, axis, rank)));
  if (axes.size !== listed.length) op.fail(`axes ${show(listed)}`, "each axis once was needed");
  const rest = x.values();
  return [Array.from({ length: rank }, (_, i) => (axes.has(i) ? 1 : (rest.next().value ?? 1)))];
};

const expand: ShapeRule = (op) => [broadcast(op, op.input(0), known(op, 1, "the target shape"))];

const gather: ShapeRule = (op) => {
  const x = op.input(0);
  const axis = axisOf(op, intAttribute(op.node, "axis", 0), x.length);
  const size = x[axis];
  const outside = op.constant(1)?.values.find((index) => index < -size || index >= size);
  if (outside !== undefined)
    op.fail(`index ${outside} into ${size} places of axis ${axis}`, `${-size} to ${size - 1} was needed`);
  return [[...x.slice(0, axis), ...op.input(1), ...x.slice(axis + 1)]];
};

const tile: ShapeRule = (op) => {
  const repeats = known(op, 1, "repeats");
  if (repeats.length !== op.input(0).length)
    op.fail(`repeats ${show(repeats)}`, "one for each axis was needed");
  return [op.input(0).map((dim, i) => dim * (repeats[i] ?? 1))];
};

const range: ShapeRule = (op) => {
  const [start = 0] = known(op, 0, "start");
  const [limit = 0] = known(op, 1, "limit");
  const [delta = 1] = known(op, 2, "delta");
  return [[Math.max(0, Math.ceil((limit - start) / delta))]];
};

const constant: ShapeRule = (op) => {
  const value = op.node.attributes["value"];
  return value?.type === "tensor"
    ? [value.value.shape]
    : op.fail("no tensor value", "one was needed", "unsupported");
};

export const layout: ShapeRules = {
  Reshape: reshape,
  Flatten: flatten,
  Transpose: transpose,
  Concat: concat,
  Split: split,
  Slice: slice,
  Pad: pad,
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
  Expand: expand,
  Gather: gather,
  GatherElements: (op) => [op.input(1)],
  ScatterElements: (op) => [op.input(0)],
  ScatterND: (op) => [op.input(0)],
  Tile: tile,
  Shape: (op) => [[shapeEntries(op.node, op.input(0)).length]],
  Size: () => [[]],
  ConstantOfShape: (op) => [known(op, 0, "the shape")],
  Range: range,
  Constant: constant,
};
