/** Whether a file still holds what was written: its size and SHA-256, kept beside it or behind its last byte. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { ioError, readBytes, writeWhole } from "./files.ts";

/** What the content of a file was. */
export interface Seal {
  readonly bytes: number;
  /** Hexadecimal. */
  readonly sha256: string;
}

/** The seal of a file as it is now. @throws EtlError `io` */
export async function sealOf(path: string): Promise<Seal> {
  const hash = createHash("sha256");
  let bytes = 0;
  try {
    for await (const part of createReadStream(path, { highWaterMark: 1 << 20 })) {
      hash.update(part as Buffer);
      bytes += (part as Buffer).length;
    }
  } catch (error) {
    throw ioError("cannot read", path, error);
  }
  return { bytes, sha256: hash.digest("hex") };
}

/** What became of a file since it was sealed, as the end of a sentence about it; undefined where it is whole. */
export async function damageOf(path: string, seal: Seal | undefined): Promise<string | undefined> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) return "is gone";
  if (!found.isFile()) return "is no plain file";
  if (seal === undefined) return undefined; // written by an earlier version: nothing is known of it
  if (found.size !== seal.bytes) return `has ${found.size} bytes, ${seal.bytes} were written`;
  const { sha256 } = await sealOf(path);
  return sha256 === seal.sha256 ? undefined : "holds other bytes than were written";
}

/** Whether a value is a seal: for what was read from a file. */
export function isSeal(value: unknown): value is Seal {
  if (typeof value !== "object" || value === null) return false;
  const { bytes, sha256 } = value as Record<string, unknown>;
  return Number.isSafeInteger(bytes) && typeof sha256 === "string";
}

const mark = new TextEncoder().encode("ETLSEAL1");
const digestBytes = 32;

/** Writes a file of this program's own with its SHA-256 behind the content, whole or not at all. */
export async function writeSealed(path: string, content: Uint8Array): Promise<void> {
  const digest = createHash("sha256").update(content).digest();
  await writeWhole(path, [content, mark, digest]);
}

/** The content of a file that {@link writeSealed} wrote; undefined where a byte is missing or another. */
export async function readSealed(path: string): Promise<Uint8Array | undefined> {
  const bytes = await readBytes(path);
  const end = bytes.length - mark.length - digestBytes;
  if (end < 0 || !mark.every((value, i) => bytes[end + i] === value)) return undefined;
  const content = bytes.subarray(0, end);
  const digest = createHash("sha256").update(content).digest();
  return digest.every((value, i) => bytes[end + mark.length + i] === value) ? content : undefined;
}
