/** Network -> ONNX bytes. */
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { EtlError } from "../../core/errors.ts";
import type { Attribute, Network, Node, Parameter, ValueInfo } from "../../network/network.ts";
import { dataTypes, rawBytes } from "./tensor.ts";

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

const int = (writer: BinaryWriter, field: number, value: number): BinaryWriter =>
  writer.tag(field, WireType.Varint).int64(toInt64(value));

/** IR version in which an operator set came out; readers refuse a version newer than they know. */
function irVersion(opset: number): number {
  return opset <= 18 ? 8 : opset <= 20 ? 9 : opset <= 22 ? 10 : 11;
}

/** Opset versions of the domains that are not ai.onnx. */
const domainVersions: Readonly<Partial<Record<string, number>>> = { "ai.onnx.ml": 3 };

/**
 * The network as an ONNX file.
 *
 * @returns the bytes of a ModelProto; weights as raw_data, metadata as metadata_props
 * @throws EtlError kind `unsupported` where the file would pass protobuf's limit of 2 GB
 */
export function writeOnnx(network: Network): Uint8Array {
  const graph: Pieces = [
    ...network.nodes.flatMap((node) => nested(1, nodePieces(node))),
    written((writer) => text(writer, 2, network.name)),
    ...[...network.parameters].flatMap(([name, parameter]) => nested(5, tensorPieces(name, parameter))),
    ...network.inputs.flatMap((value) => nested(11, [valueBytes(value)])),
    ...network.outputs.flatMap((value) => nested(12, [valueBytes(value)])),
  ];
  const domains = [...new Set(network.nodes.map((node) => node.domain))].filter((domain) => domain !== "");
  const opsets = [
    ["", network.opset] as const,
    ...domains.map((domain) => [domain, domainVersions[domain] ?? 1] as const),
  ];
  const pieces: Pieces = [
    written((writer) => {
      int(writer, 1, irVersion(network.opset));
      text(writer, 2, "etl-prune");
    }),
    ...nested(7, graph),
    ...opsets.flatMap(([domain, version]) =>
      nested(8, [
        written((writer) => {
          text(writer, 1, domain);
          int(writer, 2, version);
        }),
      ]),
    ),
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

function nodePieces(node: Node): Pieces {
  return [
    written((writer) => {
      for (const input of node.inputs) text(writer, 1, input);
      for (const output of node.outputs) text(writer, 2, output);
      text(writer, 3, node.name);
      text(writer, 4, node.op);
    }),
    ...Object.entries(node.attributes).flatMap(([name, attribute]) =>
      attribute === undefined ? [] : nested(5, attributePieces(name, attribute)),
    ),
    ...(node.domain === "" ? [] : [written((writer) => text(writer, 7, node.domain))]),
  ];
}

function attributePieces(name: string, attribute: Attribute): Pieces {
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
      return typed(2, (writer) => int(writer, 3, attribute.value));
    case "string":
      return typed(3, (writer) => text(writer, 4, attribute.value));
    case "tensor":
      return [head, ...nested(5, tensorPieces("", attribute.value)), written((writer) => int(writer, 20, 4))];
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

function tensorPieces(name: string, parameter: Parameter): Pieces {
  const raw = rawBytes(parameter);
  return [
    written((writer) => {
      for (const dim of parameter.shape) int(writer, 1, dim);
      int(writer, 2, dataTypes[parameter.type]);
      if (name !== "") text(writer, 8, name);
    }),
    header(9, raw.byteLength),
    raw,
  ];
}

function valueBytes(value: ValueInfo): Uint8Array {
  return written((writer) => {
    text(writer, 1, value.name);
    writer.tag(2, WireType.LengthDelimited).fork();
    writer.tag(1, WireType.LengthDelimited).fork();
    int(writer, 1, dataTypes[value.type]);
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
