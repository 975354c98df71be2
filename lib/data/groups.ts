/** Groups of test faces by the label columns of a data set: errors are counted by them. */
import { own } from "../core/own.ts";
import type { Task } from "../core/artifacts.ts";
import { byRange } from "./age-groups.ts";
import { quantile } from "../math/statistics.ts";
import type { GroupColumn, RawRow, RawTable } from "./dataset.ts";

/** Code of a face that is in no group of a column. */
export const NO_GROUP = 255;

/** More values than this are no groups; numbers are cut into ranges. */
const mostGroups = 12;
const mostColumns = 64;
const ranges = 5;
const missing = new Set(["", "na", "n/a", "nan", "none", "null", "?"]);
/** Landmark coordinates. */
const coordinate = /^[xy]\d+$/;

/**
 * Groups of some rows: by every column that has a few values (or numbers, as ranges of equal counts), save the ones
 * that the task learns. A number that is learnt is a group too: errors differ over its range.
 *
 * @returns columns that divide the rows, and the codes of each row beside them
 */
export function groupRows(
  table: Pick<RawTable, "columns" | "tasks">,
  task: Pick<Task, "kind" | "columns" | "outputs">,
  rows: readonly Pick<RawRow, "labels" | "identity">[],
): { readonly columns: readonly GroupColumn[]; readonly codes: readonly Uint8Array[] } {
  const learnt = new Set(task.kind === "regression" && task.outputs === 1 ? [] : task.columns);
  const found =
    task.kind === "multi-label"
      ? []
      : table.columns.flatMap((column, at) => {
          if (learnt.has(column) || coordinate.test(column)) return [];
          const texts = rows.map(({ labels }) => (labels[at] ?? "").trim());
          // Who is on a picture is no quantity, even where persons have numbers.
          if (rows.every(({ identity }, i) => identity !== undefined && identity === texts[i])) return [];
          const grouped = groupTexts(texts, namesOf(table.tasks, column));
          return grouped === undefined ? [] : [{ column, ...grouped }];
        });
  const columns = found.slice(0, mostColumns);
  return {
    columns: columns.map(({ column, labels }) => ({ column, labels })),
    codes: rows.map((_, i) => Uint8Array.from(columns, ({ codes }) => codes[i])),
  };
}

/** What the codes of a column mean, where a task on it says so. */
function namesOf(tasks: RawTable["tasks"], column: string): Readonly<Record<string, string>> | undefined {
  return Object.values(tasks).find((task) => task.column === column && task.values !== undefined)?.values;
}

interface Grouped {
  readonly labels: readonly string[];
  readonly codes: Uint8Array;
}

/** The groups of one column; undefined where it does not divide the rows. */
function groupTexts(
  texts: readonly string[],
  names: Readonly<Record<string, string>> | undefined,
): Grouped | undefined {
  const known = texts.filter((text) => !missing.has(text.toLowerCase()));
  const found = [...new Set(known)];
  const values = byRange(found) ?? found.sort(new Intl.Collator("en", { numeric: true }).compare);
  if (values.length < 2) return undefined;
  if (values.length > mostGroups) {
    const numbers = known.map(Number);
    return numbers.every(Number.isFinite) ? rangesOf(texts, numbers) : undefined;
  }
  const signs = values.every((value) => value === "1" || value === "-1");
  const nameOf = (value: string): string =>
    own(names, value) ?? (signs ? (value === "1" ? "yes" : "no") : value);
  const code = new Map(values.map((value, i) => [value, i]));
  return {
    labels: values.map(nameOf),
    codes: Uint8Array.from(texts, (text) => code.get(text) ?? NO_GROUP),
  };
}

/** Ranges with about equal counts; undefined where the numbers do not allow two. */
function rangesOf(texts: readonly string[], numbers: readonly number[]): Grouped | undefined {
  const sorted = numbers.toSorted((a, b) => a - b);
  const cuts = Array.from({ length: ranges - 1 }, (_, i) => quantile(sorted, (i + 1) / ranges));
  const starts = [...new Set([-Infinity, ...cuts])].filter((cut) => cut <= sorted[sorted.length - 1]);
  const codeOf = (value: number): number => starts.findLastIndex((start) => value >= start);
  const inside = starts.map((_, code) => sorted.filter((value) => codeOf(value) === code));
  if (inside.filter((own) => own.length > 0).length < 2) return undefined;
  const write = (value: number | undefined): string => String(Number((value ?? NaN).toPrecision(3)));
  return {
    labels: inside.map((own) => `${write(own[0])} to ${write(own.at(-1))}`),
    codes: Uint8Array.from(texts, (text) =>
      missing.has(text.toLowerCase()) ? NO_GROUP : codeOf(Number(text)),
    ),
  };
}
