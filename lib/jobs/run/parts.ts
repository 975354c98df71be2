/** The rows of training, validation and test part. */
import type { Task } from "../../core/artifacts.ts";
import { EtlError } from "../../core/errors.ts";
import { rowsOf, type ImageStore } from "../../data/images/store.ts";
import { isLabelled, type RunTask } from "./tasks.ts";

/** Rows of the store by part. */
export interface PartRows {
  readonly train: Uint32Array;
  readonly val: Uint32Array;
  readonly test: Uint32Array;
}

/** Fewest pictures of each part without which nothing can be learned or measured. */
const fewest = { train: 10, val: 2, test: 5 } as const;

/**
 * @param parts what is needed; without `val` the training part stands for a validation part that is not there
 * @throws EtlError `data` where a part has too few usable pictures
 */
export function partRows(
  store: ImageStore,
  hint: string,
  parts: readonly (keyof PartRows)[] = ["train", "val", "test"],
): PartRows {
  const rows = allPartRows(store);
  for (const part of parts) needRows(store, part, rows[part].length, hint);
  return rows.val.length === 0 ? { ...rows, val: rows.train } : rows;
}

/** @throws EtlError `data` where a part has too few pictures with a label of one of several tasks */
export function checkParts(store: ImageStore, rows: PartRows, tasks: readonly RunTask[]): void {
  const hint = "check --val-fraction and --limit, and the labels of this task";
  for (const each of tasks) {
    for (const part of ["train", "val", "test"] as const) {
      const count = rows[part].filter((row) => isLabelled(store.items[row], each)).length;
      needRows(store, part, count, `${hint} (${each.task.name})`);
    }
  }
}

function needRows(store: ImageStore, part: keyof PartRows, count: number, hint: string): void {
  if (count >= fewest[part]) return;
  const found = `${store.dataset.name}: ${count} usable ${part} pictures`;
  throw new EtlError("data", `${found}, at least ${fewest[part]} were needed`, { hint });
}

/**
 * Labels that are all the same teach nothing, and whoever always gives that answer is right on all of them.
 *
 * @param labels of the training part
 * @throws EtlError `data`
 */
export function checkVaries(
  name: string,
  task: Task,
  { targets, mask }: { readonly targets: Float32Array; readonly mask?: Float32Array | undefined },
): void {
  const q = task.outputs;
  const first = new Array<number | undefined>(q).fill(undefined);
  for (let i = 0; i < targets.length; i++) {
    if (mask !== undefined && !(mask[i] > 0)) continue;
    const known = (first[i % q] ??= targets[i]);
    if (known !== targets[i]) return;
  }
  const value = first[0] ?? 0;
  const classes = task.kind === "binary" ? task.classes[value > 0.5 ? 1 : 0] : task.classes[first.indexOf(1)];
  const found = task.kind === "regression" ? String(Number((value / task.scale).toPrecision(6))) : classes;
  throw new EtlError(
    "data",
    `${name}: every training picture has the same label of ${task.name} (${found ?? "none"}), at least two different ones were needed`,
    { hint: "check the labels, their split column, and --limit" },
  );
}

/** However few they are. */
export function allPartRows(store: ImageStore): PartRows {
  return { train: rowsOf(store, "train"), val: rowsOf(store, "val"), test: rowsOf(store, "test") };
}
