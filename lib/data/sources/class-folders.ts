/**
 * An image folder: one sub-folder per class; perhaps inside `train/`, `val/` and `test/`, or these inside every class
 * (`female/train/1.jpg`).
 */
import { basename, join } from "node:path";
import { EtlError, shellWord } from "../../core/errors.ts";
import { countedValues, countsText } from "../counts.ts";
import type { RawRow, RawTable, Split } from "../dataset.ts";
import { FOLDER_PARTS } from "../part-columns.ts";
import { readDescription } from "./description.ts";
import { labelFiles, WRITE_TABLE } from "./lists.ts";
import { partOf } from "./names.ts";
import { listsOf } from "./part-lists.ts";
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
  detect: (folder) => depthsOf(folder.pictures, partNames(folder.pictures)) !== undefined,
  read: async (folder) => {
    const declared = await declaredParts(folder);
    const beside = labelFiles(folder);
    const lists = new Set(listsOf(folder).map(({ file }) => file));
    const unread = beside.filter((file) => !lists.has(file));
    const part = declared ?? partNames(folder.pictures);
    const { labelAt, partAt } = depthsOf(folder.pictures, part) ?? { labelAt: 0 };
    const deepest = Math.max(labelAt, partAt ?? 0);
    const problems: { file: string; problem: string }[] = [];
    const strange: string[] = [];
    const rows = folder.pictures.flatMap((file): RawRow[] => {
      const names = file.split("/");
      const split = partAt === undefined || names.length <= deepest + 1 ? undefined : part(names[partAt]);
      if (names.length <= deepest + 1 || (partAt !== undefined && split === undefined)) {
        if (names.length > deepest + 1 && partAt !== undefined) strange.push(names[partAt]);
        problems.push({ file, problem: OUTSIDE });
        return [];
      }
      return [{ file, labels: [names[labelAt]], ...(split !== undefined && { split }) }];
    });
    const strangers = countedValues(strange);
    if (strangers.size > 0) refuseUntested(folder, rows, strangers);
    const doubt =
      notClasses(rows) ??
      (partAt === undefined && declared === undefined ? doubtOf(folder.pictures) : undefined);
    return {
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
        ...belowClasses(folder.pictures, rows, deepest),
        ...(unread.length === 0
          ? []
          : [`labels: ${unread.join(", ")} not read; a table called labels.csv would be`]),
      ],
      problems,
      instead: `${WRITE_TABLE}${unreadText(beside)}`,
      ...(doubt && { doubt }),
    };
  },
};

/** Folders inside the classes may be persons, or videos: parts that are cut here do not know them. */
function belowClasses(
  pictures: readonly string[],
  rows: readonly RawRow[],
  deepest: number,
): readonly string[] {
  const places = pictures.map((file) => file.split("/").slice(0, -1));
  const below = [
    ...new Set(places.filter((names) => names.length > deepest + 1).map((names) => names.join("/"))),
  ];
  const cut = rows.every(({ split }) => split !== "test" && split !== "val");
  return below.length < 2 || !cut
    ? []
    : [
        `identity: the folders inside the classes (${below.slice(0, 2).join(", ")}, ...) are not kept together; if they are persons or videos, say so in dataset.json: "identity": "folder"`,
      ];
}

const unreadText = (files: readonly string[]): string =>
  files.length === 0 ? "" : `: ${files.join(", ")} ${files.length === 1 ? "is" : "are"} not read`;

type PartNames = (name: string) => Split | undefined;

/** The folders that a `dataset.json` says are parts: `"parts": { "column": "folder", "values": { "seen": "train" } }`. */
async function declaredParts(folder: Folder): Promise<PartNames | undefined> {
  if (!folder.files.includes("dataset.json")) return undefined;
  const { parts } = await readDescription(join(folder.root, "dataset.json"));
  if (parts?.column !== FOLDER_PARTS) return undefined;
  const { values = {} } = parts;
  return (name) => (Object.hasOwn(values, name) ? values[name] : partOf(name));
}

/** The words of a folder's name, and the part that one of them is: `WIDER_train`, `train-mask`, `test2`. */
function wordsOf(name: string): { readonly part?: Split; readonly rest: string } {
  const words = name.split(/[\s_.-]+/).filter((word) => word !== "");
  const at = words.findIndex((word) => partOf(word.replace(/\d{1,2}$/, "")) !== undefined);
  if (at < 0) return { rest: name };
  const part = partOf(words[at].replace(/\d{1,2}$/, ""));
  return { ...(part && { part }), rest: words.filter((_, i) => i !== at).join("_") };
}

const topsOf = (pictures: readonly string[]): string[] => [
  ...new Set(pictures.filter((file) => file.includes("/")).map((file) => file.slice(0, file.indexOf("/")))),
];

/** What says which part a folder is; folders that differ in that word alone (`WIDER_train`, `WIDER_val`) are parts, too. */
function partNames(pictures: readonly string[]): PartNames {
  const words = topsOf(pictures).map(wordsOf);
  const alike =
    words.length > 1 && words.every(({ part, rest }) => part !== undefined && rest === words[0].rest);
  return alike && words[0].rest !== "" ? (name) => partOf(name) ?? wordsOf(name).part : partOf;
}

/** Names of folders that hold a kind of file: the pictures of a set, the same ones in another form. */
const KINDS =
  /^((jpeg)?images?|imgs?|pictures|photos?|frames|faces?|crops?|cropped|(un)?aligned|originals?|raw|resized|masks?|segmentation\w*|annotations?|labels?|landmarks?|depth|rgb|gr[ae]y|edges|flipped|mirrored|augmented|[hl]r|(high|low)res)$/i;
/** Among classes they are none. */
const NEVER =
  /^(jpegimages|segmentation(class|object)|annotations|thumb(nail)?s|previews?|visuali[sz]ations?|backups?|te?mp|unlabell?ed|unsorted|duplicates|rejected|trash)$/i;

/** Folders that are no classes by their names: `images/` beside `masks/`, `thumbnails/` beside classes. */
function notClasses(rows: readonly RawRow[]): RawTable["doubt"] {
  const names = [...new Set(rows.map(({ labels }) => labels[0]))];
  if (names.length < 2) return undefined;
  const none = names.filter((name) => NEVER.test(name));
  if (none.length === 0 && !names.every((name) => KINDS.test(name))) return undefined;
  const some = (none.length > 0 ? none : names).slice(0, 4).join(", ");
  return {
    found: `the names of folders (${some}) say what kind of files they hold`,
    hint: "move what is no class away, write a labels.csv (docs/data.md), or say that the folders are the classes with --label class",
    always: true,
  };
}

/** Why the folders at the top need not be the classes. */
function doubtOf(pictures: readonly string[]): { found: string; hint: string } | undefined {
  const tops = topsOf(pictures);
  const some = (names: readonly string[]): string =>
    `${names.slice(0, 4).join(", ")}${names.length > 4 ? ", ..." : ""}`;
  const parts = new Set(tops.flatMap((name) => wordsOf(name).part ?? []));
  if (parts.has("train") && parts.size > 1)
    return {
      found: `the names of the folders (${some(tops)}) hold words for parts`,
      hint: "put the classes into folders called train, val and test (train/happy/1.jpg), or say that the folders are the classes with --label class",
    };
  const holders = new Map<string, Set<string>>();
  for (const [top, below, file] of pictures.map((path) => path.split("/")))
    if (file !== undefined) holders.set(below, (holders.get(below) ?? new Set<string>()).add(top));
  const shared = [...holders].filter(([, above]) => above.size > 1);
  const sharing = new Set(shared.flatMap(([, above]) => [...above]));
  if (shared.length < 2 || sharing.size < tops.length) return undefined;
  const [first, second = first] = tops;
  return {
    found: `the folders ${some(tops)} hold folders of the same names (${some(shared.map(([name]) => name))})`,
    hint: `if those at the top are parts, say it in dataset.json, for example: "parts": { "column": "${FOLDER_PARTS}", "values": { "${first}": "train", "${second}": "test" } }; if they are the classes: --label class; else write a labels.csv (docs/data.md)`,
  };
}

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

/** Where classes and parts stand; undefined where there are no class folders. */
function depthsOf(pictures: readonly string[], partOf: PartNames): Depths | undefined {
  const paths = pictures.filter((file) => file.includes("/")).map((file) => file.split("/").slice(0, -1));
  if (paths.length === 0) return undefined;
  const top = new Set(paths.map(([name]) => name));
  // Where parts divide the pictures, they lie at the top, all of them, with classes below. A class may be called "test".
  const divided = [...top].every((name) => partOf(name) !== undefined);
  const inParts = paths.filter(([name]) => partOf(name) !== undefined);
  const deep = inParts.some((names) => names.length > 1);
  if (divided && !deep) return undefined;
  const hasTraining = [...top].some((name) => partOf(name) === "train");
  if (divided || (hasTraining && deep)) return { partAt: 0, labelAt: wrapped(inParts, partOf) ? 2 : 1 };
  // Every class with its own parts: all folders below the classes are called like parts, the training part among them.
  const second = new Set(paths.flatMap((names) => names[1] ?? []));
  const below = [...second].map(partOf);
  if (below.length > 1 && below.every((part) => part !== undefined) && below.includes("train"))
    return { labelAt: 0, partAt: 1 };
  return { labelAt: 0 };
}

/** Whether all parts hold one and the same folder (`train/images/`), or each itself again (`train/train/`), and the classes lie below it. */
function wrapped(paths: readonly (readonly string[])[], partOf: PartNames): boolean {
  const inside = paths.filter((names) => names.length > 1);
  const isAgain = ([part, below]: readonly string[]): boolean =>
    partOf(below) !== undefined && partOf(below) === partOf(part);
  return (
    inside.every((names) => names.length > 2) &&
    (new Set(inside.map((names) => names[1])).size === 1 || inside.every(isAgain))
  );
}
