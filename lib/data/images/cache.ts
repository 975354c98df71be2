/**
 * Decoded pictures on disk: one file of uint8 crops per (pictures, crop, size), read by position, so that memory does
 * not grow with the data set. Behind the crops lie their check sums (CRC-32, uint32), so that a damaged crop is noticed when
 * it is read, and their cells, by which copies are found (likeness.ts). The file is renamed into place when it is whole; a killed build leaves nothing that counts. Changed pictures (size
 * or time of change) give another key.
 */
import { createHash, randomUUID } from "node:crypto";
import { open, readdir, rename, rm, stat, statfs, type FileHandle } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { messageOf } from "../../core/errors.ts";
import { isRunning, makeFolder, readJson, writeJson } from "../../core/files.ts";
import { CELLS } from "./likeness.ts";

/** Raised whenever the same picture would give other pixels. */
const VERSION = 6;

/** Where decoded pictures are kept: `ETL_CACHE`, else the user's cache folder. */
export function defaultCacheDir(): string {
  const chosen = process.env["ETL_CACHE"];
  if (chosen !== undefined && chosen !== "") return chosen;
  const base = process.env["XDG_CACHE_HOME"];
  if (base !== undefined && base !== "") return join(base, "etl-prune");
  const home = homedir(); // empty where HOME is
  return home === "" ? join(tmpdir(), "etl-prune-cache") : join(home, ".cache", "etl-prune");
}

/** What the content of a cache file depends on. */
export interface CacheEntry {
  readonly file: string;
  readonly bytes: number;
  readonly modifiedMs: number;
  readonly crop: readonly number[];
}

/** Name of the cache file for these pictures at this size. */
export function cacheKey(
  entries: readonly CacheEntry[],
  size: { readonly width: number; readonly height: number },
): string {
  const hash = createHash("sha256").update(JSON.stringify([VERSION, size.width, size.height]));
  for (const { file, bytes, modifiedMs, crop } of entries) {
    hash.update(JSON.stringify([file, bytes, modifiedMs, crop]));
  }
  return hash.digest("hex").slice(0, 24);
}

/** A whole cache file, open for reading. */
export interface CacheFile {
  readonly handle: FileHandle;
  /** slot -> why its picture could not be decoded */
  readonly broken: ReadonlyMap<number, string>;
  /** What the crops look like, by slot: uint8 [slots, CELLS]. */
  readonly cells: Uint8Array;
  /** Whether the pixels of a slot are those that were written. */
  isWhole(slot: number, pixels: Uint8Array): boolean;
  /** The cache is damaged: the next one to open it builds it anew. */
  giveUp(): Promise<void>;
}

/** Opens the cache file of `key`, or gives undefined where there is none that is whole. */
export async function openCache(
  dir: string,
  key: string,
  expected: { readonly slots: number; readonly slotBytes: number },
): Promise<CacheFile | undefined> {
  const path = join(dir, `${key}.rgb`);
  const index = join(dir, `${key}.json`);
  try {
    if ((await stat(path)).size !== fileBytes(expected)) return undefined;
    const broken = parseIndex(await readJson(index), expected.slots);
    if (broken === undefined) return undefined;
    const handle = await open(path, "r");
    const tail = await readTail(handle, expected).catch(() => undefined);
    if (tail === undefined) {
      await handle.close();
      return undefined;
    }
    const { sums, cells } = tail;
    return {
      handle,
      broken,
      cells,
      isWhole: (slot, pixels) => sums[slot] === crc32(pixels),
      giveUp: () => rm(index, { force: true }),
    };
  } catch {
    return undefined; // not there, or not readable: it is built anew
  }
}

/** Bytes of a cache file: the crops, a sum of each, the cells of each, the sum of sums and cells. */
function fileBytes({ slots, slotBytes }: { readonly slots: number; readonly slotBytes: number }): number {
  return slots * slotBytes + tailBytes(slots);
}

function tailBytes(slots: number): number {
  return (4 + CELLS) * slots + 4;
}

/** What lies behind the crops; undefined where it is damaged itself. */
async function readTail(
  handle: FileHandle,
  { slots, slotBytes }: { readonly slots: number; readonly slotBytes: number },
): Promise<{ sums: Uint32Array; cells: Uint8Array } | undefined> {
  const bytes = new Uint8Array(tailBytes(slots));
  const { bytesRead } = await handle.read(bytes, 0, bytes.length, slots * slotBytes);
  const view = new DataView(bytes.buffer);
  const end = bytes.length - 4;
  if (bytesRead !== bytes.length || view.getUint32(end, true) !== crc32(bytes.subarray(0, end)))
    return undefined;
  return {
    sums: Uint32Array.from({ length: slots }, (_, i) => view.getUint32(4 * i, true)),
    cells: bytes.subarray(4 * slots, end),
  };
}

function tailOf(sums: Uint32Array, cells: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(tailBytes(sums.length));
  const view = new DataView(bytes.buffer);
  sums.forEach((sum, i) => {
    view.setUint32(4 * i, sum, true);
  });
  bytes.set(cells, 4 * sums.length);
  const end = bytes.length - 4;
  view.setUint32(end, crc32(bytes.subarray(0, end)), true);
  return bytes;
}

function parseIndex(json: unknown, slots: number): Map<number, string> | undefined {
  if (typeof json !== "object" || json === null) return undefined;
  const { version, count, broken, check } = json as Record<string, unknown>;
  if (check !== crc32(JSON.stringify(broken ?? null))) return undefined;
  if (version !== VERSION || count !== slots || !Array.isArray(broken)) return undefined;
  const result = new Map<number, string>();
  for (const entry of broken as unknown[]) {
    const [slot, problem] = Array.isArray(entry) ? (entry as unknown[]) : [];
    if (typeof slot !== "number" || typeof problem !== "string") return undefined;
    result.set(slot, problem);
  }
  return result;
}

/** A cache file being written. */
export interface CacheWriter {
  write(slot: number, pixels: Uint8Array): Promise<void>;
  /** Puts the file in place. */
  commit(broken: ReadonlyMap<number, string>, cells: Uint8Array): Promise<void>;
  /** Throws away what was written. */
  abandon(): Promise<void>;
}

/**
 * Begins a cache file.
 *
 * @returns the writer, or a sentence that says why there can be none
 */
export async function createCache(
  dir: string,
  key: string,
  size: { readonly slots: number; readonly slotBytes: number },
): Promise<CacheWriter | string> {
  const total = fileBytes(size);
  const sums = new Uint32Array(size.slots);
  const temporary = join(dir, `${key}.${process.pid}.${randomUUID().slice(0, 8)}.tmp`);
  let handle: FileHandle;
  try {
    await makeFolder(dir);
    await removeStale(dir);
    const { bavail, bsize } = await statfs(dir);
    if (bavail * bsize < total * 1.05) {
      return `${dir}: ${megabytes(bavail * bsize)} MB free, ${megabytes(total)} MB were needed`;
    }
    handle = await open(temporary, "wx");
  } catch (error) {
    return `${dir}: cannot be written (${messageOf(error)})`;
  }
  const abandon = async (): Promise<void> => {
    await handle.close().catch(() => undefined);
    await rm(temporary, { force: true }).catch(() => undefined);
  };
  return {
    write: async (slot, pixels) => {
      sums[slot] = crc32(pixels);
      await handle.write(pixels, 0, size.slotBytes, slot * size.slotBytes);
    },
    commit: async (broken, cells) => {
      const tail = tailOf(sums, cells);
      await handle.write(tail, 0, tail.length, size.slots * size.slotBytes);
      await handle.datasync();
      await handle.close();
      // The pictures first, the index last: without an index of the right length the file does not count.
      await rename(temporary, join(dir, `${key}.rgb`));
      const listed = [...broken];
      const check = crc32(JSON.stringify(listed));
      await writeJson(join(dir, `${key}.json`), {
        ...{ version: VERSION, count: size.slots, broken: listed, check },
      });
    },
    abandon,
  };
}

/** Removes what killed builds left behind. */
async function removeStale(dir: string): Promise<void> {
  for (const name of await readdir(dir)) {
    const pid = /^[0-9a-f]{24}\.(\d+)\.[0-9a-f]{8}\.tmp$/.exec(name)?.[1];
    if (pid !== undefined && !isRunning(Number(pid))) await rm(join(dir, name), { force: true });
  }
}

function megabytes(bytes: number): number {
  return Math.ceil(bytes / 1e6);
}
