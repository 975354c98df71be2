/**
 * Values known before the run: the shape arithmetic that exporters write into graphs (Shape, Gather, Concat, Cast, ...),
 * on small tables. A rule returns undefined where an input is not known.
 */
import { intAttribute, sizeOf, type ElementType } from "../network.ts";
import { nearestHalf } from "../half.ts";
import { axisOf, type Constant, type OpContext, type Shape } from "./context.ts";
import { fromFront, shapeEntries } from "../operators/attributes.ts";
import { slicedAxes } from "./layout.ts";
import { reducedAxes } from "./reduce.ts";

/** Values of the outputs; `shapes` are the outputs' shapes. */
type FoldRule = (op: OpContext, shapes: readonly Shape[]) => readonly (Constant | undefined)[] | undefined;

const stridesOf = (shape: Shape): number[] => shape.map((_, i) => sizeOf(shape.slice(i + 1)));

/** Calls `visit` with the coordinates of every element, row-major; the array is reused. */
function eachIndex(shape: Shape, visit: (index: readonly number[], flat: number) => void): void {
  const index = shape.map(() => 0);
  const size = sizeOf(shape);
  for (let flat = 0; flat < size; flat++) {
    visit(index, flat);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis] = (index[axis] ?? 0) + 1;
      if ((index[axis] ?? 0) < (shape[axis] ?? 0)) break;
      index[axis] = 0;
    }
  }
}

/** An array of `shape` whose elements are picked from `source` by flat position. */
function pick(source: Constant, shape: Shape, from: (index: readonly number[]) => number): Constant {
  const values = new Array<number>(sizeOf(shape));
  eachIndex(shape, (index, flat) => (values[flat] = source.values[from(index)] ?? 0));
  return { type: source.type, shape, values };
}

function spread(source: Constant, shape: Shape): Constant {
  const strides = stridesOf(source.shape);
  const offset = shape.length - source.shape.length;
  return pick(source, shape, (index) =>
    strides.reduce(
      (sum, stride, i) => sum + (source.shape[i] === 1 ? 0 : stride * (index[i + offset] ?? 0)),
      0,
    ),
  );
}

const isInteger = (type: ElementType): boolean => type !== "float32" && type !== "float64";

const round = (type: ElementType, value: number): number => (type === "float32" ? Math.fround(value) : value);

/** Same elements, new shape. */
const relabel: FoldRule = (op, [shape = []]) => {
  const x = op.constant(0);
  return x && [{ ...x, shape }, ...op.node.outputs.slice(1).map(() => undefined)];
};

const unary =
  (compute: (x: number) => number, result?: ElementType): FoldRule =>
  (op) => {
    const x = op.constant(0);
    return (
      x && [{ ...x, type: result ?? x.type, values: x.values.map((value) => round(x.type, compute(value))) }]
    );
  };

const binary =
  (compute: (a: number, b: number, integer: boolean) => number, result?: ElementType): FoldRule =>
  (op, [shape = []]) => {
    const parts = op.node.inputs.map((_, i) => op.constant(i));
    const [first] = parts;
    if (first === undefined || parts.includes(undefined)) return undefined;
    const integer = isInteger(first.type);
    const values = parts
      .map((part) => (part === undefined ? [] : spread(part, shape).values))
      .reduce((a, b) => a.map((x, i) => round(first.type, compute(x, b[i] ?? 0, integer))));
    return [{ type: result ?? first.type, shape, values }];
  };

const elementTypes: Readonly<Record<number, ElementType>> = {
  1: "float32",
  2: "uint8",
  3: "int8",
  6: "int32",
  7: "int64",
  9: "bool",
  11: "float64",
};

const cast: FoldRule = (op) => {
  const x = op.constant(0);
  const type = elementTypes[intAttribute(op.node, "to", 0)];
  const to = op.node.attributes["to"];
  const half = to?.type === "int" ? to.stored : undefined;
  if (x === undefined || type === undefined) return undefined;
  const convert = (value: number): number =>
    half !== undefined
      ? nearestHalf(value, half)
      : type === "bool"
        ? Number(value !== 0)
        : isInteger(type)
          ? Math.trunc(value)
          : round(type, value);
  return [{ type, shape: x.shape, values: x.values.map(convert) }];
};

const gather: FoldRule = (op, [shape = []]) => {
  const [x, indices] = [op.constant(0), op.constant(1)];
  if (x === undefined || indices === undefined) return undefined;
  const axis = axisOf(op, intAttribute(op.node, "axis", 0), x.shape.length);
  const size = x.shape[axis] ?? 0;
  const bad = indices.values.find((index) => index < -size || index >= size);
  if (bad !== undefined) op.fail(`index ${bad} into ${size} elements`, "an index inside them was needed");
  const strides = stridesOf(x.shape);
  const wide = stridesOf(indices.shape);
  const rank = indices.shape.length;
  return [
    pick(x, shape, (index) => {
      const chosen =
        indices.values[wide.reduce((sum, stride, i) => sum + stride * (index[axis + i] ?? 0), 0)] ?? 0;
      const at = fromFront(chosen, size);
      return strides.reduce(
        (sum, stride, i) =>
          sum + stride * (i < axis ? (index[i] ?? 0) : i === axis ? at : (index[i + rank - 1] ?? 0)),
        0,
      );
    }),
  ];
};

const concat: FoldRule = (op, [shape = []]) => {
  const parts = op.node.inputs.map((_, i) => op.constant(i));
  const [first] = parts;
  if (first === undefined || parts.includes(undefined)) return undefined;
  const axis = axisOf(op, intAttribute(op.node, "axis", 0), shape.length);
  const outer = sizeOf(shape.slice(0, axis));
  const values: number[] = [];
  for (let row = 0; row < outer; row++) {
    for (const part of parts) {
      if (part === undefined) continue;
      const width = part.values.length / Math.max(outer, 1);
      for (let i = row * width; i < (row + 1) * width; i++) values.push(part.values[i] ?? 0);
    }
  }
  return [{ type: first.type, shape, values }];
};

const slice: FoldRule = (op, [shape = []]) => {
  const x = op.constant(0);
  if (x === undefined) return undefined;
  const ranges = slicedAxes(op, x.shape);
  const strides = stridesOf(x.shape);
  const at = (index: readonly number[]): number =>
    ranges.reduce((sum, { start, step }, i) => sum + (strides[i] ?? 0) * (start + step * (index[i] ?? 0)), 0);
  return [pick(x, shape, at)];
};

const split: FoldRule = (op, shapes) => {
  const x = op.constant(0);
  if (x === undefined) return undefined;
  const axis = axisOf(op, intAttribute(op.node, "axis", 0), x.shape.length);
  const strides = stridesOf(x.shape);
  let start = 0;
  return shapes.map((shape) => {
    const from = start;
    start += shape[axis] ?? 0;
    const at = (index: readonly number[]): number =>
      strides.reduce((sum, stride, i) => sum + stride * ((index[i] ?? 0) + (i === axis ? from : 0)), 0);
    return pick(x, shape, at);
  });
};

const transpose: FoldRule = (op, [shape = []]) => {
  const x = op.constant(0);
  if (x === undefined) return undefined;
  const perm = op.node.attributes["perm"];
  const order = perm?.type === "ints" ? perm.value : x.shape.map((_, i) => x.shape.length - 1 - i);
  const strides = stridesOf(x.shape);
  return [
    pick(x, shape, (index) =>
      order.reduce((sum, axis, i) => sum + (strides[axis] ?? 0) * (index[i] ?? 0), 0),
    ),
  ];
};

const expand: FoldRule = (op, [shape = []]) => {
  const x = op.constant(0);
  return x && [spread(x, shape)];
};

const where: FoldRule = (op, [shape = []]) => {
  const [condition, a, b] = [op.constant(0), op.constant(1), op.constant(2)];
  if (condition === undefined || a === undefined || b === undefined) return undefined;
  const [yes, no] = [spread(a, shape).values, spread(b, shape).values];
  const values = spread(condition, shape).values.map((flag, i) => (flag !== 0 ? yes[i] : no[i]) ?? 0);
  return [{ type: a.type, shape, values }];
};

const range: FoldRule = (op, [shape = []]) => {
  const [start, delta] = [op.constant(0), op.constant(2)];
  if (start === undefined || delta === undefined) return undefined;
  const [first = 0] = start.values;
  const [step = 1] = delta.values;
  return [
    { type: start.type, shape, values: Array.from({ length: shape[0] ?? 0 }, (_, i) => first + i * step) },
  ];
};

const constantOfShape: FoldRule = (op, [shape = []]) => {
  const value = op.node.attributes["value"];
  const fill = value?.type === "tensor" ? Number(value.value.data[0] ?? 0) : 0;
  const type = value?.type === "tensor" ? value.value.type : "float32";
  return [{ type, shape, values: new Array<number>(sizeOf(shape)).fill(fill) }];
};

const reduce =
  (initial: number, combine: (a: number, b: number) => number): FoldRule =>
  (op, [shape = []]) => {
    const x = op.constant(0);
    if (x === undefined) return undefined;
    const axes = reducedAxes(op);
    const kept = stridesOf(x.shape.map((dim, i) => (axes.includes(i) ? 1 : dim)));
    const values = new Array<number>(sizeOf(shape)).fill(initial);
    eachIndex(x.shape, (index, flat) => {
      const to = kept.reduce((sum, stride, i) => sum + (axes.includes(i) ? 0 : stride * (index[i] ?? 0)), 0);
      values[to] = combine(values[to] ?? initial, x.values[flat] ?? 0);
    });
    return [{ type: x.type, shape, values }];
  };

const constant: FoldRule = (op, [shape = []]) => {
  const value = op.node.attributes["value"];
  if (value?.type !== "tensor") return undefined;
  return [
    {
      type: value.value.type,
      shape,
      values: Array.from(value.value.data as ArrayLike<number | bigint>, Number),
    },
  ];
};

const truncated = (a: number, b: number, integer: boolean): number => (integer ? Math.trunc(a / b) : a / b);
/** Sign of the divisor as in Python, or with `fmod` that of the dividend as in C. */
const modulo: FoldRule = (op, shapes) =>
  binary(intAttribute(op.node, "fmod", 0) === 1 ? (a, b) => a % b : (a, b) => a - b * Math.floor(a / b))(
    op,
    shapes,
  );

/** Reductions that end with one computation on each number: means of weights (weight standardisation), norms. */
const finished =
  (combine: (a: number, b: number) => number, finish: (sum: number, count: number) => number): FoldRule =>
  (op, shapes) => {
    const count = sizeOf(op.input(0)) / Math.max(sizeOf(shapes[0] ?? []), 1);
    return reduce(0, combine)(op, shapes)?.map(
      (one) => one && { ...one, values: one.values.map((value) => round(one.type, finish(value, count))) },
    );
  };

/** Shares of branches that were learned. Before operator set 13 it ran over all axes from one on, which is left to the runtime. */
const softmaxOf: FoldRule = (op) => {
  const x = op.constant(0);
  if (x === undefined || op.opset < 13) return undefined;
  const axis = axisOf(op, intAttribute(op.node, "axis", -1), x.shape.length);
  const [size, inner] = [x.shape[axis], sizeOf(x.shape.slice(axis + 1))];
  const values = x.values.map((value, flat) => {
    const start = flat - (Math.floor(flat / inner) % size) * inner;
    const row = Array.from({ length: size }, (_, i) => x.values[start + i * inner] ?? 0);
    const top = Math.max(...row);
    const sum = row.reduce((total, one) => total + Math.exp(one - top), 0);
    return round(x.type, Math.exp(value - top) / sum);
  });
  return [{ type: x.type, shape: x.shape, values }];
};

export const folding: Readonly<Record<string, FoldRule>> = {
  Shape: (op) => {
    const values = shapeEntries(op.node, op.input(0));
    return [{ type: "int64", shape: [values.length], values }];
  },
  Size: (op) => [{ type: "int64", shape: [], values: [sizeOf(op.input(0))] }],
  Constant: constant,
  ConstantOfShape: constantOfShape,
  Range: range,
  Identity: relabel,
  Reshape: relabel,
  Flatten: relabel,
  Squeeze: relabel,
  Unsqueeze: relabel,
  Cast: cast,
  Gather: gather,
  Concat: concat,
  Slice: slice,
  Split: split,
  Transpose: transpose,
  Expand: expand,
  Where: where,
  Add: binary((a, b) => a + b),
  Sub: binary((a, b) => a - b),
  Mul: binary((a, b) => a * b),
  Div: binary(truncated),
  Mod: modulo,
  Pow: binary((a, b) => a ** b),
  Min: binary((a, b) => Math.min(a, b)),
  Max: binary((a, b) => Math.max(a, b)),
  Equal: binary((a, b) => Number(a === b), "bool"),
  Less: binary((a, b) => Number(a < b), "bool"),
  LessOrEqual: binary((a, b) => Number(a <= b), "bool"),
  Greater: binary((a, b) => Number(a > b), "bool"),
  GreaterOrEqual: binary((a, b) => Number(a >= b), "bool"),
  And: binary((a, b) => Number(a !== 0 && b !== 0), "bool"),
  Or: binary((a, b) => Number(a !== 0 || b !== 0), "bool"),
  Not: unary((x) => Number(x === 0), "bool"),
  Neg: unary((x) => -x),
  Abs: unary(Math.abs),
  Sqrt: unary(Math.sqrt),
  Reciprocal: unary((x) => 1 / x),
  Exp: unary(Math.exp),
  Log: unary(Math.log),
  Relu: unary((x) => Math.max(x, 0)),
  Sigmoid: unary((x) => 1 / (1 + Math.exp(-x))),
  Tanh: unary(Math.tanh),
  Softplus: unary((x) => Math.log1p(Math.exp(-Math.abs(x))) + Math.max(x, 0)),
  Softmax: softmaxOf,
  Floor: unary(Math.floor),
  Ceil: unary(Math.ceil),
  ReduceProd: reduce(1, (a, b) => a * b),
  ReduceSum: reduce(0, (a, b) => a + b),
  ReduceMin: reduce(Infinity, (a, b) => Math.min(a, b)),
  ReduceMax: reduce(-Infinity, (a, b) => Math.max(a, b)),
  // Norms of weights, which some exports leave in the graph.
  ReduceL1: reduce(0, (a, b) => a + Math.abs(b)),
  ReduceSumSquare: reduce(0, (a, b) => a + b * b),
  ReduceL2: finished((a, b) => a + b * b, Math.sqrt),
  ReduceMean: finished(
    (a, b) => a + b,
    (sum, count) => sum / count,
  ),
};
