/** Label lists of public sets: CSV files beside the pictures, whose names count from a folder that people rename. */
import { dirname, join } from "node:path";
import { parseCsv, type Csv } from "../../core/csv.ts";
import { shellWord } from "../../core/errors.ts";
import { readText } from "../../core/files.ts";
import type { RawTable } from "../dataset.ts";
import { baseName, type Folder } from "./layout.ts";

/** A list, read. */
export interface List extends Csv {
  /** Relative to the data folder. */
  readonly file: string;
  /** The cell of a row in a column; "" where there is no such column. */
  cell(row: readonly string[], column: string): string;
}

/** The files of a folder whose name, in lower case, matches. */
export function listFiles(folder: Folder, name: RegExp): readonly string[] {
  return folder.files.filter((file) => name.test(baseName(file).toLowerCase()));
}

/** Endings of files that people keep labels in, the likeliest first. */
const LABEL_FILES = ["csv", "tsv", "xlsx", "xls", "parquet", "jsonl", "json", "mat", "lst", "txt"];
/** More files of one ending than this are a file for each picture. */
const FEW = 20;
const NO_LABELS = /(^|\/)(readme|licen[cs]e|requirements|dataset\.json|package(-lock)?\.json)/i;

/** Files that may hold the labels: the likeliest first, at most three. */
export function labelFiles({ files }: Folder): readonly string[] {
  return LABEL_FILES.flatMap((ending) => {
    const found = files.filter((file) => file.toLowerCase().endsWith(`.${ending}`) && !NO_LABELS.test(file));
    return found.length > FEW ? [] : found;
  }).slice(0, 3);
}

/** What to do where nothing that is read holds the labels. */
export const WRITE_TABLE = "write a labels.csv (docs/data.md)";

/** The same, with the files beside class folders that may hold them. */
export function insteadOf({ instead = WRITE_TABLE }: RawTable): string {
  return instead;
}

/** What to do where all pictures lie in one folder. */
export function oneFolderHint(table: RawTable, name: string): string {
  const instead = insteadOf(table);
  const deeper = table.rows.some(({ file }) =>
    file.includes("/", file.indexOf(`${name}/`) + name.length + 1),
  );
  return deeper
    ? `if the classes lie below it: --data ${shellWord(`${table.root}/${name}`)}; else ${instead}`
    : instead;
}

/** Reads a list with its header. */
export async function readList(folder: Folder, file: string): Promise<List> {
  const path = join(folder.root, file);
  const csv = parseCsv(await readText(path), path);
  const at = new Map(csv.header.map((column, i) => [column.trim().toLowerCase(), i]));
  return { ...csv, file, cell: (row, column) => (row[at.get(column.toLowerCase()) ?? -1] ?? "").trim() };
}

/**
 * Finds the picture that a list names: beside the list, or the only one whose path ends so.
 *
 * @returns a path relative to the data folder; the name as it is where no picture fits
 */
export function pictureFinder(folder: Folder): (name: string, list: string) => string {
  const pictures = new Set(folder.pictures);
  const named = new Map<string, string[]>();
  for (const file of folder.pictures) named.set(baseName(file), [...(named.get(baseName(file)) ?? []), file]);
  return (given, list) => {
    const name = given.replaceAll("\\", "/").replace(/^\.?\/+/, "");
    const beside = dirname(list) === "." ? name : `${dirname(list)}/${name}`;
    if (pictures.has(beside)) return beside;
    const ends = (named.get(baseName(name)) ?? []).filter(
      (file) => file === name || file.endsWith(`/${name}`),
    );
    return ends.length === 1 ? ends[0] : name;
  };
}
