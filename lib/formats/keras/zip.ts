/** Files inside a zip archive, as Keras 3 writes them: stored or deflated, no more than they declare. */
import { inflateRawSync } from "node:zlib";
import { needWithin } from "../../core/budget.ts";
import { EtlError, messageOf } from "../../core/errors.ts";

/** Deflate cannot pack tighter than about 1:1032. */
const tightest = 1032;
/** How tight files may be packed that are large. */
const loosest = 20;
const mostEntries = 10_000;
const endMark = 0x06054b50;
const entryMark = 0x02014b50;
const fileMark = 0x04034b50;

/** Reads the named files of an archive. @throws EtlError `format` for a damaged archive, or one without them */
export function readZip(bytes: Uint8Array, names: readonly string[], where: string): Map<string, Uint8Array> {
  const damaged = (found: string): EtlError =>
    new EtlError("format", `${where}: ${found}, a whole zip archive was needed`, {
      hint: "fetch the file again",
    });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const inside = (at: number, length: number): void => {
    if (!(at >= 0 && at + length <= bytes.length)) throw damaged("an entry outside the file");
  };
  const end = endOf(view);
  if (end === undefined) throw damaged("no list of files at its end");
  const count = view.getUint16(end + 10, true);
  if (count > mostEntries) throw damaged(`${count} files`);
  const found = new Map<string, Uint8Array>();
  let at = view.getUint32(end + 16, true);
  for (let i = 0; i < count; i++) {
    inside(at, 46);
    if (view.getUint32(at, true) !== entryMark) throw damaged("a list of files that breaks off");
    const [method, packed, size] = [
      view.getUint16(at + 10, true),
      view.getUint32(at + 20, true),
      view.getUint32(at + 24, true),
    ];
    const [nameLength, extra, comment] = [28, 30, 32].map((offset) => view.getUint16(at + offset, true));
    inside(at + 46, nameLength);
    const name = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + nameLength));
    const local = view.getUint32(at + 42, true);
    const entry = at;
    at += 46 + nameLength + extra + comment;
    if (!names.includes(name) || found.has(name)) continue;
    inside(local, 30);
    if (view.getUint32(local, true) !== fileMark) throw damaged(`no file where "${name}" should be`);
    const start = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
    inside(start, packed);
    const content = bytes.subarray(start, start + packed);
    if (size > packed * tightest) throw damaged(`"${name}" of ${size} bytes in ${packed}`);
    // Texts are small; weights are numbers, which hardly pack.
    if (size > loosest * packed) needWithin(`${where}: "${name}"`, "unpacked", size);
    const whole = unpacked(content, { method, size }, (reason) => damaged(`"${name}": ${reason}`));
    if (checksum(whole) !== view.getUint32(entry + 16, true)) throw damaged(`"${name}" with changed bytes`);
    found.set(name, whole);
  }
  const missing = names.find((name) => !found.has(name));
  if (missing !== undefined) throw damaged(`no "${missing}" inside`);
  return found;
}

/** Remainders of CRC-32, by the lowest byte. */
const remainders = Uint32Array.from({ length: 256 }, (_, byte) => {
  let rest = byte;
  for (let bit = 0; bit < 8; bit++) rest = (rest & 1) === 1 ? (rest >>> 1) ^ 0xedb88320 : rest >>> 1;
  return rest;
});

function checksum(bytes: Uint8Array): number {
  let rest = 0xffffffff;
  for (const byte of bytes) rest = (rest >>> 8) ^ (remainders[(rest ^ byte) & 0xff] ?? 0);
  return ~rest >>> 0;
}

/** The end record: at most a comment of 64 kB lies behind it. */
function endOf(view: DataView): number | undefined {
  const last = view.byteLength - 22;
  for (let at = last; at >= Math.max(0, last - 0xffff); at--)
    if (view.getUint32(at, true) === endMark) return at;
  return undefined;
}

function unpacked(
  content: Uint8Array,
  { method, size }: { readonly method: number; readonly size: number },
  damaged: (reason: string) => EtlError,
): Uint8Array {
  if (method === 0 && content.length === size) return content;
  if (method !== 8) throw damaged(method === 0 ? "another size than declared" : `packed by method ${method}`);
  try {
    const whole = inflateRawSync(content, { maxOutputLength: size + 1 });
    if (whole.length === size) return whole;
  } catch (error) {
    throw damaged(messageOf(error));
  }
  throw damaged("another size than declared");
}
