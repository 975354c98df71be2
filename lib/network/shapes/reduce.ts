/** Shapes of reductions and matrix products. */
import { intAttribute, intsAttribute } from "../network.ts";
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

/** The reduced axes: input 1 (ReduceSum since 13, all since 18) or the attribute; none listed = all, or no-op. */
export function reducedAxes(op: OpContext): readonly number[] {
  const rank = op.input(0).length;
  const listed = op.has(1) ? known(op, 1, "axes") : intsAttribute(op.node, "axes", []);
  if (listed.length > 0) return listed.map((axis) => axisOf(op, axis, rank));
  return intAttribute(op.node, "noop_with_empty_axes", 0) === 1
    ? []
    : Array.from({ length: rank }, (_, i) => i);
}

const reduced = (op: OpContext, axes: readonly number[]): Shape =>
  intAttribute(op.node, "keepdims", 1) === 1
    ? op.input(0).map((dim, i) => (axes.includes(i) ? 1 : dim))
    : op.input(0).filter((_, i) => !axes.includes(i));

const reduce: ShapeRule = (op) => [reduced(op, reducedAxes(op))];

const argReduce: ShapeRule = (op) => [
  reduced(op, [axisOf(op, intAttribute(op.node, "axis", 0), op.input(0).length)]),
];

const topK: ShapeRule = (op) => {
  const x = op.input(0);
  const axis = axisOf(op, intAttribute(op.node, "axis", -1), x.length);
  const [k = 0] = known(op, 1, "k");
  const shape = x.map((dim, i) => (i === axis ? Math.min(k, dim) : dim));
  return [shape, shape];
};

/** A [M, K], B [K, N], either transposed, plus C that broadcasts to [M, N]. */
const gemm: ShapeRule = (op) => {
  const matrix = (index: number, flag: string): Shape => {
    const shape = op.input(index);
    if (shape.length !== 2) op.fail(`input ${index} of shape ${show(shape)}`, "a matrix was needed");
    return intAttribute(op.node, flag, 0) === 1 ? shape.toReversed() : shape;
  };
  const [m = 0, k = 0] = matrix(0, "transA");
  const [rows = 0, n = 0] = matrix(1, "transB");
  if (k !== rows) op.fail(`${k} columns times ${rows} rows`, "equal numbers were needed");
  if (op.has(2) && show(broadcast(op, [m, n], op.input(2))) !== show([m, n])) {
    op.fail(`C of shape ${show(op.input(2))}`, `one that broadcasts to ${show([m, n])} was needed`);
  }
  return [[m, n]];
};

/** Numpy's matmul: vectors gain an axis that is dropped again, leading axes broadcast. */
const matMul: ShapeRule = (op) => {
  const [a, b] = [op.input(0), op.input(1)];
  if (a.length === 0 || b.length === 0) op.fail("a scalar operand", "vectors or matrices were needed");
  const left = a.length === 1 ? [1, ...a] : a;
  const right = b.length === 1 ? [...b, 1] : b;
  const [m = 0, k = 0] = left.slice(-2);
  const [rows = 0, n = 0] = right.slice(-2);
  if (k !== rows) op.fail(`${show(a)} times ${show(b)}`, "equal inner sizes were needed");
  const lead = broadcast(op, left.slice(0, -2), right.slice(0, -2));
  return [[...lead, ...(a.length === 1 ? [] : [m]), ...(b.length === 1 ? [] : [n])]];
};

const reductions = "Sum Mean Max Min Prod L1 L2 LogSum LogSumExp SumSquare".split(" ");

export const reducing: ShapeRules = {
  ...Object.fromEntries(reductions.map((kind) => [`Reduce${kind}`, reduce])),
  ArgMax: argReduce,
  ArgMin: argReduce,
  TopK: topK,
  Gemm: gemm,
  MatMul: matMul,
};
