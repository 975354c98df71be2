/** Network -> ONNX bytes. */
import { refuseUnknown } from "../../core/options.ts";
import { own } from "../../core/own.ts";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { EtlError } from "../../core/errors.ts";
import type { Attribute, FileFacts, Network, Node, Parameter, ValueInfo } from "../../network/network.ts";
import { forOurFile, MAKER } from "./ours.ts";
import { dataTypes, halfTypes, rawBytes } from "./tensor.ts";

const MAX_PROTOBUF_BYTES = 2 ** 31 - 1;
const MAX_INT64 = 2n ** 63n - 1n;
const MIN_INT64 = -(2n ** 63n);

/** Pieces of a message that are joined once, at the end, so that weights are copied once. */
type Pieces = Uint8Array[];

const lengthOf = (pieces: Pieces): number => pieces.reduce((sum, piece) => sum + piece.byteLength, 0);

const written = (write: (writer: BinaryWriter) => void): Uint8Array => {
  const writer = new BinaryWriter();
  write(writer);
  return writer.finish();
};

/** Tag and length of a nested message or byte field; its content follows. */
const header = (field: number, length: number): Uint8Array =>
  written((writer) => writer.tag(field, WireType.LengthDelimited).uint32(length));

const nested = (field: number, pieces: Pieces): Pieces => [header(field, lengthOf(pieces)), ...pieces];

const text = (writer: BinaryWriter, field: number, value: string): BinaryWriter =>
  writer.tag(field, WireType.LengthDelimited).string(value);

/** Numbers at the edge of int64 (as in an open-ended Slice) are not exact as doubles: clamp them. */
function toInt64(value: number): bigint {
  const integer = BigInt(value);
  return integer > MAX_INT64 ? MAX_INT64 : integer < MIN_INT64 ? MIN_INT64 : integer;
}

const texts = (field: number, value: string): Pieces =>
  value === "" ? [] : [written((writer) => text(writer, field, value))];

const int = (writer: BinaryWriter, field: number, value: number): BinaryWriter =>
  writer.tag(field, WireType.Varint).int64(toInt64(value));

/** IR version in which an operator set came out; readers refuse a version newer than they know. */
export function irVersion(opset: number): number {
  return opset <= 18 ? 8 : opset <= 20 ? 9 : opset <= 22 ? 10 : 11;
}

/** Opset versions of the domains that are not ai.onnx. */
const domainVersions: Readonly<Partial<Record<string, number>>> = { "ai.onnx.ml": 3 };

/** How a network is written. */
export interface WriteOnnxOptions {
  /** Pads are written as they are; else, in networks of this program, as convolutions where those are quicker. */
  readonly plainPads?: boolean;
}

/**
 * The network as an ONNX file; weights that a file stored in half precision as float32, as they are computed. In networks of this
 * program Pads are written as convolutions where those are quicker; `readOnnx` makes Pads of them again.
 *
 * @returns the bytes of a ModelProto; weights as raw_data, metadata as metadata_props
 * @throws EtlError kind `unsupported` where the file would pass protobuf's limit of 2 GB
 */
export function writeOnnx(network: Network, options: WriteOnnxOptions = {}): Uint8Array {
  refuseUnknown("writeOnnx", options, { plainPads: true });
  const { plainPads = false } = options;
  return bytesOf(plainPads ? network : forOurFile(network), {
    opset: network.opset,
    irVersion: irVersion(network.opset),
    domains: network.file?.domains ?? {},
    producer: [MAKER, ""],
    domain: "",
    modelVersion: 0,
    docs: ["", ""],
  });
}

/**
 * The network as a file like the one it was read from: in its element types, of its IR version, with its producer and
 * documentation. Nodes must have the form of `facts.opset`.
 */
export function writeOnnxLike(network: Network, facts: FileFacts): Uint8Array {
  return bytesOf(network, facts, { half: true });
}

/** Before this IR version every weight is an input of the graph, too. */
const WEIGHTS_APART = 4;

function bytesOf(network: Network, facts: FileFacts, { half = false } = {}): Uint8Array {
  const weights = facts.irVersion < WEIGHTS_APART ? [...network.parameters] : [];
  const graph: Pieces = [
    ...network.nodes
      .flatMap((node) => [...namesInside(node), node])
      .flatMap((node) => nested(1, nodePieces(node, half))),
    written((writer) => text(writer, 2, network.name)),
    ...[...network.parameters].flatMap(([name, parameter]) => nested(5, tensorPieces(name, parameter, half))),
    ...texts(10, facts.docs[1]),
    ...network.inputs.flatMap((value) => nested(11, [valueBytes(value, half)])),
    ...weights.flatMap(([name, parameter]) => nested(11, [valueBytes({ ...parameter, name }, half)])),
    ...network.outputs.flatMap((value) => nested(12, [valueBytes(value, half)])),
  ];
  const { functions = [] } = network;
  const called = functions.length > 0 ? Object.keys(facts.domains) : [];
  const domains = [...new Set([...network.nodes.map((node) => node.domain), ...called])].filter(
    (domain) => domain !== "",
  );
  const opsets = [
    ["", facts.opset] as const,
    ...domains.map(
      (domain) => [domain, own(facts.domains, domain) ?? own(domainVersions, domain) ?? 1] as const,
    ),
  ];
  const pieces: Pieces = [
    written((writer) => int(writer, 1, facts.irVersion)),
    ...texts(2, facts.producer[0]),
    ...texts(3, facts.producer[1]),
    ...texts(4, facts.domain),
    ...(facts.modelVersion === 0 ? [] : [written((writer) => int(writer, 5, facts.modelVersion))]),
    ...texts(6, facts.docs[0]),
    ...nested(7, graph),
    ...opsets.flatMap(([domain, version]) =>
      nested(8, [
        written((writer) => {
          text(writer, 1, domain);
          int(writer, 2, version);
        }),
      ]),
    ),
    ...functions.flatMap((one) => nested(25, [one])),
    ...Object.entries(network.metadata).flatMap(([key, value]) =>
      nested(14, [written((writer) => text(text(writer, 1, key), 2, value))]),
    ),
  ];
  const size = lengthOf(pieces);
  if (size > MAX_PROTOBUF_BYTES) {
    throw new EtlError("unsupported", `${network.name}: ${size} bytes as ONNX, at most 2 GB were needed`);
  }
  const bytes = new Uint8Array(size);
  let offset = 0;
  for (const piece of pieces) {
    bytes.set(piece, offset);
    offset += piece.byteLength;
  }
  return bytes;
}

/** What graphs inside a node read from outside under the names by which they read it, where it has another name now. */
function namesInside({ name, inputs, reads = [] }: Node): Node[] {
  const now = inputs.slice(inputs.length - reads.length);
  return reads.flatMap((read, i) => {
    if (now[i] === read) return [];
    const plain = { name: `${name}/${read}`, op: "Identity", domain: "", attributes: {} };
    return [{ ...plain, inputs: [now[i] ?? ""], outputs: [read] }];
  });
}

function nodePieces(node: Node, half: boolean): Pieces {
  const own = node.inputs.slice(0, node.inputs.length - (node.reads?.length ?? 0));
  return [
    written((writer) => {
      for (const input of own) text(writer, 1, input);
      for (const output of node.outputs) text(writer, 2, output);
      text(writer, 3, node.name);
      text(writer, 4, node.op);
    }),
    ...Object.entries(node.attributes).flatMap(([name, attribute]) =>
      attribute === undefined ? [] : nested(5, attributePieces(name, attribute, half)),
    ),
    ...(node.domain === "" ? [] : [written((writer) => text(writer, 7, node.domain))]),
  ];
}

function attributePieces(name: string, attribute: Attribute, half: boolean): Pieces {
  if (attribute.type === "opaque") return [attribute.bytes];
  const head = written((writer) => text(writer, 1, name));
  const typed = (type: number, write: (writer: BinaryWriter) => void): Pieces => [
    head,
    written((writer) => {
      write(writer);
      int(writer, 20, type);
    }),
  ];
  switch (attribute.type) {
    case "float":
      return typed(1, (writer) => writer.tag(2, WireType.Bit32).float(attribute.value));
    case "int":
      return typed(2, (writer) =>
        int(
          writer,
          3,
          half && attribute.stored !== undefined ? halfTypes[attribute.stored] : attribute.value,
        ),
      );
    case "string":
      return typed(3, (writer) => text(writer, 4, attribute.value));
    case "tensor":
      return [
        head,
        ...nested(5, tensorPieces("", attribute.value, half)),
        written((writer) => int(writer, 20, 4)),
      ];
    case "floats":
      return typed(6, (writer) => {
        for (const value of attribute.value) writer.tag(7, WireType.Bit32).float(value);
      });
    case "ints":
      return typed(7, (writer) => {
        for (const value of attribute.value) int(writer, 8, value);
      });
    case "strings":
      return typed(8, (writer) => {
        for (const value of attribute.value) text(writer, 9, value);
      });
  }
}

function tensorPieces(name: string, parameter: Parameter, half: boolean): Pieces {
  const stored = half ? parameter.stored : undefined;
  const raw = rawBytes(parameter, stored);
  return [
    written((writer) => {
      for (const dim of parameter.shape) int(writer, 1, dim);
      int(writer, 2, stored === undefined ? dataTypes[parameter.type] : halfTypes[stored]);
      if (name !== "") text(writer, 8, name);
    }),
    header(9, raw.byteLength),
    raw,
  ];
}

function valueBytes(value: ValueInfo, half: boolean): Uint8Array {
  return written((writer) => {
    text(writer, 1, value.name);
    writer.tag(2, WireType.LengthDelimited).fork();
    writer.tag(1, WireType.LengthDelimited).fork();
    int(writer, 1, half && value.stored !== undefined ? halfTypes[value.stored] : dataTypes[value.type]);
    if (value.unranked === true) {
      writer.join().join();
      return;
    }
    writer.tag(2, WireType.LengthDelimited).fork();
    for (const dim of value.shape) {
      writer.tag(1, WireType.LengthDelimited).fork();
      if (typeof dim === "number") int(writer, 1, dim);
      else text(writer, 2, dim);
      writer.join();
    }
    writer.join().join().join();
  });
}
