/** Verification pairs: `pairs.csv` (file1,file2,same) and the pictures they name. */
import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import type { Crop, Task } from "../core/artifacts.ts";
import { EtlError, messageOf } from "../core/errors.ts";
import { insideOf, readText } from "../core/files.ts";
import type { DataProblem } from "../record/record.ts";
import { parseCsv } from "../core/csv.ts";
import { plural } from "../core/printable.ts";
import { plainCode } from "./codes.ts";
import { placeItems } from "./images/place.ts";
import { WHOLE, type Dataset, type Item } from "./dataset.ts";
import { NO_LAYOUT, openDataset, readTable } from "./open.ts";

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
  const header = csv.header.map((column) => column.toLowerCase());
  const [a, b, label] = ["file1", "file2", "same"].map((name) => header.indexOf(name));
  if (a < 0 || b < 0 || label < 0) {
    throw new EtlError("data", `${path}: columns ${csv.header.join(", ")}, file1,file2,same were needed`, {
      hint: "the first line names the columns; same is 1 for two pictures of one person, else 0",
    });
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
  const codes = csv.rows.map((cells) => plainCode(cells[label]));
  // Without a 0 beside it, -1 is the no of lists of 1 and -1.
  const no = codes.includes("0") || !codes.includes("-1") ? "0" : "-1";
  const rows = csv.rows.map((cells, i) => ({
    file1: nameIn(cells[a]),
    file2: nameIn(cells[b]),
    same: codes[i] === "1" ? true : codes[i] === no ? false : undefined,
    text: cells[label].trim(),
  }));
  const wrong = impossible(rows);
  for (const [i, { file1, file2, same, text }] of rows.entries()) {
    const problem = wrong.get(i);
    try {
      if (same === undefined) {
        problems.push({ file: file1, problem: `same is "${text}", 0 or 1 was needed` });
      } else if (!(await exists(file1)) || !(await exists(file2))) {
        const gone = (await exists(file1)) ? file2 : file1;
        problems.push({ file: gone, problem: "there is no such file" });
      } else if (problem !== undefined) problems.push({ file: file1, problem });
      else pairs.push({ file1, file2, same });
    } catch (error) {
      problems.push({ file: file1, problem: messageOf(error) });
    }
  }
  if (pairs.length === 0) throw noPair(path, problems);
  return { pairs, problems };
}

function noPair(path: string, problems: readonly DataProblem[]): EtlError {
  const first = problems.length > 0 ? ` (${problems[0].file}: ${problems[0].problem})` : "";
  return new EtlError("data", `${path}: no usable pair${first}, at least one was needed`);
}

/** A picture's name, without blanks at the ends and backslashes. */
const nameIn = (cell: string): string => cell.trim().replaceAll("\\", "/");

/** Rows that cannot be right, and why: a picture that differs from itself, a pair that another row (in either order) says the contrary of. */
function impossible(
  rows: readonly { readonly file1: string; readonly file2: string; readonly same: boolean | undefined }[],
): ReadonlyMap<number, string> {
  const out = new Map<number, string>();
  const found = new Map<string, number[]>();
  rows.forEach(({ file1, file2, same }, i) => {
    if (file1 === file2 && same === false) out.set(i, "a picture is listed as different from itself");
    else if (same !== undefined) {
      const key = JSON.stringify([file1, file2].sort());
      found.set(key, [...(found.get(key) ?? []), i]);
    }
  });
  for (const own of found.values())
    if (new Set(own.map((i) => rows[i].same)).size > 1)
      for (const i of own)
        out.set(i, `listed as same and as different with ${rows[i].file2}: neither counts`);
  return out;
}

const VERIFICATION: Task = {
  name: "verification",
  kind: "regression",
  columns: [],
  classes: [],
  outputs: 0,
  scale: 1,
  mirror: "keep",
};

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
  const read = await readPairs(path, root);
  const named = new Set(read.pairs.flatMap(({ file1, file2 }) => [file1, file2]));
  const around = options.crop === undefined ? await cropsAround(root, named) : undefined;
  const unboxed = new Map((around?.problems ?? []).map(({ file, problem }) => [file, problem]));
  const pairs = read.pairs.filter(({ file1, file2 }) => !unboxed.has(file1) && !unboxed.has(file2));
  const problems = [...read.problems];
  for (const { file1, file2 } of read.pairs) {
    const file = [file1, file2].find((one) => unboxed.has(one));
    if (file !== undefined) problems.push({ file, problem: unboxed.get(file) ?? "" });
  }
  if (pairs.length === 0) throw noPair(path, problems);
  const files = [...new Set(pairs.flatMap(({ file1, file2 }) => [file1, file2]))];
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
    task: VERIFICATION,
    items,
    crop,
    assumptions: [`crop: ${around?.how ?? `${crop.join(", ")} (--crop)`}`, ...(around?.said ?? [])],
    problems,
    fingerprint: hash.update(JSON.stringify(pairs)).digest("hex").slice(0, 16),
    pairs: resolve(path),
  };
  return { pairs, problems, dataset };
}

/** What is known of face boxes. */
interface Around {
  readonly name?: string;
  readonly crop?: Crop;
  /** Boxes of single pictures: they go before `crop`. */
  readonly own: ReadonlyMap<string, Crop>;
  readonly how: string;
  /** What was assumed of pixels in pictures that their EXIF tag turns. */
  readonly said: readonly string[];
  /** Pictures whose box cannot be meant. */
  readonly problems: readonly DataProblem[];
}

/** What the data set in `root` says about the face boxes of `files`. */
async function cropsAround(root: string, files: ReadonlySet<string>): Promise<Around> {
  const whole: Around = {
    own: new Map(),
    how: "the whole picture, as nothing else is said",
    said: [],
    problems: [],
  };
  let table;
  try {
    table = await readTable(root);
  } catch (error) {
    if (!(error instanceof EtlError && error.kind === "data")) throw error;
    // Pictures without labels have no box; labels that cannot be read may have one.
    return error.message.endsWith(NO_LAYOUT)
      ? whole
      : {
          ...whole,
          how: `the whole picture, as what lies around the pairs cannot be read (${error.message})`,
        };
  }
  const { name, crop } = table;
  const rows = table.rows.filter(({ file, box }) => box !== undefined && files.has(file));
  if (rows.length > 0) {
    const label = { target: new Float32Array(0) };
    const placed = await placeItems(
      rows.map((row) => ({ row, label, bytes: 0, modifiedMs: 0 })),
      { table, task: VERIFICATION },
    );
    const own = new Map(placed.items.flatMap((item) => (item.crop ? [[item.row.file, item.crop]] : [])));
    const how = `${plural(own.size, "picture")} by their own annotated face box`;
    return { name, ...(crop && { crop }), own, how, said: placed.assumptions, problems: placed.problems };
  }
  if (crop !== undefined) return { ...whole, name, crop, how: `${crop.join(", ")} (the data set's own)` };
  if (!table.columns.includes("x0") || !table.columns.includes("y0")) return { ...whole, name };
  const { items, assumptions } = await openDataset({
    data: root,
    task: "landmarks",
    seed: 0,
    valFraction: 0,
  });
  const own = new Map(items.flatMap((item) => (item.crop ? [[item.file, item.crop] as const] : [])));
  const said = assumptions.filter((sentence) => sentence.startsWith("pixels: "));
  return { ...whole, name, own, said, how: "a square around each picture's landmarks" };
}
