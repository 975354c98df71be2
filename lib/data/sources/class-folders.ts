/**
 * An image folder: one sub-folder per class; perhaps inside `train/`, `val/` and `test/`, or these inside every class
 * (`female/train/1.jpg`).
 */
import { basename, extname, join } from "node:path";
import { EtlError, shellWord } from "../../core/errors.ts";
import { countedValues, countsText } from "../counts.ts";
import type { RawRow, Split } from "../dataset.ts";
import { partOf } from "./names.ts";
import type { Folder, SourceLayout } from "./layout.ts";

/** Why a picture has no class. */
export const OUTSIDE = "lies outside the class folders";

/** Where in a path (counted from the top) the class stands, and the part, where there is one. */
interface Depths {
  readonly labelAt: number;
  readonly partAt?: number;
}

export const classFolders: SourceLayout = {
  name: "image folder",
  looks: "one sub-folder of pictures per class, perhaps inside train/ and test/",
  detect: (folder) => depthsOf(folder.pictures) !== undefined,
  read: (folder) => {
    const { labelAt, partAt } = depthsOf(folder.pictures) ?? { labelAt: 0 };
    const deepest = Math.max(labelAt, partAt ?? 0);
    const problems: { file: string; problem: string }[] = [];
    const strange: string[] = [];
    const rows = folder.pictures.flatMap((file): RawRow[] => {
      const names = file.split("/");
      const split = partAt === undefined || names.length <= deepest + 1 ? undefined : partOf(names[partAt]);
      if (names.length <= deepest + 1 || (partAt !== undefined && split === undefined)) {
        if (names.length > deepest + 1 && partAt !== undefined) strange.push(names[partAt]);
        problems.push({ file, problem: OUTSIDE });
        return [];
      }
      return [{ file, labels: [names[labelAt]], ...(split !== undefined && { split }) }];
    });
    const strangers = countedValues(strange);
    if (strangers.size > 0) refuseUntested(folder, rows, strangers);
    return Promise.resolve({
      name: basename(folder.root),
      root: folder.root,
      layout: classFolders.name,
      columns: ["class"],
      rows,
      tasks: {},
      assumptions: [
        "labels: the names of the sub-folders",
        ...(partAt !== undefined && partAt > labelAt
          ? ["split: the folders below the classes are the parts"]
          : []),
        ...(strangers.size > 0
          ? [
              `split: folders that are no part (train, val, test) are left out (pictures: ${countsText(strangers)})`,
            ]
          : []),
        ...unreadTables(folder),
      ],
      problems,
    });
  },
};

/** Folders of other names beside `train/`, and no test part: one of them is meant for it. */
function refuseUntested(
  folder: Folder,
  rows: readonly RawRow[],
  strangers: ReadonlyMap<string, number>,
): void {
  if (rows.some(({ split }) => split === "test")) return;
  const parts = [...new Set(rows.flatMap(({ split }): Split[] => (split === undefined ? [] : [split])))];
  const [name] = strangers.keys();
  throw new EtlError(
    "data",
    `${folder.root}: beside the folders for ${parts.join(", ")} lie others (pictures: ${countsText(strangers)}), folders called train, val and test were needed`,
    {
      hint: `if it is the test part: rename ${shellWord(join(folder.root, name))} to test; else move it away`,
    },
  );
}

/** Files beside the folders that could be meant for labels. */
function unreadTables(folder: Folder): string[] {
  const tables = folder.files.filter(
    (file) => !file.includes("/") && [".csv", ".tsv", ".xlsx", ".xls"].includes(extname(file).toLowerCase()),
  );
  return tables.length === 0
    ? []
    : [`labels: ${tables.slice(0, 3).join(", ")} not read; a table called labels.csv would be`];
}

/** Where classes and parts stand; undefined where there are no class folders. */
function depthsOf(pictures: readonly string[]): Depths | undefined {
  const paths = pictures.filter((file) => file.includes("/")).map((file) => file.split("/").slice(0, -1));
  if (paths.length === 0) return undefined;
  const top = new Set(paths.map(([name]) => name));
  // Where parts divide the pictures, they lie at the top, all of them, with classes below. A class may be called "test".
  const divided = [...top].every((name) => partOf(name) !== undefined);
  const inParts = paths.filter(([name]) => partOf(name) !== undefined);
  const deep = inParts.some((names) => names.length > 1);
  if (divided && !deep) return undefined;
  const hasTraining = [...top].some((name) => partOf(name) === "train");
  if (divided || (hasTraining && deep)) return { partAt: 0, labelAt: wrapped(inParts) ? 2 : 1 };
  // Every class with its own parts: all folders below the classes are called like parts, the training part among them.
  const second = new Set(paths.flatMap((names) => names[1] ?? []));
  const below = [...second].map(partOf);
  if (below.length > 1 && below.every((part) => part !== undefined) && below.includes("train"))
    return { labelAt: 0, partAt: 1 };
  return { labelAt: 0 };
}

/** Whether all parts hold one and the same folder (`train/images/`), and the classes lie below it. */
function wrapped(paths: readonly (readonly string[])[]): boolean {
  const inside = paths.filter((names) => names.length > 1);
  return new Set(inside.map((names) => names[1])).size === 1 && inside.every((names) => names.length > 2);
}
