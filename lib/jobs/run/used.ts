/** Which part of a run each picture was in: `parts.csv`. An evaluation on the run's own data counts what it has not seen. */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { formatCsv, parseCsv, plainCell } from "../../core/csv.ts";
import { readText, writeChanged } from "../../core/files.ts";
import type { Split } from "../../data/dataset.ts";
import type { ImageStore } from "../../data/images/store.ts";
import type { PartRows } from "./parts.ts";
import type { RunFolder } from "./folder.ts";
import { needWhole } from "./state.ts";

/** Name of the file in the run folder. */
export const partsFile = "parts.csv";

/** Writes the part of every picture of a run. */
export async function writeParts(
  folder: RunFolder,
  { items }: Pick<ImageStore, "items">,
  rows: PartRows,
): Promise<void> {
  const parts = ["train", "val", "test"] as const;
  // Where the training part stands for the validation part, it is the training part.
  const named = parts.filter((part) => part === "train" || rows[part] !== rows.train);
  const lines = named.flatMap((part) =>
    Array.from(rows[part], (row) => [plainCell(items[row].file), part] as const),
  );
  await writeChanged(folder.file(partsFile), formatCsv({ header: ["file", "part"], rows: lines }));
}

/** The parts beside a run's model, by the picture's cell ({@link plainCell}); undefined where there are none. @param model path of the file */
export async function readParts(model: string): Promise<Map<string, Split> | undefined> {
  const path = join(dirname(model), partsFile);
  if (!existsSync(path)) return undefined;
  await needWhole(path);
  const { rows } = parseCsv(await readText(path), path);
  return new Map(rows.map(([file, part]) => [file, part as Split]));
}
