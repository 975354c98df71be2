/**
 * The network itself among the metadata of a tfjs model: names, operators and attributes as they were, and for every
 * parameter the weight it became. With it a model that we wrote is read as exactly the network that was written.
 */
import { isRecord } from "../../core/own.ts";
import { hex, sha256 } from "../../core/sha256.ts";
import {
  sizeOf,
  type Attribute,
  type ElementArray,
  type ElementType,
  type Network,
  type Node,
  type Parameter,
  type ValueInfo,
} from "../../network/network.ts";
import { validateNetwork } from "../../network/validate.ts";
import { kerasError } from "../keras/config.ts";
import { inverseOf, relayout } from "../permute.ts";
import type { LayerOrigin } from "./emit.ts";

/** Key of the graph among the metadata. */
export const graphKey = "etl.network";
const version = 1;

/** Fingerprint of a model's layers: where it has changed, the graph is not theirs any more. */
function topologyHash(modelConfig: unknown): string {
  return hex(sha256(JSON.stringify(modelConfig))).slice(0, 32);
}

/** A parameter that is no weight: its numbers, as JSON can hold them. */
function inline({ type, shape, data }: Parameter): unknown {
  const number = (value: number | bigint): number | string =>
    typeof value === "bigint" || !Number.isFinite(value) || Object.is(value, -0)
      ? Object.is(value, -0)
        ? "-0"
        : String(value)
      : value;
  return { type, shape, values: Array.from(data as ArrayLike<number | bigint>, number) };
}

/** @param modelConfig what {@link topologyHash} is taken of */
export function graphOf(
  network: Network,
  origins: ReadonlyMap<string, LayerOrigin>,
  modelConfig: unknown,
): Record<string, unknown> {
  const attribute = (value: Attribute | undefined): unknown =>
    value?.type === "tensor" ? { type: "tensor", value: inline(value.value) } : value;
  return {
    version,
    topology: topologyHash(modelConfig),
    name: network.name,
    opset: network.opset,
    inputs: network.inputs,
    outputs: network.outputs,
    nodes: network.nodes.map((node) => ({
      ...node,
      attributes: Object.fromEntries(
        Object.entries(node.attributes).map(([key, value]) => [key, attribute(value)]),
      ),
    })),
    parameters: [...network.parameters].map(([name, parameter]) => {
      const origin = origins.get(name);
      return origin === undefined
        ? [name, inline(parameter)]
        : [name, { ...origin, type: parameter.type, shape: parameter.shape }];
    }),
  };
}

/**
 * The network that {@link graphOf} wrote down, with the weights of the file; undefined where the metadata hold none, or
 * where the layers have been changed since.
 *
 * @throws EtlError kind `format` where it is damaged
 */
export function networkFromGraph(
  graph: unknown,
  weights: ReadonlyMap<string, Parameter>,
  file: { readonly modelConfig: unknown; readonly metadata: Network["metadata"]; readonly where: string },
): Network | undefined {
  const where = `${file.where}: metadata ${graphKey}`;
  if (!isRecord(graph) || graph["version"] !== version) return undefined;
  if (graph["topology"] !== topologyHash(file.modelConfig)) return undefined;
  const { name, opset, inputs, outputs, nodes, parameters } = graph;
  if (typeof name !== "string" || typeof opset !== "number" || !Number.isSafeInteger(opset)) {
    throw kerasError(where, "no name or opset", "both");
  }
  const network: Network = {
    name,
    opset,
    inputs: listOf(inputs, where).map((value) => valueOf(value, where)),
    outputs: listOf(outputs, where).map((value) => valueOf(value, where)),
    nodes: listOf(nodes, where).map((node) => nodeOf(node, where)),
    parameters: new Map(listOf(parameters, where).map((entry) => parameterOf(entry, weights, where))),
    metadata: file.metadata,
  };
  validateNetwork(network);
  return network;
}

function listOf(value: unknown, where: string): unknown[] {
  if (Array.isArray(value)) return value;
  throw kerasError(where, "no list", "lists of inputs, outputs, nodes and parameters");
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function isSize(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function valueOf(value: unknown, where: string): ValueInfo {
  if (isRecord(value) && isText(value["name"]) && isType(value["type"]) && Array.isArray(value["shape"])) {
    const { name, type, shape } = value;
    if (shape.every((dim): dim is number | string => isText(dim) || isSize(dim)))
      return { name, type, shape };
  }
  throw kerasError(where, "a value without name, type or shape", "all three");
}

function nodeOf(value: unknown, where: string): Node {
  if (isRecord(value)) {
    const { name, op, domain, inputs, outputs, attributes } = value;
    const lists = [inputs, outputs].every((list) => Array.isArray(list) && list.every(isText));
    if (isText(name) && isText(op) && isText(domain) && lists && isRecord(attributes)) {
      const read = Object.entries(attributes).map(([key, each]) => [key, attributeOf(each, where)] as const);
      return {
        name,
        op,
        domain,
        inputs: inputs as string[],
        outputs: outputs as string[],
        attributes: Object.fromEntries(read),
      };
    }
  }
  throw kerasError(where, "a node without name, operator, inputs or outputs", "all of them");
}

function attributeOf(value: unknown, where: string): Attribute {
  if (isRecord(value)) {
    const { type, value: held } = value;
    const numbers = Array.isArray(held) && held.every((each) => typeof each === "number");
    if ((type === "int" || type === "float") && typeof held === "number") return { type, value: held };
    if (type === "string" && isText(held)) return { type, value: held };
    if ((type === "ints" || type === "floats") && numbers) return { type, value: held };
    if (type === "strings" && Array.isArray(held) && held.every(isText)) return { type, value: held };
    if (type === "tensor") return { type, value: inlined(held, where) };
  }
  throw kerasError(where, "an attribute without type and value", "both");
}

const types: readonly ElementType[] = ["float32", "float64", "int64", "int32", "int8", "uint8", "bool"];

function isType(value: unknown): value is ElementType {
  return types.some((type) => type === value);
}

function parameterOf(
  entry: unknown,
  weights: ReadonlyMap<string, Parameter>,
  where: string,
): readonly [string, Parameter] {
  const [name, value]: readonly unknown[] = Array.isArray(entry) ? (entry as unknown[]) : [];
  if (!isText(name) || !isRecord(value))
    throw kerasError(where, "a parameter without name", "name and origin");
  if (value["weight"] === undefined) return [name, inlined(value, where)];
  const { weight, view, order, shape } = value;
  const held = isText(weight) ? weights.get(weight) : undefined;
  const sizes = [view, order, shape].every((list) => Array.isArray(list) && list.every(isSize));
  if (held === undefined || !sizes)
    throw kerasError(where, `parameter "${name}" from no weight`, "its origin");
  const [before, axes, after] = [view as number[], order as number[], shape as number[]];
  if (axes.toSorted().join() !== [...before.keys()].join()) {
    throw kerasError(where, `parameter "${name}" with axes ${axes.join(", ")}`, "an order of its axes");
  }
  const turned = { view: axes.map((axis) => before[axis]), order: inverseOf(axes), shape: after };
  return [name, relayout(held, turned, `${where}: parameter "${name}"`)];
}

function inlined(value: unknown, where: string): Parameter {
  if (
    isRecord(value) &&
    isType(value["type"]) &&
    Array.isArray(value["shape"]) &&
    Array.isArray(value["values"])
  ) {
    const { type, shape, values } = value;
    const whole = type === "int64" || type === "int32";
    const good = (each: unknown): boolean =>
      typeof each === "number" || (isText(each) && /^(-?\d{1,20}|-?Infinity|NaN)$/.test(each));
    if (shape.every(isSize) && sizeOf(shape) === values.length && values.every(good)) {
      const numbers = values.map(Number);
      if (!whole || numbers.every(Number.isSafeInteger)) return { type, shape, data: arrayOf(type, values) };
    }
  }
  throw kerasError(where, "a constant without type, shape or fitting values", "all three");
}

function arrayOf(type: ElementType, values: readonly unknown[]): ElementArray {
  if (type === "int64") return BigInt64Array.from(values, (value) => BigInt(value as number | string));
  const numbers = values.map(Number);
  switch (type) {
    case "float32":
      return Float32Array.from(numbers);
    case "float64":
      return Float64Array.from(numbers);
    case "int32":
      return Int32Array.from(numbers);
    case "int8":
      return Int8Array.from(numbers);
    case "uint8":
    case "bool":
      return Uint8Array.from(numbers);
  }
}
