/** ONNX tensors <-> parameters. */
import { needWithin } from "../../core/budget.ts";
import { EtlError } from "../../core/errors.ts";
import {
  elementArrays,
  sizeOf,
  type ElementArray,
  type ElementType,
  type Half,
  type Parameter,
} from "../../network/network.ts";
import { floatToBrain, floatToHalf, halfToFloat } from "../../network/half.ts";
import type { RawSparse, RawTensor } from "./proto.ts";

/** TensorProto.DataType of our element types. */
export const dataTypes: Readonly<Record<ElementType, number>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  bool: 9,
  float64: 11,
};

/** TensorProto.DataType of what is float32 in a network. */
export const halfTypes: Readonly<Record<Half, number>> = { float16: 10, bfloat16: 16 };

/** The half-precision type of a TensorProto.DataType. */
export function halfOf(dataType: number): Half | undefined {
  return dataType === halfTypes.float16
    ? "float16"
    : dataType === halfTypes.bfloat16
      ? "bfloat16"
      : undefined;
}

const names = [
  "undefined",
  "float32",
  "uint8",
  "int8",
  "uint16",
  "int16",
  "int32",
  "int64",
  "string",
  "bool",
];
names.push("float16", "float64", "uint32", "uint64", "complex64", "complex128", "bfloat16");

/** The element type of a TensorProto.DataType; float16 and bfloat16 become float32. Undefined = not carried. */
export function elementTypeOf(dataType: number): ElementType | undefined {
  if (halfOf(dataType) !== undefined) return "float32";
  return (Object.keys(dataTypes) as ElementType[]).find((type) => dataTypes[type] === dataType);
}

/** For messages. */
export function dataTypeName(dataType: number): string {
  return names[dataType] ?? `data type ${dataType}`;
}

/** Files beside the model. */
export interface Outside {
  readonly read: (location: string) => Uint8Array;
  /** Told how many of their bytes a tensor takes. */
  readonly take: (bytes: number) => void;
}

export interface TensorContext {
  /** Where the tensor is, for messages: file and place. */
  readonly where: string;
  readonly external?: Outside | undefined;
}

/**
 * A parameter from a stored tensor. The declared size is compared with the bytes that are there before anything is
 * allocated; the parameter owns its memory.
 */
export function toParameter(tensor: RawTensor, context: TensorContext): Parameter {
  const { where } = context;
  const type = elementTypeOf(tensor.dataType);
  if (type === undefined) {
    throw new EtlError(
      "unsupported",
      `${where}: elements of type ${dataTypeName(tensor.dataType)}, one of ${Object.keys(dataTypes).join(", ")}, float16, bfloat16 was needed`,
    );
  }
  needWithin(where, "rank", tensor.dims.length);
  const wrong = tensor.dims.find((dim) => !Number.isSafeInteger(dim) || dim < 0);
  if (wrong !== undefined) {
    throw new EtlError("format", `${where}: a dimension of ${wrong}, none below zero was needed`);
  }
  const size = sizeOf(tensor.dims);
  const half = halfOf(tensor.dataType);
  const stored = half === undefined ? {} : { stored: half };
  const raw = tensor.isExternal ? externalBytes(tensor, context) : tensor.raw;
  if (raw !== undefined) {
    const width = half !== undefined ? 2 : elementArrays[type].BYTES_PER_ELEMENT;
    expectCount(where, tensor.dims, size * width, raw.byteLength, "bytes");
    const data = half !== undefined ? widenRaw(raw, half) : copyRaw(raw, type);
    return { type, shape: tensor.dims, data, ...stored };
  }
  const values = typedValues(tensor, type);
  expectCount(where, tensor.dims, size, values.length, "values");
  const data = half !== undefined ? widen(values as number[], half) : fill(type, values);
  return { type, shape: tensor.dims, data, ...stored };
}

/** Numbers of a sparse weight that is written out. */
const LARGEST_DENSE = 2 ** 28;

/** A sparse tensor with its zeros: positions are counted through the whole tensor, or given by axis. */
export function toDense({ values, indices, dims }: RawSparse, context: TensorContext): Parameter {
  const { where } = context;
  const size = sizeOf(dims);
  if (dims.some((dim) => !Number.isSafeInteger(dim) || dim < 0) || size > LARGEST_DENSE)
    throw new EtlError(
      "unsupported",
      `${where}: a sparse tensor of [${dims.join(", ")}], at most ${LARGEST_DENSE} numbers were needed`,
    );
  const stored = toParameter(values, context);
  const { data: positions } = toParameter(indices, context);
  const count = stored.data.length;
  const axes = positions.length === count ? 1 : dims.length;
  if (positions.length !== count * axes)
    throw new EtlError(
      "format",
      `${where}: ${positions.length} positions of ${count} numbers, one for each was needed`,
    );
  const data = new elementArrays[stored.type](size);
  for (let i = 0; i < count; i++) {
    let at = 0;
    for (let axis = 0; axis < axes; axis++)
      at = (axes === 1 ? 0 : at * (dims[axis] ?? 0)) + Number(positions[i * axes + axis]);
    if (!(at >= 0 && at < size))
      throw new EtlError("format", `${where}: position ${at}, one below ${size} was needed`);
    data[at] = stored.data[i] ?? 0;
  }
  return { ...stored, shape: dims, data };
}

function expectCount(
  where: string,
  dims: readonly number[],
  needed: number,
  found: number,
  unit: string,
): void {
  if (needed === found) return;
  throw new EtlError(
    "format",
    `${where}: ${found} ${unit} of data, ${needed} for the shape [${dims.join(", ")}] were needed`,
  );
}

function typedValues(tensor: RawTensor, type: ElementType): readonly number[] | readonly bigint[] {
  if (type === "int64") return tensor.int64s;
  if (type === "float64") return tensor.doubles;
  if (type === "float32" && tensor.dataType === dataTypes.float32) return tensor.floats;
  return tensor.int32s;
}

function fill(type: ElementType, values: readonly number[] | readonly bigint[]): ElementArray {
  if (type === "int64") return BigInt64Array.from(values as readonly bigint[]);
  return elementArrays[type].from(values as readonly number[]);
}

/** Copies bytes into an array of their own, so that alignment and lifetime do not depend on the file. */
function copyRaw(raw: Uint8Array, type: ElementType): ElementArray {
  const own = new Uint8Array(raw.byteLength);
  own.set(raw);
  return new elementArrays[type](own.buffer);
}

function widenRaw(raw: Uint8Array, half: Half): Float32Array {
  const own = new Uint8Array(raw.byteLength);
  own.set(raw);
  return widen(new Uint16Array(own.buffer), half);
}

function widen(bits: ArrayLike<number>, half: Half): Float32Array {
  const result = new Float32Array(bits.length);
  if (half === "bfloat16") {
    const words = new Uint32Array(result.buffer);
    for (let i = 0; i < bits.length; i++) words[i] = ((bits[i] ?? 0) & 0xffff) << 16;
  } else {
    for (let i = 0; i < bits.length; i++) result[i] = halfToFloat(bits[i] ?? 0);
  }
  return result;
}

function externalBytes(tensor: RawTensor, context: TensorContext): Uint8Array {
  const { where, external } = context;
  const location = tensor.external.get("location") ?? "";
  if (location === "" || /^([/\\]|[A-Za-z]:)/.test(location) || location.split(/[/\\]/).includes("..")) {
    throw new EtlError(
      "format",
      `${where}: external data at ${JSON.stringify(location)}, a path inside the model's folder was needed`,
    );
  }
  if (external === undefined) {
    throw new EtlError(
      "unsupported",
      `${where}: its data lie in another file, ${JSON.stringify(location)}, a file that holds its own weights was needed`,
      { hint: "save the model again as one file (onnx.save_model with save_as_external_data=False)" },
    );
  }
  const file = external.read(location);
  const offset = Number(tensor.external.get("offset") ?? 0);
  const length = Number(tensor.external.get("length") ?? file.byteLength - offset);
  const inside = Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0;
  if (!inside || offset + length > file.byteLength) {
    throw new EtlError(
      "format",
      `${where}: external bytes ${offset} to ${offset + length} of ${JSON.stringify(location)}, a range inside its ${file.byteLength} bytes was needed`,
    );
  }
  external.take(length);
  return file.subarray(offset, offset + length);
}

/** The bytes of a parameter, little-endian, row-major: a view, no copy, unless they are stored as `half`. */
export function rawBytes(parameter: Parameter, half?: Half): Uint8Array {
  const { data } = half === undefined ? parameter : { data: narrow(parameter.data as Float32Array, half) };
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** float32 to half precision, to the nearest, ties to even. What was read from half precision comes back bit for bit. */
function narrow(values: Float32Array, half: Half): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  return Uint16Array.from(bits, half === "float16" ? floatToHalf : floatToBrain);
}
