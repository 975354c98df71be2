/**
 * Adience: `fold_0_data.txt` to `fold_4_data.txt` (tab-separated), pictures in
 * `aligned/<user>/landmark_aligned_face.<face>.<name>` or `faces/<user>/coarse_tilt_aligned_face.<face>.<name>`.
 * Persons do not cross folds; the last fold is the test part.
 */
import { join } from "node:path";
import { readText } from "../../core/files.ts";
import type { DataProblem } from "../../record/record.ts";
import { ageGroupNames, ageGroupOf } from "../age-groups.ts";
import type { RawRow } from "../dataset.ts";
import { baseName, type Folder, type SourceLayout } from "./layout.ts";

const FOLD = /^fold_(\d)_data\.txt$/;

export const adience: SourceLayout = {
  name: "Adience",
  looks: "fold_0_data.txt to fold_4_data.txt with aligned/ or faces/",
  detect: (folder) => folder.files.some((file) => FOLD.test(baseName(file))),
  read: async (folder) => {
    const lists = folder.files.filter((file) => FOLD.test(baseName(file)));
    const folds = lists.map((file) => FOLD.exec(baseName(file))?.[1] ?? "");
    const last = folds.reduce((a, b) => (a > b ? a : b), "");
    const rows: RawRow[] = [];
    const problems: DataProblem[] = [];
    for (const [i, list] of lists.entries()) {
      const part = { fold: folds[i], split: folds[i] === last ? ("test" as const) : ("train" as const) };
      readFold(folder, await readText(join(folder.root, list)), part, { rows, problems, list });
    }
    return {
      name: "Adience",
      root: folder.root,
      layout: adience.name,
      columns: ["gender", "age_group", "fold"],
      rows,
      tasks: {
        gender: { column: "gender", values: { f: "female", m: "male" } },
        "age-group": {
          column: "age_group",
          values: Object.fromEntries(ageGroupNames.map((name) => [name, name])),
        },
      },
      assumptions: [
        `split: fold ${last} is the test part`,
        "identity: the user",
        "labels: ages that are none of the eight groups go to the one nearest to their middle",
      ],
      problems,
    };
  },
};

function readFold(
  folder: Folder,
  text: string,
  part: { readonly fold: string; readonly split: "train" | "test" },
  out: { readonly rows: RawRow[]; readonly problems: DataProblem[]; readonly list: string },
): void {
  const [header = "", ...lines] = text.split(/\r?\n/).filter((line) => line.trim() !== "");
  const columns = header.split("\t").map((column) => column.trim());
  const at = (name: string): number => columns.indexOf(name);
  const [user, image, face, age, gender] = ["user_id", "original_image", "face_id", "age", "gender"].map(at);
  if ([user, image, face, age, gender].includes(-1)) {
    out.problems.push({
      file: out.list,
      problem: "no columns user_id, original_image, face_id, age, gender",
    });
    return;
  }
  const aligned = folder.files.some((file) => file.startsWith("aligned/"));
  for (const line of lines) {
    const cells = line.split("\t").map((cell) => cell.trim());
    if (cells.length < columns.length - 1) {
      out.problems.push({ file: out.list, problem: `a line with ${cells.length} cells` });
      continue;
    }
    const name = `${cells[face]}.${cells[image]}`;
    out.rows.push({
      file: aligned
        ? `aligned/${cells[user]}/landmark_aligned_face.${name}`
        : `faces/${cells[user]}/coarse_tilt_aligned_face.${name}`,
      split: part.split,
      identity: cells[user],
      labels: [/^[fm]$/.test(cells[gender]) ? cells[gender] : "", ageGroup(cells[age]), part.fold],
    });
  }
}

/** "(25, 32)" or "35" -> "25-32"; "" = no age. A label between two groups goes to the one nearest to its middle. */
function ageGroup(text: string): string {
  const numbers = (text.match(/\d+/g) ?? []).map(Number);
  if (numbers.length === 0) return "";
  return ageGroupOf(numbers.reduce((sum, value) => sum + value, 0) / numbers.length);
}
