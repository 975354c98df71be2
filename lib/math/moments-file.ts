/**
 * Moments as bytes: what a harvest leaves in a run folder (`moments/*.bin`).
 *
 *   "ETLM" | version uint32 | header length uint32 | header JSON (UTF-8, padded to 8) | float64 payload
 *
 * The header lists taps and, for each fold, n, p and q; the payload holds, fold after fold, sumX, sumY, the upper
 * triangle of X'X by rows, X'Y, Y'Y. Little-endian throughout.
 */
import { isRecord } from "../core/own.ts";
import type { Moments, TapMoments } from "../core/artifacts.ts";
import { EtlError } from "../core/errors.ts";
import { parseJson } from "../core/parse-json.ts";

const magic = 0x4d4c5445; // "ETLM", little-endian
const version = 1;
const preamble = 12;
const littleEndian = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;

interface Header {
  readonly taps: readonly {
    readonly tap: string;
    readonly folds: readonly { readonly n: number; readonly p: number; readonly q: number }[];
  }[];
}

/** The bytes of the moments of any number of taps. */
export function encodeMoments(taps: readonly TapMoments[]): Uint8Array {
  const header: Header = {
    taps: taps.map(({ tap, folds }) => ({ tap, folds: folds.map(({ n, p, q }) => ({ n, p, q })) })),
  };
  const text = new TextEncoder().encode(JSON.stringify(header));
  const start = payloadStart(text.length);
  const folds = taps.flatMap((tap) => tap.folds);
  const count = folds.reduce((sum, { p, q }) => sum + payloadLength(p, q), 0);
  const bytes = new Uint8Array(start + count * 8);
  bytes.fill(0x20, preamble, start);
  bytes.set(text, preamble);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, magic, true);
  view.setUint32(4, version, true);
  view.setUint32(8, text.length, true);
  const payload = new Float64Array(count);
  let at = 0;
  const put = (values: Float64Array): void => {
    payload.set(values, at);
    at += values.length;
  };
  for (const { p, sumX, sumY, xx, xy, yy } of folds) {
    put(sumX);
    put(sumY);
    for (let i = 0; i < p; i++) put(xx.subarray(i * p + i, (i + 1) * p));
    put(xy);
    put(yy);
  }
  const raw = new Uint8Array(payload.buffer);
  if (!littleEndian) reverseWords(raw);
  bytes.set(raw, start);
  return bytes;
}

/**
 * Reads what {@link encodeMoments} wrote.
 *
 * @param where named in errors: the file
 * @throws EtlError kind `format` where the bytes are damaged, of another kind or of a newer version
 */
export function decodeMoments(bytes: Uint8Array, where = "moments"): TapMoments[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < preamble || view.getUint32(0, true) !== magic) {
    throw damaged(where, `${bytes.length} bytes that do not begin with ETLM`, "a moments file");
  }
  const found = view.getUint32(4, true);
  if (found !== version) throw damaged(where, `version ${found} of the format`, `version ${version}`);
  const length = view.getUint32(8, true);
  const start = payloadStart(length);
  if (start > bytes.length)
    throw damaged(where, `${bytes.length} bytes`, `a file of at least ${start} bytes`);
  const header = readHeader(bytes.subarray(preamble, preamble + length), where);

  const folds = header.taps.flatMap((tap) => tap.folds);
  const count = folds.reduce((sum, { p, q }) => sum + payloadLength(p, q), 0);
  if (bytes.length !== start + count * 8) {
    throw damaged(
      where,
      `${bytes.length} bytes`,
      `a file of ${start + count * 8} bytes for the taps its header lists`,
    );
  }
  const raw = new Uint8Array(bytes.subarray(start)); // a copy, also of a Buffer
  if (!littleEndian) reverseWords(raw);
  const payload = new Float64Array(raw.buffer);
  let at = 0;
  const take = (n: number): Float64Array => payload.slice(at, (at += n));
  const fold = ({ n, p, q }: { n: number; p: number; q: number }): Moments => {
    const [sumX, sumY] = [take(p), take(q)];
    const xx = new Float64Array(p * p);
    for (let i = 0; i < p; i++) {
      for (let j = i; j < p; j++, at++) xx[i * p + j] = xx[j * p + i] = payload[at];
    }
    return { n, p, q, sumX, sumY, xx, xy: take(p * q), yy: take(q * q) };
  };
  return header.taps.map(({ tap, folds: list }) => ({ tap, folds: list.map(fold) }));
}

function payloadStart(headerLength: number): number {
  return Math.ceil((preamble + headerLength) / 8) * 8;
}

function payloadLength(p: number, q: number): number {
  return p + q + (p * (p + 1)) / 2 + p * q + q * q;
}

function readHeader(bytes: Uint8Array, where: string): Header {
  const value = parseJson(new TextDecoder("utf-8").decode(bytes), `${where}: its header`);
  if (!isHeader(value)) throw damaged(where, "a header of another shape", "taps with folds of n, p and q");
  return value;
}

function isHeader(value: unknown): value is Header {
  const isCount = (v: unknown, least: number): boolean => Number.isSafeInteger(v) && Number(v) >= least;
  const isFold = (v: unknown): boolean =>
    isRecord(v) && isCount(v["n"], 0) && isCount(v["p"], 1) && isCount(v["q"], 1);
  const isTap = (v: unknown): boolean =>
    isRecord(v) && typeof v["tap"] === "string" && Array.isArray(v["folds"]) && v["folds"].every(isFold);
  return isRecord(value) && Array.isArray(value["taps"]) && value["taps"].every(isTap);
}

function damaged(where: string, found: string, needed: string): EtlError {
  return new EtlError("format", `${where}: ${found}, ${needed} was needed`, {
    hint: "delete the file and harvest again",
  });
}

/** Swaps the bytes of every 8-byte word, on the rare machine that needs it. */
function reverseWords(bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; at += 8) bytes.subarray(at, at + 8).reverse();
}
