/**
 * Weights as TensorFlow.js stores them: a manifest that lists names, shapes, types and quantisation, and binary files
 * that hold the numbers one after the other, little-endian. Used by `*-weights_manifest.json` and by `model.json`.
 */
import { EtlError } from "../../core/errors.ts";
import { sizeOf, type Parameter } from "../../network/network.ts";
import { halfToFloat } from "../../network/half.ts";

/** One tensor of a manifest. */
export interface TfjsWeight {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: "float32" | "int32" | "bool";
  /** Stored value = round((value - min) / scale) for the integer kinds; IEEE half precision for `float16`. */
  readonly quantization?:
    | { readonly dtype: "uint8" | "uint16"; readonly scale: number; readonly min: number }
    | { readonly dtype: "float16" };
}

/** Tensors that share a sequence of binary files. */
export interface TfjsWeightGroup {
  readonly weights: readonly TfjsWeight[];
  readonly paths: readonly string[];
}

/**
 * Checks a parsed manifest.
 *
 * @param value the JSON array: `weights_manifest.json` itself, or `weightsManifest` of a `model.json`
 * @param where the file, for messages
 * @throws EtlError kind `format` where it is not a manifest, `unsupported` for text and complex weights
 */
export function parseTfjsManifest(value: unknown, where: string): TfjsWeightGroup[] {
  if (!Array.isArray(value)) throw damaged(where, "no list of weight groups", "a tfjs weight manifest");
  return value.map((group: unknown, index) => {
    const { weights, paths } = record(group, `${where}: group ${index}`);
    if (!Array.isArray(weights)) throw damaged(`${where}: group ${index}`, "no weights", 'a list "weights"');
    if (!Array.isArray(paths) || !paths.every((path) => typeof path === "string")) {
      throw damaged(`${where}: group ${index}`, "no file names", 'a list of names "paths"');
    }
    return { weights: weights.map((weight) => parseWeight(weight, where)), paths };
  });
}

/**
 * Cuts one group's bytes into tensors.
 *
 * @param bytes the group's files, joined; the length must be exactly what the list says
 */
export function decodeTfjsWeights(
  weights: readonly TfjsWeight[],
  bytes: Uint8Array,
  where: string,
): Map<string, Parameter> {
  const needed = weights.reduce((sum, weight) => sum + storedBytes(weight), 0);
  if (needed !== bytes.length) {
    throw damaged(where, `${bytes.length} bytes of weights`, `${needed} bytes as the manifest lists`);
  }
  const result = new Map<string, Parameter>();
  let offset = 0;
  for (const weight of weights) {
    const length = storedBytes(weight);
    result.set(weight.name, decodeOne(weight, bytes.subarray(offset, offset + length)));
    offset += length;
  }
  return result;
}

/** Bytes of one stored element. */
function elementBytes(weight: TfjsWeight): number {
  const stored = weight.quantization?.dtype ?? weight.dtype;
  return { uint8: 1, bool: 1, uint16: 2, float16: 2, int32: 4, float32: 4 }[stored];
}

function storedBytes(weight: TfjsWeight): number {
  return sizeOf(weight.shape) * elementBytes(weight);
}

function decodeOne(weight: TfjsWeight, bytes: Uint8Array): Parameter {
  const { shape, quantization } = weight;
  const count = sizeOf(shape);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const stored = quantization?.dtype ?? weight.dtype;
  const at: Record<typeof stored, (i: number) => number> = {
    uint8: (i) => bytes[i],
    bool: (i) => bytes[i],
    uint16: (i) => view.getUint16(2 * i, true),
    float16: (i) => halfToFloat(view.getUint16(2 * i, true)),
    int32: (i) => view.getInt32(4 * i, true),
    float32: (i) => view.getFloat32(4 * i, true),
  };
  const read = at[stored];
  const value =
    quantization === undefined || quantization.dtype === "float16"
      ? read
      : (i: number) => read(i) * quantization.scale + quantization.min;
  if (weight.dtype === "float32") {
    const data = new Float32Array(count);
    for (let i = 0; i < count; i++) data[i] = value(i);
    return { type: "float32", shape, data };
  }
  if (weight.dtype === "int32") {
    return { type: "int32", shape, data: Int32Array.from({ length: count }, (_, i) => Math.round(value(i))) };
  }
  return { type: "bool", shape, data: Uint8Array.from({ length: count }, (_, i) => (value(i) ? 1 : 0)) };
}

function parseWeight(value: unknown, file: string): TfjsWeight {
  const entry = record(value, file);
  const { name, shape, dtype, quantization } = entry;
  if (typeof name !== "string") throw damaged(file, "a weight without a name", "a name for each");
  const where = `${file}: weight "${name}"`;
  if (!Array.isArray(shape) || !shape.every(isDimension)) {
    throw damaged(where, `shape ${JSON.stringify(shape)}`, "a list of sizes");
  }
  if (dtype !== "float32" && dtype !== "int32" && dtype !== "bool") {
    const known = dtype === "string" || dtype === "complex64";
    const found = `${where}: element type ${JSON.stringify(dtype)}, float32, int32 or bool was needed`;
    throw new EtlError(known ? "unsupported" : "format", found);
  }
  if (quantization === undefined) return { name, shape, dtype };
  const { dtype: stored, scale, min } = record(quantization, where);
  if (stored === "float16") return { name, shape, dtype, quantization: { dtype: stored } };
  if (stored !== "uint8" && stored !== "uint16") {
    throw damaged(where, `quantisation ${JSON.stringify(stored)}`, "uint8, uint16 or float16");
  }
  if (typeof scale !== "number" || typeof min !== "number") {
    throw damaged(where, "quantisation without scale and min", "both numbers");
  }
  return { name, shape, dtype, quantization: { dtype: stored, scale, min } };
}

function isDimension(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function record(value: unknown, where: string): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw damaged(where, JSON.stringify(value).slice(0, 60), "an object");
}

/** The error of a manifest that is none. */
export function damaged(where: string, found: string, needed: string): EtlError {
  return new EtlError("format", `${where}: ${found}, ${needed} was needed`, {
    hint: "the file is damaged or not a tfjs weight manifest; fetch it again",
  });
}
