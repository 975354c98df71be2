/** Operators that move axes: Transpose, Reshape, Flatten, Squeeze, Unsqueeze, Resize, Expand, Tile. */
import { integersOf, intsAttribute, type Node } from "../network.ts";
import { fromFront } from "../operators/attributes.ts";
import { freeze, freezeInputs, isParameter, label, shapeOf, type Coupler, type Rule } from "./coupler.ts";
import { layoutOf, moved, putSpread, stridesOf } from "./spreads.ts";
import { constantEntry } from "./entries.ts";
import type { Layout, Spread } from "./types.ts";

/** The axis order of a Transpose. */
function permutationOf(node: Node, rank: number): readonly number[] {
  return intsAttribute(
    node,
    "perm",
    Array.from({ length: rank }, (_, i) => rank - 1 - i),
  );
}

/** Transpose: the channel axis moves; inside a channel shuffle the factors change places. */
export const transpose: Rule = (coupler, node) => {
  const [input] = node.inputs;
  const [output] = node.outputs;
  const rank = shapeOf(coupler, input)?.length;
  if (rank === undefined) {
    freezeInputs(coupler, node, "has an input of unknown rank");
    return;
  }
  const order = permutationOf(node, rank);
  const spread = coupler.spreads.get(input);
  if (spread) {
    coupler.spreads.set(
      output,
      moved(spread, (axis) => order.indexOf(axis)),
    );
    return;
  }
  const layout = layoutOf(coupler, node, input);
  if (layout) coupler.layouts.set(output, { axis: order.indexOf(layout.axis), atoms: layout.atoms });
};

/**
 * Reshape, Flatten. A target that is computed must leave the number of channels to be found (-1), or say it as a number beside
 * what is computed.
 */
export const reshape: Rule = (coupler, node) => {
  const [input, target] = node.inputs;
  const [output] = node.outputs;
  const tracked = coupler.spreads.get(input) ?? coupler.layouts.get(input);
  if (!tracked) return;
  regroup(coupler, node, tracked);
  if (node.op === "Flatten" || isParameter(coupler, target)) return;
  const made = coupler.layouts.get(output);
  const axes = coupler.spreads.get(output)?.axes ?? (made ? [made.axis] : []);
  const isSaid = (axis: number): boolean => (constantEntry(coupler, target, axis) ?? 0) !== 0;
  if (axes.every(isSaid)) return;
  coupler.layouts.delete(output);
  coupler.spreads.delete(output);
  coupler.shuffles.delete(node.name);
  freezeInputs(coupler, node, "takes its target shape from a computation");
};

/** One run of axes before and after a Reshape that hold the same numbers. */
interface Block {
  readonly before: readonly number[];
  readonly after: readonly number[];
}

/** Pairs the shortest runs of axes whose sizes have the same product. Axes of size 1 join the run they follow. */
function blocksOf(from: readonly number[], to: readonly number[]): Block[] {
  const blocks: Block[] = [];
  let [i, j] = [0, 0];
  while (i < from.length || j < to.length) {
    const before: number[] = [];
    const after: number[] = [];
    let [left, right] = [1, 1];
    const takeLeft = (): void => void ((left *= from[i]), before.push(i++));
    const takeRight = (): void => void ((right *= to[j]), after.push(j++));
    if (i < from.length) takeLeft();
    if (j < to.length) takeRight();
    while (left !== right && (i < from.length || j < to.length)) {
      if (left < right && i < from.length) takeLeft();
      else if (j < to.length) takeRight();
      else takeLeft();
    }
    while (i < from.length && from[i] === 1 && to[j] !== 1) takeLeft();
    while (j < to.length && to[j] === 1 && from[i] !== 1) takeRight();
    blocks.push({ before, after });
  }
  return blocks;
}

function regroup(coupler: Coupler, node: Node, tracked: Layout | Spread): void {
  const [input] = node.inputs;
  const [output] = node.outputs;
  const refuse = (why: string): void => {
    freeze(coupler, input, `${label(node)} ${why}`);
  };
  const from = shapeOf(coupler, input);
  const to = shapeOf(coupler, output);
  if (!from || !to) {
    refuse("has a value of unknown shape");
    return;
  }
  const blocks = blocksOf(from, to);
  if ("axes" in tracked) {
    regroupSpread(coupler, node, { from, to, blocks, spread: tracked });
    return;
  }
  const { axis } = tracked;
  const block = blocks.find(({ before }) => before.includes(axis));
  if (tracked.atoms.length === 1 || !block) {
    refuse("regroups the channels with other axes");
    return;
  }
  const outAxes = block.after.filter((one) => to[one] > 1);
  if (block.before.includes(0) && from[0] > 1 && block.before.some((one) => one > 0 && from[one] > 1)) {
    refuse("merges the channels with the batch");
    return;
  }
  if (from[0] > 1 && (axis === 0 || outAxes.includes(0))) {
    refuse("moves the channels into the batch axis");
    return;
  }
  const index = channelIndex(from, block.before, axis);
  const atoms = index.map((position) => tracked.atoms[position]);
  const carrier = outAxes.length === 1 ? outAxes[0] : carrierOf(atoms, to, outAxes);
  if (carrier === undefined) {
    if (gathersChannels(axis, { from, to, block })) {
      tieRows(coupler, node, { atoms: tracked.atoms, axis: outAxes[0], rows: to[outAxes[0]] });
    } else if (index.length !== tracked.atoms.length) refuse("regroups the channels with other axes");
    else {
      const origin = { value: input, axis, positions: index };
      coupler.spreads.set(output, { axes: outAxes, dims: outAxes.map((one) => to[one]), atoms, origin });
    }
    return;
  }
  const stride = outAxes.slice(outAxes.indexOf(carrier) + 1).reduce((product, one) => product * to[one], 1);
  const own = Int32Array.from({ length: to[carrier] }, (_, i) => atoms[i * stride]);
  coupler.layouts.set(output, { axis: carrier, atoms: own });
}

interface Regrouping {
  readonly from: readonly number[];
  readonly to: readonly number[];
  readonly blocks: readonly Block[];
  readonly spread: Spread;
}

/**
 * Axes that hold nothing but channels are put together, or apart, on the spot: row-major, their channels stay in order. On a single
 * axis in the shape that it began with it is a shuffle; in another shape, or put together with places, one axis of the
 * channels has to speak for the others.
 */
function regroupSpread(coupler: Coupler, node: Node, { from, to, blocks, spread }: Regrouping): void {
  const [output] = node.outputs;
  const own = ({ before }: Block): boolean => before.some((axis) => spread.axes.includes(axis));
  const isPure = ({ before }: Block): boolean =>
    before.every((axis) => from[axis] === 1 || spread.axes.includes(axis));
  const mine = blocks.filter(own);
  const outAxes = mine.flatMap(({ after }) => after.filter((axis) => to[axis] > 1));
  const { atoms, origin } = spread;
  const source = origin && coupler.shapes.get(origin.value);
  const isBack = source?.length === to.length && source.every((dim, axis) => dim === to[axis]);
  if (mine.every(isPure) && (outAxes.length > 1 || (isBack && origin?.axis === outAxes[0]))) {
    if (outAxes.length > 1) {
      const dims = outAxes.map((axis) => to[axis]);
      coupler.spreads.set(output, { axes: outAxes, dims, atoms, ...(origin && { origin }) });
      return;
    }
    if (origin) coupler.shuffles.set(node.name, origin);
    coupler.layouts.set(output, { axis: outAxes[0], atoms });
    return;
  }
  const pure = mine.filter(isPure).flatMap(({ before }) => before);
  const layout = layoutOf(coupler, node, node.inputs[0], (axis) => pure.length === 0 || pure.includes(axis));
  if (layout) regroup(coupler, node, layout);
}

/** Whether neighbouring channels and all their places come to lie in one row (group normalisation spelt out). */
function gathersChannels(
  axis: number,
  {
    from,
    to,
    block: { before, after },
  }: { readonly from: readonly number[]; readonly to: readonly number[]; readonly block: Block },
): boolean {
  const [rows, ...rest] = after;
  const inside = rest.filter((one) => to[one] > 1);
  const places = before.slice(1).some((one) => from[one] > 1);
  return before[0] === axis && places && inside.length === 1 && from[axis] % to[rows] === 0;
}

/** Channels that share a row go or stay together; the rows are what is followed from there. */
function tieRows(
  coupler: Coupler,
  node: Node,
  { atoms, axis, rows }: { readonly atoms: Int32Array; readonly axis: number; readonly rows: number },
): void {
  const size = atoms.length / rows;
  for (let i = 1; i < size; i++) {
    const at = (offset: number): Int32Array =>
      Int32Array.from({ length: rows }, (_, row) => atoms[row * size + offset]);
    coupler.atoms.tie(at(0), at(i), `${label(node)}, which puts neighbouring channels into one row`);
  }
  const first = Int32Array.from({ length: rows }, (_, row) => atoms[row * size]);
  coupler.layouts.set(node.outputs[0], { axis, atoms: first });
}

/** For every element of a block (row-major over its axes), its index among the channels. */
function channelIndex(from: readonly number[], block: readonly number[], axis: number): Int32Array {
  const dims = block.map((one) => from[one]);
  const at = block.indexOf(axis);
  const stride = stridesOf(dims)[at];
  const size = dims.reduce((product, dim) => product * dim, 1);
  return Int32Array.from({ length: size }, (_, flat) => Math.floor(flat / stride) % dims[at]);
}

/** The one axis that alone says which channel an element belongs to, where there is one. */
function carrierOf(atoms: Int32Array, to: readonly number[], outAxes: readonly number[]): number | undefined {
  const dims = outAxes.map((axis) => to[axis]);
  const strides = stridesOf(dims);
  return outAxes.find((_, i) =>
    atoms.every((atom, flat) => atom === atoms[(Math.floor(flat / strides[i]) % dims[i]) * strides[i]]),
  );
}

/** Whether a computed list of sizes or repeats says 1 at `entry`, or nothing: the channels are left as they are. */
const spared = (coupler: Coupler, list: string, entry: number): boolean =>
  entry < 0 || constantEntry(coupler, list, entry) === 1;

/** Expand: the channel axis counts from the back, and may not grow. */
export const expand: Rule = (coupler, node) => {
  const [input, target] = node.inputs;
  const layout = layoutOf(coupler, node, input);
  const from = shapeOf(coupler, input);
  const to = shapeOf(coupler, node.outputs[0]);
  if (!layout) return;
  const axis = from && to ? layout.axis + to.length - from.length : undefined;
  const entry =
    axis === undefined || to === undefined ? axis : axis - to.length + (shapeOf(coupler, target)?.[0] ?? 0);
  const spares = isParameter(coupler, target) || (entry !== undefined && spared(coupler, target, entry));
  if (axis !== undefined && to?.[axis] === layout.atoms.length && spares) {
    coupler.layouts.set(node.outputs[0], { axis, atoms: layout.atoms });
  } else freeze(coupler, input, `${label(node)} repeats channels, or takes its shape from a computation`);
};

/** Tile: channels pass where they are not repeated. */
export const tile: Rule = (coupler, node) => {
  const [input, repeats] = node.inputs;
  const layout = layoutOf(coupler, node, input);
  if (!layout) return;
  if (spared(coupler, repeats, layout.axis)) coupler.layouts.set(node.outputs[0], layout);
  else freeze(coupler, input, `${label(node)} repeats channels`);
};

/** Squeeze and Unsqueeze: axes of size 1 go or come; the axes of the channels move. */
export const squeeze: Rule = (coupler, node) => {
  const [input] = node.inputs;
  const [output] = node.outputs;
  const spread = coupler.spreads.get(input);
  const layout = coupler.layouts.get(input);
  const rank = shapeOf(coupler, input)?.length;
  const outRank = shapeOf(coupler, output)?.length;
  if (!layout && !spread) return;
  if (rank === undefined || outRank === undefined) {
    freeze(coupler, input, `${label(node)} has a value of unknown rank`);
    return;
  }
  const given = integersOf(coupler.network, node.inputs[1]) ?? intsAttribute(node, "axes", []);
  const axisOf =
    node.op === "Squeeze" ? squeezed(shapeOf(coupler, input) ?? [], given) : unsqueezed(outRank, given);
  if (layout && axisOf(layout.axis) === undefined)
    freeze(coupler, input, `${label(node)} removes the axis of a single channel`);
  else if (layout) coupler.layouts.set(output, { axis: axisOf(layout.axis) ?? 0, atoms: layout.atoms });
  else if (spread)
    putSpread(
      coupler,
      output,
      moved(spread, (axis) => axisOf(axis) ?? 0),
    );
};

/** Where an axis stands when axes of size 1 are gone; undefined for those. */
function squeezed(shape: readonly number[], given: readonly number[]): (axis: number) => number | undefined {
  const all = shape.flatMap((dim, axis) => (dim === 1 ? [axis] : []));
  const gone = given.length > 0 ? given.map((axis) => fromFront(axis, shape.length)) : all;
  return (axis) => (gone.includes(axis) ? undefined : axis - gone.filter((one) => one < axis).length);
}

/** Where an axis stands when axes of size 1 have come. */
function unsqueezed(outRank: number, given: readonly number[]): (axis: number) => number | undefined {
  const come = given.map((axis) => fromFront(axis, outRank));
  const kept = Array.from({ length: outRank }, (_, axis) => axis).filter((axis) => !come.includes(axis));
  return (axis) => kept[axis];
}
