/**
 * KDEF: pictures named `AF01ANFL.JPG`: session A or B, F or M, number of the person, emotion (AF afraid, AN angry, DI disgusted,
 * HA happy, NE neutral, SA sad, SU surprised), angle (FL full left profile, HL half left, S straight, HR, FR).
 */
import { baseName, mostMatch, type SourceLayout } from "./layout.ts";

const NAME = /^[AB]([FM])(\d{2})(AF|AN|DI|HA|NE|SA|SU)(FL|HL|S|HR|FR)\.\w+$/i;

const EMOTIONS: ReadonlyMap<string, string> = new Map([
  ["AF", "fear"],
  ["AN", "anger"],
  ["DI", "disgust"],
  ["HA", "happiness"],
  ["NE", "neutral"],
  ["SA", "sadness"],
  ["SU", "surprise"],
]);
const DEGREES: ReadonlyMap<string, number> = new Map([
  ["FL", -90],
  ["HL", -45],
  ["S", 0],
  ["HR", 45],
  ["FR", 90],
]);

export const kdef: SourceLayout = {
  name: "KDEF",
  looks: "pictures named AF01ANFL.JPG",
  detect: (folder) => mostMatch(folder.pictures, NAME),
  read: (folder) => {
    const found = folder.pictures.map((file) => NAME.exec(baseName(file).toUpperCase()));
    return Promise.resolve({
      name: "KDEF",
      root: folder.root,
      layout: kdef.name,
      columns: ["emotion", "gender", "yaw"],
      rows: folder.pictures.flatMap((file, i) => {
        const match = found[i];
        if (match === null) return [];
        const [, sex, person, emotion, side] = match;
        const labels = [
          EMOTIONS.get(emotion) ?? "",
          sex === "F" ? "female" : "male",
          String(DEGREES.get(side) ?? ""),
        ];
        return [{ file, identity: `${sex}${person}`, labels }];
      }),
      tasks: { "head-pose": { column: "yaw", unit: "degrees", mirror: "negate" as const } },
      assumptions: [
        "labels: from the file names; both sessions show the same persons; yaw is negative where the left profile is seen",
      ],
      problems: folder.pictures.flatMap((file, i) =>
        found[i] === null ? [{ file, problem: "name without person, emotion and angle" }] : [],
      ),
    });
  },
};
