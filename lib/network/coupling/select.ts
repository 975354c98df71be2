/** Operators that put channels together or pick some of them: Concat, Split, Slice, Gather, Pad. */
import { intAttribute, integersOf, stringAttribute, type Node } from "../network.ts";
import {
  inputsFrom,
  fromFront,
  padAmounts,
  positionsOf,
  sliceLists,
  sliceRanges,
  splitSizes,
} from "../operators/attributes.ts";
import {
  freeze,
  freezeInputs,
  isParameter,
  label,
  shapeOf,
  useParameter,
  type Coupler,
  type Rule,
} from "./coupler.ts";
import { collapse, handOn, layoutOf, moved } from "./spreads.ts";
import { elementwise } from "./elementwise.ts";
import { constantEntry } from "./entries.ts";

/** Concat: along the channels their lists are joined, along another axis channels are tied. */
export const concat: Rule = (coupler, node) => {
  const along = fromFront(intAttribute(node, "axis", 1), shapeOf(coupler, node.inputs[0])?.length ?? 0);
  const layouts = node.inputs.map((input) => layoutOf(coupler, node, input, (axis) => axis !== along));
  const first = layouts.find((layout) => layout !== undefined);
  const rank = shapeOf(coupler, node.inputs[0])?.length;
  if (!first || rank === undefined) return;
  if (layouts.some((layout) => layout && layout.axis !== first.axis)) {
    freezeInputs(coupler, node, "meets channels on different axes");
    return;
  }
  const axis = along;
  if (axis !== first.axis) {
    concatBeside(coupler, node, first.axis);
    return;
  }
  const parts: Int32Array[] = [];
  for (const [i, input] of node.inputs.entries()) {
    const size = shapeOf(coupler, input)?.[axis];
    if (size === undefined) {
      freezeInputs(coupler, node, `has the input ${input} of unknown shape`);
      return;
    }
    const known = layouts[i]?.atoms;
    const atoms = known ?? coupler.atoms.fresh(size);
    if (isParameter(coupler, input)) useParameter(coupler, node, i, [{ axis, atoms }]);
    else if (!known) coupler.atoms.freeze(atoms, `${input} has no channels that could be removed`);
    parts.push(atoms);
  }
  coupler.layouts.set(node.outputs[0], {
    axis,
    atoms: Int32Array.from(parts.flatMap((part) => Array.from(part))),
  });
};

/** Same channels in every input, other axes joined: ties them as Add does. */
function concatBeside(coupler: Coupler, node: Node, axis: number): void {
  const sizes = node.inputs.map((input) => shapeOf(coupler, input)?.[axis]);
  if (new Set(sizes).size === 1) elementwise(coupler, node);
  else freezeInputs(coupler, node, "joins values of different widths");
}

/**
 * Parts along one of several axes of channels (query, key and value; branches): the other axes are what is followed.
 *
 * @param axisOf where an axis stands afterwards
 * @returns whether the channels stand on several axes
 */
function taken(
  coupler: Coupler,
  node: Node,
  along: number,
  axisOf = (axis: number): number => axis,
): boolean {
  const spread = coupler.spreads.get(node.inputs[0]);
  if (!spread) return false;
  const left = collapse(coupler, node, spread, (axis) => axis === along);
  if (left) handOn(coupler, node, moved(left, axisOf));
  return true;
}

/** Split: every part gets its run of channels. */
export const split: Rule = (coupler, node) => {
  const rank = shapeOf(coupler, node.inputs[0])?.length;
  if (rank === undefined) return;
  const axis = fromFront(intAttribute(node, "axis", 0), rank);
  if (taken(coupler, node, axis)) return;
  const layout = layoutOf(coupler, node, node.inputs[0]);
  if (!layout) return;
  const sizes = splitSizes(node, layout.atoms.length, inputsFrom(coupler.network, node));
  if (axis === layout.axis && !sizes) {
    freezeInputs(coupler, node, "splits at computed positions");
    return;
  }
  let start = 0;
  for (const [i, output] of node.outputs.entries()) {
    if (axis !== layout.axis) {
      coupler.layouts.set(output, layout);
      continue;
    }
    const size = sizes?.[i] ?? 0;
    coupler.layouts.set(output, { axis, atoms: layout.atoms.slice(start, start + size) });
    start += size;
  }
};

/** Slice: along the channels it takes a part of the list; along other axes it may do so at computed positions. */
export const slice: Rule = (coupler, node) => {
  const shape = shapeOf(coupler, node.inputs[0]);
  if (!shape) return;
  const axes = integersOf(coupler.network, node.inputs[3]);
  if (axes?.length === 1 && taken(coupler, node, fromFront(axes[0], shape.length))) return;
  const layout = layoutOf(coupler, node, node.inputs[0]);
  if (!layout) return;
  if (axes?.every((axis) => fromFront(axis, shape.length) !== layout.axis) === true) {
    coupler.layouts.set(node.outputs[0], layout);
    return;
  }
  const lists = sliceLists(node, shape.length, inputsFrom(coupler.network, node));
  if (!lists) {
    freezeInputs(coupler, node, "slices at computed positions");
    return;
  }
  const range = sliceRanges(lists, shape).get(layout.axis);
  const atoms = range
    ? Int32Array.from(positionsOf(range), (position) => layout.atoms[position])
    : layout.atoms;
  coupler.layouts.set(node.outputs[0], { axis: layout.axis, atoms });
};

/** Gather with constant indices: along the channels it picks from the list. */
export const gatherRule: Rule = (coupler, node) => {
  const [data, indices] = node.inputs;
  const shape = shapeOf(coupler, data);
  const indicesShape = shapeOf(coupler, indices);
  const along = fromFront(intAttribute(node, "axis", 0), shape?.length ?? 0);
  const isOne = isParameter(coupler, indices) && indicesShape?.length === 0;
  if (isOne && taken(coupler, node, along, (axis) => (axis > along ? axis - 1 : axis))) return;
  const layout = layoutOf(coupler, node, data, (axis) => axis !== along);
  if (!layout || !shape || !indicesShape) {
    freezeInputs(coupler, node, "gathers from a value of unknown shape");
    return;
  }
  freeze(coupler, indices, `${label(node)} takes its indices from them`);
  const axis = along;
  if (axis !== layout.axis) {
    const shift = axis < layout.axis ? indicesShape.length - 1 : 0;
    coupler.layouts.set(node.outputs[0], { axis: layout.axis + shift, atoms: layout.atoms });
    return;
  }
  const picked = integersOf(coupler.network, indices)?.map((index) => fromFront(index, shape[axis]));
  if (!picked) freeze(coupler, data, `${label(node)} picks channels by computed indices`);
  else if (indicesShape.length === 1) {
    coupler.layouts.set(node.outputs[0], { axis, atoms: Int32Array.from(picked, (i) => layout.atoms[i]) });
  } else {
    const atoms = Int32Array.from(layout.atoms);
    coupler.atoms.freeze(atoms, `${label(node)} picks channels one by one`);
  }
};

/** GridSample: every channel is sampled at the same places. */
export const sampled: Rule = (coupler, node) => {
  const [map, grid] = node.inputs;
  freeze(coupler, grid, `${label(node)} takes its places from them`);
  const layout = layoutOf(coupler, node, map, (axis) => axis === 1);
  if (layout?.axis === 1) coupler.layouts.set(node.outputs[0], layout);
  else freeze(coupler, map, `${label(node)} samples along the channels`);
};

/** Whether a Pad by computed amounts adds nothing along one axis, whatever the rest of its table comes to. */
function sparesAxis(
  coupler: Coupler,
  node: Node,
  { axis, rank }: { readonly axis: number; readonly rank: number },
): boolean {
  const [, pads = "", , axesInput = ""] = node.inputs;
  if (axesInput === "") return [axis, rank + axis].every((at) => constantEntry(coupler, pads, at) === 0);
  return integersOf(coupler.network, axesInput)?.every((one) => fromFront(one, rank) !== axis) === true;
}

/** Pad: zeros along the channels are new atoms, which Add then ties to their partners. */
export const pad: Rule = (coupler, node) => {
  const layout = layoutOf(coupler, node, node.inputs[0]);
  const rank = shapeOf(coupler, node.inputs[0])?.length;
  if (!layout || rank === undefined) return;
  const amounts = padAmounts(node, rank, inputsFrom(coupler.network, node));
  const own = amounts
    ? [amounts.before[layout.axis], amounts.after[layout.axis]]
    : sparesAxis(coupler, node, { axis: layout.axis, rank })
      ? [0, 0]
      : undefined;
  if (own === undefined) {
    freezeInputs(coupler, node, "pads by computed amounts");
    return;
  }
  const [before, after] = own;
  if (
    before < 0 ||
    after < 0 ||
    ((before > 0 || after > 0) && stringAttribute(node, "mode", "constant") !== "constant")
  ) {
    freezeInputs(coupler, node, "pads the channels with other channels, or crops them");
    return;
  }
  const atoms = Int32Array.from([
    ...coupler.atoms.fresh(before),
    ...layout.atoms,
    ...coupler.atoms.fresh(after),
  ]);
  coupler.layouts.set(node.outputs[0], { axis: layout.axis, atoms });
};
