/** Shapes where inputs are open: what the rules of `network/shapes` say of numbers, for sizes that are not known yet. */
import { intAttribute, intsAttribute } from "../network.ts";
import { factsOf, type ChannelKind } from "../operators/facts.ts";
import {
  equalParts,
  fromFront,
  isGiven,
  padAmounts,
  shapeEntries,
  sliceLists,
  sliceRange,
} from "../operators/attributes.ts";
import { einsumLetters, recurrent } from "../shapes/mixed.ts";
import { type OpenNode, type OpenRule } from "./node.ts";
import { isSame, keyOf, type Size, type Sizes } from "./size.ts";
import { openWindows } from "./windows.ts";

/** A list of whole numbers from input `index` or, in older forms, the attribute `name`; `undefined`: it is open. */
function listed(op: OpenNode, index: number, name: string): readonly number[] | "none" | undefined {
  if (isGiven(op.node, index)) return numbers(op.table(index));
  return op.node.attributes[name] === undefined ? "none" : intsAttribute(op.node, name, []);
}

function numbers(values: readonly Size[] | undefined): readonly number[] | undefined {
  const known = values?.filter((value) => typeof value === "number");
  return known?.length === values?.length ? known : undefined;
}

export const product = (sizes: Sizes, values: readonly Size[]): Size =>
  values.reduce((all, one) => sizes.multiply(all, one), 1);

const same: OpenRule = ({ node, shape }) => {
  const x = shape(0);
  return x && node.outputs.map((_, i) => (i === 0 || node.op !== "BatchNormalization" ? x : x.slice(1, 2)));
};

/** Equal, or one of them 1: the larger; of a number above 1 and an open size the number. */
function broadcast(sizes: Sizes, a: readonly Size[], b: readonly Size[]): readonly Size[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i): Size => {
    const [x, y] = [a[a.length - rank + i] ?? 1, b[b.length - rank + i] ?? 1];
    if (isSame(x, y) || y === 1) return x;
    if (x === 1 || typeof y === "number") return y;
    return typeof x === "number" ? x : sizes.max(x, y);
  });
}

const operands: OpenRule = ({ node, shape, sizes }) => {
  const shapes = node.inputs.map((_, i) => shape(i));
  const known = shapes.filter((one) => one !== undefined);
  return known.length < shapes.length ? undefined : [known.reduce((a, b) => broadcast(sizes, a, b))];
};

const without = (op: OpenNode, x: readonly Size[], axes: readonly number[]): readonly Size[] =>
  intAttribute(op.node, "keepdims", 1) === 1
    ? x.map((dim, i) => (axes.includes(i) ? 1 : dim))
    : x.filter((_, i) => !axes.includes(i));

const reduce: OpenRule = (op) => {
  const x = op.shape(0);
  const list = listed(op, 1, "axes");
  if (x === undefined || list === undefined) return undefined;
  const isAll = list === "none" || list.length === 0;
  if (isAll && intAttribute(op.node, "noop_with_empty_axes", 0) === 1) return [x];
  return [without(op, x, isAll ? x.map((_, i) => i) : list.map((axis) => fromFront(axis, x.length)))];
};

const argReduce: OpenRule = (op) => {
  const x = op.shape(0);
  return x && [without(op, x, [fromFront(intAttribute(op.node, "axis", 0), x.length)])];
};

const reshape: OpenRule = (op) => {
  const [x, target] = [op.shape(0), op.table(1)];
  if (x === undefined || target === undefined) return undefined;
  const { sizes } = op;
  const copies = intAttribute(op.node, "allowzero", 0) === 0;
  const shape = target.map((dim, i) => {
    if (dim === 0 && copies) return x[i] ?? 0;
    // What may be -1 says nothing about the size.
    const isOpen = typeof dim !== "number" && !sizes.isCount(dim);
    return isOpen ? sizes.unknown(`reshaped ${op.node.name} ${i}`, "count") : dim;
  });
  const free = shape.indexOf(-1);
  if (free < 0) return [shape];
  const [whole, rest] = [product(sizes, x), product(sizes, shape.with(free, 1))];
  const left = sizes.exact(whole, rest) ?? sizes.unknown(`rest ${keyOf(whole)} / ${keyOf(rest)}`, "count");
  return [shape.with(free, left)];
};

const flatten: OpenRule = ({ node, shape, sizes }) => {
  const x = shape(0);
  const at = fromFront(intAttribute(node, "axis", 1), x?.length ?? 0);
  return x && [[product(sizes, x.slice(0, at)), product(sizes, x.slice(at))]];
};

const transpose: OpenRule = ({ node, shape }) => {
  const x = shape(0);
  const backwards = x?.map((_, i) => x.length - 1 - i) ?? [];
  return x && [intsAttribute(node, "perm", backwards).map((axis) => x[axis] ?? 1)];
};

const concat: OpenRule = ({ node, shape, sizes }) => {
  const shapes = node.inputs.map((_, i) => shape(i));
  const known = shapes.filter((one) => one !== undefined);
  if (known.length < shapes.length) return undefined;
  const [first] = known;
  const at = fromFront(intAttribute(node, "axis", 1), first.length);
  const total = known.reduce<Size>((sum, one) => sizes.add(sum, one[at] ?? 0), 0);
  // Beside the axis all are equal, so that the one that is known says what the others are.
  return [
    first.map((dim, i) =>
      i === at ? total : (known.map((one) => one[i]).find((one) => typeof one === "number") ?? dim),
    ),
  ];
};

const split: OpenRule = (op) => {
  const x = op.shape(0);
  if (x === undefined) return undefined;
  const { node, sizes } = op;
  const at = fromFront(intAttribute(node, "axis", 0), x.length);
  const whole = x[at] ?? 0;
  const count = node.outputs.length;
  const equal = (): readonly Size[] =>
    typeof whole === "number"
      ? equalParts(whole, count)
      : node.outputs.map(
          (_, i) =>
            sizes.exact(whole, count) ?? sizes.unknown(`part ${i} of ${count} of ${keyOf(whole)}`, "count"),
        );
  const parts = isGiven(node, 1) ? op.table(1) : equal();
  return parts && node.outputs.map((_, i) => x.with(at, parts[i]));
};

/** An end that stands for "to the end". */
const far = 2 ** 31 - 1;

function sliced(op: OpenNode, size: Size, range: { start: Size; end: Size; step: number }): Size {
  const { start, end, step } = range;
  const isWhole =
    (step === 1 && start === 0 && ((typeof end === "number" && end >= far) || isSame(end, size))) ||
    (step === -1 && start === -1 && typeof end === "number" && end <= -far);
  if (isWhole) return size;
  const how = [size, start, end, step].map(keyOf).join(" ");
  return op.sizes.unknown(`slice ${how}`, "count");
}

const slice: OpenRule = (op) => {
  const x = op.shape(0);
  const lists = sliceLists(op.node, x?.length ?? 0, op.table);
  if (x === undefined || lists === undefined) return undefined;
  return [
    x.map((size, axis) => {
      const i = lists.axes.indexOf(axis);
      if (i < 0) return size;
      const [start, end, step] = [lists.starts[i], lists.ends[i], lists.steps[i]];
      if (typeof size === "number" && typeof start === "number" && typeof end === "number")
        return sliceRange(size, start, end, step).count;
      return sliced(op, size, { start, end, step });
    }),
  ];
};

const pad: OpenRule = (op) => {
  const x = op.shape(0);
  const amounts = padAmounts(op.node, x?.length ?? 0, op.table);
  if (x === undefined || amounts === undefined) return undefined;
  const { before, after } = amounts;
  return [x.map((size, axis) => op.sizes.add(size, op.sizes.add(before[axis], after[axis])))];
};

const squeeze: OpenRule = (op) => {
  const x = op.shape(0);
  const list = listed(op, 1, "axes");
  // Without axes it depends on which open sizes are 1.
  if (x === undefined || list === undefined || list === "none") return undefined;
  const axes = list.map((axis) => fromFront(axis, x.length));
  return [x.filter((_, i) => !axes.includes(i))];
};

const unsqueeze: OpenRule = (op) => {
  const x = op.shape(0);
  const list = listed(op, 1, "axes");
  if (x === undefined || list === undefined || list === "none") return undefined;
  const rank = x.length + list.length;
  const axes = list.map((axis) => fromFront(axis, rank));
  const rest = x.values();
  return [Array.from({ length: rank }, (_, i): Size => (axes.includes(i) ? 1 : (rest.next().value ?? 1)))];
};

const expand: OpenRule = ({ shape, table, sizes }) => {
  const [x, target] = [shape(0), table(1)];
  return x && target && [broadcast(sizes, x, target)];
};

const gather: OpenRule = ({ node, shape }) => {
  const [x, indices] = [shape(0), shape(1)];
  const axis = fromFront(intAttribute(node, "axis", 0), x?.length ?? 0);
  return x && indices && [[...x.slice(0, axis), ...indices, ...x.slice(axis + 1)]];
};

const tile: OpenRule = ({ shape, table, sizes }) => {
  const [x, repeats] = [shape(0), table(1)];
  return x && repeats && [x.map((size, i) => sizes.multiply(size, repeats[i] ?? 1))];
};

const gemm: OpenRule = ({ node, shape }) => {
  const [a, b] = [shape(0), shape(1)];
  const rows = a?.[intAttribute(node, "transA", 0) === 1 ? 1 : 0];
  const columns = b?.[intAttribute(node, "transB", 0) === 1 ? 0 : 1];
  return rows === undefined || columns === undefined ? undefined : [[rows, columns]];
};

const matMul: OpenRule = ({ shape, sizes }) => {
  const [a, b] = [shape(0), shape(1)];
  if (a === undefined || b === undefined) return undefined;
  const lead = broadcast(sizes, a.slice(0, -2), b.slice(0, -2));
  return [[...lead, ...(a.length < 2 ? [] : a.slice(-2, -1)), ...(b.length < 2 ? [] : b.slice(-1))]];
};

const einsum: OpenRule = ({ node, shape, sizes }) => {
  const letters = einsumLetters(node);
  if (letters === undefined) return undefined;
  const found = new Map<string, Size>();
  for (const [i, operand] of letters.operands.entries()) {
    const x = shape(i);
    if (x === undefined) return undefined;
    for (const [axis, letter] of operand.entries())
      found.set(letter, broadcast(sizes, [found.get(letter) ?? 1], [x[axis] ?? 1])[0]);
  }
  return [letters.result.map((letter) => found.get(letter) ?? 1)];
};

const recurrence: OpenRule = ({ node, shape }) => {
  const [x, state] = [shape(0), shape(2)?.at(-1)];
  return x?.length !== 3 || state === undefined
    ? undefined
    : recurrent<Size>(node, x, state, (count) => count);
};

const reductions = "Sum Mean Max Min Prod L1 L2 LogSum LogSumExp SumSquare".split(" ");

const rules: Readonly<Partial<Record<string, OpenRule>>> = {
  ...openWindows,
  ...Object.fromEntries(reductions.map((kind) => [`Reduce${kind}`, reduce])),
  ArgMax: argReduce,
  ArgMin: argReduce,
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
  GatherElements: ({ shape }) => {
    const indices = shape(1);
    return indices && [indices];
  },
  Tile: tile,
  Gemm: gemm,
  MatMul: matMul,
  PRelu: same,
  Einsum: einsum,
  GridSample: ({ shape }) => {
    const [x, grid] = [shape(0), shape(1)];
    return x && grid && [[...x.slice(0, 2), ...grid.slice(1, -1)]];
  },
  GRU: recurrence,
  LSTM: recurrence,
  RNN: recurrence,
  Shape: ({ node, shape }) => {
    const x = shape(0);
    return x && [[shapeEntries(node, x).length]];
  },
  Size: () => [[]],
  ConstantOfShape: ({ table }) => {
    const target = table(0);
    return target && [target];
  },
};

/** Normalisations, whose results have the shape of their input. */
const unchanged: ReadonlySet<ChannelKind | undefined> = new Set([
  "affine",
  "across",
  "softmax",
  "along-axis",
  "mean-variance",
]);

/** Shapes of a node's outputs where an input is open; undefined where they cannot be told. */
export function openShapes(op: OpenNode): readonly (readonly Size[])[] | undefined {
  const { node } = op;
  const key = node.domain === "" ? node.op : `${node.domain}:${node.op}`;
  const own = Object.hasOwn(rules, key) ? rules[key] : undefined;
  if (own !== undefined) return own(op);
  if (node.domain !== "") return undefined;
  const { shape, channels } = factsOf(node.op);
  if (shape === "broadcast") return operands(op);
  if (shape === "same" || unchanged.has(channels)) return same(op);
  return channels === "layer-norm" && node.outputs.length === 1 ? same(op) : undefined;
}
