/** Shapes that are read while the network runs: where the number of channels goes from there. */
import { factsOf } from "../operators/facts.ts";
import { consumersOf, intAttribute, integersOf, producersOf, type Node } from "../network.ts";
import {
  inputsFrom,
  fromFront,
  positionsOf,
  shapeEntries,
  sliceLists,
  sliceRanges,
} from "../operators/attributes.ts";
import { freeze, freezeInputs, isParameter, label, shapeOf, type Coupler, type Rule } from "./coupler.ts";
import { layoutOf } from "./spreads.ts";
import { partAt } from "./entries.ts";

/** Resize: channels pass where their number does not change, and where computed sizes read it from the input itself. */
export const sameWidth: Rule = (coupler, node) => {
  const [input, , , sizes = ""] = node.inputs;
  const layout = layoutOf(coupler, node, input);
  if (!layout) return;
  const size = shapeOf(coupler, node.outputs[0])?.[layout.axis];
  const isComputed = sizes !== "" && !isParameter(coupler, sizes);
  if (size !== layout.atoms.length) freeze(coupler, input, `${label(node)} changes the number of channels`);
  else if (isComputed && !readsOwn(coupler, sizes, { input, axis: layout.axis }))
    freeze(coupler, input, `${label(node)} computes the number of channels`);
  else coupler.layouts.set(node.outputs[0], layout);
};

/** Shape, Size: what they return must not change, so the channels stay, unless only sides and the batch are read. */
export const shapeReader: Rule = (coupler, node) => {
  const [input] = node.inputs;
  const isFree = (axis: number): boolean => node.op === "Shape" && isUnread(coupler, node, { input, axis });
  if (coupler.spreads.get(input)?.axes.every(isFree) === true) return;
  const layout = layoutOf(coupler, node, input, isFree);
  if (layout && isFree(layout.axis)) return;
  freezeInputs(coupler, node, "reads the number of channels");
};

interface Entry {
  readonly input: string;
  readonly axis: number;
}

/** Follows the entry of a shape that is the number of channels: does it end nowhere but in a Resize of the same value? */
function isUnread(coupler: Coupler, shape: Node, entry: Entry): boolean {
  const outputs = new Set(coupler.network.outputs.map(({ name }) => name));
  const consumers = consumersOf(coupler.network);
  const first = axesRead(coupler, shape).indexOf(entry.axis);
  const pending: { value: string; at: number }[] = first < 0 ? [] : [{ value: shape.outputs[0], at: first }];
  for (let place = pending.pop(); place !== undefined; place = pending.pop()) {
    const { value, at } = place;
    if (outputs.has(value)) return false;
    for (const reader of consumers.get(value) ?? []) {
      if (reader.op === "Resize" && reader.inputs[3] === value && reader.inputs[0] === entry.input) {
        if (at !== entry.axis) return false;
        continue;
      }
      const places = placesIn(coupler, reader, { value, at });
      if (places === undefined) return false;
      pending.push(...places.map((next) => ({ value: reader.outputs[0], at: next })));
    }
  }
  return true;
}

/** The axes whose sizes a Shape gives, which may be some of them only. */
function axesRead(coupler: Coupler, shape: Node): readonly number[] {
  const rank = shapeOf(coupler, shape.inputs[0])?.length ?? 0;
  return shapeEntries(
    shape,
    Array.from({ length: rank }, (_, axis) => axis),
  );
}

/** Where an entry of a list stands in what a node makes of the list; undefined where that is not followed. */
function placesIn(
  coupler: Coupler,
  node: Node,
  { value, at }: { readonly value: string; readonly at: number },
): readonly number[] | undefined {
  if (node.domain !== "") return undefined;
  if (factsOf(node.op).handsOn === true) return [at];
  if (node.op === "Concat") {
    let start = 0;
    const places: number[] = [];
    for (const name of node.inputs) {
      if (name === value) places.push(start + at);
      const length = shapeOf(coupler, name);
      if (length?.length !== 1) return undefined;
      start += length[0];
    }
    return places;
  }
  const taken = takenBy(coupler, node, value);
  return taken?.flatMap((from, i) => (from === at ? [i] : []));
}

/** The positions that a Slice or Gather takes from a list, where they are constants. */
function takenBy(coupler: Coupler, node: Node, value: string): readonly number[] | undefined {
  const { network } = coupler;
  const length = shapeOf(coupler, value);
  if (node.inputs[0] !== value || length?.length !== 1) return undefined;
  if (node.op === "Gather" && intAttribute(node, "axis", 0) === 0)
    return integersOf(network, node.inputs[1])?.map((i) => fromFront(i, length[0]));
  if (node.op !== "Slice") return undefined;
  const lists = sliceLists(node, 1, inputsFrom(network, node));
  const range = lists && sliceRanges(lists, length).get(0);
  return range && positionsOf(range);
}

/** Whether the entry of computed sizes that is the number of channels is read from the value that is resized. */
function readsOwn(coupler: Coupler, sizes: string, entry: Entry): boolean {
  const producers = producersOf(coupler.network);
  let [value, at] = [sizes, entry.axis];
  for (let maker = producers.get(value); maker !== undefined; maker = producers.get(value)) {
    if (maker.op === "Shape")
      return maker.inputs[0] === entry.input && axesRead(coupler, maker)[at] === entry.axis;
    if (maker.op === "Concat") {
      const found = partAt(coupler, maker, at);
      if (found === undefined) return false;
      [value, at] = found;
      continue;
    }
    const [from] = maker.inputs;
    if (factsOf(maker.op).handsOn !== true) {
      const taken = takenBy(coupler, maker, from)?.[at];
      if (taken === undefined) return false;
      at = taken;
    }
    value = from;
  }
  return false;
}
