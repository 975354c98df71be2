/**
 * RAF-DB, basic part: `list_patition_label.txt` (so spelt by its makers; `train_00001.jpg 5`), pictures as
 * `aligned/train_00001_aligned.jpg` (taken where they are there) or `original/train_00001.jpg`. Copies that go round have no list:
 * the pictures lie in folders of their codes (`train/5/train_00001_aligned.jpg`).
 */
import { join } from "node:path";
import { EtlError } from "../../core/errors.ts";
import { readText } from "../../core/files.ts";
import type { DataProblem } from "../../record/record.ts";
import { WHOLE, type RawRow } from "../dataset.ts";
import { baseName, type Folder, type SourceLayout } from "./layout.ts";

const LIST = /^list_par?tition_label\.txt$/i;
const NAME = /^(train|test)_\d+\.jpg$/i;
const IN_FOLDERS = /(^|\/)([1-7])\/(train|test)_\d{5}_aligned\.jpg$/i;

/** Codes 1 to 7. */
const EMOTIONS = ["surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral"] as const;

export const rafDb: SourceLayout = {
  name: "RAF-DB",
  looks: "list_patition_label.txt with aligned/train_00001_aligned.jpg, or train/5/train_00001_aligned.jpg",
  detect: (folder) =>
    folder.files.some((file) => LIST.test(baseName(file))) ||
    folder.pictures.filter((file) => IN_FOLDERS.test(file)).length * 2 > folder.pictures.length,
  read: async (folder) => {
    const list = folder.files.find((file) => LIST.test(baseName(file)));
    const { rows, problems, aligned } = list === undefined ? inFolders(folder) : await listed(folder, list);
    return {
      name: "RAF-DB",
      root: folder.root,
      layout: rafDb.name,
      columns: ["emotion"],
      rows,
      // The originals show more than the face: their box is the user's to say, or etl align's to find.
      ...(aligned && { crop: WHOLE }),
      tasks: {
        emotion: {
          column: "emotion",
          values: Object.fromEntries(EMOTIONS.map((emotion, i) => [String(i + 1), emotion])),
        },
      },
      assumptions: [
        `pictures: ${aligned ? "the aligned ones" : "the originals, as there are no aligned ones"}`,
        `labels: ${list === undefined ? "folders" : "codes"} 1 to 7 are ${EMOTIONS.join(", ")}`,
      ],
      problems,
    };
  },
};

interface Found {
  readonly rows: readonly RawRow[];
  readonly problems: readonly DataProblem[];
  /** Whether the pictures are the aligned ones. */
  readonly aligned: boolean;
}

function inFolders({ pictures }: Folder): Found {
  const problems: DataProblem[] = [];
  const rows = pictures.flatMap((file): RawRow[] => {
    const found = IN_FOLDERS.exec(file);
    if (found === null)
      problems.push({
        file,
        problem: "lies in no folder 1 to 7, or has another name than train_00001_aligned.jpg",
      });
    return found === null
      ? []
      : [{ file, labels: [found[2]], split: /train/i.test(found[3]) ? "train" : "test" }];
  });
  return { rows, problems, aligned: true };
}

async function listed(folder: Folder, list: string): Promise<Found> {
  const pictures = new Map(folder.pictures.map((file) => [baseName(file), file]));
  const aligned = folder.pictures.some((file) => /_aligned\.jpg$/i.test(file));
  const rows: RawRow[] = [];
  const problems: DataProblem[] = [];
  for (const line of (await readText(join(folder.root, list))).split(/\r?\n/)) {
    const [name, code = ""] = line.trim().split(/\s+/);
    if (name === "") continue;
    const part = NAME.exec(name)?.[1].toLowerCase();
    const file = pictures.get(aligned ? name.replace(/\.jpg$/i, "_aligned.jpg") : name);
    if (part !== "train" && part !== "test") {
      problems.push({ file: name, problem: "name without train_ or test_ and a number" });
    } else if (file === undefined) problems.push({ file: name, problem: "there is no such file" });
    else rows.push({ file, labels: [code], split: part });
  }
  if (rows.length === 0) throw empty(folder, list);
  return { rows, problems, aligned };
}

function empty(folder: Folder, list: string): EtlError {
  return new EtlError(
    "data",
    `${folder.root}: none of the pictures in ${list} is there, train_00001_aligned.jpg and so on were needed`,
    { hint: "unpack Image/aligned.zip beside EmoLabel" },
  );
}
