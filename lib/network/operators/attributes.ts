/**
 * The settings of operators, read once for everybody: windows, and what Slice, Split, Pad and Shape say of their axes. Since
 * opset 13 most of it stands in inputs; the caller says what is known of them, and answers for what it does not know.
 */
import {
  intAttribute,
  integersOf,
  intsAttribute,
  stringAttribute,
  type Network,
  type Node,
} from "../network.ts";

/** An axis counted from the front. */
export const fromFront = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);

/** Whether input `index` is given. */
export const isGiven = ({ inputs }: Node, index: number): boolean => (inputs[index] ?? "") !== "";

/** What input `index` (`what` of the operator) holds; undefined, or an error of the caller, where that is computed. */
type Listed<T, Missing> = (index: number, what: string) => readonly T[] | Missing;

/** Inputs that are parameters of the network. */
export const inputsFrom =
  (network: Network, node: Node): Listed<number, undefined> =>
  (index) =>
    integersOf(network, node.inputs[index]);

/** Settings of a convolution or pool as it states them, with ONNX's defaults. */
export interface WindowAttributes {
  /** Empty where the node does not say it: a convolution's is that of its weights. */
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** All begins, then all ends; zeros where they are automatic. */
  readonly pads: readonly number[];
  /** Automatic padding to ceil(size / stride), the odd element behind (`upper`) or in front. */
  readonly same?: "upper" | "lower";
  readonly isAutomatic: boolean;
  /** A last window that reaches over the end counts, too. */
  readonly ceil: boolean;
}

/** @param spatial number of spatial axes */
export function windowAttributes(node: Node, spatial: number): WindowAttributes {
  const all = (value: number, length = spatial): number[] => new Array<number>(length).fill(value);
  const automatic = stringAttribute(node, "auto_pad", "NOTSET");
  const isAutomatic = automatic !== "NOTSET" && automatic !== "";
  return {
    kernel: intsAttribute(node, "kernel_shape", []),
    strides: intsAttribute(node, "strides", all(1)),
    dilations: intsAttribute(node, "dilations", all(1)),
    pads: isAutomatic ? all(0, 2 * spatial) : intsAttribute(node, "pads", all(0, 2 * spatial)),
    ...(automatic.startsWith("SAME") && { same: automatic === "SAME_UPPER" ? "upper" : "lower" }),
    isAutomatic,
    ceil: intAttribute(node, "ceil_mode", 0) === 1,
  };
}

/** How many elements a window reaches over. */
export const extentOf = (kernel: number, dilation = 1): number => (kernel - 1) * dilation + 1;

/** Sizes of `count` equal parts of `whole`, the last one smaller where it does not divide. */
export function equalParts(whole: number, count: number): number[] {
  const size = Math.ceil(whole / count);
  return Array.from({ length: count }, (_, i) => Math.max(0, Math.min(size, whole - i * size)));
}

/** Sizes of the parts of a Split: input 1, or equal ones. */
export function splitSizes<Missing>(
  node: Node,
  whole: number,
  listed: Listed<number, Missing>,
): readonly number[] | Missing {
  return isGiven(node, 1) ? listed(1, "the sizes of the parts") : equalParts(whole, node.outputs.length);
}

/** What a Slice says, one entry for each axis that it names. */
interface SliceLists<T> {
  readonly starts: readonly T[];
  readonly ends: readonly T[];
  /** From the front. */
  readonly axes: readonly number[];
  readonly steps: readonly number[];
}

const areNumbers = (values: readonly unknown[] | undefined): values is readonly number[] =>
  values?.every((value) => typeof value === "number") === true;

/** The inputs of a Slice; undefined where one of them is. */
export function sliceLists<T>(
  node: Node,
  rank: number,
  listed: Listed<T, never>,
  front?: typeof fromFront,
): SliceLists<T>;
export function sliceLists<T>(
  node: Node,
  rank: number,
  listed: Listed<T, undefined>,
): SliceLists<T> | undefined;
export function sliceLists<T>(
  node: Node,
  rank: number,
  listed: Listed<T, undefined>,
  front = fromFront,
): SliceLists<T> | undefined {
  const [starts, ends] = [listed(1, "starts"), listed(2, "ends")];
  if (starts === undefined || ends === undefined) return undefined;
  const axes = isGiven(node, 3) ? listed(3, "axes") : starts.map((_, i) => i);
  const steps = isGiven(node, 4) ? listed(4, "steps") : starts.map(() => 1);
  if (!areNumbers(axes) || !areNumbers(steps)) return undefined;
  return { starts, ends, axes: axes.map((axis) => front(axis, rank)), steps };
}

/** What is taken along one axis: `count` elements from `start` on, up to `end`, which is not taken; numpy's rules. */
export interface SliceRange {
  readonly start: number;
  readonly end: number;
  readonly step: number;
  readonly count: number;
}

export function sliceRange(size: number, start: number, end: number, step: number): SliceRange {
  const [first, last] = step > 0 ? [0, size] : [-1, size - 1];
  const inside = (place: number, least: number): number =>
    Math.min(Math.max(fromFront(place, size), least), last);
  const [from, to] = [inside(start, 0), inside(end, first)];
  return { start: from, end: to, step, count: Math.max(0, Math.ceil((to - from) / step)) };
}

/** axis -> what is taken along it, for the axes that a Slice names. */
export function sliceRanges(
  { starts, ends, axes, steps }: SliceLists<number>,
  shape: readonly number[],
): Map<number, SliceRange> {
  return new Map(axes.map((axis, i) => [axis, sliceRange(shape[axis], starts[i], ends[i], steps[i])]));
}

/** The positions that a range visits. */
export const positionsOf = ({ start, step, count }: SliceRange): number[] =>
  Array.from({ length: count }, (_, i) => start + i * step);

/** What a Pad adds in front of and behind each axis (negative: cuts), and which axes it names. */
interface PadAmounts<T> {
  readonly before: (T | 0)[];
  readonly after: (T | 0)[];
  readonly axes: readonly number[];
}

/** undefined where an input is. */
export function padAmounts<T>(
  node: Node,
  rank: number,
  listed: Listed<T, never>,
  front?: typeof fromFront,
): PadAmounts<T>;
export function padAmounts<T>(
  node: Node,
  rank: number,
  listed: Listed<T, undefined>,
): PadAmounts<T> | undefined;
export function padAmounts<T>(
  node: Node,
  rank: number,
  listed: Listed<T, undefined>,
  front = fromFront,
): PadAmounts<T> | undefined {
  const all = Array.from({ length: rank }, (_, axis) => axis);
  const [pads, named] = [listed(1, "pads"), isGiven(node, 3) ? listed(3, "axes") : all];
  if (pads === undefined || !areNumbers(named)) return undefined;
  const axes = named.map((axis) => front(axis, rank));
  const side = (from: number): (T | 0)[] =>
    all.map((axis) => (axes.includes(axis) ? pads[from + axes.indexOf(axis)] : 0));
  return { before: side(0), after: side(axes.length), axes };
}

/** The entries of a shape that a Shape node hands out: from `start` to `end`, which came with opset 15. */
export function shapeEntries<T>(node: Node, shape: readonly T[]): readonly T[] {
  const rank = shape.length;
  const place = (axis: number): number => Math.min(Math.max(fromFront(axis, rank), 0), rank);
  return shape.slice(place(intAttribute(node, "start", 0)), place(intAttribute(node, "end", rank)));
}
