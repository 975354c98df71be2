/**
 * FairFace: `fairface_label_train.csv` and `fairface_label_val.csv` (file, age, gender, race, service_test) with `train/1.jpg` and
 * `val/1.jpg`. Its makers keep no other test part, so the validation list is the test part here.
 */
import type { RawRow } from "../dataset.ts";
import type { SourceLayout } from "./layout.ts";
import { listFiles, pictureFinder, readList } from "./lists.ts";

const LIST = /^fairface_label_(train|val)\.csv$/;

export const fairface: SourceLayout = {
  name: "FairFace",
  looks: "fairface_label_train.csv and fairface_label_val.csv with train/ and val/",
  detect: (folder) => listFiles(folder, LIST).length > 0,
  read: async (folder) => {
    const find = pictureFinder(folder);
    const rows: RawRow[] = [];
    for (const file of listFiles(folder, LIST)) {
      const list = await readList(folder, file);
      const split = file.endsWith("_train.csv") ? "train" : "test";
      for (const row of list.rows) {
        const labels = ["gender", "age", "race"].map((column) => list.cell(row, column));
        rows.push({ file: find(list.cell(row, "file"), file), split, labels });
      }
    }
    return {
      name: "FairFace",
      root: folder.root,
      layout: fairface.name,
      columns: ["gender", "age_group", "race"],
      rows,
      tasks: {},
      assumptions: [
        "split: the validation list is taken for the test part; validation is cut from training",
        "labels: ages are groups of years here (--task age-group)",
      ],
      problems: [],
    };
  },
};
