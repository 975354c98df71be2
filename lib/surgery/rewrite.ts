/** The attributes and index tables that say how many channels there are, brought in line with those that stay. */
import {
  inputsFrom,
  fromFront,
  padAmounts,
  positionsOf,
  sliceLists,
  sliceRanges,
  splitSizes,
} from "../network/operators/attributes.ts";
import { freeName, withInput } from "../network/edit.ts";
import { constantEntry } from "../network/coupling/entries.ts";
import type { Coupling, Layout, Spread } from "../network/coupling/types.ts";
import {
  int64,
  intAttribute,
  integersOf,
  type Network,
  type Node,
  type Parameter,
} from "../network/network.ts";

export interface Rewriter {
  /** The nodes that take this one's place; the node itself where nothing changes. */
  rewrite(node: Node): readonly Node[];
}

interface Context {
  readonly network: Network;
  readonly coupling: Coupling;
  /** Whether the atom stays. */
  stays(atom: number): boolean;
  /** The value's layout, where the value loses channels. */
  cutLayout(value: string): Layout | undefined;
  /** Adds an index table and returns its name. */
  table(node: Node, role: string, values: readonly number[]): string;
}

/** @param parameters grows by the new index tables */
export function createRewriter(
  network: Network,
  coupling: Coupling,
  keep: Uint8Array,
  parameters: Map<string, Parameter>,
): Rewriter {
  const stays = (atom: number): boolean => keep[coupling.classOf[atom]] === 1;
  const context: Context = {
    network,
    coupling,
    stays,
    cutLayout: (value) => {
      const layout = coupling.layouts.get(value);
      return layout?.atoms.every(stays) === false ? layout : undefined;
    },
    table: (node, role, values) => {
      const label = `${node.name}/${role}`;
      const name = freeName(label, parameters, (n) => label + "_cut".repeat(n - 1));
      parameters.set(name, int64(values));
      return name;
    },
  };
  return { rewrite: (node) => rewriteNode(context, node) };
}

function rewriteNode(context: Context, node: Node): readonly Node[] {
  const shuffle = context.coupling.shuffles.get(node.name);
  if (shuffle) return rewriteShuffle(context, node);
  switch (node.op) {
    case "Conv":
    case "ConvTranspose":
      return [rewriteGroups(context, node)];
    case "GroupNormalization":
      return [rewriteNumber(context, node)];
    case "Split":
      return [rewriteSplit(context, node)];
    case "Slice":
      return rewriteSlice(context, node);
    case "Gather":
      return [rewriteGather(context, node)];
    case "Pad":
      return [rewritePad(context, node)];
    case "Reshape":
    case "Expand":
      return rewriteTarget(context, node);
    case "Resize":
      return [rewriteResize(context, node)];
    default:
      return [node];
  }
}

/** Kept positions of `atoms`, and for each old position the number of kept ones before it. */
function ranksOf(context: Context, atoms: Int32Array): Int32Array {
  const ranks = new Int32Array(atoms.length + 1);
  for (let i = 0; i < atoms.length; i++) ranks[i + 1] = ranks[i] + (context.stays(atoms[i]) ? 1 : 0);
  return ranks;
}

function countKept(context: Context, atoms: Int32Array): number {
  return ranksOf(context, atoms)[atoms.length];
}

/** Whether indices take all of `count` channels in their order. */
function isAll(indices: readonly number[], count: number): boolean {
  return indices.length === count && indices.every((index, i) => index === i);
}

/** A node that would pick all that is left of its input, or pad it by nothing: the caller drops it. */
function handedOn(node: Node): Node {
  return { ...node, op: "Identity", inputs: node.inputs.slice(0, 1), attributes: {} };
}

/** Depthwise convolutions have as many groups as inputs; other groups are thinned, their number stays. */
function rewriteGroups(context: Context, node: Node): Node {
  const groups = intAttribute(node, "group", 1);
  const layout = context.cutLayout(node.inputs[0]);
  if (!layout || groups === 1 || groups !== layout.atoms.length) return node;
  const value = countKept(context, layout.atoms);
  return { ...node, attributes: { ...node.attributes, group: { type: "int", value } } };
}

/** A GroupNormalization loses whole groups: as many are left as the share of its channels. */
function rewriteNumber(context: Context, node: Node): Node {
  const layout = context.cutLayout(node.inputs[0]);
  if (!layout) return node;
  const groups = intAttribute(node, "num_groups", 1);
  const value = (groups * countKept(context, layout.atoms)) / layout.atoms.length;
  return { ...node, attributes: { ...node.attributes, num_groups: { type: "int", value } } };
}

function rewriteSplit(context: Context, node: Node): Node {
  const layout = context.cutLayout(node.inputs[0]);
  const rank = context.coupling.shapes.get(node.inputs[0])?.length ?? 0;
  if (!layout || fromFront(intAttribute(node, "axis", 0), rank) !== layout.axis) return node;
  const sizes = splitSizes(node, layout.atoms.length, inputsFrom(context.network, node)) ?? [];
  let start = 0;
  const kept = sizes.map((size) => countKept(context, layout.atoms.subarray(start, (start += size))));
  const attributes = Object.fromEntries(
    Object.entries(node.attributes).filter(([key]) => key !== "num_outputs"),
  );
  return { ...withInput(node, 1, context.table(node, "split", kept)), attributes };
}

/** A run of channels stays a Slice; channels with gaps become a Gather after a Slice of the other axes. */
function rewriteSlice(context: Context, node: Node): readonly Node[] {
  const [input] = node.inputs;
  const layout = context.cutLayout(input);
  const shape = context.coupling.shapes.get(input);
  if (!layout || !shape) return [node];
  const lists = sliceLists(node, shape.length, inputsFrom(context.network, node));
  const ranges = lists && sliceRanges(lists, shape);
  const range = ranges?.get(layout.axis);
  if (!ranges || !range) return [node];
  const ranks = ranksOf(context, layout.atoms);
  const picked = positionsOf(range).filter((position) => context.stays(layout.atoms[position]));
  const indices = picked.map((position) => ranks[position]);
  const [first = 0] = indices; // a Slice may take nothing
  const run = indices.every((index, i) => index === first + i);
  const isWhole = isAll(indices, ranks[layout.atoms.length]);
  const axes = [...ranges.keys()].filter((axis) => (run && !isWhole) || axis !== layout.axis);
  if (isWhole && axes.length === 0) return [handedOn(node)];
  // An end beyond -1 means "before the first element" when stepping backwards.
  const all = axes.map((axis) => {
    const own =
      axis === layout.axis ? { start: first, end: first + indices.length, step: 1 } : ranges.get(axis);
    const { start, end, step } = own ?? range;
    return { start, end: end < 0 ? -shape[axis] - 1 : end, step };
  });
  const sliceNode = (data: string, output: string, name: string): Node => ({
    ...node,
    name,
    inputs: [
      data,
      context.table(
        node,
        "starts",
        all.map(({ start }) => start),
      ),
      context.table(
        node,
        "ends",
        all.map(({ end }) => end),
      ),
      context.table(node, "axes", axes),
      context.table(
        node,
        "steps",
        all.map(({ step }) => step),
      ),
    ],
    outputs: [output],
  });
  if (run) return [sliceNode(input, node.outputs[0], node.name)];
  const between = `${node.name}/sliced`;
  const gather = (data: string): Node => ({
    name: node.name,
    op: "Gather",
    domain: "",
    inputs: [data, context.table(node, "channels", indices)],
    outputs: node.outputs,
    attributes: { axis: { type: "int", value: layout.axis } },
  });
  return axes.length === 0 ? [gather(input)] : [sliceNode(input, between, between), gather(between)];
}

function rewriteGather(context: Context, node: Node): Node {
  const [input, indices] = node.inputs;
  const layout = context.cutLayout(input);
  const rank = context.coupling.shapes.get(input)?.length ?? 0;
  if (!layout || fromFront(intAttribute(node, "axis", 0), rank) !== layout.axis) return node;
  const ranks = ranksOf(context, layout.atoms);
  const old = integersOf(context.network, indices) ?? [];
  const kept = old
    .map((index) => fromFront(index, layout.atoms.length))
    .filter((index) => context.stays(layout.atoms[index]))
    .map((index) => ranks[index]);
  if (isAll(kept, ranks[layout.atoms.length])) return handedOn(node);
  return withInput(node, 1, context.table(node, "channels", kept));
}

function rewritePad(context: Context, node: Node): Node {
  const [input] = node.inputs;
  const [output] = node.outputs;
  const layout = context.cutLayout(output);
  const rank = context.coupling.shapes.get(input)?.length ?? 0;
  const amounts = padAmounts(node, rank, inputsFrom(context.network, node));
  if (!layout || !amounts) return node;
  const { before, after } = amounts;
  const total = layout.atoms.length;
  const { axis } = layout;
  if (before[axis] === 0 && after[axis] === 0) return node;
  before[axis] = countKept(context, layout.atoms.subarray(0, before[axis]));
  after[axis] = countKept(context, layout.atoms.subarray(total - after[axis]));
  const pads = [...before, ...after];
  if (pads.every((size) => size === 0)) return handedOn(node);
  const padded = withInput(node, 1, context.table(node, "pads", pads));
  return { ...padded, inputs: padded.inputs.slice(0, 3) };
}

/** The target of a Reshape or Expand names the number of channels, unless it leaves it open (-1, 0, 1). */
function rewriteTarget(context: Context, node: Node): readonly Node[] {
  const [input, target] = node.inputs;
  const [output] = node.outputs;
  const { layouts, spreads, shapes } = context.coupling;
  const spread = spreads.get(output);
  const layout = context.cutLayout(output);
  const rank = shapes.get(output)?.length ?? 0;
  const kept = spread
    ? placesLeft(context, spread)
    : layout && [{ axis: layout.axis, count: countKept(context, layout.atoms), of: layout.atoms.length }];
  if (!kept) return [node];
  const values = integersOf(context.network, target);
  if (!values) return [...lessThan(context, node, kept)];
  for (const { axis, count } of kept) {
    const index = axis - rank + values.length;
    const copies = values[index] === 0 && layouts.get(input)?.axis === axis;
    const spares = node.op === "Expand" && values[index] === 1;
    if (index >= 0 && values[index] !== -1 && !copies && !spares) values[index] = count;
  }
  const same = values.every((value, i) => value === integersOf(context.network, target)?.[i]);
  return [same ? node : withInput(node, 1, context.table(node, "shape", values))];
}

interface Left {
  readonly axis: number;
  readonly count: number;
  readonly of: number;
}

/** How many places of each axis are left where channels stand on several. A shuffle needs to know none, it falls away. */
function placesLeft(context: Context, { axes, dims, atoms }: Spread): readonly Left[] | undefined {
  const kept = dims.map(() => new Set<number>());
  let count = 0;
  for (const [flat, atom] of atoms.entries()) {
    if (!context.stays(atom)) continue;
    count++;
    let rest = flat;
    for (let factor = dims.length - 1; factor >= 0; factor--) {
      kept[factor].add(rest % dims[factor]);
      rest = Math.floor(rest / dims[factor]);
    }
  }
  if (count === atoms.length || kept.reduce((product, { size }) => product * size, 1) !== count)
    return undefined;
  return axes.map((axis, factor) => ({ axis, count: kept[factor].size, of: dims[factor] }));
}

/** A target that is put together while the network runs, less the places that are gone where it says their number. */
function lessThan(context: Context, node: Node, kept: readonly Left[]): readonly Node[] {
  const [, target = ""] = node.inputs;
  const rank = context.coupling.shapes.get(target)?.[0] ?? 0;
  const lists = { network: context.network, shapes: context.coupling.shapes };
  const gone = Array.from({ length: rank }, () => 0);
  for (const { axis, count, of } of kept) {
    const said = constantEntry(lists, target, axis) ?? -1;
    if (node.op === "Reshape" && said > 0) gone[axis] = of - count;
  }
  if (gone.every((places) => places === 0)) return [node];
  const made = `${node.name}/shape`;
  const inputs = [target, context.table(node, "gone", gone)];
  return [
    { ...{ name: made, op: "Sub", domain: "", inputs, outputs: [made], attributes: {} } },
    withInput(node, 1, made),
  ];
}

function rewriteResize(context: Context, node: Node): Node {
  const layout = context.cutLayout(node.outputs[0]);
  const sizes = integersOf(context.network, node.inputs[3]);
  const rank = context.coupling.shapes.get(node.outputs[0])?.length ?? 0;
  if (!layout || sizes?.length !== rank) return node;
  sizes[layout.axis] = countKept(context, layout.atoms);
  return withInput(node, 3, context.table(node, "sizes", sizes));
}

/** The last Reshape of a channel shuffle becomes one Gather; the two nodes before it fall away. */
function rewriteShuffle(context: Context, node: Node): readonly Node[] {
  const origin = context.coupling.shuffles.get(node.name);
  const layout = origin && context.cutLayout(origin.value);
  if (!layout) return [node];
  const ranks = ranksOf(context, layout.atoms);
  const kept = Array.from(origin.positions).filter((position) => context.stays(layout.atoms[position]));
  const indices = kept.map((position) => ranks[position]);
  if (isAll(indices, ranks[layout.atoms.length])) return [handedOn({ ...node, inputs: [origin.value] })];
  return [
    {
      name: node.name,
      op: "Gather",
      domain: "",
      inputs: [origin.value, context.table(node, "channels", indices)],
      outputs: node.outputs,
      attributes: { axis: { type: "int", value: layout.axis } },
    },
  ];
}
