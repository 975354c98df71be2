/** Verification pairs: `pairs.csv` (file1,file2,same) and the pictures they name. */
import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import type { Crop } from "../core/artifacts.ts";
import { EtlError, messageOf } from "../core/errors.ts";
import { insideOf, readText } from "../core/files.ts";
import type { DataProblem } from "../record/record.ts";
import { parseCsv } from "../core/csv.ts";
import { WHOLE, type Dataset, type Item } from "./dataset.ts";
import { openDataset, readTable } from "./open.ts";

/** Two pictures and whether they show one person. */
export interface PicturePair {
  readonly file1: string;
  readonly file2: string;
  readonly same: boolean;
}

export interface Pairs {
  readonly pairs: readonly PicturePair[];
  readonly problems: readonly DataProblem[];
}

/**
 * Reads verification pairs.
 *
 * @param root folder the files are relative to; default: the folder of `path`
 * @throws EtlError kind `data` where columns are missing or no pair is usable
 */
export async function readPairs(path: string, root = dirname(resolve(path))): Promise<Pairs> {
  const csv = parseCsv(await readText(path), path);
  const [a, b, label] = ["file1", "file2", "same"].map((name) => csv.header.indexOf(name));
  if (a < 0 || b < 0 || label < 0) {
    throw new EtlError("data", `${path}: columns ${csv.header.join(", ")}, file1,file2,same were needed`);
  }
  const pairs: PicturePair[] = [];
  const problems: DataProblem[] = [];
  const present = new Map<string, boolean>();
  const exists = async (file: string): Promise<boolean> => {
    const known = present.get(file);
    if (known !== undefined) return known;
    const found = await stat(insideOf(root, file)).then(
      (info) => info.isFile(),
      () => false,
    );
    present.set(file, found);
    return found;
  };
  for (const cells of csv.rows) {
    const [file1, file2, same] = [cells[a], cells[b], cells[label].trim()];
    try {
      if (same !== "0" && same !== "1") {
        problems.push({ file: file1, problem: `same is "${same}", 0 or 1 was needed` });
      } else if (!(await exists(file1)) || !(await exists(file2))) {
        const gone = (await exists(file1)) ? file2 : file1;
        problems.push({ file: gone, problem: "there is no such file" });
      } else pairs.push({ file1, file2, same: same === "1" });
    } catch (error) {
      problems.push({ file: file1, problem: messageOf(error) });
    }
  }
  if (pairs.length === 0) {
    const first = problems.length > 0 ? ` (${problems[0].file}: ${problems[0].problem})` : "";
    throw new EtlError("data", `${path}: no usable pair${first}, at least one was needed`);
  }
  return { pairs, problems };
}

/** Pairs with their pictures as a data set: `prepareImages` and `batches` take it. */
export interface PairSet extends Pairs {
  /** Every picture of the pairs once; targets are empty. */
  readonly dataset: Dataset;
}

/**
 * Opens the pictures of verification pairs. The crop is the caller's, else what the data set around `path` says
 * (its dataset.json, or the box of its landmarks), else the whole picture.
 */
export async function openPairs(
  path: string,
  options: { readonly root?: string; readonly crop?: Crop } = {},
): Promise<PairSet> {
  const root = options.root ?? dirname(resolve(path));
  const { pairs, problems } = await readPairs(path, root);
  const files = [...new Set(pairs.flatMap(({ file1, file2 }) => [file1, file2]))];
  const around = options.crop === undefined ? await cropsAround(root) : undefined;
  const items = await Promise.all(
    files.map(async (file): Promise<Item> => {
      const { size, mtimeMs } = await stat(join(root, file));
      const crop = around?.own.get(file);
      return {
        file,
        split: "test",
        target: new Float32Array(0),
        ...(crop && { crop }),
        bytes: size,
        modifiedMs: Math.trunc(mtimeMs),
      };
    }),
  );
  const crop = options.crop ?? around?.crop ?? WHOLE;
  const hash = createHash("sha256").update(
    JSON.stringify([crop, items.map((item) => [item.file, item.bytes, item.crop])]),
  );
  const dataset: Dataset = {
    groups: [],
    name: around?.name ?? root,
    root,
    layout: "pairs",
    task: {
      name: "verification",
      kind: "regression",
      columns: [],
      classes: [],
      outputs: 0,
      scale: 1,
      mirror: "keep",
    },
    items,
    crop,
    assumptions: [`crop: ${around?.how ?? `${crop.join(", ")} (--crop)`}`],
    problems,
    fingerprint: hash.update(JSON.stringify(pairs)).digest("hex").slice(0, 16),
    pairs: resolve(path),
  };
  return { pairs, problems, dataset };
}

/** What the data set in `root` says about its face boxes. */
async function cropsAround(
  root: string,
): Promise<{ name?: string; crop?: Crop; own: ReadonlyMap<string, Crop>; how: string }> {
  const whole = { own: new Map<string, Crop>(), how: "the whole picture, as nothing else is said" };
  let table;
  try {
    table = await readTable(root);
  } catch (error) {
    if (error instanceof EtlError && error.kind === "data") return whole; // pictures without labels: no crop known
    throw error;
  }
  const { name, crop } = table;
  if (crop !== undefined) return { ...whole, name, crop, how: `${crop.join(", ")} (the data set's own)` };
  if (!table.columns.includes("x0") || !table.columns.includes("y0")) return { ...whole, name };
  const { items } = await openDataset({ data: root, task: "landmarks", seed: 0, valFraction: 0 });
  const own = new Map(items.flatMap((item) => (item.crop ? [[item.file, item.crop] as const] : [])));
  return { name, own, how: "a square around each picture's landmarks" };
}
