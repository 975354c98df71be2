/** Channels of zeros that bring maps to widths which kernels in blocks of channels can compute. */
import { groupBy } from "../core/group-by.ts";
import { createAtoms } from "./coupling/atoms.ts";
import { dropDead, freshNames, readCounts } from "./edit.ts";
import { hasOpenSizes, integersOf, intAttribute, intsAttribute, sizeOf } from "./network.ts";
import type { Network, Node, Parameter } from "./network.ts";
import { zerosAdded } from "./widen.ts";
import { factsOf, type ChannelKind } from "./operators/facts.ts";
import { fromFront } from "./operators/attributes.ts";
import { propagate } from "./shapes/infer.ts";

/** Channels of a value as they are, and filled up. */
export interface Width {
  readonly before: number;
  readonly after: number;
}

/** Which widths are filled up. */
export interface WidthRule {
  /** Maps get a multiple of so many channels. */
  readonly multiple: number;
  /** Maps with fewer channels than that stay: kernels take few as they are. */
  readonly least: number;
  /** Whether maps of the same channels are filled up; default: all are. */
  readonly pays?: (values: ReadonlySet<string>, width: Width) => boolean;
}

/** An axis of a parameter that has an entry, or several, for every channel of a value. */
interface Place {
  readonly input: number;
  readonly axis: number;
  readonly value: string;
  /** What new entries are; default 0. */
  readonly fill?: number;
}

/** How channels pass through a node. */
interface Passage {
  /** Values with the same channels. */
  readonly alike: readonly string[];
  /** Values whose width must stay. */
  readonly fixed: readonly string[];
  readonly places: readonly Place[];
}

/**
 * The same function with maps filled up by channels of zeros, and every weight that reads them by zeros: no output changes. Left
 * as they are: inputs, outputs, and maps that anything reads or makes which is not known here to pass channels on one by one.
 *
 * @returns the network itself where there is nothing to fill, or where sizes are open
 */
export function fillChannels(network: Network, options: WidthRule): Network {
  const { widths, passages } = widthsToFill(network, options);
  if (widths.size === 0) return network;
  const parameters = new Map(network.parameters);
  const readers = readCounts(network);
  const fresh = freshNames(network);
  const nodes = network.nodes.map((node, i): Node => {
    const inputs = [...node.inputs];
    for (const { input, axis, value, fill = 0 } of passages[i].places) {
      const width = widths.get(value);
      const parameter = parameters.get(inputs[input]);
      if (width === undefined || parameter === undefined) continue;
      const isShared = inputs[input] === node.inputs[input] && readers.get(inputs[input]) !== 1;
      const name = isShared ? fresh(inputs[input]) : inputs[input];
      const each = parameter.shape[axis] / width.before;
      parameters.set(name, lengthened(parameter, axis, each * width.after, fill));
      inputs[input] = name;
    }
    const group = intAttribute(node, "group", 1);
    const width = widths.get(node.inputs[0]);
    if (node.op !== "Conv" || group === 1 || width === undefined) return { ...node, inputs };
    return {
      ...node,
      inputs,
      attributes: { ...node.attributes, group: { type: "int", value: width.after } },
    };
  });
  return dropDead({ ...network, nodes, parameters });
}

/** Input channels of kernels that compute blocks, in floats and in bytes, are a multiple of this. */
export const INPUT_MULTIPLE = 4;
/** Channels that kernels compute at a time where that is fewest (AVX2). */
export const SMALLEST_BLOCK = 8;

/** Whether widths that are no multiple of 4 keep kernels out of the blocked layout. */
export const hasOddWidths = (network: Network): boolean =>
  widthsToFill(network, { multiple: INPUT_MULTIPLE, least: SMALLEST_BLOCK }).widths.size > 0;

/** The widths that change, by value, and how channels pass through each node. */
function widthsToFill(
  network: Network,
  { multiple, least, pays = () => true }: WidthRule,
): { readonly widths: ReadonlyMap<string, Width>; readonly passages: readonly Passage[] } {
  const widths = new Map<string, Width>();
  if (hasOpenSizes(network) || multiple <= 1) return { widths, passages: [] };
  const { shapes } = propagate(network, { bindings: { batch: 1 }, onError: "skip" });
  const passages = network.nodes.map((node) => passageOf({ ...network, shapes }, node));
  for (const { members, isFixed } of setsOf(network, passages)) {
    const maps = members.map((value) => shapes.get(value)).filter((shape) => shape?.length === 4);
    const before = maps[0]?.[1] ?? 0;
    const isOne = maps.length > 0 && maps.every((shape) => shape?.[1] === before);
    if (isFixed || !isOne || before < least || before % multiple === 0) continue;
    const width = { before, after: Math.ceil(before / multiple) * multiple };
    if (!pays(new Set(members), width)) continue;
    for (const value of members) widths.set(value, width);
  }
  return { widths, passages };
}

/** Values that have the same channels. */
interface Alike {
  readonly members: readonly string[];
  readonly isFixed: boolean;
}

function setsOf({ inputs, outputs }: Network, passages: readonly Passage[]): Alike[] {
  const atoms = createAtoms();
  const atomOf = new Map<string, Int32Array>();
  const atom = (value: string): Int32Array => {
    const own = atomOf.get(value) ?? atoms.fresh(1);
    atomOf.set(value, own);
    return own;
  };
  for (const { name } of [...inputs, ...outputs]) atoms.freeze(atom(name), "an end of the network");
  for (const { alike, fixed, places } of passages) {
    for (const value of fixed) atoms.freeze(atom(value), "not followed");
    for (const value of alike) atoms.tie(atom(alike[0]), atom(value), "the same channels");
    for (const { value } of places) atom(value);
  }
  const { classOf, frozen } = atoms.close();
  const classes = groupBy(atomOf.keys(), (value) => classOf[atom(value)[0]]);
  return [...classes].map(([id, members]) => ({ members, isFixed: frozen.has(id) }));
}

interface Shaped extends Network {
  readonly shapes: ReadonlyMap<string, readonly number[]>;
}

/** Those inputs that are given and no parameters. */
const computed = ({ parameters }: Pick<Network, "parameters">, inputs: readonly string[]): string[] =>
  inputs.filter((name) => name !== "" && !parameters.has(name));

function passageOf(network: Shaped, node: Node): Passage {
  const [x = ""] = node.inputs;
  const [y = ""] = node.outputs;
  const unknown = { alike: [], fixed: [...computed(network, node.inputs), ...node.outputs], places: [] };
  const { channels, finiteAtZero } = factsOf(node.op);
  const isMap = !network.parameters.has(x) || channels === "operands";
  if (node.domain !== "" || node.outputs.length !== 1 || !isMap) return unknown;
  const known = { alike: [x, y], fixed: [], places: [] };
  const rule = rules.get(node.op) ?? (finiteAtZero === true ? byKind[channels ?? "own"] : undefined);
  const found = rule?.(network, node);
  const isFloat = ({ input }: Place): boolean =>
    network.parameters.get(node.inputs[input])?.data instanceof Float32Array;
  return found?.places?.every(isFloat) === false || found === undefined ? unknown : { ...known, ...found };
}

type Rule = (network: Shaped, node: Node) => Partial<Passage> | undefined;

const conv: Rule = ({ parameters, shapes }, node) => {
  const [x = "", w = "", b = ""] = node.inputs;
  const [value] = node.outputs;
  const weight = parameters.get(w);
  const [width = 0, inputs = 0] = weight?.shape ?? [];
  if (weight === undefined || (b !== "" && !parameters.has(b)) || shapes.get(x)?.length !== 4)
    return undefined;
  const group = intAttribute(node, "group", 1);
  const bias = b === "" ? [] : [{ input: 2, axis: 0, value }];
  const outputs = { input: 1, axis: 0, value };
  if (group === 1) return { alike: [], places: [outputs, { input: 1, axis: 1, value: x }, ...bias] };
  return group === width && inputs === 1 ? { places: [outputs, ...bias] } : undefined;
};

/** A layer behind maps whose places are gone, or in a row behind their channel: its weights have rows for them. */
const dense =
  (axisOf: (node: Node) => number | undefined): Rule =>
  ({ parameters, shapes }, node) => {
    const [x = "", w = ""] = node.inputs;
    const axis = axisOf(node);
    if (axis === undefined || parameters.get(w)?.shape.length !== 2 || shapes.get(x)?.length !== 2)
      return undefined;
    const fixed = [...node.outputs, ...computed({ parameters }, node.inputs.slice(2))];
    return { alike: [], fixed, places: [{ input: 1, axis, value: x }] };
  };

/** Maps and parameters that are added or multiplied number by number. */
const operands: Rule = ({ parameters, shapes }, { inputs, outputs: [y = ""] }) => {
  const shape = shapes.get(y);
  if (shape?.length !== 4) return undefined;
  const [, channels] = shape;
  const alike = [y];
  const places: Place[] = [];
  for (const [input, name] of inputs.entries()) {
    const own = parameters.get(name)?.shape ?? shapes.get(name);
    if (own === undefined || own.length > 4) return undefined;
    const axis = own.length - 3;
    const width = axis < 0 ? 1 : own[axis];
    if (width === 1) continue;
    if (width !== channels) return undefined;
    if (parameters.has(name)) places.push({ input, axis, value: y });
    else if (own.length === 4) alike.push(name);
    else return undefined;
  }
  return { alike, places };
};

/** Maps in a row, channel by channel, each place of a channel behind the other. */
const inARow =
  (holds: (node: Node, network: Shaped) => boolean): Rule =>
  (network, node) => {
    const [from, to] = [node.inputs[0], node.outputs[0]].map((name) => network.shapes.get(name) ?? []);
    const isRow = from.length === 4 && to.length === 2 && to[1] === sizeOf(from.slice(1));
    return isRow && holds(node, network) ? {} : undefined;
  };

/** Means over places alone. */
const overPlaces: Rule = (network, node) => {
  if (network.shapes.get(node.inputs[0])?.length !== 4) return undefined;
  const axes = integersOf(network, node.inputs[1]) ?? intsAttribute(node, "axes", []);
  return axes.length > 0 && axes.every((axis) => fromFront(axis, 4) >= 2) ? {} : undefined;
};

const rules: ReadonlyMap<string, Rule> = new Map(
  Object.entries<Rule>({
    Conv: conv,
    Gemm: dense((node) =>
      intAttribute(node, "transA", 0) === 1 ? undefined : intAttribute(node, "transB", 0),
    ),
    MatMul: dense(() => 0),
    BatchNormalization: (_, { outputs: [value = ""] }) => ({
      places: [1, 2, 3, 4].map((input) => ({ input, axis: 0, value, ...(input === 4 && { fill: 1 }) })),
    }),
    Pad: (network, node) => {
      const pads = zerosAdded(network, node, network.shapes.get(node.inputs[0]));
      return pads === undefined || pads[1] !== 0 || pads[5] !== 0 ? undefined : {};
    },
    Flatten: inARow((node) => intAttribute(node, "axis", 1) === 1),
    Reshape: inARow((node, network) => integersOf(network, node.inputs[1])?.[1] === -1),
    Squeeze: inARow(() => true),
    ReduceMean: overPlaces,
  }),
);

/** Maps whose numbers, or places, one function takes; its other operands are settings. */
const oneMap: Rule = (network, { inputs }) => (computed(network, inputs).length === 1 ? {} : undefined);

/** What follows multiplies by 0, so all that these make of 0 must be finite. */
const byKind: Readonly<Partial<Record<ChannelKind, Rule>>> = { operands, each: oneMap, pool: oneMap };

/** The parameter with further entries behind the last along an axis. */
function lengthened(parameter: Parameter, axis: number, size: number, fill: number): Parameter {
  const { shape, data } = parameter;
  const inner = sizeOf(shape.slice(axis + 1));
  const [before, after] = [shape[axis] * inner, size * inner];
  const longer = shape.with(axis, size);
  const filled = new Float32Array(sizeOf(longer)).fill(fill);
  for (let row = 0; row * before < data.length; row++)
    filled.set((data as Float32Array).subarray(row * before, (row + 1) * before), row * after);
  return { ...parameter, shape: longer, data: filled };
}
