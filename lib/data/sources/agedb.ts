/** AgeDB: labels in the file names, `id_name_age_gender.jpg`. */
import { baseName, mostMatch, type SourceLayout } from "./layout.ts";

const NAME = /^(\d+)_(.+)_(\d{1,3})_([fm])\.(jpg|jpeg|png)$/i;

export const agedb: SourceLayout = {
  name: "AgeDB",
  looks: "pictures named id_name_age_gender.jpg",
  detect: (folder) => mostMatch(folder.pictures, NAME),
  read: (folder) => {
    const matches = folder.pictures.map((file) => NAME.exec(baseName(file)));
    return Promise.resolve({
      name: "AgeDB",
      root: folder.root,
      layout: agedb.name,
      columns: ["gender", "age"],
      rows: folder.pictures.flatMap((file, i) => {
        const match = matches[i];
        if (match === null) return [];
        return [{ file, labels: [match[4].toLowerCase(), match[3]], identity: match[2] }];
      }),
      tasks: {
        gender: { column: "gender", values: { f: "female", m: "male" } },
        age: { column: "age", unit: "years" },
      },
      assumptions: ["labels: from the file names (id_name_age_gender); the name is the identity"],
      problems: folder.pictures.flatMap((file, i) =>
        matches[i] === null ? [{ file, problem: "name without id_name_age_gender" }] : [],
      ),
    });
  },
};
