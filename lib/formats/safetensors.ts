/**
 * The safetensors container: 8 bytes header length (little endian), a JSON header, the data. Our own checkpoints use
 * it, and PyTorch or timm weights come in through it.
 */
import { needWithin } from "../core/budget.ts";
import { EtlError } from "../core/errors.ts";
import { parseJson } from "../core/parse-json.ts";
import { brainToFloat, halfToFloat } from "../network/half.ts";
import { isRecord, own } from "../core/own.ts";
import { sizeOf, type ElementArray, type ElementType, type Parameter } from "../network/network.ts";

interface Entry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

/** A read file: tensors by name, and the free text under `__metadata__`. */
export interface Safetensors {
  readonly tensors: ReadonlyMap<string, Parameter>;
  readonly metadata: Readonly<Record<string, string>>;
}

const dtypes: Readonly<Record<string, ElementType>> = {
  F32: "float32",
  F64: "float64",
  I64: "int64",
  I32: "int32",
  I8: "int8",
  U8: "uint8",
  BOOL: "bool",
};

const maximumHeaderBytes = 100_000_000;

/**
 * Reads a safetensors file. F16 and BF16 come in as float32.
 *
 * @param name file name, for messages
 * @throws EtlError kind `format` where the file is damaged, `unsupported` for other element types
 */
export function readSafetensors(bytes: Uint8Array, name: string): Safetensors {
  const damaged = (found: string, needed: string): EtlError =>
    new EtlError("format", `${name}: ${found}, ${needed} was needed`, { hint: "the file may be truncated" });
  if (bytes.length < 8) throw damaged(`${bytes.length} bytes`, "a safetensors file of at least 8");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerLength = Number(view.getBigUint64(0, true));
  if (headerLength > maximumHeaderBytes || 8 + headerLength > bytes.length) {
    throw damaged(`a header of ${headerLength} bytes in a file of ${bytes.length}`, "a safetensors header");
  }
  const header = parseHeader(bytes.subarray(8, 8 + headerLength), name, damaged);
  // Not a Buffer, whose slice would be a view of the whole file instead of a copy.
  const start = 8 + headerLength;
  const data = new Uint8Array(bytes.buffer, bytes.byteOffset + start, bytes.length - start);
  const tensors = new Map<string, Parameter>();
  let metadata: Readonly<Record<string, string>> = {};
  let declared = 0;
  for (const [key, value] of Object.entries(header)) {
    if (key === "__metadata__") {
      if (typeof value !== "object" || value === null)
        throw damaged("__metadata__ that is no object", "texts by name");
      // Texts, as the format says; String() of anything else may be told to run what it likes.
      const texts = Object.entries(value).filter(
        (entry): entry is [string, string] => typeof entry[1] === "string",
      );
      metadata = Object.fromEntries(texts);
      continue;
    }
    if (!isEntry(value)) throw damaged(`tensor ${key} without dtype, shape and data_offsets`, "all three");
    const [start, end] = value.data_offsets;
    if (start < 0 || end < start || end > data.length) {
      throw damaged(
        `tensor ${key} at ${start}..${end} of ${data.length} data bytes`,
        "a place inside the file",
      );
    }
    needWithin(`${name}: tensor ${key}`, "rank", value.shape.length);
    declared += end - start;
    if (declared > data.length) {
      throw damaged(`tensors of more than the ${data.length} data bytes`, "every byte once");
    }
    tensors.set(key, decode(key, value, data.slice(start, end), damaged));
  }
  return { tensors, metadata };
}

function parseHeader(
  bytes: Uint8Array,
  name: string,
  damaged: (found: string, needed: string) => EtlError,
): Record<string, unknown> {
  const header = parseJson(new TextDecoder("utf-8").decode(bytes), `${name}: its header`);
  if (isRecord(header)) return header;
  throw damaged("a header that is not an object", "a safetensors header");
}

function isEntry(value: unknown): value is Entry {
  if (typeof value !== "object" || value === null) return false;
  const { dtype, shape, data_offsets: offsets } = value as Partial<Entry>;
  const whole = (list: unknown): boolean =>
    Array.isArray(list) && list.every((n) => Number.isSafeInteger(n) && (n as number) >= 0);
  return typeof dtype === "string" && whole(shape) && whole(offsets) && offsets?.length === 2;
}

function decode(
  key: string,
  entry: Entry,
  bytes: Uint8Array,
  damaged: (found: string, needed: string) => EtlError,
): Parameter {
  const half = entry.dtype === "F16" || entry.dtype === "BF16";
  const type = half ? "float32" : own(dtypes, entry.dtype);
  if (type === undefined) {
    throw new EtlError(
      "unsupported",
      `tensor ${key}: element type ${entry.dtype}, one of ${[...Object.keys(dtypes), "F16", "BF16"].join(", ")} was needed`,
    );
  }
  const elementBytes = half ? 2 : bytesPerElement(type);
  if (bytes.length !== sizeOf(entry.shape) * elementBytes) {
    throw damaged(
      `tensor ${key} with ${bytes.length} bytes for shape [${entry.shape.join(", ")}]`,
      "matching sizes",
    );
  }
  const data = half
    ? Float32Array.from(new Uint16Array(bytes.buffer), entry.dtype === "F16" ? halfToFloat : brainToFloat)
    : arrayOf(type, bytes.buffer);
  return { type, shape: entry.shape, data };
}

function bytesPerElement(type: ElementType): number {
  if (type === "float64" || type === "int64") return 8;
  return type === "float32" || type === "int32" ? 4 : 1;
}

function arrayOf(type: ElementType, buffer: ArrayBufferLike): ElementArray {
  switch (type) {
    case "float32":
      return new Float32Array(buffer);
    case "float64":
      return new Float64Array(buffer);
    case "int64":
      return new BigInt64Array(buffer);
    case "int32":
      return new Int32Array(buffer);
    case "int8":
      return new Int8Array(buffer);
    case "uint8":
    case "bool":
      return new Uint8Array(buffer);
  }
}

/** Writes tensors in the order of the map. */
export function writeSafetensors(
  tensors: ReadonlyMap<string, Parameter>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const codes = new Map(Object.entries(dtypes).map(([code, type]) => [type, code]));
  // no prototype: a tensor may be called "__proto__"
  const header = Object.create(null) as Record<string, unknown>;
  if (Object.keys(metadata).length > 0) header["__metadata__"] = metadata;
  let offset = 0;
  for (const [key, tensor] of tensors) {
    const end = offset + tensor.data.byteLength;
    header[key] = { dtype: codes.get(tensor.type), shape: tensor.shape, data_offsets: [offset, end] };
    offset = end;
  }
  const text = JSON.stringify(header);
  // The data starts at a multiple of 8, padded with spaces as the format asks.
  const padded = new TextEncoder().encode(
    text.padEnd(text.length + ((8 - (Buffer.byteLength(text) % 8)) % 8)),
  );
  const bytes = new Uint8Array(8 + padded.length + offset);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(padded.length), true);
  bytes.set(padded, 8);
  let position = 8 + padded.length;
  for (const { data } of tensors.values()) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), position);
    position += data.byteLength;
  }
  return bytes;
}
