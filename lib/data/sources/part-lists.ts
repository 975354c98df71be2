/** Lists of the pictures of each part beside them: train.txt and test.txt, at the top or together in one folder (meta/, splits/). */
import { basename, dirname, extname, join } from "node:path";
import { EtlError } from "../../core/errors.ts";
import { readText } from "../../core/files.ts";
import type { DataProblem } from "../../record/record.ts";
import type { RawTable, Split } from "../dataset.ts";
import type { Folder } from "./layout.ts";
import { partOf } from "./names.ts";

interface List {
  readonly file: string;
  readonly part: Split;
}

/** What people write beside the word: `train_list.txt`, `test_files.txt`. */
const BESIDE = /(file)?lists?|files?|names?|ids?|split|[\s_.-]+/gi;

/** The lists of a folder: those for training and another part, at one place. */
export function listsOf({ files }: Pick<Folder, "files">): readonly List[] {
  const places = new Map<string, List[]>();
  for (const file of files) {
    if (file.split("/").length > 2 || !/\.(txt|lst|list|csv)$/i.test(file)) continue;
    const part = partOf(basename(file, extname(file)).replaceAll(BESIDE, ""));
    if (part === undefined) continue;
    places.set(dirname(file), [...(places.get(dirname(file)) ?? []), { file, part }]);
  }
  const whole = [...places.values()].filter((lists) => {
    const parts = new Set(lists.map(({ part }) => part));
    return parts.has("train") && parts.size > 1 && parts.size === lists.length;
  });
  return whole.length === 1 ? whole[0] : [];
}

/** Where the rows are by the names that a list may have for them: from any folder on, with and without an ending; -1 for several. */
function placesOf(table: RawTable): ReadonlyMap<string, number> {
  const places = new Map<string, number>();
  const add = (name: string, i: number): void => {
    places.set(name, (places.get(name) ?? i) === i ? i : -1);
  };
  table.rows.forEach(({ file }, i) => {
    for (let from = 0; from >= 0; from = file.indexOf("/", from) + 1 || -1) {
      const name = file.slice(from);
      add(name, i);
      const ending = extname(name);
      if (ending !== "") add(name.slice(0, -ending.length), i);
    }
  });
  return places;
}

/** The row that a line of a list names: all of it, its first cell, or its first word, from any folder on. */
function rowOf(line: string, places: ReadonlyMap<string, number>): number | undefined {
  const text = line.trim().replaceAll("\\", "/");
  for (const way of [text, text.split(/[,;\t]/)[0], text.split(/\s/)[0]]) {
    const name = way.replace(/^"(.*)"$/, "$1").replace(/^\.?\/+/, "");
    for (let from = 0; from >= 0; from = name.indexOf("/", from) + 1 || -1) {
      const at = places.get(name.slice(from));
      if (at !== undefined) return at < 0 ? undefined : at;
    }
  }
  return undefined;
}

/**
 * A table without parts, with those of the lists beside its pictures. A picture in two lists belongs to the test part; one in none is
 * left out.
 *
 * @throws EtlError kind `data` where the lists name some of the pictures and many others
 */
export async function withListedParts(table: RawTable, folder: Folder): Promise<RawTable> {
  const lists = table.rows.some(({ split }) => split !== undefined) ? [] : listsOf(folder);
  if (lists.length === 0) return table;
  const names = lists.map(({ file }) => file).join(", ");
  const places = placesOf(table);
  const parts = new Map<number, Split>();
  const rank = { train: 0, val: 1, test: 2 };
  let [lines, found, twice] = [0, 0, 0];
  const empty: string[] = [];
  for (const { file, part } of lists) {
    const before = found;
    for (const line of (await readText(join(folder.root, file))).split(/\r\n|\r|\n/)) {
      if (line.trim() === "") continue;
      lines++;
      const at = rowOf(line, places);
      if (at === undefined) continue;
      found++;
      const other = parts.get(at);
      if (other !== undefined && other !== part) twice++;
      if (other === undefined || rank[part] > rank[other]) parts.set(at, part);
    }
    if (found === before) empty.push(file);
  }
  if (found === 0)
    return {
      ...table,
      assumptions: [...table.assumptions, `split: ${names} are not read, no line of theirs names a picture`],
    };
  if (found * 2 < lines)
    throw new EtlError(
      "data",
      `${folder.root}: ${found} of ${lines} lines of ${names} name a picture, most of them were needed`,
      { hint: "move these lists away, or write a labels.csv with a column split (docs/data.md)" },
    );
  if (empty.length > 0)
    throw new EtlError(
      "data",
      `${folder.root}: ${empty.join(", ")} ${empty.length === 1 ? "names" : "name"} none of the pictures (${found} are in the other ${lists.length - empty.length === 1 ? "list" : "lists"}): a list of each part was needed`,
      { hint: "fill or remove what is empty, or move all lists away: the parts are then cut by seed" },
    );
  const problems: DataProblem[] = [...table.problems];
  const rows = table.rows.flatMap((row, i) => {
    const split = parts.get(i);
    if (split !== undefined) return [{ ...row, split }];
    problems.push({ file: row.file, problem: `in none of the lists ${names}` });
    return [];
  });
  const more =
    twice === 0
      ? ""
      : `; ${twice === 1 ? "1 picture is in two of them, and is" : `${twice} pictures are in two of them, and are`} not trained on`;
  return {
    ...table,
    rows,
    problems,
    assumptions: [...table.assumptions, `split: as ${names} say${more}`],
  };
}
