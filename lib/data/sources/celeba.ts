/**
 * CelebA as downloaded: `img_align_celeba/` beside `list_attr_celeba.txt`, `identity_CelebA.txt`,
 * `list_eval_partition.txt` and `list_landmarks_align_celeba.txt` (the text files may lie in `Anno/` and `Eval/`, the pictures in `Img/`); its PNG release; and the
 * lists as `.csv`, as Kaggle has them.
 */
import { join } from "node:path";
import type { Crop } from "../../core/artifacts.ts";
import { EtlError } from "../../core/errors.ts";
import { readText } from "../../core/files.ts";
import type { RawRow, RawTable, Split } from "../dataset.ts";
import { CELEBA_ATTRIBUTES } from "./celeba-attributes.ts";
import { baseName, type Folder, type Layout } from "./layout.ts";

/** Where the face is in an aligned CelebA picture (178x218, or any other size of that shape). */
const CELEBA_CROP: Crop = [0.18, 0.35, 0.82, 0.87];

const PARTS: readonly Split[] = ["train", "val", "test"];

export const celeba: Layout = {
  name: "CelebA",
  looks: "img_align_celeba/ with list_attr_celeba.txt (or .csv)",
  detect: (folder) => locate(folder, "list_attr_celeba") !== undefined,
  read,
};

async function read(folder: Folder): Promise<RawTable> {
  const assumptions: string[] = [];
  const list = (name: string): Promise<string[][] | undefined> => readList(folder, name);
  const attributes = await list("list_attr_celeba");
  const identities = pairsOf(await list("identity_CelebA"));
  const partition = pairsOf(await list("list_eval_partition"));
  if (attributes === undefined)
    throw new EtlError("io", `${folder.root}: no list_attr_celeba.txt, it was needed`);
  if (identities.size === 0) {
    assumptions.push("identity: identity_CelebA.txt is not there, parts are not cut by person");
  }
  if (partition.size === 0) assumptions.push("split: list_eval_partition.txt is not there");

  // First the number of pictures, then the names of the attributes, then one line per picture.
  const header = attributes.findIndex((cells) => cells.length > 1);
  const columns = header < 0 ? [] : attributes[header];
  const unknown = columns.filter((column) => !CELEBA_ATTRIBUTES.includes(column));
  if (columns.length === 0 || unknown.length === columns.length) {
    throw new EtlError(
      "format",
      `${folder.root}: list_attr_celeba.txt has no line with attribute names, "5_o_Clock_Shadow Arched_Eyebrows ..." was needed`,
    );
  }
  const points = pointsOf(await list("list_landmarks_align_celeba"));
  const pictures = pictureFolder(folder);
  const problems: { file: string; problem: string }[] = [];
  const rows: RawRow[] = [];
  for (const [file, ...values] of attributes.slice(header + 1)) {
    if (values.length !== columns.length) {
      problems.push({ file, problem: `${values.length} attributes, ${columns.length} were needed` });
      continue;
    }
    const identity = identities.get(file);
    const part = partition.get(file);
    const split = part === undefined ? undefined : PARTS[Number(part)];
    if (partition.size > 0 && split === undefined) {
      problems.push({ file, problem: "has no part (0, 1 or 2) in list_eval_partition.txt" });
      continue;
    }
    rows.push({
      file: pictures.folder + (pictures.png ? file.replace(/\.jpg$/i, ".png") : file),
      labels: points.size === 0 ? values : [...values, ...(points.get(file) ?? noPoints)],
      ...(split !== undefined && { split }),
      ...(identity !== undefined && { identity }),
    });
  }
  return {
    name: "CelebA",
    root: folder.root,
    layout: celeba.name,
    columns: points.size === 0 ? columns : [...columns, ...pointColumns],
    rows,
    crop: CELEBA_CROP,
    tasks: {
      gender: { column: "Male", values: { "-1": "female", "1": "male" } },
      attributes: { columns },
    },
    assumptions,
    problems,
  };
}

/** Eyes, nose and mouth corners, in pixels of the aligned picture. */
const pointColumns = [0, 1, 2, 3, 4].flatMap((i) => [`x${i}`, `y${i}`]);
const noPoints: readonly string[] = pointColumns.map(() => "");

/** The five landmarks of every picture; the lines above them (a count, the names) are none. */
function pointsOf(lines: readonly string[][] | undefined): Map<string, string[]> {
  return new Map(
    lines?.flatMap(([file, ...values]) =>
      values.length === pointColumns.length && values.every((value) => Number.isFinite(Number(value)))
        ? [[file, values] as const]
        : [],
    ),
  );
}

/** A list as its makers give it (.txt), or as Kaggle does (.csv). */
function locate(folder: Folder, name: string): string | undefined {
  const names = [`${name}.txt`, `${name}.csv`];
  return folder.files.find((file) => names.includes(baseName(file)));
}

/** The lines of a list as cells; undefined where the list is not there. */
async function readList(folder: Folder, name: string): Promise<string[][] | undefined> {
  const file = locate(folder, name);
  if (file === undefined) return undefined;
  const text = await readText(join(folder.root, file));
  const words = new Map<string, string>();
  // A label is one of very few texts: share them, there are millions.
  const shared = (word: string): string => {
    const known = words.get(word);
    if (known !== undefined) return known;
    if (word.length < 3) words.set(word, word);
    return word;
  };
  return text.split(/\r?\n/).flatMap((line) => {
    const cells = line.trim().split(file.endsWith(".csv") ? /\s*,\s*/ : /\s+/);
    if (cells[0] === "image_id") cells.shift();
    return cells.length === 1 && cells[0] === "" ? [] : [cells.map(shared)];
  });
}

function pairsOf(lines: readonly string[][] | undefined): Map<string, string> {
  return new Map(lines?.flatMap((cells) => (cells.length === 2 ? [[cells[0], cells[1]] as const] : [])));
}

/** The folder of the pictures, with a slash at its end, and whether they are PNG files (the lists say .jpg all the same). */
function pictureFolder(folder: Folder): { readonly folder: string; readonly png: boolean } {
  const picture = folder.pictures.find((file) => file.includes("img_align_celeba"));
  if (picture === undefined) {
    throw new EtlError(
      "data",
      `${folder.root}: no pictures in img_align_celeba/, the aligned pictures were needed`,
      {
        hint: "unpack img_align_celeba.zip beside list_attr_celeba.txt",
      },
    );
  }
  return { folder: picture.slice(0, picture.lastIndexOf("/") + 1), png: /\.png$/i.test(picture) };
}
