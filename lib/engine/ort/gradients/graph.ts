/** A graph of ONNX operators under construction: names, constants, nodes, and values in up to two layouts. */
import { hash } from "../../../core/random.ts";
import {
  float32,
  int64,
  sizeOf,
  type Attribute,
  type ElementType,
  type Node,
  type Parameter,
} from "../../../network/network.ts";
import type { Shape } from "../../../network/shapes-context.ts";
import { blockedToPlain, plainToBlocked } from "./blocked.ts";

/**
 * A tensor of the graph. `shape` is its logical shape; it exists under one name per layout:
 *
 * - plain: row-major, as ONNX has it
 * - blocked: [n, c, h, w] as [n, ceil(c / B), h, w, B], channels padded with zeros (onnxruntime's NCHWc)
 *
 * A layout that is missing is converted when it is first asked for.
 */
export interface Value {
  readonly shape: Shape;
  plainName?: string;
  blockedName?: string;
  /** Convolution weights only: the form in which they are kept, see `packing.ts`. */
  packedName?: string;
}

type AttributeValue = number | string | readonly number[] | Attribute;

export interface OpOptions {
  readonly domain?: string;
  readonly outputs?: number;
}

export interface Graph {
  readonly opset: number;
  /** Channels of one block of the blocked layout; 0 where this machine has none. */
  readonly block: number;
  readonly nodes: Node[];
  readonly parameters: Map<string, Parameter>;
  /** A name that is not taken. */
  fresh(hint: string): string;
  /** Adds a node and returns its first output. Numbers are int attributes; floats need `float()`. */
  op(
    op: string,
    inputs: readonly string[],
    attributes?: Record<string, AttributeValue>,
    options?: OpOptions,
  ): string;
  /** Adds a node with several outputs. */
  ops(
    op: string,
    inputs: readonly string[],
    count: number,
    attributes?: Record<string, AttributeValue>,
  ): string[];
  /** An int64 vector, shared by all who ask for the same one. */
  ints(values: readonly number[], shape?: readonly number[]): string;
  /** A float32 scalar, shared. */
  scalar(value: number): string;
  /** A float32 constant. */
  floats(shape: Shape, data: Float32Array): string;
  constant(parameter: Parameter, hint?: string): string;
  /** A value from a plain name. */
  value(shape: Shape, plainName: string): Value;
  blockedValue(shape: Shape, blockedName: string): Value;
  /** Name of the row-major form. */
  plain(value: Value): string;
  /** Name of the blocked form. */
  blocked(value: Value): string;
}

/** A float attribute. */
export const float = (value: number): Attribute => ({ type: "float", value });

function toAttribute(value: AttributeValue): Attribute {
  if (typeof value === "number") return { type: "int", value };
  if (typeof value === "string") return { type: "string", value };
  return "type" in value ? value : { type: "ints", value };
}

export interface GraphOptions {
  readonly opset: number;
  readonly block: number;
  /** Names that are taken. */
  readonly reserved: Iterable<string>;
}

export function createGraph({ opset, block, reserved }: GraphOptions): Graph {
  const taken = new Set(reserved);
  const nodes: Node[] = [];
  const parameters = new Map<string, Parameter>();
  const shared = new Map<string, string>();

  const fresh = (hint: string): string => {
    let name = hint;
    for (let i = 1; taken.has(name); i++) name = `${hint}_${i}`;
    taken.add(name);
    return name;
  };
  const add = (
    op: string,
    inputs: readonly string[],
    attributes: Record<string, AttributeValue>,
    { domain = "", outputs = 1 }: OpOptions,
  ): string[] => {
    const name = fresh(`${op}~${nodes.length}`);
    const names = Array.from({ length: outputs }, (_, i) => (i === 0 ? name : fresh(`${name}.${i}`)));
    nodes.push({
      name,
      op,
      domain,
      inputs,
      outputs: names,
      attributes: Object.fromEntries(
        Object.entries(attributes).map(([key, value]) => [key, toAttribute(value)]),
      ),
    });
    return names;
  };
  const constant = (parameter: Parameter, hint = "constant"): string => {
    const name = fresh(hint);
    parameters.set(name, parameter);
    return name;
  };
  const share = (key: string, parameter: () => Parameter): string => {
    let name = shared.get(key);
    if (name === undefined) {
      name = constant(parameter(), `c${hash(key) >>> 0}`);
      shared.set(key, name);
    }
    return name;
  };

  const graph: Graph = {
    opset,
    block,
    nodes,
    parameters,
    fresh,
    op: (op, inputs, attributes = {}, options = {}) => add(op, inputs, attributes, options)[0],
    ops: (op, inputs, count, attributes = {}) => add(op, inputs, attributes, { outputs: count }),
    ints: (values, shape = [values.length]) =>
      share(`i${shape.join("x")}:${values.join()}`, () => int64(values, shape)),
    scalar: (value) => share(`f${value}`, () => float32([], Float32Array.of(value))),
    floats: (shape, data) => constant(float32(shape, data)),
    constant,
    value: (shape, plainName) => ({ shape, plainName }),
    blockedValue: (shape, blockedName) => ({ shape, blockedName }),
    plain: (value) => (value.plainName ??= blockedToPlain(graph, value)),
    blocked: (value) => (value.blockedName ??= plainToBlocked(graph, value)),
  };
  return graph;
}

/** A constant filled with one value. */
export function filled(graph: Graph, shape: Shape, value: number): string {
  const data = new Float32Array(sizeOf(shape)).fill(value);
  return graph.constant({ type: "float32" satisfies ElementType, shape, data });
}
