/** Which rows of a table can be used: label read, file there, listed once. */
import { messageOf } from "../core/errors.ts";
import { insideOf } from "../core/files.ts";
import { mapLimit } from "../core/parallel.ts";
import type { Random } from "../core/random.ts";
import type { DataProblem } from "../record/record.ts";
import type { RawTable } from "./dataset.ts";
import { pictureStat } from "./images/pixel-rows.ts";
import type { LabelledRow } from "./images/place.ts";
import type { Label } from "./reading.ts";

/** The rows whose label can be read and whose file exists; the others are named in `problems`. */
export async function usableRows(
  table: RawTable,
  labels: readonly Label[],
  problems: DataProblem[],
): Promise<LabelledRow[]> {
  const drawn = table.root === "";
  const twice = listedTwice(table, labels);
  const found = await mapLimit(table.rows, 32, async (row, i): Promise<LabelledRow | string> => {
    const other = twice.get(i);
    if (other !== undefined) return other;
    const label = labels[i];
    if ("problem" in label) return label.problem;
    if (drawn) return { row, label, bytes: 0, modifiedMs: 0 };
    try {
      const info = await pictureStat(insideOf(table.root, row.file));
      if (!info.isFile) return "is not a file";
      if (info.size === 0) return "is empty (0 bytes)";
      return { row, label, bytes: info.size, modifiedMs: Math.trunc(info.mtimeMs) };
    } catch (error) {
      const gone = error instanceof Error && "code" in error && error.code === "ENOENT";
      if (gone && row.file.includes("\uFFFD"))
        return "its name holds letters that are not UTF-8: save the table as UTF-8, or rename the file";
      return gone ? NO_FILE : messageOf(error);
    }
  });
  const usable: LabelledRow[] = [];
  found.forEach((result, i) => {
    if (typeof result === "string") problems.push({ file: table.rows[i].file, problem: result });
    else usable.push(result);
  });
  return usable;
}

/** Why a row cannot be used whose picture is missing. */
export const NO_FILE = "there is no such file";

/**
 * Rows that name a picture that another row names, too, and why they are left out. Of rows that agree one counts: one of the test part,
 * so that the picture is not trained on; else the first that has a label. Rows that contradict each other are left out, all of them.
 */
function listedTwice(table: RawTable, labels: readonly Label[]): ReadonlyMap<number, string> {
  const first = new Map<string, number>();
  const again = new Map<string, number[]>();
  table.rows.forEach(({ file }, i) => {
    const known = first.get(file);
    if (known === undefined) first.set(file, i);
    else again.set(file, [...(again.get(file) ?? [known]), i]);
  });
  const out = new Map<number, string>();
  for (const rows of again.values()) {
    const labelled = rows.filter((i) => "target" in labels[i]);
    const texts = new Set(labelled.map((i) => textOf(labels[i])));
    const wins = labelled.find((i) => table.rows[i].split === "test") ?? labelled[0] ?? rows[0];
    for (const i of rows) {
      if (texts.size > 1) out.set(i, "listed twice with different labels: neither counts");
      else if (i !== wins)
        out.set(i, `listed twice, ${wins === rows[0] ? "the first row counts" : "another row counts"}`);
    }
  }
  return out;
}

function textOf(label: Label): string {
  return "target" in label ? `${label.target.join()} ${label.mask?.join() ?? ""}` : "";
}

/** At most so many rows, drawn by seed. */
export function limitRows(
  rows: readonly LabelledRow[],
  limit: number | undefined,
  random: Random,
): readonly LabelledRow[] {
  if (limit === undefined || rows.length <= limit) return rows;
  const chosen = random.shuffle(rows.map((_, i) => i)).slice(0, limit);
  return chosen.sort((a, b) => a - b).map((i) => rows[i]);
}
