/** FER2013 as a table: `fer2013.csv` or `icml_face_data.csv` (emotion, pixels, Usage), the pictures in it as 48 x 48 numbers. */
import { join } from "node:path";
import { pixelTable } from "../images/pixel-rows.ts";
import type { DataProblem } from "../../record/record.ts";
import type { RawRow } from "../dataset.ts";
import type { SourceLayout } from "./layout.ts";
import { listFiles } from "./lists.ts";
import { partOf } from "./names.ts";

const TABLE = /^(fer2013|icml_face_data)\.csv$/;
const EMOTIONS = ["anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral"];

export const fer2013: SourceLayout = {
  name: "FER2013",
  looks: "fer2013.csv or icml_face_data.csv, the pictures in it",
  detect: (folder) => folder.pictures.length === 0 && listFiles(folder, TABLE).length > 0,
  read: async (folder) => {
    const [file] = listFiles(folder, TABLE);
    const { columns, cells } = await pixelTable(join(folder.root, file));
    const [emotionAt, usageAt] = [columns.indexOf("emotion"), columns.indexOf("usage")];
    const codes = new Map(EMOTIONS.map((name, code) => [String(code), name]));
    const rows: RawRow[] = [];
    const problems: DataProblem[] = [];
    cells.forEach((row, i) => {
      const name = `${file}#${i + 1}`;
      const [emotion, split] = [codes.get(row[emotionAt] ?? ""), partOf(row[usageAt] ?? "")];
      if (usageAt >= 0 && split === undefined)
        problems.push({
          file: name,
          problem: `Usage "${row[usageAt] ?? ""}", Training or a test was needed`,
        });
      else rows.push({ file: name, labels: [emotion ?? ""], ...(split !== undefined && { split }) });
    });
    return {
      name: "FER2013",
      root: folder.root,
      layout: fer2013.name,
      columns: ["emotion"],
      rows,
      tasks: {},
      assumptions: [
        "split: PublicTest is taken for validation, PrivateTest for the test part",
        "crop: the pictures are faces of 48 x 48 grey pixels",
      ],
      problems,
    };
  },
};
