/** A graph of ONNX operators under construction: names, constants, nodes, and values in up to two layouts. */
import { hash } from "../core/random.ts";
import { freeName } from "../network/edit.ts";
import {
  float32,
  int64,
  sizeOf,
  type Attribute,
  type ElementType,
  type Node,
  type Parameter,
} from "../network/network.ts";
import type { Shape } from "../network/shapes/context.ts";
import type { AttributeValue, Graph, OpOptions } from "./value.ts";
import { blockedToPlain, plainToBlocked } from "./blocked.ts";

export type { Graph, Value } from "./value.ts";

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
    const name = freeName(hint, taken);
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
