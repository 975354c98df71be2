/**
 * IMDB-WIKI: ages from the names of the pictures, `[id]_[date of birth]_[year of the photo].jpg` in `wiki_crop/00/` or
 * `imdb_crop/00/`. Gender stands only in the .mat files, which are not read.
 */
import { baseName, mostMatch, type SourceLayout } from "./layout.ts";

const NAME = /^(?:nm)?(\d+)(?:_rm\d+)?_(\d{4})-(\d{1,2})-(\d{1,2})_(\d{4})\.jpe?g$/i;
/** The oldest person on record. */
const OLDEST = 122;

export const imdbWiki: SourceLayout = {
  name: "IMDB-WIKI",
  looks: "pictures named id_birth-date_year.jpg",
  detect: (folder) => mostMatch(folder.pictures, NAME),
  read: (folder) => {
    const ages = folder.pictures.map((file) => ageOf(baseName(file)));
    return Promise.resolve({
      name: "IMDB-WIKI",
      root: folder.root,
      layout: imdbWiki.name,
      columns: ["age"],
      rows: folder.pictures.flatMap((file, i) => {
        const found = ages[i];
        return typeof found === "string"
          ? []
          : [{ file, identity: found.person, labels: [String(found.age)] }];
      }),
      tasks: { age: { column: "age", unit: "years" } },
      assumptions: [
        "labels: years from the date of birth to the middle of the year of the photo; gender is not read",
      ],
      problems: folder.pictures.flatMap((file, i) => {
        const found = ages[i];
        return typeof found === "string" ? [{ file, problem: found }] : [];
      }),
    });
  },
};

/** Whole years at the first of July, as the makers count; or why there are none. */
function ageOf(name: string): { readonly age: number; readonly person: string } | string {
  const match = NAME.exec(name);
  if (match === null) return "name without id, date of birth and year";
  const [, person, ...dates] = match;
  const [born, month, day, year] = dates.map(Number);
  if (month < 1 || month > 12 || day < 1 || day > 31)
    return `no date of birth (${dates.slice(0, 3).join("-")})`;
  const age = year - born - (month > 7 || (month === 7 && day > 1) ? 1 : 0);
  return age >= 0 && age <= OLDEST ? { age, person } : `an age of ${age} years, 0 to ${OLDEST} were needed`;
}
