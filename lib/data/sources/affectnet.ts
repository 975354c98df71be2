/**
 * AffectNet as lists: `training.csv` and `validation.csv` (subDirectory_filePath, face_x, face_y, face_width, face_height,
 * facial_landmarks, expression, valence, arousal). The face box stands in each row. Expressions 8 to 10 (none, uncertain, no face)
 * are no expressions, and -2 is no valence.
 */
import type { Crop } from "../../core/artifacts.ts";
import type { DataProblem } from "../../record/record.ts";
import type { RawRow, Split } from "../dataset.ts";
import type { SourceLayout } from "./layout.ts";
import { listFiles, pictureFinder, readList, type List } from "./lists.ts";

const LIST = /^(training|validation|automatically_annotated)\.csv$/;
const FIRST = "subdirectory_filepath";
const EXPRESSIONS: ReadonlyMap<string, string> = new Map(
  ["neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt"].map(
    (name, code) => [String(code), name],
  ),
);

export const affectnet: SourceLayout = {
  name: "AffectNet",
  looks: "training.csv and validation.csv with the column subDirectory_filePath",
  detect: (folder) =>
    listFiles(folder, LIST).length > 0 && folder.files.some((file) => /annotated_images\//i.test(file)),
  read: async (folder) => {
    const find = pictureFinder(folder);
    const rows: RawRow[] = [];
    const problems: DataProblem[] = [];
    for (const name of listFiles(folder, LIST)) {
      const list = await readList(folder, name);
      const split: Split = /validation/i.test(name) ? "test" : "train";
      for (const row of list.rows) {
        const file = find(list.cell(row, FIRST), name);
        const expression = EXPRESSIONS.get(list.cell(row, "expression")) ?? "";
        const [valence, arousal] = ["valence", "arousal"].map((column) => known(list.cell(row, column)));
        if (expression === "" && valence === "") {
          problems.push({ file, problem: "annotated as none, uncertain or no face" });
          continue;
        }
        const box = boxOf(list, row);
        rows.push({ file, split, labels: [expression, valence, arousal], ...(box && { box }) });
      }
    }
    return {
      name: "AffectNet",
      root: folder.root,
      layout: affectnet.name,
      columns: ["emotion", "valence", "arousal"],
      rows,
      tasks: {},
      assumptions: [
        "split: the validation list is taken for the test part; validation is cut from training",
        "crop: the face box of each row",
      ],
      problems,
    };
  },
};

/** Both lie in [-1, 1]; -2 says that there is none. */
function known(text: string): string {
  return text !== "" && Math.abs(Number(text)) <= 1 ? text : "";
}

function boxOf(list: List, row: readonly string[]): Crop | undefined {
  const [x, y, width, height] = ["face_x", "face_y", "face_width", "face_height"].map((column) =>
    Number(list.cell(row, column)),
  );
  return width > 0 && height > 0 ? [x, y, x + width, y + height] : undefined;
}
