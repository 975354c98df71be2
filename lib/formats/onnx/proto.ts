/**
 * The part of the ONNX protobuf schema that networks need, read field by field into plain records. Weights stay views
 * into the file (no copy) until `onnx-tensor.ts` turns them into typed arrays. Nothing here allocates more than a small
 * multiple of the bytes that are there.
 */
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";

/** TensorProto as stored. Exactly one of the data fields is normally filled. */
export interface RawTensor {
  name: string;
  dims: number[];
  dataType: number;
  raw: Uint8Array | undefined;
  floats: number[];
  int32s: number[];
  int64s: bigint[];
  doubles: number[];
  external: Map<string, string>;
  isExternal: boolean;
}

/** AttributeProto as stored; `type` is AttributeProto.AttributeType (0 = not written). */
export interface RawAttribute {
  name: string;
  type: number;
  f: number;
  i: bigint;
  s: Uint8Array | undefined;
  t: RawTensor | undefined;
  floats: number[];
  ints: bigint[];
  strings: Uint8Array[];
  /** A field that is not looked into: a sparse tensor, a list of tensors, a type. */
  other: string | undefined;
  /** Graphs inside. */
  graphs: RawGraph[];
  /** The whole attribute as stored. */
  bytes: Uint8Array;
}

/** SparseTensorProto as stored. */
export type RawSparse = Record<"values" | "indices", RawTensor> & { dims: number[] };

export interface RawNode {
  name: string;
  op: string;
  domain: string;
  inputs: string[];
  outputs: string[];
  attributes: RawAttribute[];
}

/** ValueInfoProto; `shape` is undefined where the rank is not known, a dimension where neither size nor name is. */
export interface RawValue {
  name: string;
  elementType: number;
  shape: (number | string | undefined)[] | undefined;
  isTensor: boolean;
}

export interface RawGraph {
  name: string;
  nodes: RawNode[];
  initializers: RawTensor[];
  inputs: RawValue[];
  outputs: RawValue[];
  sparse: RawSparse[];
  doc: string;
}

export interface RawModel {
  irVersion: number;
  opsets: Map<string, number>;
  graph: RawGraph | undefined;
  metadata: [string, string][];
  producer: [name: string, version: string];
  domain: string;
  version: number;
  doc: string;
  /** Model-local functions by `domain:name`, as stored. */
  functions: Map<string, Uint8Array>;
}

type Fields = Partial<Record<number, (reader: BinaryReader, wire: WireType) => void>>;

/** Reads one message: known fields by `fields`, the others are skipped. */
function message(bytes: Uint8Array, what: string, fields: Fields): void {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, wire] = reader.tag();
    const read = fields[field];
    if (read === undefined) {
      reader.skip(wire, field);
      continue;
    }
    try {
      read(reader, wire);
    } catch (error) {
      if (error instanceof Error && !error.message.startsWith("in ")) {
        throw new Error(`in ${what}, field ${field}: ${error.message}`, { cause: error });
      }
      throw error;
    }
  }
}

const expectWire = (wire: WireType, wanted: WireType): void => {
  if (wire !== wanted) throw new Error(`wire type ${wire} where ${wanted} belongs`);
};

const text = (set: (value: string) => void) => (reader: BinaryReader, wire: WireType) => {
  expectWire(wire, WireType.LengthDelimited);
  set(reader.string(true));
};

const bytes = (set: (value: Uint8Array) => void) => (reader: BinaryReader, wire: WireType) => {
  expectWire(wire, WireType.LengthDelimited);
  set(reader.bytes());
};

const int = (set: (value: bigint) => void) => (reader: BinaryReader, wire: WireType) => {
  expectWire(wire, WireType.Varint);
  set(BigInt(reader.int64()));
};

const float = (set: (value: number) => void) => (reader: BinaryReader, wire: WireType) => {
  expectWire(wire, WireType.Bit32);
  set(reader.float());
};

/** A repeated number, packed or one by one. */
function repeated<T>(single: WireType, next: (reader: BinaryReader) => T, push: (value: T) => void) {
  return (reader: BinaryReader, wire: WireType): void => {
    if (wire === single) {
      push(next(reader));
      return;
    }
    expectWire(wire, WireType.LengthDelimited);
    const packed = new BinaryReader(reader.bytes());
    while (packed.pos < packed.len) push(next(packed));
  };
}

const nextInt64 = (reader: BinaryReader): bigint => BigInt(reader.int64());
const ints = (list: bigint[]) => repeated(WireType.Varint, nextInt64, (value) => list.push(value));
const floats = (list: number[]) =>
  repeated(
    WireType.Bit32,
    (reader) => reader.float(),
    (value) => list.push(value),
  );

function readPair(data: Uint8Array): [string, string] {
  const pair: [string, string] = ["", ""];
  message(data, "StringStringEntryProto", {
    1: text((value) => (pair[0] = value)),
    2: text((value) => (pair[1] = value)),
  });
  return pair;
}

export function readTensorProto(data: Uint8Array): RawTensor {
  const tensor: RawTensor = {
    name: "",
    dims: [],
    dataType: 0,
    raw: undefined,
    floats: [],
    int32s: [],
    int64s: [],
    doubles: [],
    external: new Map(),
    isExternal: false,
  };
  message(data, "TensorProto", {
    1: repeated(WireType.Varint, nextInt64, (value) => tensor.dims.push(Number(value))),
    2: int((value) => (tensor.dataType = Number(value))),
    4: floats(tensor.floats),
    5: repeated(
      WireType.Varint,
      (reader) => reader.int32(),
      (value) => tensor.int32s.push(value),
    ),
    7: ints(tensor.int64s),
    8: text((value) => (tensor.name = value)),
    9: bytes((value) => (tensor.raw = value)),
    10: repeated(
      WireType.Bit64,
      (reader) => reader.double(),
      (value) => tensor.doubles.push(value),
    ),
    13: bytes((value) => tensor.external.set(...readPair(value))),
    14: int((value) => (tensor.isExternal = value === 1n)),
  });
  return tensor;
}

function readSparse(data: Uint8Array): RawSparse {
  const [values, indices] = [readTensorProto(new Uint8Array()), readTensorProto(new Uint8Array())];
  const sparse: RawSparse = { values, indices, dims: [] };
  message(data, "SparseTensorProto", {
    1: bytes((value) => (sparse.values = readTensorProto(value))),
    2: bytes((value) => (sparse.indices = readTensorProto(value))),
    3: repeated(WireType.Varint, nextInt64, (value) => sparse.dims.push(Number(value))),
  });
  return sparse;
}

/** Graphs that may lie inside one another. */
const DEEPEST = 32;

function readAttribute(data: Uint8Array, depth: number): RawAttribute {
  const attribute: RawAttribute = {
    name: "",
    type: 0,
    f: 0,
    i: 0n,
    s: undefined,
    t: undefined,
    floats: [],
    ints: [],
    strings: [],
    other: undefined,
    graphs: [],
    bytes: data,
  };
  let seen = 0;
  const mark =
    (type: number, read: (reader: BinaryReader, wire: WireType) => void) =>
    (reader: BinaryReader, wire: WireType): void => {
      seen = type;
      read(reader, wire);
    };
  const other = (what: string) => (reader: BinaryReader, wire: WireType) => {
    attribute.other = what;
    reader.skip(wire);
  };
  const graph = bytes((value) => {
    if (depth >= DEEPEST) throw new Error(`graphs inside one another more than ${DEEPEST} deep`);
    attribute.graphs.push(readGraph(value, depth + 1));
  });
  message(data, "AttributeProto", {
    1: text((value) => (attribute.name = value)),
    2: mark(
      1,
      float((value) => (attribute.f = value)),
    ),
    3: mark(
      2,
      int((value) => (attribute.i = value)),
    ),
    4: mark(
      3,
      bytes((value) => (attribute.s = value)),
    ),
    5: mark(
      4,
      bytes((value) => (attribute.t = readTensorProto(value))),
    ),
    6: graph,
    7: mark(6, floats(attribute.floats)),
    8: mark(7, ints(attribute.ints)),
    9: mark(
      8,
      bytes((value) => attribute.strings.push(value)),
    ),
    10: other("a list of tensors"),
    11: graph,
    14: other("a type"),
    15: other("a list of types"),
    20: int((value) => (attribute.type = Number(value))),
    21: other("a reference to a function's attribute"),
    22: other("a sparse tensor"),
    23: other("a list of sparse tensors"),
  });
  // Files older than IR version 3 do not write the type.
  if (attribute.type === 0) attribute.type = seen;
  return attribute;
}

function readNode(data: Uint8Array, depth: number): RawNode {
  const node: RawNode = { name: "", op: "", domain: "", inputs: [], outputs: [], attributes: [] };
  message(data, "NodeProto", {
    1: text((value) => node.inputs.push(value)),
    2: text((value) => node.outputs.push(value)),
    3: text((value) => (node.name = value)),
    4: text((value) => (node.op = value)),
    5: bytes((value) => node.attributes.push(readAttribute(value, depth))),
    7: text((value) => (node.domain = value)),
  });
  if (node.domain === "ai.onnx") node.domain = "";
  return node;
}

function readDimension(data: Uint8Array): number | string | undefined {
  let dim: number | string | undefined;
  message(data, "TensorShapeProto.Dimension", {
    1: int((value) => (dim = Number(value))),
    2: text((value) => (dim = value)),
  });
  return dim;
}

function readValue(data: Uint8Array): RawValue {
  const value: RawValue = { name: "", elementType: 0, shape: undefined, isTensor: true };
  const readShape = (shape: Uint8Array): void => {
    const dims: (number | string | undefined)[] = [];
    message(shape, "TensorShapeProto", { 1: bytes((dim) => dims.push(readDimension(dim))) });
    value.shape = dims;
  };
  const notTensor = (reader: BinaryReader, wire: WireType): void => {
    value.isTensor = false;
    reader.skip(wire);
  };
  message(data, "ValueInfoProto", {
    1: text((name) => (value.name = name)),
    2: bytes((type) => {
      message(type, "TypeProto", {
        1: bytes((tensor) => {
          message(tensor, "TypeProto.Tensor", {
            1: int((element) => (value.elementType = Number(element))),
            2: bytes(readShape),
          });
        }),
        4: notTensor,
        5: notTensor,
        8: notTensor,
        9: notTensor,
      });
    }),
  });
  return value;
}

function readGraph(data: Uint8Array, depth = 0): RawGraph {
  const graph: RawGraph = {
    name: "",
    nodes: [],
    initializers: [],
    inputs: [],
    outputs: [],
    sparse: [],
    doc: "",
  };
  message(data, "GraphProto", {
    1: bytes((value) => graph.nodes.push(readNode(value, depth))),
    2: text((value) => (graph.name = value)),
    5: bytes((value) => graph.initializers.push(readTensorProto(value))),
    10: text((value) => (graph.doc = value)),
    11: bytes((value) => graph.inputs.push(readValue(value))),
    12: bytes((value) => graph.outputs.push(readValue(value))),
    15: bytes((value) => graph.sparse.push(readSparse(value))),
  });
  return graph;
}

/** ModelProto. Throws a plain Error with the place inside the schema where the bytes are damaged. */
export function readModelProto(data: Uint8Array): RawModel {
  const model: RawModel = {
    irVersion: 0,
    opsets: new Map(),
    graph: undefined,
    metadata: [],
    producer: ["", ""],
    domain: "",
    version: 0,
    doc: "",
    functions: new Map(),
  };
  message(data, "ModelProto", {
    1: int((value) => (model.irVersion = Number(value))),
    2: text((value) => (model.producer[0] = value)),
    3: text((value) => (model.producer[1] = value)),
    4: text((value) => (model.domain = value)),
    5: int((value) => (model.version = Number(value))),
    6: text((value) => (model.doc = value)),
    7: bytes((value) => (model.graph = readGraph(value))),
    8: bytes((value) => {
      let domain = "";
      let version = 1;
      message(value, "OperatorSetIdProto", {
        1: text((name) => (domain = name)),
        2: int((number) => (version = Number(number))),
      });
      model.opsets.set(domain === "ai.onnx" ? "" : domain, version);
    }),
    14: bytes((value) => model.metadata.push(readPair(value))),
    25: bytes((value) => {
      let [name, domain] = ["", ""];
      message(value, "FunctionProto", {
        1: text((part) => (name = part)),
        10: text((part) => (domain = part)),
      });
      model.functions.set(`${domain}:${name}`, value);
    }),
  });
  return model;
}
