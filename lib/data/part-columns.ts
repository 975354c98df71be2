/** Which column of a table says what part a picture belongs to, under whatever name and in whatever words. */
import type { Csv } from "../core/csv.ts";
import { EtlError } from "../core/errors.ts";
import { plainCode } from "./codes.ts";
import { countedValues, countsText } from "./counts.ts";
import type { RawRow, RawTable, Split } from "./dataset.ts";
import { PART_COLUMNS, partOf } from "./sources/names.ts";

/** The "column" of parts that are the folders at the top. */
export const FOLDER_PARTS = "folder";

/** What a `dataset.json` says about the parts. */
export interface PartsDeclaration {
  readonly column: string;
  /** word in the table -> part; default: the usual words */
  readonly values?: Readonly<Record<string, Split>>;
}

/** The parts of a table. */
export interface Parts {
  /** Columns that hold nothing but parts: they are no labels. */
  readonly columns: readonly number[];
  /** The part of a row; a text says why there is none; undefined where the table has no parts. */
  readonly of: (cells: readonly string[]) => Split | { readonly problem: string } | undefined;
  readonly assumptions: readonly string[];
}

/** `is_train`, `test`, `In Valid`: yes or no for one part. */
const FLAG = /^(?:is|in|for)?(train(?:ing)?|test(?:ing)?|val(?:id)?(?:ation)?)$/;
const plain = (name: string): string => name.toLowerCase().replaceAll(/[\s_-]/g, "");

/**
 * Finds the parts: what `dataset.json` says, else a column called "split", else one with a usual name or with nothing but words for
 * parts in it, else flags (`is_train`).
 *
 * @throws EtlError kind `data` where a column is meant for the parts and its words are not known
 */
export function partColumnOf(csv: Csv, path: string, declared?: PartsDeclaration): Parts {
  const words = (at: number): string[] => csv.rows.map((cells) => cells[at].trim());
  if (declared !== undefined) return declaredParts(csv, path, declared);
  const names = csv.header.map(plain);
  const assumptions: string[] = [];
  const usual = PART_COLUMNS.map((name) => names.indexOf(name)).filter((at) => at >= 0);
  const others = [...names.keys()].filter((at) => !usual.includes(at) && saysParts(csv, at));
  for (const at of [...usual, ...others]) {
    const counts = countedValues(words(at));
    const known = [...counts.keys()].filter((word) => partOf(word) !== undefined);
    if (known.length > 0) {
      const column = csv.header[at];
      if (names[at] !== "split")
        assumptions.push(
          `split: column "${column}" is taken for the parts (${[...counts.keys()].slice(0, 8).join(", ")})`,
        );
      return {
        columns: [at],
        of: (cells) => wordPart(cells[at], column),
        assumptions: [...assumptions, ...strangers(counts, column)],
      };
    }
    if (counts.size === 0) continue;
    if (names[at] === "split" || areCodes(counts)) throw unknownWords(csv.header[at], counts, path);
    assumptions.push(
      `split: column "${csv.header[at]}" is not taken for the parts, its values (${[...counts.keys()].slice(0, 5).join(", ")}) are no words for them`,
    );
  }
  return flagParts(csv, names, words, assumptions) ?? { columns: [], of: () => undefined, assumptions };
}

/** Whether a column has nothing but words for parts, the training part and another among them. */
function saysParts(csv: Csv, at: number): boolean {
  const parts = new Set<Split | undefined>();
  for (const cells of csv.rows) {
    const word = cells[at];
    if (word === "") continue;
    const part = partOf(word);
    if (part === undefined) return false;
    parts.add(part);
  }
  return parts.has("train") && parts.size > 1;
}

function wordPart(cell: string, column: string): Split | { readonly problem: string } {
  return (
    partOf(cell) ?? {
      problem: `${column.toLowerCase()} "${cell.trim().toLowerCase()}", train, val or test was needed`,
    }
  );
}

/** Words beside those for parts: their rows are left out, and that is said. */
function strangers(counts: ReadonlyMap<string, number>, column: string): string[] {
  const strange = new Map([...counts].filter(([word]) => partOf(word) === undefined));
  return strange.size === 0
    ? []
    : [
        `split: rows whose "${column}" is no word for a part are left out (${countsText(strange)}); dataset.json can say what they are ("parts")`,
      ];
}

/** 0, 1 (and 2): everybody counts the parts in another order. */
function areCodes(counts: ReadonlyMap<string, number>): boolean {
  return counts.size > 1 && [...counts.keys()].every((word) => /^[0-3](\.0)?$/.test(word));
}

function unknownWords(column: string, counts: ReadonlyMap<string, number>, path: string): EtlError {
  const guess = Object.fromEntries(
    [...counts.keys()]
      .slice(0, 3)
      .sort()
      .map((word, i) => [word, ["train", "val", "test"][i]]),
  );
  return new EtlError(
    "data",
    `${path}: column "${column}" is ${countsText(counts)}: words for parts (train, val, test) were needed`,
    {
      hint: `say it in dataset.json, for example: "parts": { "column": "${column}", "values": ${JSON.stringify(guess)} }`,
    },
  );
}

function declaredParts(csv: Csv, path: string, { column, values }: PartsDeclaration): Parts {
  const at = csv.header.indexOf(column);
  if (at < 0)
    throw new EtlError(
      "data",
      `${path}: columns ${csv.header.join(", ")}, the column "${column}" named in dataset.json (parts) was needed`,
    );
  const strange = (word: string) => ({
    problem: `${column} "${word}", ${values === undefined ? "train, val or test" : Object.keys(values).join(", ")} was needed`,
  });
  return {
    columns: [at],
    of: (cells) => {
      const word = cells[at].trim();
      return (
        (values === undefined ? partOf(word) : Object.hasOwn(values, word) ? values[word] : undefined) ??
        strange(word)
      );
    },
    assumptions: [`split: column "${column}", as dataset.json says`],
  };
}

/** Columns `is_train`, `is_valid`, `is_test` of yes and no: what is none of the parts named is the one that is not. */
function flagParts(
  csv: Csv,
  names: readonly string[],
  words: (at: number) => string[],
  assumptions: string[],
): Parts | undefined {
  const flags = names.flatMap((name, at) => {
    const word = FLAG.exec(name)?.[1];
    const part = word === undefined ? undefined : partOf(word);
    const values = part === undefined ? [] : words(at);
    return part !== undefined && values.length > 0 && values.every((value) => /^[01]$/.test(plainCode(value)))
      ? [{ at, part }]
      : [];
  });
  if (flags.length === 0) return undefined;
  const [only] = flags;
  if (flags.length === 1 && names[only.at].endsWith("valid")) {
    const column = csv.header[only.at];
    assumptions.push(
      `split: column "${column}" may say which pictures are valid, or are for validation: it is not read; dataset.json can say it: "parts": { "column": "${column}", "values": { "0": "train", "1": "val" } }`,
    );
    return undefined;
  }
  const named = new Set(flags.map(({ part }) => part));
  const rest = (["train", "test"] as const).find((part) => !named.has(part));
  const columns = flags.map(({ at }) => `"${csv.header[at]}"`).join(", ");
  return {
    columns: flags.map(({ at }) => at),
    of: (cells) => {
      const on = flags.filter(({ at }) => plainCode(cells[at]) === "1");
      if (on.length === 1) return on[0].part;
      return (
        (on.length === 0 ? rest : undefined) ?? {
          problem: `${on.length} of the columns ${columns} say yes, one was needed`,
        }
      );
    },
    assumptions: [
      `split: ${columns} ${flags.length === 1 ? "says" : "say"} which pictures are ${[...named].join(", ")}${rest === undefined ? "" : `; the others are taken for the ${rest === "train" ? "training" : "test"} part`}`,
    ],
  };
}

/**
 * Parts in the names of a table's pictures (`train/1.jpg`, `images/val/2.jpg`), where it has no column for them: a folder at the same
 * place in all names, that is a part in each of them.
 */
export function partsInNames(rows: readonly RawRow[]): { rows: readonly RawRow[]; said: string } | undefined {
  if (rows.some(({ split }) => split !== undefined)) return undefined;
  const folders = rows.map(({ file }) => file.split("/").slice(0, -1));
  for (const at of [0, 1, 2]) {
    const parts = folders.map((names) => (names.length > at ? partOf(names[at]) : undefined));
    const found = new Set(parts);
    if (!found.has("train") || found.size < 2 || found.has(undefined)) continue;
    const names = [...new Set(folders.map((one) => one[at]))].slice(0, 4).join(", ");
    return {
      rows: rows.map((row, i) => {
        const split = parts[i];
        return split === undefined ? row : { ...row, split };
      }),
      said: `split: the folders ${names} in the names of the pictures are taken for the parts`,
    };
  }
  return undefined;
}

/** A table that a layout read, with the parts that a `dataset.json` speaks of: a column of it, or the folders at the top. */
export function withParts(table: RawTable, declared: PartsDeclaration): RawTable {
  const { column } = declared;
  const folders = column === FOLDER_PARTS;
  const header = folders ? [column] : table.columns;
  const rows = folders
    ? table.rows.map(({ file }) => [file.split("/")[0]])
    : table.rows.map(({ labels }) => labels);
  const parts = declaredParts({ header, rows }, table.root, declared);
  const problems = [...table.problems];
  const kept = table.rows.flatMap((row, i) => {
    // class folders have read theirs already
    const split = (folders ? row.split : undefined) ?? parts.of(rows[i]);
    if (typeof split !== "object") return [{ ...row, ...(split && { split }) }];
    problems.push({ file: row.file, problem: split.problem });
    return [];
  });
  return { ...table, rows: kept, problems, assumptions: [...table.assumptions, ...parts.assumptions] };
}
