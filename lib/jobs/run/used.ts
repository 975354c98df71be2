/** Which part of a run each picture was in: `parts.csv`. An evaluation on the run's own data counts what it has not seen. */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { formatCsv, parseCsv, plainCell } from "../../core/csv.ts";
import { readText, writeChanged } from "../../core/files.ts";
import type { Dataset, Split } from "../../data/dataset.ts";
import type { ImageStore } from "../../data/images/store.ts";
import type { PartRows } from "./parts.ts";
import type { RunFolder } from "./folder.ts";
import { needWhole } from "./state.ts";

/** Name of the file in the run folder. */
export const partsFile = "parts.csv";

/** Problems with rows and pictures, one by one. */
const leftOutFile = "left-out.csv";

interface Used {
  readonly folder: RunFolder;
  readonly dataset: Pick<Dataset, "problems">;
  readonly store: Pick<ImageStore, "items" | "problems">;
  readonly rows: PartRows;
}

/**
 * Leaves the part of every picture of a run, and every row and picture that was left out, and why: `left-out.csv`, where there is
 * one. A stage, so that a run that is refused does not say of other networks what they were trained on.
 */
export async function partsStage({ folder, dataset, store, rows }: Used): Promise<void> {
  const { items } = store;
  const parts = ["train", "val", "test"] as const;
  // Where the training part stands for the validation part, it is the training part.
  const named = parts.filter((part) => part === "train" || rows[part] !== rows.train);
  const lines = named.flatMap((part) =>
    Array.from(rows[part], (row) => [plainCell(items[row].file), part] as const),
  );
  const used = formatCsv({ header: ["file", "part"], rows: lines });
  const problems = [...dataset.problems, ...store.problems];
  const left = problems.map(({ file, problem }) => [plainCell(file), plainCell(problem)]);
  const leftOut = left.length > 0 ? [formatCsv({ header: ["file", "reason"], rows: left })] : [];
  await folder.stage("parts", {
    inputs: [used, leftOut],
    files: [partsFile, ...leftOut.map(() => leftOutFile)],
    produce: async () => {
      await writeChanged(folder.file(partsFile), used);
      for (const text of leftOut) await writeChanged(folder.file(leftOutFile), text);
    },
  });
}

/** The parts beside a run's model, by the picture's cell ({@link plainCell}); undefined where there are none. @param model path of the file */
export async function readParts(model: string): Promise<Map<string, Split> | undefined> {
  const path = join(dirname(model), partsFile);
  if (!existsSync(path)) return undefined;
  await needWhole(path);
  const { rows } = parseCsv(await readText(path), path);
  return new Map(rows.map(([file, part]) => [file, part as Split]));
}
