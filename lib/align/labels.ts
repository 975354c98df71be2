/** The labels of a folder beside its aligned crops: `labels.csv`, `dataset.json`, `pairs.csv`. */
import { basename, join, resolve } from "node:path";
import { applySimilarity, inverseSimilarity } from "./similarity.ts";
import type { AlignEntry, AlignSettings } from "./record.ts";
import { EtlError, isEtlError } from "../core/errors.ts";
import { writeJson, writeWhole } from "../core/files.ts";
import type { DataProblem } from "../record/record.ts";
import { LANDMARKS } from "../backbones/nets/face-landmarks.ts";
import { formatCsv } from "../core/csv.ts";
import { WHOLE, type RawRow, type RawTable, type TaskDeclaration } from "../data/dataset.ts";
import { NO_LAYOUT, readTable } from "../data/open.ts";
import { readPairs, type PicturePair } from "../data/pairs.ts";
import { classFolders, OUTSIDE } from "../data/sources/class-folders.ts";
import { listFolder } from "../data/sources/layout.ts";
import { version } from "../core/version.ts";

/** Labels of a folder, and the pairs beside them. */
export interface AnyTable {
  readonly table: RawTable;
  readonly pairs: readonly PicturePair[];
}

/** Reads a folder of pictures in any layout; one without labels is a list of its pictures. */
export async function readAnyTable(input: string): Promise<AnyTable> {
  const table = withUnlabelled(await readLabelled(input));
  if (table.root === "") {
    throw new EtlError("usage", `align: ${input} draws its pictures, a folder of photos was needed`);
  }
  const one =
    table.layout === classFolders.name &&
    new Set(table.rows.flatMap(({ labels }) => labels[0] || [])).size < 2;
  const { doubt } = table;
  const said = doubt === undefined ? [] : [`labels: none are carried over, ${doubt.found}`];
  const plain =
    one || doubt !== undefined
      ? {
          ...table,
          columns: [],
          rows: table.rows.map((row) => ({ ...row, labels: [] })),
          assumptions: [...table.assumptions, ...said],
        }
      : table;
  const pairs = table.pairs === undefined ? [] : (await readPairs(table.pairs, table.root)).pairs;
  return { table: plain, pairs };
}

/** Pictures beside the class folders are photos, too: they come without a label. */
function withUnlabelled(table: RawTable): RawTable {
  const outside = table.problems.filter(({ problem }) => problem === OUTSIDE);
  const missing = table.columns.map(() => "");
  return {
    ...table,
    rows: [...table.rows, ...outside.map(({ file }) => ({ file, labels: missing }))],
    problems: table.problems.filter(({ problem }) => problem !== OUTSIDE),
  };
}

async function readLabelled(input: string): Promise<RawTable> {
  try {
    return await readTable(input);
  } catch (error) {
    const folder = await listFolder(resolve(input)).catch(() => undefined);
    const plain =
      isEtlError(error, "data") &&
      folder !== undefined &&
      !folder.files.some((file) => labelsName.test(file));
    if (!plain || folder.pictures.length === 0) throw error;
    const { root, pictures, unread } = folder;
    // A layout that was recognised and not read may be what the user meant.
    const why = error.message.endsWith(NO_LAYOUT) ? "" : ` (${error.message})`;
    return {
      name: basename(root),
      root,
      layout: "pictures",
      columns: [],
      rows: pictures.map((file) => ({ file, labels: [] })),
      tasks: {},
      assumptions: [`labels: none, all pictures of the folder are taken${why}`],
      problems: unread,
    };
  }
}

/** A table of labels, at the top or in the folder of a part. */
const labelsName = /^([^/]+\/)?labels\.csv$/i;

export interface CarryOptions {
  readonly table: RawTable;
  readonly pairs: readonly PicturePair[];
  /** By file of the input. */
  readonly entries: ReadonlyMap<string, AlignEntry>;
  readonly folder: string;
  readonly settings: AlignSettings;
}

export interface Carried {
  /** Pairs both of whose pictures have a crop. */
  readonly pairs: number;
  readonly problems: readonly DataProblem[];
  /** What does not hold any more and was left out, one sentence each. */
  readonly notes: readonly string[];
}

/** Writes the labels of the pictures that have a crop. Landmark labels move with the picture. */
export async function carryLabels(options: CarryOptions): Promise<Carried> {
  const { table, entries, folder, settings } = options;
  const notes: string[] = [];
  const kept = keptColumns(table, notes);
  const points = landmarkColumns(table);
  const found = foundColumns(settings, points, notes);
  const split = table.rows.some((row) => row.split !== undefined);
  const identity =
    !table.columns.includes("identity") && table.rows.some((row) => row.identity !== undefined);
  const problems: DataProblem[] = [];
  const rows: string[][] = [];
  for (const row of table.rows) {
    const entry = entries.get(row.file);
    if (entry?.crop === undefined) continue;
    const labels = movedLabels(row, entry, points);
    if (labels === undefined) {
      problems.push({ file: row.file, problem: "a landmark is not a number, the label was left out" });
      continue;
    }
    rows.push([
      entry.crop,
      ...(split ? [row.split ?? ""] : []),
      ...(identity ? [row.identity ?? ""] : []),
      ...kept.map((i) => labels[i]),
      ...found.map((_, i) => String(entry.points?.[i] ?? "")),
    ]);
  }
  const header = [
    "file",
    ...(split ? ["split"] : []),
    ...(identity ? ["identity"] : []),
    ...kept.map((i) => table.columns[i]),
    ...found,
  ];
  await writeWhole(join(folder, "labels.csv"), formatCsv({ header, rows }));

  const pairs = options.pairs.flatMap(({ file1, file2, same }) => {
    const [first, second] = [entries.get(file1)?.crop, entries.get(file2)?.crop];
    return first === undefined || second === undefined ? [] : [[first, second, same ? "1" : "0"]];
  });
  if (pairs.length > 0) {
    await writeWhole(
      join(folder, "pairs.csv"),
      formatCsv({ header: ["file1", "file2", "same"], rows: pairs }),
    );
  }
  const named = new Set(header);
  await writeJson(join(folder, "dataset.json"), {
    name: `${table.name}, aligned`,
    crop: WHOLE,
    ...(named.has("identity") && { identity: "identity" }),
    ...(pairs.length > 0 && { pairs: "pairs.csv" }),
    tasks: tasksOf(table, named),
    aligned: { by: `etl align ${version}`, template: "dlib face chip", ...settings },
  });
  return { pairs: pairs.length, problems, notes };
}

/** Indices of the columns that still hold on a crop that was turned upright. */
function keptColumns(table: RawTable, notes: string[]): number[] {
  return table.columns.flatMap((column, i) => {
    if (column.toLowerCase() !== "roll") return [i];
    notes.push(`column "${column}" is left out: the crops are turned upright`);
    return [];
  });
}

/** What the data set declares about tasks whose columns are still there; landmarks are in pixels of the crop now. */
function tasksOf(table: RawTable, columns: ReadonlySet<string>): Record<string, TaskDeclaration> {
  return Object.fromEntries(
    Object.entries(table.tasks).flatMap(([name, task]) => {
      const own = task.columns ?? (task.column === undefined ? [] : [task.column]);
      if (!own.every((column) => columns.has(column))) return [];
      return [[name, name === "landmarks" ? { ...task, unit: "pixel" } : task] as const];
    }),
  );
}

/** Columns of the landmarks that were found, where they become labels and the folder has none of its own. */
function foundColumns(settings: AlignSettings, own: LandmarkColumns, notes: string[]): string[] {
  if (settings.landmarks !== true) return [];
  if (own.at.length > 0) {
    notes.push("the folder has landmarks of its own: these are carried over, those that were found are not");
    return [];
  }
  return Array.from({ length: LANDMARKS }, (_, i) => [`x${i}`, `y${i}`]).flat();
}

interface LandmarkColumns {
  /** Indices of x0, y0, x1, y1, ... */
  readonly at: readonly number[];
  readonly unit: "pixel" | "fraction";
}

function landmarkColumns(table: RawTable): LandmarkColumns {
  const declared = table.tasks["landmarks"];
  const at: number[] = [];
  if (declared?.columns !== undefined)
    at.push(...declared.columns.map((name) => table.columns.indexOf(name)));
  else {
    for (let i = 0; table.columns.includes(`x${i}`) && table.columns.includes(`y${i}`); i++) {
      at.push(table.columns.indexOf(`x${i}`), table.columns.indexOf(`y${i}`));
    }
  }
  return {
    at: at.filter((index) => index >= 0),
    unit: declared?.unit === "fraction" ? "fraction" : "pixel",
  };
}

/** The labels of a row, its landmarks in pixels of the crop; undefined where one is not a number. */
function movedLabels(row: RawRow, entry: AlignEntry, { at, unit }: LandmarkColumns): string[] | undefined {
  const labels = [...row.labels];
  const { transform, picture } = entry;
  if (at.length === 0 || transform === undefined || picture === undefined) return labels;
  const [a, b, tx, ty] = transform;
  const values = at.map((index, i) => {
    const text = labels[index].trim();
    return text === "" ? NaN : Number(text) * (unit === "fraction" ? picture[i % 2] : 1);
  });
  if (!values.every(Number.isFinite)) return undefined;
  const moved = applySimilarity(inverseSimilarity({ a, b, tx, ty }), values);
  at.forEach((index, i) => {
    labels[index] = moved[i].toFixed(2);
  });
  return labels;
}
