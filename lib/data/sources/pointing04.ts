/**
 * Pointing'04: labels in the file names, `personne01146-15+30.jpg` = person 01, series 1, picture 46, tilt -15, pan +30
 * degrees; the face box in a text file of the same name (centre x, centre y, width, height in pixels).
 */
import { join } from "node:path";
import { readText } from "../../core/files.ts";
import type { Crop } from "../../core/artifacts.ts";
import type { RawRow } from "../dataset.ts";
import { mapLimit } from "../../core/parallel.ts";
import { baseName, mostMatch, type Folder, type SourceLayout } from "./layout.ts";

const NAME = /^person(?:ne)?(\d{2})(\d)(\d{2})([+-]\d+)([+-]\d+)\.(jpg|jpeg|png)$/i;

/** The crop's side as a multiple of the face box's larger side. */
const ROOM = 1.6;

export const pointing04: SourceLayout = {
  name: "Pointing'04",
  looks: "pictures named personSSNMM<pitch><yaw>.jpg",
  detect: (folder) => mostMatch(folder.pictures, NAME),
  read: async (folder) => {
    const texts = new Set(folder.files.filter((file) => file.endsWith(".txt")));
    const rows = await mapLimit(folder.pictures, 16, async (file): Promise<RawRow | undefined> => {
      const match = NAME.exec(baseName(file));
      if (match === null) return undefined;
      const [, person, series, , pitch, yaw] = match;
      const text = file.replace(/\.\w+$/, ".txt");
      const box = texts.has(text) ? await readBox(folder, text) : undefined;
      return {
        file,
        identity: String(Number(person)),
        labels: [String(Number(yaw)), String(Number(pitch)), series],
        ...(box && { box }),
      };
    });
    const boxes = rows.filter((row) => row?.box !== undefined).length;
    return {
      name: "Pointing'04",
      root: folder.root,
      layout: pointing04.name,
      columns: ["yaw", "pitch", "series"],
      rows: rows.filter((row) => row !== undefined),
      tasks: { "head-pose": { column: "yaw", unit: "degrees", mirror: "negate" as const } },
      assumptions: [
        "labels: from the file names (person, series, number, pitch, yaw)",
        ...(boxes > 0
          ? [`crop: ${ROOM} times the face box of the text file beside the picture (${boxes} found)`]
          : []),
      ],
      problems: rows.flatMap((row, i) =>
        row === undefined
          ? [{ file: folder.pictures[i], problem: "name without person, pitch and yaw" }]
          : [],
      ),
    };
  },
};

/** The square around the annotated face, in pixels; undefined where the text holds no four numbers. */
async function readBox(folder: Folder, file: string): Promise<Crop | undefined> {
  const lines = (await readText(join(folder.root, file))).split(/\r?\n/).map((line) => line.trim());
  const numbers = lines.filter((line) => /^\d+(\.\d+)?$/.test(line)).map(Number);
  if (numbers.length < 4) return undefined;
  const [x, y, width, height] = numbers;
  const half = (Math.max(width, height) * ROOM) / 2;
  return half > 0 ? [x - half, y - half, x + half, y + half] : undefined;
}
