/** The tasks of a run: the output that answers each, its labels among those of the others, its share of the moments. */
import type { Moments, TapMoments } from "../../core/artifacts.ts";
import { mergeMoments, selectOutputs } from "../../math/moments.ts";
import { predictionName } from "../../backbones/head.ts";
import type { Dataset, Item } from "../../data/dataset.ts";
import { columnsOf, type TaskColumns } from "../../data/joint.ts";
import type { ImageStore } from "../../data/images/store.ts";

/** A task, its columns in the target rows, and the output of the networks that answers it. */
export interface RunTask extends TaskColumns {
  readonly output: string;
}

/** The tasks of a data set. One alone is answered by `prediction`, several by outputs of their own names. */
export function runTasks(dataset: Pick<Dataset, "task" | "tasks">): RunTask[] {
  const all = columnsOf(dataset);
  return all.map((each) => ({
    ...each,
    output: all.length === 1 ? predictionName : outputName(each.task.name),
  }));
}

/** Engines give outputs back as the properties of an object: one name among them means something else. */
function outputName(task: string): string {
  return task === "__proto__" ? "task __proto__" : task;
}

/** A task's columns of rows of all tasks, [n, width] to [n, task.outputs]. */
export function columnsFrom(values: Float32Array, { task, start }: TaskColumns, width: number): Float32Array {
  const q = task.outputs;
  if (q === width) return values;
  const n = values.length / width;
  const own = new Float32Array(n * q);
  for (let i = 0; i < n; i++) own.set(values.subarray(i * width + start, i * width + start + q), i * q);
  return own;
}

/** Whether a picture has a label of the task. */
export function isLabelled({ mask }: Pick<Item, "mask">, { task, start }: TaskColumns): boolean {
  return mask?.subarray(start, start + task.outputs).some((known) => known > 0) ?? true;
}

/** The labels of one task on those of some rows that have one. */
export interface TaskLabels {
  /** Positions among the rows that were asked for. */
  readonly at: Uint32Array;
  /** [at.length, q], target units */
  readonly targets: Float32Array;
  /** [at.length, q], 0 = label missing; absent where all are known. */
  readonly mask?: Float32Array;
}

export function labelsOf(
  { items }: Pick<ImageStore, "items">,
  of: TaskColumns,
  rows: Uint32Array,
): TaskLabels {
  const { start, task } = of;
  const q = task.outputs;
  const at = Uint32Array.from(rows.keys()).filter((i) => isLabelled(items[rows[i]], of));
  const targets = new Float32Array(at.length * q);
  const mask = new Float32Array(at.length * q).fill(1);
  at.forEach((i, k) => {
    const item = items[rows[i]];
    targets.set(item.target.subarray(start, start + q), k * q);
    if (item.mask !== undefined) mask.set(item.mask.subarray(start, start + q), k * q);
  });
  return { at, targets, ...(mask.includes(0) ? { mask } : {}) };
}

/** Which tasks a picture has labels of: pictures that know the same tasks share their sums. */
export interface LabelGroups {
  /** Of every group, whether it knows the task, beside the run's tasks. */
  readonly groups: readonly (readonly boolean[])[];
  /** The group of a picture. */
  readonly groupOf: (item: Pick<Item, "mask">) => number;
}

/** The groups among some pictures; one where every picture knows every task. */
export function labelGroups(
  items: readonly Pick<Item, "mask">[],
  tasks: readonly TaskColumns[],
): LabelGroups {
  const nameOf = (item: Pick<Item, "mask">): string =>
    tasks.map((each) => (isLabelled(item, each) ? "1" : "0")).join("");
  const names = [...new Set(items.map(nameOf))].sort();
  return {
    groups: names.map((name) => Array.from(name, (known) => known === "1")),
    groupOf: (item) => Math.max(0, names.indexOf(nameOf(item))),
  };
}

/** The tasks of a run and who knows them. */
export interface Labelling {
  readonly tasks: readonly RunTask[];
  readonly labels: LabelGroups;
}

/**
 * Every task's moments from those of all: the sums over the groups that know it, its columns only.
 *
 * @param all folds of every group one after the other, [groups x folds]
 * @returns beside the tasks
 */
export function momentsByTask(all: TapMoments, { tasks, labels: { groups } }: Labelling): TapMoments[] {
  const foldCount = all.folds.length / groups.length;
  return tasks.map(({ start, task }, t) => {
    const known = groups.flatMap((group, g) => (group[t] ? [g] : []));
    const folds = Array.from({ length: foldCount }, (_, k): Moments => {
      const parts = known.map((g) => all.folds[g * foldCount + k]);
      return selectOutputs(mergeMoments(parts), start, task.outputs);
    });
    return { tap: all.tap, folds };
  });
}

/** The mean over the tasks. */
export function meanOver<T>(tasks: readonly T[], read: (task: T) => number): number {
  return tasks.reduce((sum, task) => sum + read(task), 0) / tasks.length;
}
