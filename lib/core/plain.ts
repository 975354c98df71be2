/**
 * Plain data as bytes, to be read back as they were: JSON, with the content of its typed arrays behind it.
 *
 *   "ETLP" | version uint32 | header length uint32 | header JSON (UTF-8, padded to 8) | arrays, each padded to 8
 *
 * An array stands in the header as {"$array": [kind, length]}, in the order of the content; a number that JSON does not
 * know as {"$number": "NaN"}. Little-endian throughout.
 */
import { EtlError, messageOf } from "./errors.ts";

const magic = 0x504c5445; // "ETLP", little-endian
const version = 1;
const preamble = 12;
const arrayKey = "$array";
const numberKey = "$number";
const kinds = { Float64Array, Float32Array, Int32Array, Uint32Array, Uint8Array } as const;
type Kind = keyof typeof kinds;
type Typed = InstanceType<(typeof kinds)[Kind]>;

const littleEndian = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;
const padded = (bytes: number): number => Math.ceil(bytes / 8) * 8;

/** The bytes of a value made of objects, arrays, texts, numbers, switches and typed arrays. */
export function encodePlain(value: unknown): Uint8Array {
  const arrays: Typed[] = [];
  const text = JSON.stringify(value, (_, each: unknown) => {
    if (typeof each === "number" && !(Number.isFinite(each) && !Object.is(each, -0)))
      return { [numberKey]: Object.is(each, -0) ? "-0" : String(each) };
    if (typeof each === "function" || each instanceof Map || each instanceof Set)
      throw new TypeError(`encodePlain: a ${typeof each} has no place in an artifact`);
    if (!ArrayBuffer.isView(each)) return each;
    const kind = each.constructor.name;
    if (!Object.hasOwn(kinds, kind)) throw new TypeError(`encodePlain: ${kind} has no place in an artifact`);
    arrays.push(each as Typed);
    return { [arrayKey]: [kind, (each as Typed).length] };
  });
  const header = new TextEncoder().encode(text);
  const start = padded(preamble + header.length);
  const bytes = new Uint8Array(arrays.reduce((sum, { byteLength }) => sum + padded(byteLength), start));
  bytes.fill(0x20, preamble, start).set(header, preamble);
  const view = new DataView(bytes.buffer);
  [magic, version, header.length].forEach((word, i) => {
    view.setUint32(4 * i, word, true);
  });
  let at = start;
  for (const array of arrays) {
    bytes.set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength), at);
    if (!littleEndian) swap(bytes.subarray(at, at + array.byteLength), array.BYTES_PER_ELEMENT);
    at += padded(array.byteLength);
  }
  return bytes;
}

/**
 * Reads what {@link encodePlain} wrote.
 *
 * @param where named in errors: the file
 * @throws EtlError `format` where the bytes are damaged, of another kind or of a newer version
 */
export function decodePlain(bytes: Uint8Array, where: string): unknown {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < preamble || view.getUint32(0, true) !== magic)
    throw damaged(where, `${bytes.length} bytes that do not begin with ETLP`, "what a run has kept");
  if (view.getUint32(4, true) !== version)
    throw damaged(where, `version ${view.getUint32(4, true)} of the format`, `version ${version}`);
  const end = preamble + view.getUint32(8, true);
  let at = padded(end);
  const take = (kind: Kind, length: number): Typed => {
    const Elements = kinds[kind];
    const size = length * Elements.BYTES_PER_ELEMENT;
    if (!(at + size <= bytes.length)) throw damaged(where, `${bytes.length} bytes`, "a longer file");
    const own = new Uint8Array(bytes.subarray(at, at + size)); // a copy begins where an array may begin
    if (!littleEndian) swap(own, Elements.BYTES_PER_ELEMENT);
    at += padded(size);
    return new Elements(own.buffer, 0, length);
  };
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(preamble, end));
    const header: unknown = JSON.parse(text);
    return filled(header, take);
  } catch (error) {
    if (error instanceof EtlError) throw error;
    throw damaged(where, `a header that cannot be read (${messageOf(error)})`, "JSON");
  }
}

/** A header with its arrays in place, taken in the order in which they were written. */
function filled(value: unknown, take: (kind: Kind, length: number) => Typed): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((each) => filled(each, take));
  const { [arrayKey]: array, [numberKey]: number } = value as Record<string, unknown>;
  if (typeof number === "string") return Number(number);
  if (Array.isArray(array) && Object.hasOwn(kinds, String(array[0])) && Number(array[1]) >= 0)
    return take(array[0] as Kind, array[1] as number);
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, filled(each, take)]));
}

function damaged(where: string, found: string, needed: string): EtlError {
  return new EtlError("format", `${where}: ${found}, ${needed} was needed`, {
    hint: "remove the file and run the same command again",
  });
}

/** Swaps the bytes of every element, on the rare machine that needs it. */
function swap(bytes: Uint8Array, size: number): void {
  for (let at = 0; at < bytes.length; at += size) bytes.subarray(at, at + size).reverse();
}
