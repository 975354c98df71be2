/** Shapes that are computed from open sizes, written so that they hold for all of them and leave channels free to go. */
import { consumersOf, int64, intsAttribute, type Network, type Node, type Parameter } from "../network.ts";
import { nodeOf } from "../edit.ts";
import { factsOf } from "../operators/facts.ts";
import { asBlocks } from "./blocks.ts";
import type { Followed } from "./follow.ts";
import { isSame } from "./size.ts";

export interface Rewriting {
  readonly followed: Followed;
  /** Adds a parameter under a new name derived from the label and returns the name. */
  readonly add: (label: string, parameter: Parameter) => string;
  /** A new name for a value. */
  readonly fresh: (label: string) => string;
  readonly producers: ReadonlyMap<string, Node>;
  /** Operator set of the file. */
  readonly opset: number;
}

/** A Reshape or Resize whose target is computed from open sizes, with a target that holds for all of them. */
export function withOpenTargets(node: Node, rewriting: Rewriting): readonly Node[] {
  const { followed, add } = rewriting;
  if (node.domain !== "") return [node];
  if (node.op === "Reshape") {
    const blocks = asBlocks(node, rewriting);
    if (blocks) return [blocks];
    const target = openTarget(node, followed);
    if (target === undefined) {
      const shuffle = shuffled(node, rewriting);
      return shuffle ? [shuffle] : withFreeChannels(node, rewriting);
    }
    const name = add(`${node.name}.target`, int64(target));
    return [{ ...node, inputs: [node.inputs[0] ?? "", name] }];
  }
  if (node.op === "Expand") return withOwnChannels(node, rewriting);
  if (node.op === "Pad") return withPlainPads(node, rewriting);
  if (node.op === "Resize" && (node.inputs[3] ?? "") !== "") {
    const scales = scalesOf(node, followed);
    if (scales === undefined) return ownFront(node, rewriting);
    const data = Float32Array.from(scales);
    const name = add(`${node.name}.scales`, { type: "float32", shape: [scales.length], data });
    return [{ ...node, inputs: [node.inputs[0] ?? "", "", name] }];
  }
  return [node];
}

/** Entries that follow an open dimension become 0 (the input's dimension at the same place) or the one -1. */
function openTarget(node: Node, { tables, shapes }: Followed): number[] | undefined {
  const [from = "", target = ""] = node.inputs;
  const sizes = tables.get(target)?.values;
  const input = shapes.get(from);
  if (sizes === undefined) return undefined;
  if (node.attributes["allowzero"] !== undefined && sizes.includes(0)) return undefined;
  const open = sizes.map((size, i) => (typeof size === "number" ? size : isSame(size, input?.[i]) ? 0 : -1));
  if (open.filter((dim) => dim === -1).length <= 1) return open;
  // What the file leaves to be found may be a number, and what it computes be found.
  const made = shapes.get(node.outputs[0]);
  const told = open.map((dim, i) => (sizes[i] === -1 && typeof made?.[i] === "number" ? made[i] : dim));
  return told.filter((dim) => dim === -1).length > 1 ? undefined : told;
}

/**
 * A Reshape to several open sizes and numbers, of which one may be the number of channels: the target is put together anew, with
 * this number left to be found, so that it follows a cut. Of several numbers (groups, heads) each stands there as it is.
 */
function withFreeChannels(
  node: Node,
  { followed: { tables, shapes }, add, fresh, producers }: Rewriting,
): readonly Node[] {
  const [from = "", target = ""] = node.inputs;
  const [sizes, input] = [tables.get(target)?.values, shapes.get(from)];
  const numbers = sizes?.filter((size): size is number => typeof size === "number" && size !== 0) ?? [];
  if (sizes === undefined || numbers.length === sizes.length || numbers.every((size) => size < 2))
    return [node];
  if (node.attributes["allowzero"] !== undefined || !producers.has(target)) return [node];
  const names = sizes.map((size, i) => {
    if (typeof size === "number" && size !== 0)
      return add(`${node.name}.free`, int64([numbers.length === 1 ? -1 : size]));
    return size === 0 || isSame(size, input?.[i]) ? add(`${node.name}.same`, int64([0])) : undefined;
  });
  return withTarget(node, names, { add, fresh });
}

/** The node with a target put together from constants, and where none is named from the entries of the table that it has. */
function withTarget(
  node: Node,
  names: readonly (string | undefined)[],
  { add, fresh }: Pick<Rewriting, "add" | "fresh">,
): readonly Node[] {
  const [from = "", target = ""] = node.inputs;
  const made: Node[] = [];
  const parts = names.map((name, i): string => {
    if (name !== undefined) return name;
    made.push(entryOf(target, i, { add, fresh, label: node.name }));
    return made[made.length - 1].outputs[0];
  });
  const whole = fresh(`${node.name}.target`);
  return [...made, nodeOf("Concat", parts, whole, front), { ...node, inputs: [from, whole] }];
}

const front = { axis: { type: "int", value: 0 } } as const;

/** An Expand to computed sizes of which some are its input's own: those are left as they are, so that channels may go. */
function withOwnChannels(
  node: Node,
  { followed: { tables, shapes }, add, fresh }: Rewriting,
): readonly Node[] {
  const [from = "", target = ""] = node.inputs;
  const [sizes, input] = [tables.get(target)?.values, shapes.get(from)];
  if (sizes === undefined || input === undefined || sizes.every((size) => typeof size === "number"))
    return [node];
  const isOwn = (i: number): boolean => {
    const size = input[i - sizes.length + input.length];
    return typeof size === "number" && size > 1 && size === sizes[i];
  };
  if (!sizes.some((_, i) => isOwn(i))) return [node];
  const names = sizes.map((_, i) => (isOwn(i) ? add(`${node.name}.own`, int64([1])) : undefined));
  return withTarget(node, names, { add, fresh });
}

/** One entry of a computed list. */
function entryOf(
  list: string,
  index: number,
  { add, fresh, label }: Pick<Rewriting, "add" | "fresh"> & { readonly label: string },
): Node {
  const ends = [index, index + 1].map((one) => add(`${label}.at`, int64([one])));
  return nodeOf("Slice", [list, ...ends], fresh(`${label}.side`));
}

/** A Pad by amounts of which those in front (batch and channels) are numbers: its table says so by itself. */
function withPlainPads(
  node: Node,
  { followed: { tables }, add, fresh, producers }: Rewriting,
): readonly Node[] {
  const [from = "", pads = "", ...rest] = node.inputs;
  const amounts = tables.get(pads)?.values;
  if (amounts === undefined || (rest[1] ?? "") !== "" || producers.get(pads)?.op === "Concat") return [node];
  const rank = amounts.length / 2;
  const isFirst = (i: number): boolean => i % rank < 2;
  const numbers = amounts.filter((amount, i) => isFirst(i) && typeof amount === "number");
  if (rank < 3 || numbers.length !== 4 || amounts.every((amount) => typeof amount === "number"))
    return [node];
  const side = (start: number, end: number): Node =>
    nodeOf(
      "Slice",
      [pads, ...[start, end].map((at) => add(`${node.name}.at`, int64([at])))],
      fresh(`${node.name}.sides`),
    );
  const [before, after] = [side(2, rank), side(rank + 2, 2 * rank)];
  const [first, second] = [numbers.slice(0, 2), numbers.slice(2)].map((one) =>
    add(`${node.name}.front`, int64(one as number[])),
  );
  const whole = nodeOf(
    "Concat",
    [first, before.outputs[0], second, after.outputs[0]],
    fresh(`${node.name}.pads`),
  );
  return [
    before,
    after,
    { ...whole, attributes: front },
    { ...node, inputs: [from, whole.outputs[0], ...rest] },
  ];
}

/** A channel shuffle (apart, turned, together) of a map whose sides are open, as the one Gather that it is. */
function shuffled(node: Node, { followed: { shapes }, add, producers }: Rewriting): Node | undefined {
  const turn = producers.get(node.inputs[0] ?? "");
  const apart = producers.get(turn?.inputs[0] ?? "");
  if (!producers.has(node.inputs[1] ?? "")) return undefined;
  if (turn?.op !== "Transpose" || apart?.op !== "Reshape" || turn.domain + apart.domain !== "")
    return undefined;
  const [from, between, to] = [apart.inputs[0], apart.outputs[0], node.outputs[0]].map((name) =>
    shapes.get(name ?? ""),
  );
  const order = intsAttribute(turn, "perm", []);
  if (from === undefined || to?.length !== from.length || between?.length !== from.length + 1)
    return undefined;
  const [, groups, own] = between;
  if (typeof groups !== "number" || typeof own !== "number" || from[1] !== groups * own) return undefined;
  const isShuffle =
    from.every((size, i) => isSame(size, to[i]) && (i === 1 || isSame(size, between[i === 0 ? 0 : i + 1]))) &&
    order.length === between.length &&
    order.every((axis, i) => axis === (i === 1 ? 2 : i === 2 ? 1 : i));
  if (!isShuffle) return undefined;
  const positions = Array.from(
    { length: groups * own },
    (_, i) => (i % groups) * own + Math.floor(i / groups),
  );
  const channels = add(`${node.name}.channels`, int64(positions));
  const inputs = [apart.inputs[0] ?? "", channels];
  return { ...node, op: "Gather", inputs, attributes: { axis: { type: "int", value: 1 } } };
}

/** Scales that give exactly the sizes that were computed, where there are such. */
function scalesOf(node: Node, { tables, shapes, sizes }: Followed): number[] | undefined {
  const [from = "", , , target = ""] = node.inputs;
  if (node.attributes["axes"] !== undefined || node.attributes["keep_aspect_ratio_policy"] !== undefined)
    return undefined;
  const [input, output] = [shapes.get(from), tables.get(target)?.values];
  if (input === undefined || output?.length !== input.length) return undefined;
  const scales = input.map((size, i) => {
    const to = output[i];
    if (typeof size !== "number" || typeof to !== "number") return sizes.exact(to, size);
    const ratio = Math.fround(to / size);
    return Math.floor(Math.fround(size * ratio)) === to ? ratio : undefined;
  });
  return scales.every((scale) => typeof scale === "number" && scale > 0) ? (scales as number[]) : undefined;
}

/**
 * A Resize whose computed sizes begin with the batch and the channels of its own input reads these from there, when it
 * runs: then they follow a cut.
 */
function ownFront(node: Node, { followed, add, fresh, producers }: Rewriting): readonly Node[] {
  const [from = "", roi = "", scales = "", target = ""] = node.inputs;
  const [input, output] = [followed.shapes.get(from), followed.tables.get(target)?.values];
  const isOwn = input !== undefined && [0, 1].every((i) => isSame(input[i], output?.[i]));
  if (!isOwn || output?.length !== input.length || node.attributes["axes"] !== undefined) return [node];
  if (output.every((size) => typeof size === "number")) return [node];
  const begin = producers.get(producers.get(target)?.inputs[0] ?? "");
  if (begin?.op === "Slice" && producers.get(begin.inputs[0])?.inputs[0] === from) return [node];
  const own = (op: string, inputs: readonly string[], label: string): Node =>
    nodeOf(op, inputs, fresh(`${node.name}.${label}`));
  const [start, middle, end] = [0, 2, output.length].map((at) => add(`${node.name}.at`, int64([at])));
  const shape = own("Shape", [from], "shape");
  const ahead = own("Slice", [shape.outputs[0], start, middle], "front");
  const rest = own("Slice", [target, middle, end], "sides");
  const sizes = { ...own("Concat", [ahead.outputs[0], rest.outputs[0]], "sizes"), attributes: front };
  return [shape, ahead, rest, sizes, { ...node, inputs: [from, roi, scales, sizes.outputs[0]] }];
}

/** Drops every Expand whose result only meets values that are as large already: what it is added to spreads it as well. */
export function withoutSpreads(network: Network, { shapes }: Followed): readonly Node[] {
  const spreads = network.nodes.filter(({ op, domain }) => op === "Expand" && domain === "");
  if (spreads.length === 0) return network.nodes;
  const consumers = consumersOf(network);
  const outputs = new Set(network.outputs.map(({ name }) => name));
  const alias = new Map<string, string>();
  for (const { inputs, outputs: made } of spreads) {
    const [spread] = made;
    const shape = shapes.get(spread);
    const isPartner = (name: string): boolean => {
      const other = shapes.get(name);
      const isEqual = other?.length === shape?.length && other?.every((size, i) => isSame(size, shape?.[i]));
      return name !== spread && isEqual === true;
    };
    const meets = ({ op, domain, inputs: all }: Node): boolean =>
      domain === "" && factsOf(op).shape === "broadcast" && all.some(isPartner);
    const readers = consumers.get(spread) ?? [];
    const isLoose = shape !== undefined && !outputs.has(spread) && readers.length > 0 && readers.every(meets);
    // What it meets must not be a spread that is dropped itself.
    const isAlone = readers.every(
      ({ inputs: all }) => all.filter((name) => spreadNames(spreads).has(name)).length === 1,
    );
    if (isLoose && isAlone) alias.set(spread, inputs[0]);
  }
  return network.nodes
    .filter(({ outputs: [first] }) => !alias.has(first))
    .map((node) => ({ ...node, inputs: node.inputs.map((name) => alias.get(name) ?? name) }));
}

const spreadNames = (spreads: readonly Node[]): ReadonlySet<string> =>
  new Set(spreads.flatMap(({ outputs }) => outputs));
