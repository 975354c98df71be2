/**
 * Which shapes and values of a network depend on what its inputs leave open, and how: by data flow, for all sizes at once.
 * A number is known here only if it is the same at every size.
 */
import { own } from "../../core/own.ts";
import { EtlError } from "../../core/errors.ts";
import { type Network, type Node } from "../network.ts";
import type { Constant, Shape } from "../shapes/context.ts";
import { contextOf, shapesOf, toConstant, valuesOf, type Bindings } from "../shapes/infer.ts";
import { openShapes } from "./dims.ts";
import { createSizes, type Size, type Sizes } from "./size.ts";
import { openValues, type Table } from "./values.ts";

/** Tables of open numbers are lists of dimensions: longer ones are not followed. */
const longestTable = 256;

export interface Followed {
  /** Shapes of the values whose rank is known. */
  readonly shapes: ReadonlyMap<string, readonly Size[]>;
  /** What is known, or follows from open dimensions, of values that nodes make. */
  readonly tables: ReadonlyMap<string, Table>;
  readonly sizes: Sizes;
}

export interface FollowOptions {
  /** Sizes of named dimensions, which are not open then. */
  readonly bindings?: Bindings;
  /** Take the first dimension of the inputs for open, though the file says a number. */
  readonly freeBatch?: boolean;
  /** Largest table of known numbers that is followed, in elements. */
  readonly largest: number;
}

/** Follows a network node by node; what a node without a rule makes, and one whose rule fails, is not known. */
export function follow(network: Network, options: FollowOptions): Followed {
  const { largest } = options;
  const sizes = createSizes();
  const shapes = new Map<string, readonly Size[]>();
  const tables = new Map<string, Table>();
  for (const [name, { shape }] of network.parameters) shapes.set(name, shape);
  bindInputs(network, options, { sizes, shapes });
  const parameter = (name: string): Constant | undefined => {
    const found = network.parameters.get(name);
    return found === undefined || found.data.length > largest ? undefined : toConstant(found);
  };
  for (const node of network.nodes) {
    try {
      step(node, { network, sizes, shapes, tables, parameter, largest });
    } catch (error) {
      if (!(error instanceof EtlError)) throw error;
    }
  }
  return { shapes, tables, sizes };
}

/** One unknown for every open dimension, even for two of one name: a runtime does not hold them equal. Batches are. */
function bindInputs(
  { inputs }: Network,
  { bindings = {}, freeBatch = false }: FollowOptions,
  { sizes, shapes }: { readonly sizes: Sizes; readonly shapes: Map<string, readonly Size[]> },
): void {
  for (const { name, shape } of inputs) {
    const bound = shape.map((dim, axis): Size => {
      if (typeof dim === "number" && !(axis === 0 && freeBatch)) return dim;
      const size = typeof dim === "string" ? own(bindings, dim) : undefined;
      if (size !== undefined) return size;
      return sizes.unknown(axis === 0 ? `batch ${dim}` : `input ${name} ${axis}`, "count");
    });
    shapes.set(name, bound);
  }
}

interface State {
  readonly network: Network;
  readonly sizes: Sizes;
  readonly shapes: Map<string, readonly Size[]>;
  readonly tables: Map<string, Table>;
  readonly parameter: (name: string) => Constant | undefined;
  readonly largest: number;
}

const isNumber = (size: Size): size is number => typeof size === "number";

function step(node: Node, state: State): void {
  const { shapes, tables } = state;
  const given = node.inputs.filter((name) => name !== "");
  const isClosed = given.every(
    (name) =>
      shapes.get(name)?.every(isNumber) === true && tables.get(name)?.values.every(isNumber) !== false,
  );
  const found = isClosed ? closed(node, state) : open(node, state);
  found.shapes?.forEach((shape, i) => {
    const output = node.outputs[i] ?? "";
    if (output !== "") shapes.set(output, shape);
  });
  found.tables?.forEach((table, i) => {
    const output = node.outputs[i] ?? "";
    if (output !== "" && table !== undefined) tables.set(output, table);
  });
}

interface Found {
  readonly shapes: readonly (readonly Size[])[] | undefined;
  readonly tables: readonly (Table | undefined)[] | undefined;
}

/** Nothing is open: the rules for numbers say it. */
function closed(node: Node, { network, shapes, tables, parameter, largest }: State): Found {
  const constantOf = (name: string): Constant | undefined =>
    (tables.get(name) as Constant | undefined) ?? parameter(name);
  const op = contextOf(network, node, shapes as Map<string, Shape>, constantOf);
  const found = shapesOf(op);
  const isKnown = (name: string): boolean =>
    tables.has(name) || (network.parameters.get(name)?.data.length ?? Infinity) <= largest;
  return { shapes: found, tables: valuesOf(op, found, { isKnown, largest }) };
}

function open(node: Node, { network, sizes, shapes, tables, parameter }: State): Found {
  const all = node.inputs.map((name): Table | undefined => {
    const table = tables.get(name);
    if (table !== undefined) return table.values.length <= longestTable ? table : undefined;
    const size = network.parameters.get(name)?.data.length ?? Infinity;
    return size <= longestTable ? parameter(name) : undefined;
  });
  const shape = (index: number): readonly Size[] | undefined => shapes.get(node.inputs[index] ?? "");
  const op = { node, sizes, shape };
  const found = openShapes({ ...op, table: (index) => all[index]?.values });
  const outputs = found?.map((one) => one.filter(isNumber));
  const isSmall = outputs?.every(
    (one, i) => one.length === found?.[i].length && one.reduce((size, dim) => size * dim, 1) <= longestTable,
  );
  if (outputs === undefined || isSmall !== true) return { shapes: found, tables: undefined };
  return { shapes: found, tables: openValues({ ...op, opset: network.opset, tables: all, outputs }) };
}
