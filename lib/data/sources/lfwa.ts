/**
 * LFW with its attributes: `lfw_attributes.txt` (person, number of the picture, 73 scores: above 0 is yes) beside
 * `Person_Name/Person_Name_0001.jpg`.
 */
import { join } from "node:path";
import { EtlError } from "../../core/errors.ts";
import { readText } from "../../core/files.ts";
import type { DataProblem } from "../../record/record.ts";
import type { RawRow } from "../dataset.ts";
import { CELEBA_ATTRIBUTES } from "./celeba-attributes.ts";
import type { SourceLayout } from "./layout.ts";
import { listFiles, pictureFinder } from "./lists.ts";

const LIST = /^lfw_attributes\.txt$/;

export const lfwa: SourceLayout = {
  name: "LFWA",
  looks: "lfw_attributes.txt with Person_Name/Person_Name_0001.jpg",
  detect: (folder) => listFiles(folder, LIST).length > 0,
  read: async (folder) => {
    const [file] = listFiles(folder, LIST);
    const lines = (await readText(join(folder.root, file)))
      .split(/\r?\n/)
      .filter((line) => line.trim() !== "");
    const headerAt = lines.findIndex((line) => /\bperson\b.*\bimagenum\b/.test(line));
    const header = (lines[headerAt] ?? "").replace(/^#\s*/, "").split("\t");
    const columns = header.slice(2).map((name) => celebaName(name.trim()));
    if (headerAt < 0 || columns.length === 0) {
      throw new EtlError("format", `${file}: no line "# person imagenum Male ...", one was needed`);
    }
    const find = pictureFinder(folder);
    const rows: RawRow[] = [];
    const problems: DataProblem[] = [];
    for (const line of lines.slice(headerAt + 1)) {
      const [person = "", number = "", ...scores] = line.split("\t").map((cell) => cell.trim());
      const name = person.replaceAll(" ", "_");
      const picture = find(`${name}/${name}_${number.padStart(4, "0")}.jpg`, file);
      if (scores.length === columns.length)
        rows.push({ file: picture, identity: person, labels: scores.map(yesOrNo) });
      else
        problems.push({ file: picture, problem: `${scores.length} scores, ${columns.length} were needed` });
    }
    const shared = columns.filter((column) => CELEBA_ATTRIBUTES.includes(column));
    return {
      name: "LFWA",
      root: folder.root,
      layout: lfwa.name,
      columns,
      rows,
      tasks: {
        gender: { column: "Male", values: { "0": "female", "1": "male" } },
        attributes: { columns: shared.length > 0 ? shared : columns },
      },
      assumptions: [
        `labels: scores above 0 are yes; of the ${columns.length} attributes ${shared.length} have a name of CelebA's`,
      ],
      problems,
    };
  },
};

function yesOrNo(score: string): string {
  const value = Number(score);
  if (score === "" || !Number.isFinite(value)) return "";
  return value > 0 ? "1" : "0";
}

/** "Bags Under Eyes" -> "Bags_Under_Eyes", where CelebA has such an attribute; else as it is. */
function celebaName(name: string): string {
  const wanted = name.toLowerCase().replaceAll(/[\s'-]/g, "_");
  return CELEBA_ATTRIBUTES.find((attribute) => attribute.toLowerCase() === wanted) ?? name;
}
