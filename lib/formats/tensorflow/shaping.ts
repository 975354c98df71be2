/** TensorFlow's operators that move numbers or compute with shapes. */
import { own } from "../../core/own.ts";
import { int, ints } from "../../network/builder.ts";
import { int64 } from "../../network/network.ts";
import { text } from "../keras/config.ts";
import {
  emitNode,
  held,
  heldAxis,
  hold,
  inputAt,
  numbersAt,
  plainName,
  refuseNode,
  type TfCall,
  type TfRule,
  type TfValue,
} from "./context.ts";
import { intOf, intsOf } from "./nodes.ts";

/** Number of entries of a list, where it is known. */
function lengthOf(call: TfCall, value: TfValue, what: string): number {
  const length = value.constant?.shape[0] ?? value.length;
  if (length === undefined) throw refuseNode(call, `${what} of unknown length`, "a list of known length");
  return length;
}

const reshape: TfRule = (call) => {
  const [x, shape] = [inputAt(call, 0), inputAt(call, 1)];
  const rank = lengthOf(call, shape, "a shape");
  const target = held(call, shape);
  return hold(call, (name) => emitNode(call, "Reshape", [plainName(call, x), target], {}, name), rank);
};

const squeeze: TfRule = (call) => {
  const x = inputAt(call, 0);
  const listed = intsOf(call.node, "squeeze_dims");
  const axes = (listed.length > 0 ? listed : intsOf(call.node, "axis")).map((axis) => heldAxis(axis, x.rank));
  if (axes.length === 0) throw refuseNode(call, "no axes", "a list of them");
  const rank = x.rank - axes.length;
  // Of an image without its places, or without its channels, the order of what is left is TensorFlow's.
  const isOrdered = x.rank !== 4 || [2, 3].every((axis) => axes.includes(axis)) || axes.includes(1);
  const from = isOrdered ? held(call, x) : plainName(call, x);
  const own = isOrdered ? axes : listed.length > 0 ? listed : intsOf(call.node, "axis");
  const list = call.net.parameter(call.part("axes"), int64(own));
  return hold(call, (name) => emitNode(call, "Squeeze", [from, list], {}, name), rank);
};

const expandDims: TfRule = (call) => {
  const x = inputAt(call, 0);
  const [axis] = numbersAt(call, 1, "an axis");
  const list = call.net.parameter(call.part("axes"), int64([axis]));
  return hold(call, (name) => emitNode(call, "Unsqueeze", [plainName(call, x), list], {}, name), x.rank + 1);
};

const concat: TfRule = (call) => {
  const values = call.inputs.slice(0, -1);
  const [axis] = numbersAt(call, call.inputs.length - 1, "an axis");
  const rank = Math.max(...values.map((value) => value.rank));
  if (values.some((value) => value.rank !== rank))
    throw refuseNode(call, "values of different rank", "equal ranks");
  const lengths = values.map((value) => value.constant?.shape[0] ?? value.length);
  const length = lengths.reduce<number | undefined>(
    (sum, one) => (sum === undefined || one === undefined ? undefined : sum + one),
    0,
  );
  const names = values.map((value) => held(call, value));
  const name = emitNode(call, "Concat", names, { axis: int(heldAxis(axis, rank)) });
  return { name, rank, ...(rank === 1 && length !== undefined && { length }) };
};

/** Equal parts, or parts of the sizes of the second input. */
const split =
  (by: "number" | "sizes"): TfRule =>
  (call) => {
    const [x, axisAt] = by === "number" ? [inputAt(call, 1), 0] : [inputAt(call, 0), 2];
    const axis = heldAxis(numbersAt(call, axisAt, "an axis")[0], x.rank);
    const sizes = by === "sizes" ? numbersAt(call, 1, "sizes") : undefined;
    const count = sizes?.length ?? intOf(call.node, "num_split", 1);
    if (count < 1 || count > 1024 || sizes?.includes(-1) === true)
      throw refuseNode(call, "parts of unknown size", "sizes");
    const own = sizes === undefined ? [] : [call.net.parameter(call.part("sizes"), int64(sizes))];
    const options = { name: call.node.name, attributes: { axis: int(axis) } };
    const names = call.net.nodeWithOutputs("Split", [held(call, x), ...own], count, options);
    return names.map((name) => ({ name, rank: x.rank }));
  };

const transpose: TfRule = (call) => {
  const x = inputAt(call, 0);
  const perm = numbersAt(call, 1, "an order");
  return hold(
    call,
    (name) => emitNode(call, "Transpose", [plainName(call, x)], { perm: ints(perm) }, name),
    x.rank,
  );
};

const shape: TfRule = (call) => {
  const x = inputAt(call, 0);
  return { name: emitNode(call, "Shape", [plainName(call, x)]), rank: 1, length: x.rank };
};

/** Ranges with a start, an end and a step for each axis; an axis of one number may go. No ellipsis, no new axis. */
const stridedSlice: TfRule = (call) => {
  const x = inputAt(call, 0);
  if (intOf(call.node, "ellipsis_mask", 0) !== 0 || intOf(call.node, "new_axis_mask", 0) !== 0)
    throw refuseNode(call, "an ellipsis or a new axis", "neither");
  const [starts, ends, steps] = ["starts", "ends", "steps"].map((what, i) => numbersAt(call, i + 1, what));
  const bit = (mask: string, i: number): boolean => ((intOf(call.node, mask, 0) >> i) & 1) === 1;
  const gone = starts.flatMap((_, i) => (bit("shrink_axis_mask", i) ? [i] : []));
  const from = starts.map((start, i) => (bit("begin_mask", i) ? (steps[i] < 0 ? 2 ** 31 - 1 : 0) : start));
  const to = ends.map((end, i) => {
    if (gone.includes(i)) return starts[i] === -1 ? 2 ** 31 - 1 : starts[i] + 1;
    return bit("end_mask", i) ? (steps[i] < 0 ? -(2 ** 31) : 2 ** 31 - 1) : end;
  });
  const lists = [from, to, starts.map((_, i) => i), steps];
  const names = lists.map((list, i) => call.net.parameter(call.part(`range${i}`), int64(list)));
  const rank = x.rank - gone.length;
  const made = hold(
    call,
    (name) => {
      const sliced = emitNode(
        call,
        "Slice",
        [plainName(call, x), ...names],
        {},
        gone.length === 0 ? name : call.part("range"),
      );
      if (gone.length === 0) return sliced;
      return emitNode(
        call,
        "Squeeze",
        [sliced, call.net.parameter(call.part("gone"), int64(gone))],
        {},
        name,
      );
    },
    rank,
  );
  const whole = x.constant?.shape[0] ?? x.length;
  if (rank !== 1 || x.rank !== 1 || whole === undefined) return made;
  const [start, end] = [from[0], to[0]].map((at) => Math.min(Math.max(at < 0 ? at + whole : at, 0), whole));
  return { ...made, length: Math.max(0, Math.ceil((end - start) / steps[0])) };
};

const slice: TfRule = (call) => {
  const x = inputAt(call, 0);
  const [starts, sizes] = [numbersAt(call, 1, "starts"), numbersAt(call, 2, "sizes")];
  const ends = starts.map((start, i) => (sizes[i] === -1 ? 2 ** 31 - 1 : start + sizes[i]));
  const names = [starts, ends].map((list, i) => call.net.parameter(call.part(`range${i}`), int64(list)));
  return hold(call, (name) => emitNode(call, "Slice", [plainName(call, x), ...names], {}, name), x.rank);
};

const pack: TfRule = (call) => {
  const axis = intOf(call.node, "axis", 0);
  const { rank } = inputAt(call, 0);
  const list = call.net.parameter(call.part("axes"), int64([axis]));
  const parts = call.inputs.map((value) =>
    emitNode(call, "Unsqueeze", [plainName(call, value), list], {}, call.part("entry")),
  );
  const made = hold(call, (name) => emitNode(call, "Concat", parts, { axis: int(axis) }, name), rank + 1);
  return rank === 0 ? { ...made, length: call.inputs.length } : made;
};

const unpack: TfRule = (call) => {
  const x = inputAt(call, 0);
  const [count, axis] = [intOf(call.node, "num", 0), intOf(call.node, "axis", 0)];
  if (count < 1 || count > 1024 || x.rank === 5)
    throw refuseNode(call, `${count} parts of ${x.rank} axes`, "1 to 1024");
  const from = plainName(call, x);
  return Array.from({ length: count }, (_, i): TfValue => {
    const index = call.net.parameter(call.part("index"), int64([i], []));
    const name = i === 0 ? call.node.name : call.part("entry");
    return { name: emitNode(call, "Gather", [from, index], { axis: int(axis) }, name), rank: x.rank - 1 };
  });
};

/** TensorFlow's DataType -> ONNX's; whole numbers are int64 here. */
const types: Readonly<Record<string, number>> = { DT_FLOAT: 1, DT_INT32: 7, DT_INT64: 7, DT_BOOL: 9 };
const numbered: Readonly<Record<number, string>> = {
  1: "DT_FLOAT",
  3: "DT_INT32",
  9: "DT_INT64",
  10: "DT_BOOL",
};

const cast: TfRule = (call) => {
  const x = inputAt(call, 0);
  const given = call.node.attributes["DstT"]?.["type"];
  const named = typeof given === "number" ? numbered[given] : given;
  const to = typeof named === "string" ? own(types, named) : undefined;
  if (to === undefined) throw refuseNode(call, `type ${text(given)}`, "float, int32, int64 or bool");
  const made = emitNode(call, "Cast", [held(call, x)], { to: int(to) });
  const length = x.constant?.shape[0] ?? x.length;
  return { name: made, rank: x.rank, ...(length !== undefined && x.rank === 1 && { length }) };
};

const tile: TfRule = (call) => {
  const x = inputAt(call, 0);
  const repeats = held(call, inputAt(call, 1));
  return hold(call, (name) => emitNode(call, "Tile", [plainName(call, x), repeats], {}, name), x.rank);
};

const argMax: TfRule = (call) => {
  const x = inputAt(call, 0);
  const [axis] = numbersAt(call, 1, "an axis");
  return hold(
    call,
    (name) => emitNode(call, "ArgMax", [plainName(call, x)], { axis: int(axis), keepdims: int(0) }, name),
    x.rank - 1,
  );
};

export const shapingRules: Readonly<Record<string, TfRule>> = {
  Reshape: reshape,
  Squeeze: squeeze,
  ExpandDims: expandDims,
  ConcatV2: concat,
  Split: split("number"),
  SplitV: split("sizes"),
  Transpose: transpose,
  Shape: shape,
  StridedSlice: stridedSlice,
  Slice: slice,
  Pack: pack,
  Unpack: unpack,
  Cast: cast,
  Tile: tile,
  ArgMax: argMax,
};
