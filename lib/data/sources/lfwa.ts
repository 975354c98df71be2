/**
 * LFW with its attributes, beside `Person_Name/Person_Name_0001.jpg`: `lfw_attributes.txt` (person, number of the picture, 73 scores: above 0
 * is yes; Kumar et al., ICCV 2009), else `lfw_att_40.mat` (CelebA's 40 attributes, 1 or 0; Liu et al., ICCV 2015).
 */
import { join } from "node:path";
import { EtlError } from "../../core/errors.ts";
import { readBytes, readText } from "../../core/files.ts";
import type { DataProblem } from "../../record/record.ts";
import type { RawRow } from "../dataset.ts";
import { CELEBA_ATTRIBUTES } from "./celeba-attributes.ts";
import type { Folder, SourceLayout } from "./layout.ts";
import { listFiles, pictureFinder } from "./lists.ts";
import { readMatFile } from "./mat.ts";

const LIST = /^lfw_attributes\.txt$/;
const MAT = /^lfw_att_(40|73)\.mat$/;

export const lfwa: SourceLayout = {
  name: "LFWA",
  looks: "lfw_att_40.mat or lfw_attributes.txt with Person_Name/Person_Name_0001.jpg",
  detect: (folder) => listFiles(folder, LIST).length > 0 || listFiles(folder, MAT).length > 0,
  read: async (folder) => {
    const [[scores], [mat]] = [listFiles(folder, LIST), listFiles(folder, MAT)];
    const { columns, rows, problems, said } =
      scores === undefined ? await readLabels(folder, mat) : await readScores(folder, scores);
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
        `labels: ${said}; of the ${columns.length} attributes ${shared.length} have a name of CelebA's`,
      ],
      problems,
    };
  },
};

interface Read {
  readonly columns: readonly string[];
  readonly rows: readonly RawRow[];
  readonly problems: readonly DataProblem[];
  /** What was taken for yes. */
  readonly said: string;
}

async function readScores(folder: Folder, file: string): Promise<Read> {
  const lines = (await readText(join(folder.root, file))).split(/\r?\n/).filter((line) => line.trim() !== "");
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
    else problems.push({ file: picture, problem: `${scores.length} scores, ${columns.length} were needed` });
  }
  return { columns, rows, problems, said: "scores above 0 are yes" };
}

/** `label` [pictures, attributes] with the names of both in cells beside it. */
async function readLabels(folder: Folder, file: string): Promise<Read> {
  const { matrices, texts } = readMatFile(await readBytes(join(folder.root, file)), file);
  const [label, attributes, names] = [matrices.get("label"), texts.get("AttrName"), texts.get("name")];
  if (
    label === undefined ||
    attributes === undefined ||
    names === undefined ||
    label.data.length !== attributes.length * names.length
  ) {
    throw new EtlError(
      "format",
      `${file}: no label [pictures, attributes] with the cells AttrName and name, they were needed`,
      { hint: "write a labels.csv (file,person,Male,...) of it" },
    );
  }
  const find = pictureFinder(folder);
  const rows = names.map((name, i): RawRow => {
    const path = name.trim().replaceAll("\\", "/");
    return {
      file: find(path, file),
      identity: path.split("/")[0].replaceAll("_", " "),
      labels: attributes.map((_, j) => String(label.data[i + j * names.length])),
    };
  });
  return {
    columns: attributes.map((name) => celebaName(name.trim())),
    rows,
    problems: [],
    said: `${file}, 1 is yes and 0 is no`,
  };
}

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
