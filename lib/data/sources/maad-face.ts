/** MAAD-Face: `MAAD_Face.csv` (Filename, Identity, 47 attributes: 1 yes, -1 no, 0 not known) for the pictures of VGGFace2. */
import { EtlError } from "../../core/errors.ts";
import type { RawRow } from "../dataset.ts";
import type { SourceLayout } from "./layout.ts";
import { listFiles, pictureFinder, readList } from "./lists.ts";

const LIST = /^maad[_-]?face.*\.csv$/;

export const maadFace: SourceLayout = {
  name: "MAAD-Face",
  looks: "MAAD_Face.csv with pictures in n000001/",
  detect: (folder) => listFiles(folder, LIST).length > 0,
  read: async (folder) => {
    const [file] = listFiles(folder, LIST);
    const list = await readList(folder, file);
    const attributes = list.header.slice(2);
    if (!/^filename$/i.test(list.header[0] ?? "") || attributes.length === 0) {
      throw new EtlError(
        "format",
        `${file}: columns ${list.header.slice(0, 5).join(", ")}, Filename, Identity and attributes were needed`,
      );
    }
    const find = pictureFinder(folder);
    const rows = list.rows.map((row): RawRow => {
      const [name, identity, ...labels] = row.map((cell) => cell.trim());
      return {
        file: find(name, file),
        identity,
        labels: labels.map((label) => (label === "0" ? "" : label)),
      };
    });
    const male = attributes.find((attribute) => /^male$/i.test(attribute));
    return {
      name: "MAAD-Face",
      root: folder.root,
      layout: maadFace.name,
      columns: attributes,
      rows,
      tasks: {
        attributes: { columns: attributes },
        ...(male !== undefined && { gender: { column: male, values: { "-1": "female", "1": "male" } } }),
      },
      assumptions: ["labels: 0 is not known, and left out"],
      problems: [],
    };
  },
};
