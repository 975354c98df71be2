/** A folder with `labels.csv` (file, split, label columns) and, where it describes itself, `dataset.json`. */
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import type { Crop } from "../../core/artifacts.ts";
import { EtlError } from "../../core/errors.ts";
import { insideOf, readText } from "../../core/files.ts";
import type { DataProblem } from "../../record/record.ts";
import { parseCsv, type Csv } from "../../core/csv.ts";
import { isMissing } from "../codes.ts";
import type { RawRow, RawTable } from "../dataset.ts";
import { readDescription, type Description } from "./description.ts";
import { isPicture } from "../images/endings.ts";
import { baseName, type Folder, type SourceLayout } from "./layout.ts";
import { partOf } from "./names.ts";
import { partColumnOf, partsInNames } from "../part-columns.ts";
import { isMoreThanSlips } from "../sentinels.ts";

/** Names without blanks, `_` and `-`. */
const FILE_COLUMNS = [
  ...["file", "filename", "image", "path", "filepath", "imagepath", "imagefile", "imagename", "imageid"],
  ...["img", "imgpath", "imgname", "imgid", "picture", "photo"],
];
/** Face boxes in other spellings than `box`: whose numbers mean what is not known. */
const OTHER_BOXES = /^(bbox|boundingbox|facebox|facerect|rect|facex|facewidth|bboxx1?|xmin)$/;
/** Columns that are a face box together, each a number. */
const BOX_COLUMNS: readonly (readonly string[])[] = [
  ["x", "y", "w", "h"],
  ["x", "y", "width", "height"],
  ["left", "top", "width", "height"],
  ["left", "top", "right", "bottom"],
  ["x0", "y0", "x1", "y1"],
  ["x1", "y1", "x2", "y2"],
  ["xmin", "ymin", "xmax", "ymax"],
];
export const labelsCsv: SourceLayout = {
  name: "labels.csv",
  looks: "a file labels.csv (or metadata.csv) with the columns file, split and labels",
  detect: async (folder) => (await tablesOf(folder)).length > 0,
  read,
};

/** Columns that hold face boxes in another way than `box` does. */
function otherBoxes(header: readonly string[]): readonly string[] {
  const names = header.map(plainName);
  // x0, y0, x1, y1, x2, y2: points of a face, no corners.
  if (new Set(names.filter((name) => /^x\d+$/.test(name))).size > 2) return [];
  const together = BOX_COLUMNS.find((box) => box.every((name) => names.includes(name))) ?? [];
  return header.filter((_, i) => OTHER_BOXES.test(names[i]) || together.includes(names[i]));
}

/** The table at the top, whatever its case; else one in every folder of a part (`train/labels.csv`, `test/labels.csv`). */
async function tablesOf(folder: Folder): Promise<readonly string[]> {
  const own = called(folder, "labels.csv");
  if (own.length > 0) return own;
  // As the hub of Hugging Face has them; other sets call other things so.
  const hub = called(folder, "metadata.csv");
  // One that cannot be read is no such table, and named beside what is read in its place.
  const heads = await Promise.all(hub.map((file) => readText(join(folder.root, file)).catch(() => "")));
  return heads.every((text) => /^\ufeff?"?file_name"?,/.test(text)) ? hub : [];
}

function called(folder: Folder, name: string): readonly string[] {
  const tables = folder.files.filter((file) => baseName(file).toLowerCase() === name);
  const top = tables.filter((file) => !file.includes("/"));
  if (top.length > 0) return top.slice(0, 1);
  const below = tables.filter((file) => file.split("/").length === 2);
  return below.some((file) => partOf(dirname(file)) === "train")
    ? below.filter((file) => partOf(dirname(file)) !== undefined)
    : [];
}

/** The rows of all tables; those of tables in the folders of parts with names that count from the top, and with their part. */
async function readTables(folder: Folder, tables: readonly string[]): Promise<Csv> {
  const [first] = tables;
  const parse = async (file: string): Promise<Csv> =>
    parseCsv(await readText(join(folder.root, file)), join(folder.root, file));
  if (!first.includes("/")) return parse(first);
  const files = new Set(folder.files);
  const found = await Promise.all(tables.map(parse));
  const { header } = found[0];
  const other = found.findIndex((csv) => csv.header.join() !== header.join());
  if (other > 0)
    throw new EtlError(
      "data",
      `${folder.root}: ${first} has the columns ${header.join(", ")}, ${tables[other]} has ${found[other].header.join(", ")}: the same were needed`,
      { hint: "or write one labels.csv at the top with a column split" },
    );
  const fileAt = fileColumn(found[0], first, []);
  const rows = found.flatMap((csv, t) => {
    const below = dirname(tables[t]);
    return csv.rows.map((cells) => {
      const name = cells[fileAt].trim().replaceAll("\\", "/");
      const own = files.has(name) && !files.has(`${below}/${name}`) ? name : `${below}/${name}`;
      return [...cells.map((cell, i) => (i === fileAt ? own : cell)), below];
    });
  });
  return {
    header: [...header.map((column) => (column.toLowerCase() === "split" ? "split given" : column)), "split"],
    rows,
  };
}

async function read(folder: Folder): Promise<RawTable> {
  const tables = await tablesOf(folder);
  const path = join(folder.root, tables[0]);
  const csv = await readTables(folder, tables);
  const described = folder.files.includes("dataset.json");
  const description = described ? await readDescription(join(folder.root, "dataset.json")) : undefined;

  const assumptions: string[] = [];
  if (!/labels\.csv$/i.test(path)) assumptions.push(`labels: ${tables.join(", ")}`);
  const fileAt = fileColumn(csv, path, assumptions);
  const parts = partColumnOf(csv, path, description?.parts);
  assumptions.push(...parts.assumptions);
  const boxAt = find(csv, ["box"]);
  const kept = csv.header
    .map((_, i) => i)
    // A column without a name holds row numbers, as tables written by programs have them.
    .filter((i) => i !== fileAt && i !== boxAt && !parts.columns.includes(i) && csv.header[i].trim() !== "");
  const problems: DataProblem[] = [];
  if (boxAt >= 0) checkBoxes(csv.rows.map((cells) => cells[boxAt]));
  const named = namesIn(folder);
  const rows: RawRow[] = [];
  const listed = new Set<string>();
  for (const cells of csv.rows) {
    if (cells.every((cell) => cell.trim() === "")) continue; // a spreadsheet's empty line
    const file = named(fileName(cells[fileAt], folder.root));
    listed.add(file);
    const split = parts.of(cells);
    if (typeof split === "object") {
      problems.push({ file, problem: split.problem });
      continue;
    }
    const box = boxAt < 0 || isMissing(cells[boxAt].trim()) ? undefined : boxOf(cells[boxAt]);
    if (box === null) {
      problems.push({
        file,
        problem: `box "${cells[boxAt]}", four pixels x0,y0,x1,y1 (no width, no height) with x0 < x1 and y0 < y1 were needed`,
      });
      continue;
    }
    rows.push({
      file,
      labels: kept.map((i) => cells[i].trim()),
      ...(split !== undefined && { split }),
      ...(box && { box }),
    });
  }
  assumptions.push(...unlisted(folder, listed, tables));
  if (boxAt >= 0) assumptions.push('boxes: the column "box", in pixels, where a row has one');
  const others = boxAt >= 0 ? [] : otherBoxes(csv.header);
  if (others.length > 0)
    assumptions.push(
      `boxes: not read from ${others.map((column) => `"${column}"`).join(", ")}; a column "box" (x0,y0,x1,y1 in pixels, in quotes) is`,
    );
  const inNames = parts.columns.length === 0 ? partsInNames(rows) : undefined;
  if (inNames !== undefined) assumptions.push(inNames.said);
  return {
    name: description?.name ?? basename(folder.root),
    root: folder.root,
    layout: labelsCsv.name,
    columns: kept.map((i) => csv.header[i]),
    rows: inNames?.rows ?? rows,
    ...(description?.crop && { crop: description.crop }),
    ...pairsOf(folder, description),
    tasks: description?.tasks ?? {},
    assumptions,
    problems,
  };
}

/** That pictures of the folder are in no row. Where no row names one of them, the names are wrong, and that is said elsewhere. */
function unlisted(
  { pictures }: Folder,
  listed: ReadonlySet<string>,
  tables: readonly string[],
): readonly string[] {
  const others = pictures.filter((file) => !listed.has(file));
  if (others.length === 0 || others.length === pictures.length) return [];
  const some = `${others.slice(0, 2).join(", ")}${others.length > 2 ? ", ..." : ""}`;
  return [
    `pictures: ${others.length} of ${pictures.length} in the folder ${others.length === 1 ? "is" : "are"} not listed in ${tables.join(", ")} (${some}), and not used`,
  ];
}

/** @throws EtlError where boxes are corners no more than by chance: x, y, width and height, as some of them show */
function checkBoxes(cells: readonly string[]): void {
  const boxes = cells.filter((cell) => !isMissing(cell.trim()));
  const sized = boxes.filter((cell) => {
    const [x, y, width, height, ...more] = numbersOf(cell);
    return boxOf(cell) === null && more.length === 0 && x >= 0 && y >= 0 && width > 1 && height > 1;
  });
  if (sized.length === 0 || !isMoreThanSlips(sized.length, boxes.length)) return;
  throw new EtlError(
    "data",
    `column "box": ${sized.length} of ${boxes.length} boxes (${sized[0]}) end before they begin: x0,y0,x1,y1 (no width, no height) were needed`,
    { hint: "if they are x,y,width,height: write x,y,x+width,y+height" },
  );
}

const numbersOf = (cell: string): number[] =>
  cell
    .trim()
    .replace(/^[[(]\s*(.*?)\s*[\])]$/s, "$1")
    .split(/[\s,;]+/)
    .map(Number);

/** A face box in pixels, `x0,y0,x1,y1`, blanks or semicolons between them as well; null where it is none. */
function boxOf(cell: string): Crop | null {
  const [x0, y0, x1, y1, ...more] = numbersOf(cell);
  return more.length === 0 && x1 > x0 && y1 > y0 && [x0, y0, x1, y1].every(Number.isFinite)
    ? [x0, y0, x1, y1]
    : null;
}

/**
 * A picture's name as it lies below the folder: blanks at the ends, backslashes, `./` and the folder's own path go, so that a picture
 * has one name.
 */
function fileName(cell: string, root: string): string {
  const name = cell.trim().replaceAll("\\", "/");
  if (!/^\/|(^|\/)\.\.?\/|\/\/|\0/.test(name)) return name;
  const way = relative(root, resolve(root, name));
  return way !== "" && !way.startsWith("..") ? way.split(sep).join("/") : name;
}

/** Names as the folder has them: an accent is stored as one sign or as two, and archives change one into the other. */
function namesIn({ files }: Folder): (name: string) => string {
  const own = new Set(files);
  const composed = new Map(
    files.filter((file) => /[^\0-\x7f]/.test(file)).map((file) => [file.normalize("NFC"), file]),
  );
  return composed.size === 0
    ? (name) => name
    : (name) => (own.has(name) ? name : (composed.get(name.normalize("NFC")) ?? name));
}

const plainName = (column: string): string => column.toLowerCase().replaceAll(/[\s_-]/g, "");

/** The column with the names of the pictures: by its name, else the only one that holds such names. */
function fileColumn(csv: Csv, path: string, assumptions: string[]): number {
  const names = csv.header.map(plainName);
  const bare = csv.header.some((column) => isPicture(column));
  const some = bare ? [] : csv.rows.slice(0, 100);
  const holds = (at: number): boolean =>
    some.filter((cells) => isPicture(cells[at].trim())).length * 2 > some.length;
  const called = FILE_COLUMNS.map((name) => names.indexOf(name)).filter((at) => at >= 0);
  // Of "image" (a number) and "path" the one with names of pictures is meant.
  if (called.length > 0) return called.find(holds) ?? called[0];
  const holding = [...names.keys()].filter(holds);
  if (holding.length === 1) {
    assumptions.push(`files: column "${csv.header[holding[0]]}" is taken for the names of the pictures`);
    return holding[0];
  }
  const [only] = csv.header;
  const mark = csv.header.length === 1 ? ["|", ":", " "].find((each) => only.includes(each)) : undefined;
  throw new EtlError("data", `${path}: columns ${csv.header.join(", ")}, a column "file" was needed`, {
    hint: bare
      ? "the first line is a row already: put one above it that names the columns, file,LABEL for example"
      : mark !== undefined
        ? `the columns seem to be separated by ${mark === " " ? "blanks" : `"${mark}"`}: save it as CSV with commas`
        : 'call the column with the names of the pictures "file"',
  });
}

function pairsOf(folder: Folder, description: Description | undefined): { pairs?: string } {
  if (description?.pairs !== undefined) return { pairs: insideOf(folder.root, description.pairs) };
  return folder.files.includes("pairs.csv") ? { pairs: join(folder.root, "pairs.csv") } : {};
}

function find(csv: Csv, names: readonly string[]): number {
  const lower = csv.header.map((column) => column.toLowerCase());
  for (const name of names) {
    const at = lower.indexOf(name);
    if (at >= 0) return at;
  }
  return -1;
}
