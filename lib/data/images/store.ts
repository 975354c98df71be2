/** The pixels of a data set, ready to be read by row: decoded once, kept on disk, broken pictures named. */
import { plural } from "../../core/printable.ts";
import { availableParallelism } from "node:os";
import { setImmediate } from "node:timers/promises";
import type { Crop } from "../../core/artifacts.ts";
import { EtlError, messageOf } from "../../core/errors.ts";
import { insideOf } from "../../core/files.ts";
import { stopIfAborted, refuseUnknown, type OptionNames } from "../../core/options.ts";
import { silent, type Progress } from "../../core/progress.ts";
import type { DataProblem } from "../../record/record.ts";
import { cacheKey, createCache, defaultCacheDir, openCache, type CacheFile } from "./cache.ts";
import { refuseProblems } from "../coverage.ts";
import type { Dataset, Item, Split } from "../dataset.ts";
import { decodeImage, slowDecoder } from "./decode.ts";
import { mapLimit } from "../../core/parallel.ts";
import { CELLS, cellsOf, findCopies } from "./likeness.ts";
import { drawNamed } from "../synthetic/table.ts";

/** Pixels by row. Whoever prepares a store closes it. */
export interface ImageStore {
  readonly dataset: Dataset;
  /** The usable pictures; rows count along this list. */
  readonly items: readonly Item[];
  /** Pictures that could not be decoded, and copies of tested ones that were to be trained on. */
  readonly problems: readonly DataProblem[];
  readonly width: number;
  readonly height: number;
  /** Where pixels come from: the decoded cache, or the picture files each time. */
  readonly source: "cache" | "files";
  /**
   * Crops of some rows: RGB, uint8 [rows.length, height, width, 3].
   *
   * @param into filled and returned where it has that length
   */
  read(rows: ArrayLike<number>, into?: Uint8Array): Promise<Uint8Array>;
  close(): Promise<void>;
}

export interface PrepareOptions {
  /** Default: `ETL_CACHE`, else `~/.cache/etl-prune`. */
  readonly cacheDir?: string;
  readonly progress?: Progress | undefined;
  /** Pictures decoded at once; default: one more than the cores. */
  readonly threads?: number;
  /** A broken picture is an error. */
  readonly strict?: boolean;
  readonly signal?: AbortSignal | undefined;
}

const prepareNames: OptionNames<PrepareOptions> = {
  cacheDir: true,
  progress: true,
  threads: true,
  strict: true,
  signal: true,
};

/** Broken pictures named one by one in warnings; the others are counted. */
const NAMED = 5;

/**
 * Decodes every picture once into the cache (or opens the cache that is there) and drops the broken ones. Where the
 * cache cannot be written, that is said, and pictures are decoded each time.
 *
 * @param size width and height of the crops
 * @throws EtlError kind `data` where no picture is usable, or one is broken and `strict`
 */
export async function prepareImages(
  dataset: Dataset,
  size: { readonly width: number; readonly height: number },
  options: PrepareOptions = {},
): Promise<ImageStore> {
  refuseUnknown("prepareImages", options, prepareNames);
  const { progress = silent, cacheDir = defaultCacheDir() } = options;
  const { width, height } = size;
  // some wait for the disk while others are decoded
  const lanes = 3 * (options.threads ?? availableParallelism());
  // Slots are ordered by name, so that another split or seed finds the same cache.
  const unique = new Map(dataset.items.map((item) => [item.file, item]));
  const entries = [...unique.values()].sort((a, b) => (a.file < b.file ? -1 : 1));
  const slotOf = new Map(entries.map((item, slot) => [item.file, slot]));
  const shape = { slots: entries.length, slotBytes: width * height * 3 };
  const key = cacheKey(
    entries.map((item) => ({ ...item, crop: cropOfItem(dataset, item) })),
    size,
  );
  const decode = (item: Item): Promise<Uint8Array> => decodeItem(dataset, item, size);

  let file = await openCache(cacheDir, key, shape);
  let { broken, cells } = file ?? {};
  if (broken === undefined || cells === undefined) {
    const { signal } = options;
    const built = await build(entries, { key, cacheDir, progress, lanes, decode, shape, signal, size });
    ({ file, broken, cells } = built);
  }
  const unread = [...broken].map(([slot, problem]) => ({ file: entries[slot].file, problem }));
  const copies =
    dataset.layout === "synthetic" ? { gone: new Map<number, string>() } : findCopies(entries, cells);
  const problems = [
    ...unread,
    ...[...copies.gone].map(([slot, problem]) => ({ file: entries[slot].file, problem })),
  ];
  const items = dataset.items.filter(({ file: name }) => {
    const slot = slotOf.get(name) ?? -1;
    return !broken.has(slot) && !copies.gone.has(slot);
  });
  try {
    const strict = options.strict === true;
    report(dataset, unread, { progress, strict, left: items.length });
    if (copies.said !== undefined) progress.note(copies.said);
    if (strict && copies.gone.size > 0) refuseProblems(dataset.name, problems);
  } catch (error) {
    await file?.handle.close();
    throw error;
  }
  const slots = items.map((item) => slotOf.get(item.file) ?? 0);
  const common = { dataset: { ...dataset, items }, items, problems, width, height };
  if (file === undefined) {
    const read = async (rows: ArrayLike<number>, into?: Uint8Array): Promise<Uint8Array> => {
      const out = sized(into, rows.length * shape.slotBytes);
      await mapLimit(Array.from(rows), lanes, async (row, i) => {
        out.set(await decode(items[row]), i * shape.slotBytes);
      });
      return out;
    };
    return { ...common, source: "files", read, close: () => Promise.resolve() };
  }
  const [cache, { handle }] = [file, file];
  let isTold = false;
  /** Pictures whose kept pixels are damaged are decoded once more. */
  const mend = async (rows: ArrayLike<number>, out: Uint8Array): Promise<void> => {
    for (let i = 0; i < rows.length; i++) {
      const pixels = out.subarray(i * shape.slotBytes, (i + 1) * shape.slotBytes);
      if (cache.isWhole(slots[rows[i]], pixels)) continue;
      const item = items[rows[i]];
      if (!isTold) {
        progress.warn(
          `${cacheDir}: decoded pictures are damaged (${item.file}), they are decoded again now, and the cache is built anew next time`,
        );
      }
      isTold = true;
      await cache.giveUp();
      pixels.set(await decode(item));
    }
  };
  return {
    ...common,
    source: "cache",
    read: async (rows, into) => {
      const out = sized(into, rows.length * shape.slotBytes);
      const wanted = Array.from(rows, (row) => slots[row]);
      await readSlots(handle, wanted, { slotBytes: shape.slotBytes, out });
      await mend(rows, out);
      return out;
    },
    close: () => handle.close(),
  };
}

/** The rows of one part. */
export function rowsOf(store: Pick<ImageStore, "items">, split: Split): Uint32Array {
  return Uint32Array.from(store.items.flatMap((item, row) => (item.split === split ? [row] : [])));
}

function cropOfItem(dataset: Dataset, item: Item): Crop {
  return item.crop ?? dataset.crop;
}

async function decodeItem(
  dataset: Dataset,
  item: Item,
  size: { readonly width: number; readonly height: number },
): Promise<Uint8Array> {
  const crop = cropOfItem(dataset, item);
  if (dataset.layout !== "synthetic") return decodeImage(insideOf(dataset.root, item.file), crop, size);
  await setImmediate(); // drawing computes on this thread: let others have a turn
  return drawNamed(item.file, crop, size);
}

interface Build {
  readonly key: string;
  readonly cacheDir: string;
  readonly progress: Progress;
  readonly lanes: number;
  readonly decode: (item: Item) => Promise<Uint8Array>;
  readonly shape: { readonly slots: number; readonly slotBytes: number };
  readonly signal: AbortSignal | undefined;
  readonly size: { readonly width: number; readonly height: number };
}

/** Decodes everything once; into the cache where there can be one. */
async function build(
  entries: readonly Item[],
  { key, cacheDir, progress, lanes, decode, shape, signal, size }: Build,
): Promise<{ broken: Map<number, string>; cells: Uint8Array; file: CacheFile | undefined }> {
  const announce = (reason: string): void => {
    progress.warn(`decoded pictures are not kept, each is decoded whenever it is needed: ${reason}`);
  };
  const created = await createCache(cacheDir, key, shape);
  let writer = typeof created === "string" ? undefined : created;
  if (typeof created === "string") announce(created);

  const broken = new Map<number, string>();
  const cells = new Uint8Array(entries.length * CELLS);
  let done = 0;
  const slow = slowDecoder();
  if (slow !== undefined) progress.note(slow);
  progress.start("decode pictures", entries.length);
  try {
    await mapLimit(entries, lanes, async (item, slot) => {
      let pixels: Uint8Array | undefined;
      stopIfAborted(
        signal,
        `decode pictures: stopped after ${done} of ${entries.length}, these are decoded again next time`,
      );
      try {
        pixels = await decode(item);
        cells.set(cellsOf(pixels, size), slot * CELLS);
      } catch (error) {
        broken.set(slot, messageOf(error));
      }
      try {
        if (pixels !== undefined) await writer?.write(slot, pixels);
      } catch (error) {
        const failed = writer;
        writer = undefined;
        if (failed !== undefined) announce(messageOf(error));
        await failed?.abandon();
      }
      progress.update(++done);
    });
    await writer?.commit(new Map([...broken].sort(([a], [b]) => a - b)), cells);
  } catch (error) {
    await writer?.abandon();
    if (signal?.aborted === true) throw error;
    announce(messageOf(error));
    writer = undefined;
  }
  progress.finish(
    `${plural(entries.length - broken.size, "picture")}${broken.size > 0 ? `, ${broken.size} broken` : ""}`,
  );
  return { broken, cells, file: writer && (await openCache(cacheDir, key, shape)) };
}

function report(
  dataset: Dataset,
  problems: readonly DataProblem[],
  options: { readonly progress: Progress; readonly strict: boolean; readonly left: number },
): void {
  if (problems.length === 0) return;
  const some = problems.slice(0, NAMED).map(({ problem }) => problem);
  const more = problems.length > NAMED ? `; and ${problems.length - NAMED} more` : "";
  const sentence = `${dataset.name}: ${plural(problems.length, "picture")} cannot be decoded (${some.join("; ")}${more})`;
  if (options.left === 0) throw new EtlError("data", `${sentence}, at least one usable picture was needed`);
  if (options.strict) throw new EtlError("data", `${sentence}, none was allowed (--strict)`);
  options.progress.warn(`${sentence}; ${problems.length === 1 ? "it is" : "they are"} left out`);
}

/** An array of this length: the one given where it fits. */
function sized(given: Uint8Array | undefined, length: number): Uint8Array {
  return given?.length === length ? given : new Uint8Array(length);
}

/** Slots that may be read and thrown away to have their neighbours in one go. */
const mostSkipped = 4;

/** Reads slots by position into `out`; neighbours, and what lies a few slots further on, in one go. */
async function readSlots(
  handle: FileHandleLike,
  slots: readonly number[],
  { slotBytes, out }: { readonly slotBytes: number; readonly out: Uint8Array },
): Promise<void> {
  const reads: Promise<void>[] = [];
  let skipped: Uint8Array | undefined; // what is read into it is never looked at
  for (let i = 0; i < slots.length;) {
    const parts: Uint8Array[] = [];
    const first = i;
    for (;;) {
      let n = 1;
      while (i + n < slots.length && slots[i + n] === slots[i] + n) n++;
      parts.push(out.subarray(i * slotBytes, (i + n) * slotBytes));
      i += n;
      const gap = slots[i] - slots[i - 1] - 1;
      if (!(gap > 0 && gap <= mostSkipped)) break; // NaN behind the last
      skipped ??= new Uint8Array(slotBytes);
      for (let s = 0; s < gap; s++) parts.push(skipped);
    }
    reads.push(readFully(handle, parts, slots[first] * slotBytes));
  }
  await Promise.all(reads);
}

type FileHandleLike = CacheFile["handle"];

/** Fills `parts`, one after the other, with what the file has from `position` on. */
async function readFully(
  handle: FileHandleLike,
  parts: readonly Uint8Array[],
  position: number,
): Promise<void> {
  let left = parts;
  let from = position;
  while (left.length > 0) {
    const { bytesRead } = await handle.readv(left, from);
    if (bytesRead === 0) {
      throw new EtlError("io", "decoded cache: ends too early, it was changed while in use", {
        hint: "run the same command again: the cache is built anew",
      });
    }
    from += bytesRead;
    left = behind(left, bytesRead);
  }
}

/** What of `parts` lies behind their first `bytes`. */
function behind(parts: readonly Uint8Array[], bytes: number): readonly Uint8Array[] {
  let skip = bytes;
  let part = 0;
  while (part < parts.length && skip >= parts[part].length) skip -= parts[part++].length;
  return part < parts.length ? [parts[part].subarray(skip), ...parts.slice(part + 1)] : [];
}
