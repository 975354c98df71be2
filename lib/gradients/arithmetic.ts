/** Short forms for the operators that rules are made of. All names are row-major. */
import { fromFront } from "../network/operators/attributes.ts";
import { sizeOf } from "../network/network.ts";
import type { Shape } from "../network/shapes/context.ts";
import type { Graph } from "./value.ts";

export const add = (g: Graph, a: string, b: string): string => g.op("Add", [a, b]);
export const sub = (g: Graph, a: string, b: string): string => g.op("Sub", [a, b]);
export const mul = (g: Graph, a: string, b: string): string => g.op("Mul", [a, b]);
export const div = (g: Graph, a: string, b: string): string => g.op("Div", [a, b]);
export const neg = (g: Graph, a: string): string => g.op("Neg", [a]);
export const sqrt = (g: Graph, a: string): string => g.op("Sqrt", [a]);
export const square = (g: Graph, a: string): string => g.op("Mul", [a, a]);
export const scale = (g: Graph, a: string, factor: number): string =>
  factor === 1 ? a : g.op("Mul", [a, g.scalar(factor)]);
export const shift = (g: Graph, a: string, offset: number): string =>
  offset === 0 ? a : g.op("Add", [a, g.scalar(offset)]);
export const transposed = (g: Graph, a: string, perm: readonly number[]): string =>
  perm.every((axis, i) => axis === i) ? a : g.op("Transpose", [a], { perm });
export const reshaped = (g: Graph, a: string, shape: Shape): string => g.op("Reshape", [a, g.ints(shape)]);
export const expanded = (g: Graph, a: string, shape: Shape): string => g.op("Expand", [a, g.ints(shape)]);
export const sum = (g: Graph, a: string, axes: readonly number[], keep = 1): string =>
  axes.length === 0 ? a : g.op("ReduceSum", [a, g.ints(axes)], { keepdims: keep });

/** 0 where `condition` is false, `a` elsewhere. */
export const where = (g: Graph, condition: string, a: string): string =>
  g.op("Where", [condition, a, g.scalar(0)]);

/** Mean over axes of a tensor of the given shape, axes kept. */
export function mean(g: Graph, a: string, shape: Shape, axes: readonly number[]): string {
  return scale(g, sum(g, a, axes), 1 / sizeOf(axes.map((axis) => shape[axis] ?? 1)));
}

/** Sums a gradient of shape `from` over the axes along which a value of shape `to` was repeated. */
export function unbroadcast(g: Graph, gradient: string, from: Shape, to: Shape): string {
  if (from.length === to.length && from.every((dim, i) => dim === to[i])) return gradient;
  const lead = from.length - to.length;
  const axes = from.flatMap((dim, i) => (i < lead || (dim !== 1 && to[i - lead] === 1) ? [i] : []));
  const summed = sum(g, gradient, axes);
  return lead === 0 ? summed : reshaped(g, summed, to);
}

/** Positive axes of a tensor of rank `rank`. */
export const frontAxes = (axes: readonly number[], rank: number): number[] =>
  axes.map((axis) => fromFront(axis, rank));
