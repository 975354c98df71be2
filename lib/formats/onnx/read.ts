/** ONNX bytes -> network: every claim of the file is checked before it is believed. */
import { refuseUnknown } from "../../core/options.ts";
import { needWithin } from "../../core/budget.ts";
import { EtlError, messageOf } from "../../core/errors.ts";
import { freeName, nodesFor } from "../../network/edit.ts";
import type { Attribute, Dim, Network, Node, Parameter, ValueInfo } from "../../network/network.ts";
import { follow } from "../../network/open/follow.ts";
import { propagate } from "../../network/shapes/infer.ts";
import { sortNodes } from "./graph.ts";
import { needSameMeaning, readOutside } from "./inner.ts";
import { isAligned, needsRank, upgradeNode, TARGET_OPSET, type Upgrade } from "./opset.ts";
import { fromOurFile } from "./ours.ts";
import { readModelProto, type RawAttribute, type RawGraph, type RawNode, type RawValue } from "./proto.ts";
import {
  dataTypeName,
  elementTypeOf,
  halfOf,
  toDense,
  toParameter,
  type Outside,
  type TensorContext,
} from "./tensor.ts";

/** The newest operator set whose operators are known to mean what this program thinks they mean. */
const NEWEST_OPSET = 26;

export interface ReadOnnxOptions {
  /** File name, for messages. */
  readonly name: string;
  /** Reads a file beside the model, for weights stored outside; without it such models are refused. */
  readonly external?: (location: string) => Uint8Array;
}

interface Reading {
  readonly file: string;
  readonly external?: Outside | undefined;
  readonly parameters: Map<string, Parameter>;
  /** All value names in use. */
  readonly values: Set<string>;
}

const damaged = (where: string, found: string, needed: string): EtlError =>
  new EtlError("format", `${where}: ${found}, ${needed} was needed`);

/**
 * Reads an ONNX model of opset 7 or later as a network of opset 17 or later.
 *
 * Constant nodes become parameters, half-precision weights float32, unnamed nodes get their first output's name,
 * nodes are sorted, forms of older operator sets are brought to opset 17.
 *
 * @throws EtlError kind `format` where the file is damaged, `unsupported` where it holds something we do not carry
 */
export function readOnnx(bytes: Uint8Array, options: ReadOnnxOptions): Network {
  refuseUnknown("readOnnx", options, { name: true, external: true });
  const file = options.name;
  const model = decode(bytes, file);
  const { graph } = model;
  if (graph === undefined) throw damaged(file, "no graph in the file", "an ONNX model");
  const opset = model.opsets.get("");
  if (opset === undefined) throw damaged(file, "no version of the operator set ai.onnx", "an ONNX model");
  if (!Number.isSafeInteger(opset) || opset < 1) throw damaged(file, `operator set ${opset}`, "1 or later");
  if (opset > NEWEST_OPSET) {
    throw new EtlError(
      "unsupported",
      `${file}: operator set ${opset}, ${NEWEST_OPSET} or earlier was needed`,
      {
        hint: `export the model again with opset ${TARGET_OPSET}`,
      },
    );
  }
  needWithin(file, "nodes", graph.nodes.length);

  const external = options.external && once(options.external, file);
  const reading: Reading = { file, external, parameters: new Map(), values: new Set() };
  readInitializers(graph, reading);
  const inputs = graph.inputs
    .filter(({ name }) => !reading.parameters.has(name))
    .map((value) => readValueInfo(value, "input", reading));
  const nodes = readNodes(graph, { opset, live: liveNodes(graph) }, reading);
  const context = { file, inputs, outputs: graph.outputs, parameters: reading.parameters };
  const network: Network = {
    name: graph.name,
    opset: Math.max(opset, TARGET_OPSET),
    inputs,
    outputs: [],
    nodes: sortNodes(nodes, context),
    parameters: reading.parameters,
    metadata: Object.fromEntries(model.metadata),
    ...(model.functions.size > 0 && { functions: [...model.functions.values()] }),
    file: {
      opset,
      irVersion: model.irVersion,
      domains: Object.fromEntries([...model.opsets].filter(([domain]) => domain !== "")),
      producer: model.producer,
      domain: model.domain,
      modelVersion: model.version,
      docs: [model.doc, graph.doc],
    },
  };
  const isPlain = opset >= TARGET_OPSET && network.nodes.every(({ domain }) => domain === "");
  const upgraded = !isPlain ? { ...network, nodes: upgradeAll(network, opset, reading) } : network;
  return fromOurFile({ ...upgraded, outputs: readOutputs(graph, upgraded, reading) });
}

/** Every file beside the model is read once, however many weights lie in it; and weights do not share bytes without end. */
function once(read: (location: string) => Uint8Array, file: string): Outside {
  const files = new Map<string, Uint8Array>();
  let [held, taken] = [0, 0];
  return {
    read: (location) => {
      const known = files.get(location);
      if (known !== undefined) return known;
      const bytes = read(location);
      files.set(location, bytes);
      held += bytes.byteLength;
      needWithin(file, "outside", held);
      return bytes;
    },
    take: (bytes) => {
      taken += bytes;
      if (taken > 2 * held) needWithin(file, "shared", taken);
    },
  };
}

/** Attributes of convolutions and pools that are looped over or allocated for. */
const windowAttributes = new Set(["pads", "strides", "dilations", "kernel_shape", "group", "output_padding"]);

function checkWindow(name: string, attribute: Attribute, where: string): void {
  if (!windowAttributes.has(name)) return;
  const values =
    attribute.type === "int" ? [attribute.value] : attribute.type === "ints" ? attribute.value : [];
  for (const value of values) needWithin(where, "window", Math.abs(value));
}

function decode(bytes: Uint8Array, file: string): ReturnType<typeof readModelProto> {
  try {
    return readModelProto(bytes);
  } catch (error) {
    throw new EtlError(
      "format",
      `${file}: not an ONNX model or damaged (${messageOf(error)}), a complete ONNX file was needed`,
      { cause: error },
    );
  }
}

function readInitializers(graph: RawGraph, reading: Reading): void {
  const { file, external, parameters } = reading;
  const add = (name: string, make: (context: TensorContext) => Parameter): void => {
    const where = `${file}: weight "${name}"`;
    if (name === "") throw damaged(file, "a weight without a name", "a name");
    if (parameters.has(name)) throw damaged(where, "stored twice", "one tensor of that name");
    parameters.set(name, make({ where, external }));
    reading.values.add(name);
  };
  for (const tensor of graph.initializers) add(tensor.name, (context) => toParameter(tensor, context));
  for (const sparse of graph.sparse) add(sparse.values.name, (context) => toDense(sparse, context));
}

function readValueInfo(value: RawValue, kind: "input" | "output", reading: Reading): ValueInfo {
  const where = `${reading.file}: ${kind} "${value.name}"`;
  if (value.name === "") throw damaged(`${reading.file}: ${kind}`, "no name", "a name");
  const type = elementTypeOf(value.elementType);
  if (!value.isTensor || type === undefined) {
    const found = value.isTensor ? `elements of type ${dataTypeName(value.elementType)}` : "not a tensor";
    throw new EtlError("unsupported", `${where}: ${found}, a tensor of numbers was needed`);
  }
  if (value.shape === undefined && kind === "input") {
    throw new EtlError("unsupported", `${where}: no shape, a shape with known rank was needed`, {
      hint: "export the model again with a shape for every input",
    });
  }
  reading.values.add(value.name);
  const half = halfOf(value.elementType);
  if (value.shape === undefined)
    return { name: value.name, type, shape: [], unranked: true, ...(half !== undefined && { stored: half }) };
  return {
    name: value.name,
    type,
    shape: value.shape.map((dim, axis) => dimension(dim, value.name, axis)),
    ...(half !== undefined && { stored: half }),
  };
}

/** An unknown dimension gets a name: `batch` in front, after its value and axis elsewhere. */
function dimension(dim: number | string | undefined, value: string, axis: number): Dim {
  if (typeof dim === "string" && dim !== "") return dim;
  if (typeof dim === "number" && Number.isSafeInteger(dim) && dim > 0) return dim;
  return axis === 0 ? "batch" : `${value}.${axis}`;
}

/** Indices of the nodes that an output depends on. */
function liveNodes(graph: RawGraph): Set<number> {
  const steps = graph.nodes.map((node, index) => ({
    index,
    inputs: [...node.inputs, ...readOutside(node)],
    outputs: node.outputs,
  }));
  const needed = nodesFor(
    steps,
    graph.outputs.map(({ name }) => name),
  );
  return new Set(needed.map(({ index }) => index));
}

function readNodes(
  graph: RawGraph,
  { opset, live }: { readonly opset: number; readonly live: ReadonlySet<number> },
  reading: Reading,
): Node[] {
  const nodes: Node[] = [];
  const names = new Set(graph.nodes.map(({ name }) => name));
  const taken = new Set<string>();
  for (const [index, raw] of graph.nodes.entries()) {
    const first = raw.outputs.find((output) => output !== "");
    const own = raw.name === "" ? first : raw.name;
    const place = `${reading.file}: node "${own ?? `#${index}`}" (${raw.op === "" ? "?" : raw.op})`;
    if (raw.op === "" || first === undefined || own === undefined) {
      throw damaged(place, raw.op === "" ? "no operator" : "no output", "one");
    }
    const other = raw.attributes.find((attribute) => attribute.other !== undefined);
    if (other?.other !== undefined) {
      // A branch that nothing depends on does no harm.
      if (!live.has(index)) continue;
      throw new EtlError(
        "unsupported",
        `${place}: ${other.other} in attribute "${other.name}", a number, a text, a tensor or a graph was needed`,
      );
    }
    if (opset < TARGET_OPSET) needSameMeaning(raw, opset, place);
    for (const output of raw.outputs) {
      if (output === "") continue;
      if (reading.values.has(output))
        throw damaged(place, `makes "${output}", which exists already`, "a new name");
      reading.values.add(output);
    }
    const name = freeName(own, { has: (word) => taken.has(word) || (word !== own && names.has(word)) });
    taken.add(name);
    if (raw.op === "Constant" && raw.domain === "") {
      reading.parameters.set(first, constantOf(raw, place, reading));
    } else {
      nodes.push(readNode(raw, name, place, reading));
    }
  }
  return nodes;
}

function readNode(raw: RawNode, name: string, place: string, reading: Reading): Node {
  const attributes = raw.attributes.map((attribute) => {
    const context = { where: `${place}, attribute "${attribute.name}"`, external: reading.external };
    const value = readAttribute(attribute, context);
    checkWindow(attribute.name, value, context.where);
    return [attribute.name, narrowed(attribute.name, value)] as const;
  });
  const reads = readOutside(raw);
  return {
    name,
    op: raw.op,
    domain: raw.domain,
    inputs: [...raw.inputs, ...reads],
    outputs: raw.outputs,
    attributes: Object.fromEntries(attributes),
    ...(reads.length > 0 && { reads }),
  };
}

/** Weights of half precision are read as float32, so a cast to half precision becomes a cast to float32 that remembers it. */
function narrowed(name: string, attribute: Attribute): Attribute {
  const isType = name === "to" || name === "dtype";
  const half = isType && attribute.type === "int" ? halfOf(attribute.value) : undefined;
  return half === undefined ? attribute : { type: "int", value: 1, stored: half };
}

/** The shortest decimal that is the same float32: 0.2, not 0.20000000298. */
function shortest(value: number): number {
  if (!Number.isFinite(value)) return value;
  for (let digits = 6; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Object.is(Math.fround(short), value)) return short;
  }
  return value;
}

function readAttribute(raw: RawAttribute, context: TensorContext): Attribute {
  const decodeText = (value: Uint8Array): string => {
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(value);
    } catch {
      throw damaged(context.where, "text that is not UTF-8", "UTF-8");
    }
  };
  if (raw.graphs.length > 0) return { type: "opaque", bytes: raw.bytes };
  switch (raw.type) {
    case 1:
      return { type: "float", value: shortest(raw.f) };
    case 2:
      return { type: "int", value: Number(raw.i) };
    case 3:
      return { type: "string", value: decodeText(raw.s ?? new Uint8Array()) };
    case 4:
      if (raw.t === undefined) throw damaged(context.where, "no tensor", "one");
      return { type: "tensor", value: toParameter(raw.t, context) };
    case 6:
      return { type: "floats", value: raw.floats.map(shortest) };
    case 7:
      return { type: "ints", value: raw.ints.map(Number) };
    case 8:
      return { type: "strings", value: raw.strings.map(decodeText) };
    default:
      throw damaged(context.where, `attribute type ${raw.type}`, "a type between 1 and 8");
  }
}

function constantOf(raw: RawNode, place: string, reading: Reading): Parameter {
  const [attribute, ...more] = raw.attributes;
  if (attribute === undefined || more.length > 0) {
    throw damaged(place, `${raw.attributes.length} values`, "one");
  }
  const where = `${place}, attribute "${attribute.name}"`;
  const value = readAttribute(attribute, { where, external: reading.external });
  switch (value.type) {
    case "tensor":
      return value.value;
    case "float":
      return { type: "float32", shape: [], data: Float32Array.of(value.value) };
    case "floats":
      return { type: "float32", shape: [value.value.length], data: Float32Array.from(value.value) };
    case "int":
      return { type: "int64", shape: [], data: BigInt64Array.of(attribute.i) };
    case "ints":
      return { type: "int64", shape: [attribute.ints.length], data: BigInt64Array.from(attribute.ints) };
    default:
      throw new EtlError("unsupported", `${where}: a constant text, a tensor of numbers was needed`);
  }
}

/** All nodes in the form of opset 17, in topological order. */
function upgradeAll(network: Network, opset: number, reading: Reading): Node[] {
  const fresh = (hint: string): string => {
    const name = freeName(hint, reading.values);
    reading.values.add(name);
    return name;
  };
  const upgrade: Upgrade = {
    opset,
    file: reading.file,
    fresh,
    known: (name) => reading.parameters.get(name),
    rank: () => undefined,
    constant: (hint, parameter) => {
      const name = fresh(hint);
      reading.parameters.set(name, parameter);
      return name;
    },
  };
  const nodes = network.nodes.flatMap((node) =>
    needsRank(node, opset) ? [node] : upgradeNode(node, upgrade),
  );
  if (!nodes.some((node) => needsRank(node, opset))) return nodes;
  const forRanks = nodes.map((node) =>
    isAligned(node, opset)
      ? { ...node, op: "Identity", inputs: node.inputs.slice(0, 1), attributes: {} }
      : node,
  );
  const sized = { ...network, nodes: forRanks };
  const { shapes } = propagate(sized, { onError: "skip", bindings: anySize(network) });
  const rank = (value: string): number | undefined =>
    (reading.parameters.get(value)?.shape ?? shapes.get(value))?.length;
  return nodes.flatMap((node) => (needsRank(node, opset) ? upgradeNode(node, { ...upgrade, rank }) : [node]));
}

/** One size for every named dimension: enough to learn ranks. */
const anySize = (network: Network, size = 64): Record<string, number> =>
  Object.fromEntries(
    network.inputs.flatMap(({ shape }) =>
      shape.flatMap((dim) => (typeof dim === "string" ? [[dim, size]] : [])),
    ),
  );

/** Declared outputs; where the file gives no shape, the inferred one, open where it depends on what the inputs leave open. */
function readOutputs(graph: RawGraph, network: Network, reading: Reading): ValueInfo[] {
  const isOpen = graph.outputs.some(({ shape }) => shape === undefined);
  const sized = isOpen
    ? propagate(network, { onError: "skip", bindings: anySize(network) }).shapes
    : undefined;
  const followed = isOpen ? follow(network, { largest: 1024 }).shapes : undefined;
  return graph.outputs.map((value) => {
    const known = followed?.get(value.name);
    const rank = (known ?? sized?.get(value.name))?.length;
    const inferred =
      rank === undefined
        ? undefined
        : Array.from({ length: rank }, (_, axis) => {
            const dim = known?.[axis];
            return typeof dim === "number" ? dim : undefined;
          });
    return readValueInfo({ ...value, shape: value.shape ?? inferred }, "output", reading);
  });
}
