/** UTKFace: labels in the file names, `[age]_[gender]_[race]_[date].jpg`. The third field is not read. */
import { baseName, mostMatch, type SourceLayout } from "./layout.ts";

const NAME = /^(\d{1,3})_([01])_(\d)_(\d+)\.(jpg|jpeg|png)(\.chip\.jpg)?$/i;

export const utkface: SourceLayout = {
  name: "UTKFace",
  looks: "pictures named age_gender_race_date.jpg",
  detect: (folder) => mostMatch(folder.pictures, NAME),
  read: (folder) => {
    const matches = folder.pictures.map((file) => NAME.exec(baseName(file)));
    return Promise.resolve({
      name: "UTKFace",
      root: folder.root,
      layout: utkface.name,
      columns: ["gender", "age"],
      rows: folder.pictures.flatMap((file, i) => {
        const match = matches[i];
        return match === null ? [] : [{ file, labels: [match[2], match[1]] }];
      }),
      crop: [0, 0, 1, 1] as const,
      tasks: {
        gender: { column: "gender", values: { "0": "male", "1": "female" } },
        age: { column: "age", unit: "years" },
      },
      assumptions: ["labels: from the file names (age_gender_race_date); race is not read"],
      problems: folder.pictures.flatMap((file, i) =>
        matches[i] === null ? [{ file, problem: "name without age_gender_race_date" }] : [],
      ),
    });
  },
};
