/** Numeric matrices and cells of text of a MATLAB 5 file (level 5 MAT, compressed or not): as much as label files need. */
import { allowedOf, needWithin } from "../../core/budget.ts";
import { inflateSync } from "node:zlib";
import { EtlError } from "../../core/errors.ts";

/** Column-major, as MATLAB stores it. */
export interface MatMatrix {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

const MI_INT8 = 1;
const MI_INT32 = 5;
const MI_UINT32 = 6;
const MI_MATRIX = 14;
const MI_COMPRESSED = 15;
/** Numeric array classes: double, single, int8 ... uint64. */
const CELL = 1;
const CHAR = 4;
const FIRST_NUMERIC = 6;
const LAST_NUMERIC = 13;
/** What is read of a file, by name. */
export interface MatFile {
  readonly matrices: Map<string, MatMatrix>;
  /** Cell arrays that hold nothing but texts, column by column. */
  readonly texts: Map<string, readonly string[]>;
}

/** Counts what all files of a data set that lie beside pictures unpack to. */
export interface Unpacked {
  bytes: number;
}

/**
 * Some numeric matrices of a file that lies beside a picture.
 *
 * @param total is counted on
 * @throws EtlError as {@link readMatFile} does
 */
export function readMatBeside(
  bytes: Uint8Array,
  name: string,
  { only, total }: { readonly only: ReadonlySet<string>; readonly total: Unpacked },
): Map<string, MatMatrix> {
  return readAs(bytes, { name, only, total, budget: "beside" }).matrices;
}

/**
 * Reads the real numeric matrices and the cells of text of a file by name; other variables are left out.
 *
 * @param name what the file is called in errors
 * @throws EtlError kind `format` where it is damaged or of another version
 */
export function readMatFile(bytes: Uint8Array, name: string): MatFile {
  return readAs(bytes, { name, budget: "unpacked" });
}

function readAs(bytes: Uint8Array, how: Pick<Reading, "name" | "only" | "total" | "budget">): MatFile {
  const { name } = how;
  const wrong = (found: string): EtlError =>
    new EtlError("format", `${name}: ${found}, a MATLAB 5 file was needed`, {
      hint: "write a labels.csv (file,split,yaw) beside the pictures instead",
    });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 128 || view.getUint16(126, true) !== 0x4d49) {
    throw wrong("no little-endian MATLAB 5 header");
  }
  const result: MatFile = { matrices: new Map(), texts: new Map() };
  try {
    readElements(view, 128, { ...how, result, unpacked: 0, isInside: false });
  } catch (error) {
    if (error instanceof EtlError) throw error;
    throw wrong("ends too early or is damaged");
  }
  return result;
}

interface Element {
  readonly type: number;
  readonly data: DataView;
  readonly next: number;
}

interface Reading {
  readonly name: string;
  readonly result: MatFile;
  readonly budget: "unpacked" | "beside";
  /** Names of the matrices that are wanted; default: all. */
  readonly only?: ReadonlySet<string>;
  readonly total?: Unpacked;
  /** Bytes that were unpacked so far. */
  unpacked: number;
  /** Whether this is the inside of a compressed element: none lies in another. */
  readonly isInside: boolean;
}

function readElements(view: DataView, start: number, reading: Reading): void {
  for (let at = start; at + 8 <= view.byteLength;) {
    const { type, data, next } = element(view, at);
    if (type === MI_COMPRESSED) {
      if (reading.isInside) throw new RangeError("compressed twice");
      const raw = unpack(bytesOf(data), reading);
      readElements(new DataView(raw.buffer, raw.byteOffset, raw.byteLength), 0, {
        ...reading,
        isInside: true,
      });
      at += 8 + data.byteLength; // compressed elements are not padded
    } else {
      if (type === MI_MATRIX) readMatrix(data, reading);
      at = next;
    }
  }
}

/** What is packed, as far as the file may unpack. */
function unpack(packed: Uint8Array, reading: Reading): Buffer {
  const { name, budget, total, unpacked } = reading;
  const left = allowedOf(budget) - unpacked;
  try {
    const raw = inflateSync(packed, { maxOutputLength: Math.max(1, left) });
    reading.unpacked += raw.byteLength;
    if (total !== undefined) total.bytes += raw.byteLength;
    needWithin(name, budget, reading.unpacked);
    return raw;
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ERR_BUFFER_TOO_LARGE")) throw error;
    if (total !== undefined) total.bytes += left;
    needWithin(name, budget, unpacked + left + 1); // at least
    throw error;
  }
}

/** A data element: 8-byte tag (type, length) and data padded to 8, or the small form with up to 4 bytes inside. */
function element(view: DataView, at: number): Element {
  const word = view.getUint32(at, true);
  const small = word >>> 16;
  if (small !== 0) {
    return { type: word & 0xffff, data: slice(view, at + 4, Math.min(4, small)), next: at + 8 };
  }
  const length = view.getUint32(at + 4, true);
  return { type: word, data: slice(view, at + 8, length), next: at + 8 + Math.ceil(length / 8) * 8 };
}

function slice(view: DataView, offset: number, length: number): DataView {
  if (offset + length > view.byteLength) throw new RangeError("beyond the end");
  return new DataView(view.buffer, view.byteOffset + offset, length);
}

function bytesOf(view: DataView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

function readMatrix(view: DataView, { result, only }: Reading): void {
  const flags = element(view, 0);
  if (flags.type !== MI_UINT32) return;
  const kind = flags.data.getUint8(0);
  if (kind === CELL) readCells(view, result);
  if (kind < FIRST_NUMERIC || kind > LAST_NUMERIC) return;
  const dimensions = element(view, flags.next);
  if (dimensions.type !== MI_INT32) return;
  const shape = Array.from({ length: dimensions.data.byteLength / 4 }, (_, i) =>
    dimensions.data.getInt32(4 * i, true),
  );
  const label = element(view, dimensions.next);
  const name = new TextDecoder("latin1").decode(bytesOf(label.data));
  if (label.type !== MI_INT8 || only?.has(name) === false) return;
  const values = numbers(element(view, label.next));
  const count = shape.reduce((product, dim) => product * dim, 1);
  if (values?.length !== count) return;
  result.matrices.set(name, { shape, data: values });
}

/** A cell array, where every cell is a text. */
function readCells(view: DataView, result: MatFile): void {
  const dimensions = element(view, element(view, 0).next);
  const label = element(view, dimensions.next);
  if (dimensions.type !== MI_INT32 || label.type !== MI_INT8) return;
  const texts: string[] = [];
  for (let at = label.next; at + 8 <= view.byteLength;) {
    const { type, data, next } = element(view, at);
    const text = type === MI_MATRIX ? textOf(data) : undefined;
    if (text === undefined) return;
    texts.push(text);
    at = next;
  }
  result.texts.set(new TextDecoder("latin1").decode(bytesOf(label.data)), texts);
}

/** A char array of one row; undefined for anything else. */
function textOf(view: DataView): string | undefined {
  const flags = element(view, 0);
  if (flags.type !== MI_UINT32 || flags.data.getUint8(0) !== CHAR) return undefined;
  const dimensions = element(view, flags.next);
  const { type, data } = element(view, element(view, dimensions.next).next);
  const wide = type === 4 || type === 17; // UTF-16; else UTF-8 or bytes
  return new TextDecoder(wide ? "utf-16le" : "utf-8").decode(bytesOf(data));
}

function numbers({ type, data }: Element): Float64Array | undefined {
  const readers: Partial<Record<number, [number, (at: number) => number]>> = {
    1: [1, (at) => data.getInt8(at)],
    2: [1, (at) => data.getUint8(at)],
    3: [2, (at) => data.getInt16(at, true)],
    4: [2, (at) => data.getUint16(at, true)],
    5: [4, (at) => data.getInt32(at, true)],
    6: [4, (at) => data.getUint32(at, true)],
    7: [4, (at) => data.getFloat32(at, true)],
    9: [8, (at) => data.getFloat64(at, true)],
  };
  const reader = readers[type];
  if (reader === undefined) return undefined;
  const [size, read] = reader;
  return Float64Array.from({ length: Math.floor(data.byteLength / size) }, (_, i) => read(i * size));
}
