/** Tables of numbers of which some follow from open dimensions: what shape arithmetic makes of them, number by number. */
import { own } from "../../core/own.ts";
import { factsOf } from "../operators/facts.ts";
import { intAttribute, sizeOf, type ElementType } from "../network.ts";
import { contextOf, valuesOf } from "../shapes/infer.ts";
import { type Constant, type OpContext, type Shape } from "../shapes/context.ts";
import { shapeEntries } from "../operators/attributes.ts";
import { product } from "./dims.ts";
import type { OpenNode } from "./node.ts";
import { isSame, keyOf, type Size, type Sizes } from "./size.ts";

/** A table of known and open numbers, row-major. */
export interface Table {
  readonly type: ElementType;
  readonly shape: Shape;
  readonly values: readonly Size[];
}

/** What a rule for values sees. */
export interface Tables extends Omit<OpenNode, "table"> {
  readonly opset: number;
  readonly tables: readonly (Table | undefined)[];
  /** Shapes of the outputs, all numbers. */
  readonly outputs: readonly Shape[];
}

const isFloat = (type: ElementType): boolean => type === "float32" || type === "float64";

/** Operators that pick and move numbers, and the inputs they pick them from. */
const picking: Readonly<Partial<Record<string, (inputs: number) => readonly number[]>>> = {
  Identity: () => [0],
  Reshape: () => [0],
  Flatten: () => [0],
  Squeeze: () => [0],
  Unsqueeze: () => [0],
  Gather: () => [0],
  Concat: (inputs) => Array.from({ length: inputs }, (_, i) => i),
  Slice: () => [0],
  Split: () => [0],
  Transpose: () => [0],
  Expand: () => [0],
  Tile: () => [0],
};

/** The same rule as for numbers, on positions instead: where every number of the result comes from. */
function picked(op: Tables, from: readonly number[]): readonly (Table | undefined)[] | undefined {
  const all: Size[] = [];
  const coded = op.tables.map((table, i): Constant | undefined => {
    if (table === undefined) return undefined;
    if (!from.includes(i)) return known(table);
    const start = all.length;
    all.push(...table.values);
    return { type: "int64", shape: table.shape, values: table.values.map((_, k) => start + k) };
  });
  // A table may be given twice: inputs are told apart by their places.
  const node = { ...op.node, inputs: op.node.inputs.map((name, i) => (name === "" ? "" : String(i))) };
  const at = (place: string): Constant | undefined => coded[Number(place)];
  const shapes = new Map(node.inputs.map((place) => [place, at(place)?.shape ?? []]));
  const context: OpContext = contextOf({ name: "", opset: op.opset }, node, shapes, at);
  const isKnown = (name: string): boolean => at(name) !== undefined;
  const positions = valuesOf(context, op.outputs, { isKnown, largest: Infinity });
  const type = op.tables[from[0]]?.type ?? "int64";
  return positions?.map((one) => one && { type, shape: one.shape, values: one.values.map((i) => all[i]) });
}

function known(table: Table): Constant | undefined {
  const values = table.values.filter((value) => typeof value === "number");
  return values.length === table.values.length ? { ...table, values } : undefined;
}

/** Numbers spread to a shape, as broadcasting does. */
function spread(table: Table, shape: Shape): readonly Size[] {
  if (table.values.length === sizeOf(shape)) return table.values;
  if (table.values.length === 1) return new Array<Size>(sizeOf(shape)).fill(table.values[0]);
  const strides = table.shape.map((_, i) => sizeOf(table.shape.slice(i + 1)));
  const offset = shape.length - table.shape.length;
  return Array.from({ length: sizeOf(shape) }, (_, flat) => {
    let position = 0;
    for (let axis = shape.length - 1, rest = flat; axis >= 0; axis--) {
      const index = rest % (shape[axis] ?? 1);
      rest = Math.floor(rest / (shape[axis] ?? 1));
      const i = axis - offset;
      if (i >= 0 && table.shape[i] !== 1) position += (strides[i] ?? 0) * index;
    }
    return table.values[position];
  });
}

type Pair = (sizes: Sizes, a: Size, b: Size, type: ElementType) => Size;

/** What a comparison says, where it is the same for all sizes. */
const compared =
  (name: string, holds: (order: number) => boolean): Pair =>
  (sizes, a, b) => {
    const order = sizes.compare(a, b);
    if (order !== undefined && order !== "not below") return Number(holds(order));
    if (order === "not below" && name === "Less") return 0;
    if (order === "not below" && name === "GreaterOrEqual") return 1;
    return sizes.unknown(`${name} ${keyOf(a)} ${keyOf(b)}`, "count");
  };

/** Floats and whole numbers round differently: an unknown says which it is. */
const other =
  (name: string): Pair =>
  (sizes, a, b, type) =>
    sizes.unknown(
      `${name} ${isFloat(type) ? "float" : "whole"} ${keyOf(a)} ${keyOf(b)}`,
      isFloat(type) ? "number" : "whole",
    );

const divided: Pair = (sizes, a, b, type) => {
  const whole = sizes.exact(a, b);
  if (whole !== undefined) return whole;
  const isPlain = typeof b === "number" && b > 0 && sizes.isCount(a);
  return !isFloat(type) && isPlain ? sizes.floorDivide(a, b) : other("Div")(sizes, a, b, type);
};

const modulo: Pair = (sizes, a, b, type) => {
  if (sizes.exact(a, b) !== undefined) return 0;
  const isPositive = sizes.isCount(a) && sizes.isCount(b);
  const how = `Mod ${isFloat(type) ? "float" : "whole"} ${keyOf(a)} ${keyOf(b)}`;
  return sizes.unknown(how, isPositive ? "count" : "number");
};

const logical =
  (name: "And" | "Or"): Pair =>
  (sizes, a, b) => {
    const settles = name === "And" ? (x: Size) => x === 0 : (x: Size) => typeof x === "number" && x !== 0;
    if (settles(a) || settles(b)) return name === "And" ? 0 : 1;
    return sizes.unknown(`${name} ${keyOf(a)} ${keyOf(b)}`, "count");
  };

const pairs: Readonly<Partial<Record<string, Pair>>> = {
  Add: (sizes, a, b) => sizes.add(a, b),
  Sub: (sizes, a, b) => sizes.subtract(a, b),
  Mul: (sizes, a, b) => sizes.multiply(a, b),
  Div: divided,
  Mod: modulo,
  Pow: other("Pow"),
  Min: (sizes, a, b) => sizes.min(a, b),
  Max: (sizes, a, b) => sizes.max(a, b),
  Equal: compared("Equal", (order) => order === 0),
  Less: compared("Less", (order) => order < 0),
  LessOrEqual: compared("LessOrEqual", (order) => order <= 0),
  Greater: compared("Greater", (order) => order > 0),
  GreaterOrEqual: compared("GreaterOrEqual", (order) => order >= 0),
  And: logical("And"),
  Or: logical("Or"),
};

type Single = (sizes: Sizes, a: Size, type: ElementType) => Size;

/** Open sizes are whole unless they are the result of something unknown, which keeps its sign of the unknown. */
const rounded =
  (name: string): Single =>
  (sizes, a, type) =>
    isFloat(type) && !sizes.isWhole(a) ? sizes.unknown(`${name} ${keyOf(a)}`, "whole") : a;

const singles: Readonly<Partial<Record<string, Single>>> = {
  Neg: (sizes, a) => sizes.multiply(a, -1),
  Abs: (sizes, a) => (sizes.isCount(a) ? a : sizes.unknown(`Abs ${keyOf(a)}`)),
  Not: (sizes, a) => sizes.unknown(`Not ${keyOf(a)}`, "count"),
  Sqrt: (sizes, a) => sizes.unknown(`Sqrt ${keyOf(a)}`),
  Floor: rounded("Floor"),
  Ceil: rounded("Ceil"),
  Round: rounded("Round"),
};

/** TensorProto.DataType of those element types that a cast may turn a size into without changing it. */
const castTypes: Readonly<Partial<Record<number, ElementType>>> = {
  1: "float32",
  6: "int32",
  7: "int64",
  11: "float64",
};

function cast(op: Tables, table: Table): Table {
  const to = intAttribute(op.node, "to", 0);
  const type = castTypes[to];
  const { sizes } = op;
  const change = (value: Size): Size => {
    const keeps = type !== undefined && (isFloat(type) || !isFloat(table.type) || sizes.isWhole(value));
    return keeps
      ? value
      : sizes.unknown(`Cast ${to} ${keyOf(value)}`, type === undefined ? "number" : "whole");
  };
  return { type: type ?? "bool", shape: table.shape, values: table.values.map(change) };
}

const combining: Readonly<Partial<Record<string, Pair>>> = {
  ReduceProd: pairs["Mul"],
  ReduceSum: pairs["Add"],
  ReduceMin: pairs["Min"],
  ReduceMax: pairs["Max"],
};

/** Only over all numbers of a list, which is how shapes are summed up. */
function reduced(op: Tables, combine: Pair): Table | undefined {
  const [table] = op.tables;
  const [shape] = op.outputs;
  if (table === undefined || table.values.length === 0 || sizeOf(shape) !== 1) return undefined;
  const value = table.values.reduce((a, b) => combine(op.sizes, a, b, table.type));
  return { type: table.type, shape, values: [value] };
}

function chosen(op: Tables): Table | undefined {
  const [condition, a, b] = op.tables;
  const [shape] = op.outputs;
  if (condition === undefined || a === undefined || b === undefined) return undefined;
  const [flags, yes, no] = [condition, a, b].map((table) => spread(table, shape));
  const values = flags.map((flag, i): Size => {
    if (typeof flag === "number") return flag !== 0 ? yes[i] : no[i];
    if (isSame(yes[i], no[i])) return yes[i];
    const positive = op.sizes.isCount(yes[i]) && op.sizes.isCount(no[i]);
    const how = `Where ${[flag, yes[i], no[i]].map(keyOf).join(" ")}`;
    return op.sizes.unknown(how, positive ? "count" : "number");
  });
  return { type: a.type, shape, values };
}

/** What the outputs hold where an input is open; undefined where it is not followed. */
export function openValues(op: Tables): readonly (Table | undefined)[] | undefined {
  const { node, tables, outputs, sizes, shape } = op;
  if (node.domain !== "") return undefined;
  const [out = []] = outputs;
  if (node.op === "Shape") {
    const x = shape(0);
    const values = x && shapeEntries(node, x);
    return values && [{ type: "int64", shape: [values.length], values }];
  }
  if (node.op === "Size") {
    const x = shape(0);
    return x && [{ type: "int64", shape: [], values: [product(sizes, x)] }];
  }
  const given = node.inputs.flatMap((name, i) => (name === "" ? [] : [tables[i]]));
  const [first] = given;
  if (first === undefined || given.includes(undefined)) return undefined;
  const from = own(picking, node.op)?.(node.inputs.length);
  if (from !== undefined) return picked(op, from);
  if (node.op === "Cast") return [cast(op, first)];
  if (node.op === "Where") return [chosen(op)];
  const combine = own(combining, node.op);
  if (combine !== undefined) return [reduced(op, combine)];
  const type = factsOf(node.op).yesOrNo === true ? "bool" : first.type;
  const single = own(singles, node.op);
  if (single !== undefined)
    return [{ type, shape: out, values: first.values.map((value) => single(sizes, value, first.type)) }];
  const pair = own(pairs, node.op);
  if (pair === undefined) return undefined;
  const all = given.flatMap((table) => (table === undefined ? [] : [spread(table, out)]));
  const values = all.reduce((a, b) => a.map((x, i) => pair(sizes, x, b[i], first.type)));
  return [{ type, shape: out, values }];
}
