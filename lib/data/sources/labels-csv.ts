/** A folder with `labels.csv` (file, split, label columns) and, where it describes itself, `dataset.json`. */
import { basename, isAbsolute, join, relative, sep } from "node:path";
import type { Crop } from "../../core/artifacts.ts";
import { EtlError } from "../../core/errors.ts";
import { insideOf, readText } from "../../core/files.ts";
import type { DataProblem } from "../../record/record.ts";
import { parseCsv, type Csv } from "../../core/csv.ts";
import type { RawRow, RawTable } from "../dataset.ts";
import { readDescription, type Description } from "./description.ts";
import type { Folder, SourceLayout } from "./layout.ts";
import { PART_COLUMNS, partOf } from "./names.ts";

const FILE_COLUMNS = ["file", "filename", "image", "path"];
const IDENTITY_COLUMNS = ["identity", "person", "subject"];

export const labelsCsv: SourceLayout = {
  name: "labels.csv",
  looks: "a file labels.csv with the columns file, split and labels",
  detect: (folder) => folder.files.includes("labels.csv"),
  read,
};

async function read(folder: Folder): Promise<RawTable> {
  const path = join(folder.root, "labels.csv");
  const csv = parseCsv(await readText(path), path);
  const described = folder.files.includes("dataset.json");
  const description = described ? await readDescription(join(folder.root, "dataset.json")) : undefined;

  const fileAt = find(csv, FILE_COLUMNS);
  if (fileAt < 0) {
    throw new EtlError("data", `${path}: columns ${csv.header.join(", ")}, a column "file" was needed`);
  }
  const assumptions: string[] = [];
  const splitAt = partColumn(csv, assumptions);
  const identityAt = identityColumn(csv, description, path, assumptions);
  const boxAt = find(csv, ["box"]);
  const kept = csv.header.map((_, i) => i).filter((i) => i !== fileAt && i !== splitAt && i !== boxAt);
  const problems: DataProblem[] = [];
  const rows: RawRow[] = [];
  for (const cells of csv.rows) {
    const file = fileName(cells[fileAt], folder.root);
    const splitText = splitAt < 0 ? "" : cells[splitAt].trim().toLowerCase();
    const split = partOf(splitText);
    if (splitAt >= 0 && split === undefined) {
      problems.push({ file, problem: `split "${splitText}", train, val or test was needed` });
      continue;
    }
    const box = boxAt < 0 || cells[boxAt].trim() === "" ? undefined : boxOf(cells[boxAt]);
    if (box === null) {
      problems.push({
        file,
        problem: `box "${cells[boxAt]}", four pixels x0,y0,x1,y1 with x0 < x1 and y0 < y1 were needed`,
      });
      continue;
    }
    const identity = identityAt < 0 ? "" : cells[identityAt].trim();
    rows.push({
      file,
      labels: kept.map((i) => cells[i].trim()),
      ...(split !== undefined && { split }),
      ...(identity !== "" && { identity }),
      ...(box && { box }),
    });
  }
  if (boxAt >= 0) assumptions.push('crop: the column "box", in pixels, where a row has one');
  return {
    name: description?.name ?? basename(folder.root),
    root: folder.root,
    layout: labelsCsv.name,
    columns: kept.map((i) => csv.header[i]),
    rows,
    ...(description?.crop && { crop: description.crop }),
    ...pairsOf(folder, description),
    tasks: description?.tasks ?? {},
    assumptions,
    problems,
  };
}

/** A face box in pixels, `x0,y0,x1,y1`, blanks or semicolons between them as well; null where it is none. */
function boxOf(cell: string): Crop | null {
  const [x0, y0, x1, y1, ...more] = cell
    .trim()
    .split(/[\s,;]+/)
    .map(Number);
  return more.length === 0 && x1 > x0 && y1 > y0 && [x0, y0, x1, y1].every(Number.isFinite)
    ? [x0, y0, x1, y1]
    : null;
}

/** A picture's name as it lies below the folder: blanks at the ends, backslashes and the folder's own path go. */
function fileName(cell: string, root: string): string {
  const name = cell.trim().replaceAll("\\", "/");
  const way = isAbsolute(name) ? relative(root, name) : name;
  return way !== "" && !way.startsWith("..") && !isAbsolute(way) ? way.split(sep).join("/") : name;
}

/**
 * The column that says which part a picture belongs to; -1 where there is none. Under another name than "split" only where its
 * words are those of parts.
 */
function partColumn(csv: Csv, assumptions: string[]): number {
  const lower = csv.header.map((column) => column.toLowerCase());
  for (const name of PART_COLUMNS) {
    const at = lower.indexOf(name);
    if (at < 0) continue;
    const words = new Set(csv.rows.map((cells) => cells[at].trim()).filter((word) => word !== ""));
    const known = [...words].filter((word) => partOf(word) !== undefined);
    if (name === "split") return at;
    if (known.length === words.size && words.size > 0) {
      assumptions.push(`split: column "${csv.header[at]}" is taken for the parts (${[...words].join(", ")})`);
      return at;
    }
    assumptions.push(
      `split: column "${csv.header[at]}" is not taken for the parts, its values (${[...words].slice(0, 5).join(", ")}) are no words for them`,
    );
  }
  return -1;
}

function pairsOf(folder: Folder, description: Description | undefined): { pairs?: string } {
  if (description?.pairs !== undefined) return { pairs: insideOf(folder.root, description.pairs) };
  return folder.files.includes("pairs.csv") ? { pairs: join(folder.root, "pairs.csv") } : {};
}

function identityColumn(
  csv: Csv,
  description: Description | undefined,
  path: string,
  assumptions: string[],
): number {
  if (description?.identity !== undefined) {
    const at = csv.header.indexOf(description.identity);
    if (at >= 0) return at;
    throw new EtlError(
      "data",
      `${path}: columns ${csv.header.join(", ")}, the identity column "${description.identity}" named in dataset.json was needed`,
    );
  }
  const at = find(csv, IDENTITY_COLUMNS);
  if (at >= 0) assumptions.push(`identity: column "${csv.header[at]}" is taken for who is on the picture`);
  return at;
}

function find(csv: Csv, names: readonly string[]): number {
  const lower = csv.header.map((column) => column.toLowerCase());
  for (const name of names) {
    const at = lower.indexOf(name);
    if (at >= 0) return at;
  }
  return -1;
}
