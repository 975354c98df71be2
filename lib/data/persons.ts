/** Who is on a picture: a column of the table, the folders that the pictures lie in, or what the layout knows already. */
import { EtlError } from "../core/errors.ts";
import { plural } from "../core/printable.ts";
import { isMissing } from "./codes.ts";
import { countedValues, countsText } from "./counts.ts";
import type { RawRow, RawTable } from "./dataset.ts";
import { partOf } from "./sources/names.ts";

/** The "identity" of pictures whose folders are the persons. */
const FOLDER_PERSONS = "folder";

const IDENTITY_COLUMNS = ["identity", "person", "subject"];
/** Names without blanks, `_` and `-` of columns that say who is on the picture where several pictures share a value. */
const PERSON_COLUMNS =
  /^((identity|person|subject|user|participant|patient|individual|celebrity|actor)(id|name|number|nr|no)?|celebid)$/;
/** Folders that may be persons are not fewer than this. */
const FEW_FOLDERS = 8;

/**
 * A table with who is on its pictures: as `dataset.json` says, whatever the layout; else as the layout knows; else by a column that is
 * called after persons, or by folders that the pictures are called after.
 *
 * @param declared "identity" of `dataset.json`
 * @throws EtlError kind `data` where there is no such column
 */
export function withPersons(table: RawTable, declared: string | undefined): RawTable {
  if (declared !== undefined) return withDeclared(table, declared);
  if (table.rows.some(({ identity }) => identity !== undefined)) return table;
  const at = personColumn(table);
  if (at >= 0)
    return withColumn(table, at, [
      `identity: column "${table.columns[at]}" is taken for who is on the picture`,
    ]);
  return withFolders(table);
}

function withDeclared(table: RawTable, declared: string): RawTable {
  const at = table.columns.indexOf(declared);
  if (at >= 0) return withColumn(table, at, []);
  if (declared === FOLDER_PERSONS) return withFolderPersons(table);
  // A layout that knows the persons has no column for them.
  const known = table.rows.some(({ identity }) => identity !== undefined);
  if (known && PERSON_COLUMNS.test(plainName(declared))) return table;
  const folders = new Set(table.rows.map(folderOf)).size > 1;
  throw new EtlError(
    "data",
    `${table.root}: columns ${table.columns.join(", ")} (${table.layout}), the identity column "${declared}" named in dataset.json was needed`,
    folders
      ? {
          hint: `where the folders of the pictures are the persons: "identity": "${FOLDER_PERSONS}"; else write a labels.csv with that column (docs/data.md)`,
        }
      : { hint: "name a column of the table, or write a labels.csv with that column (docs/data.md)" },
  );
}

function withColumn(table: RawTable, at: number, said: readonly string[]): RawTable {
  const persons = table.rows.map(({ labels }) => labels[at]);
  return named(table, persons.map(personIn), [...said, ...nobodies(persons)]);
}

/** The folders right above the pictures; a folder that is the class is no person. */
function withFolderPersons(table: RawTable): RawTable {
  const persons = table.rows.map((row) => {
    const folder = folderOf(row);
    return partOf(folder) !== undefined || row.labels.includes(folder) ? "" : folder;
  });
  const known = countedValues(persons);
  if (known.size < 2)
    throw new EtlError(
      "data",
      `${table.root}: the folders right above the pictures (${[...new Set(table.rows.map(folderOf))].slice(0, 4).join(", ") || "none"}) are labels or parts, or one alone: folders of persons were needed, as dataset.json says ("identity": "${FOLDER_PERSONS}")`,
      { hint: "one folder per person, or a labels.csv with a column that says who is on the picture" },
    );
  const without = persons.filter((person) => person === "").length;
  return named(table, persons, [
    `identity: the ${known.size} folders right above the pictures are the persons${
      without === 0
        ? ""
        : `; ${plural(without, "picture")} in none of them ${without === 1 ? "is" : "are"} nobody's`
    }`,
  ]);
}

function named(table: RawTable, persons: readonly string[], said: readonly string[]): RawTable {
  const rows = table.rows.map(({ file, labels, split, box }, i): RawRow => ({
    file,
    labels,
    ...(split && { split }),
    ...(persons[i] !== "" && { identity: persons[i] }),
    ...(box && { box }),
  }));
  // What a layout says of the folders inside classes ("not kept together") is no longer so.
  const before = table.assumptions.filter((sentence) => !sentence.startsWith("identity: "));
  return { ...table, rows, assumptions: [...before, ...said] };
}

/**
 * Folders of the pictures where nothing says who is on them. Pictures that are called after their folders (`Ann_Lee/Ann_Lee_0001.jpg`, as
 * LFW has them) are those of one person; of other folders it is said that they are not kept together where parts are cut.
 */
function withFolders(table: RawTable): RawTable {
  const folders = table.rows.map(folderOf);
  const counts = countedValues(folders);
  const largest = Math.max(0, ...counts.values());
  const some = [...counts.keys()].slice(0, 3).join(", ");
  if (
    counts.size < FEW_FOLDERS ||
    counts.size === folders.length ||
    largest * 2 > folders.length ||
    [...counts.keys()].some((folder) => partOf(folder) !== undefined) ||
    areLabels(table, folders)
  )
    return table;
  const calledAfter = table.rows.filter(({ file }, i) => {
    const name = file.slice(file.lastIndexOf("/") + 1);
    return (
      folders[i] !== "" &&
      name.startsWith(folders[i]) &&
      !/^[\p{L}\p{N}]/u.test(name.slice(folders[i].length))
    );
  }).length;
  if (calledAfter === folders.length && [...counts.keys()].every((folder) => /\p{L}/u.test(folder)))
    return named(table, folders, [
      `identity: the ${counts.size} folders that the pictures are called after (${some}, ...) are taken for persons`,
    ]);
  const cut = table.rows.every(({ split }) => split !== "test" && split !== "val");
  // Of folders inside classes the layout has said it.
  const isSaid = table.assumptions.some((sentence) => sentence.startsWith("identity: "));
  return !cut || isSaid
    ? table
    : {
        ...table,
        assumptions: [
          ...table.assumptions,
          `identity: the folders of the pictures (${some}, ...) are not kept together; if they are persons or videos, say so in dataset.json: "identity": "${FOLDER_PERSONS}"`,
        ],
      };
}

/** Whether the folders are the values of a label column, one for one. */
function areLabels({ columns, rows }: RawTable, folders: readonly string[]): boolean {
  return columns.some((_, at) => {
    const pairs = new Set(rows.map(({ labels }, i) => JSON.stringify([folders[i], labels[at]])));
    return (
      pairs.size === new Set(folders).size &&
      pairs.size === new Set(rows.map(({ labels }) => labels[at])).size
    );
  });
}

function folderOf({ file }: RawRow): string {
  return file.split("/").at(-2) ?? "";
}

/** The column of persons by its name; -1 where there is none. */
function personColumn(table: RawTable): number {
  const lower = table.columns.map((column) => column.toLowerCase());
  const at = IDENTITY_COLUMNS.map((name) => lower.indexOf(name)).find((found) => found >= 0);
  return at ?? table.columns.findIndex((_, i) => namesPersons(table, i));
}

/** Whether a column is called after persons, and several pictures share one. */
function namesPersons({ columns, rows }: RawTable, at: number): boolean {
  if (!PERSON_COLUMNS.test(plainName(columns[at]))) return false;
  const values = rows.map(({ labels }) => personIn(labels[at])).filter((value) => value !== "");
  const persons = new Set(values).size;
  return persons > 1 && persons < values.length;
}

const plainName = (column: string): string => column.toLowerCase().replaceAll(/[\s_-]/g, "");

/** Who is on a picture; "" where the cell says that nobody knows: such pictures are no person's. */
function personIn(cell: string): string {
  const person = cell.trim();
  return isMissing(person) || person === "-1" ? "" : person;
}

/** That words like "unknown" are no person, and how many pictures have them. */
function nobodies(persons: readonly string[]): string[] {
  const counts = countedValues(persons.filter((person) => person !== "" && personIn(person) === ""));
  return counts.size === 0
    ? []
    : [
        `identity: ${countsText(counts)} ${counts.size === 1 ? "is" : "are"} taken for not known; these pictures are kept together with no others`,
      ];
}
