/** Shapes of operators that move elements without computing with them. */
import { intAttribute, intsAttribute, sizeOf } from "../network.ts";
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
  const at = axis < 0 ? axis + x.length : axis;
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
  const part = Math.ceil(whole / count);
  const sizes = op.has(1)
    ? known(op, 1, "the sizes of the parts")
    : Array.from({ length: count }, (_, i) => Math.max(0, Math.min(part, whole - i * part)));
  const ragged = !op.has(1) && op.node.attributes["num_outputs"] === undefined && whole % count !== 0;
  if (ragged || sizes.length !== count || sizes.reduce((sum, size) => sum + size, 0) !== whole) {
    op.fail(
      `${whole} elements in parts of ${show(sizes)}`,
      `${count} parts that add up to ${whole} were needed`,
    );
  }
  return sizes.map((size) => x.map((dim, i) => (i === axis ? size : dim)));
};

/** Start and number of elements of one sliced axis, numpy's rules. */
export function sliceRange(
  size: number,
  start: number,
  end: number,
  step: number,
): { start: number; count: number } {
  const clamp = (value: number, low: number, high: number): number => Math.min(Math.max(value, low), high);
  const from = clamp(start < 0 ? start + size : start, 0, step > 0 ? size : size - 1);
  const to = clamp(end < 0 ? end + size : end, step > 0 ? 0 : -1, size);
  return { start: from, count: Math.max(0, Math.ceil((to - from) / step)) };
}

/** Inputs data, starts, ends, axes, steps: what is taken along every axis. */
export function sliceRanges(op: OpContext, x: Shape): { start: number; count: number; step: number }[] {
  const starts = known(op, 1, "starts");
  const ends = known(op, 2, "ends");
  const axes = (op.has(3) ? known(op, 3, "axes") : starts.map((_, i) => i)).map((axis) =>
    axisOf(op, axis, x.length),
  );
  const steps = op.has(4) ? known(op, 4, "steps") : starts.map(() => 1);
  if ([ends, axes, steps].some((list) => list.length !== starts.length) || steps.includes(0)) {
    op.fail("starts, ends, axes, steps of different lengths or a step of 0", "lists that agree were needed");
  }
  return x.map((size, axis) => {
    const i = axes.indexOf(axis);
    const step = steps[i] ?? 1;
    return i < 0
      ? { start: 0, count: size, step: 1 }
      : { ...sliceRange(size, starts[i] ?? 0, ends[i] ?? 0, step), step };
  });
}

const slice: ShapeRule = (op) => [sliceRanges(op, op.input(0)).map(({ count }) => count)];

const pad: ShapeRule = (op) => {
  const x = op.input(0);
  const pads = known(op, 1, "pads");
  const axes = (op.has(3) ? known(op, 3, "axes") : x.map((_, i) => i)).map((axis) =>
    axisOf(op, axis, x.length),
  );
  if (pads.length !== 2 * axes.length) {
    op.fail(`${pads.length} pads`, `${2 * axes.length} for ${axes.length} axes were needed`);
  }
  const shape = x.map((dim, axis) => {
    const i = axes.indexOf(axis);
    return i < 0 ? dim : dim + (pads[i] ?? 0) + (pads[i + axes.length] ?? 0);
  });
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
  return [[...x.slice(0, axis), ...op.input(1), ...x.slice(axis + 1)]];
};

const tile: ShapeRule = (op) => {
  const repeats = known(op, 1, "repeats");
  if (repeats.length !== op.input(0).length)
    op.fail(`repeats ${show(repeats)}`, "one for each axis was needed");
  return [op.input(0).map((dim, i) => dim * (repeats[i] ?? 1))];
};

/** `start` and `end` came with opset 15. */
export function shapeSlice(op: OpContext): Shape {
  const x = op.input(0);
  const clamp = (axis: number): number => Math.min(Math.max(axis < 0 ? axis + x.length : axis, 0), x.length);
  return x.slice(clamp(intAttribute(op.node, "start", 0)), clamp(intAttribute(op.node, "end", x.length)));
}

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
  Shape: (op) => [[shapeSlice(op).length]],
  Size: () => [[]],
  ConstantOfShape: (op) => [known(op, 0, "the shape")],
  Range: range,
  Constant: constant,
};
