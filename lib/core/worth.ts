/** What the choice of filters is worth: ETL beside each control of the same widths, over all runs. */
import type { RunRecord } from "./record.ts";
import { recordsByTask } from "./record-tasks.ts";
import { spread } from "./statistics.ts";
import { variantsOf } from "./sweep.ts";

/** ETL minus one control, in accuracy on the test part. */
export interface Worth {
  /** Name and title of the control. */
  readonly control: string;
  readonly title: string;
  /** Mean over the tasks. */
  readonly difference: number;
  /**
   * Standard error of `difference` by what seeds do: the deviation within a task, pooled over tasks. Absent where no task
   * has two seeds.
   */
  readonly error?: number;
  readonly tasks: readonly TaskWorth[];
}

export interface TaskWorth {
  readonly task: string;
  readonly backbone: string;
  /** Mean over the seeds. */
  readonly difference: number;
  readonly seeds: number;
}

/**
 * One entry for each control, in the order in which they appear. Networks of one run are compared with each other: they saw the
 * same pictures, so that what a seed's draw of pictures does to both falls out. Gammas of one task and seed are averaged
 * first; variants are left out, and a run that was put in twice counts once.
 */
export function worthOfSelection(runs: readonly RunRecord[]): Worth[] {
  const records = runs.flatMap(recordsByTask);
  const variants = variantsOf(records);
  const pairs = new Map<string, Pair>();
  for (const [i, record] of records.entries()) {
    const pruned = record.models.find(({ name }) => name === "pruned");
    if (variants[i] !== "" || pruned === undefined) continue;
    for (const { name, title, test } of record.models) {
      if (untouched.has(name)) continue;
      const [task, backbone, seed] = [
        record.task.name,
        record.backbone.name,
        Number(record.config["seed"] ?? 0),
      ];
      const difference = pruned.test.accuracy - test.accuracy;
      pairs.set(JSON.stringify([name, task, backbone, seed, record.gamma]), {
        ...{ control: name, title, task, backbone, seed, difference },
      });
    }
  }
  return grouped([...pairs.values()], ({ control }) => control).map(worthOf);
}

const untouched = new Set(["baseline", "probe", "pruned"]);

interface Pair extends Omit<TaskWorth, "seeds"> {
  readonly control: string;
  readonly title: string;
  readonly seed: number;
}

function worthOf(pairs: readonly Pair[]): Worth {
  const [{ control, title }] = pairs;
  const byTask = grouped(pairs, ({ task, backbone }) => JSON.stringify([task, backbone])).map((own) => ({
    ...own[0],
    differences: grouped(own, ({ seed }) => String(seed)).map(
      (same) => spread(same.map(({ difference }) => difference)).mean,
    ),
  }));
  const tasks = byTask.map(({ task, backbone, differences }): TaskWorth => ({
    ...{ task, backbone, difference: spread(differences).mean, seeds: differences.length },
  }));
  const difference = spread(tasks.map((one) => one.difference)).mean;
  const freedom = byTask.reduce((sum, { differences }) => sum + differences.length - 1, 0);
  if (freedom === 0) return { control, title, difference, tasks };
  const squares = byTask.reduce(
    (sum, { differences }) => sum + (differences.length - 1) * spread(differences).sd ** 2,
    0,
  );
  const inverse = tasks.reduce((sum, { seeds }) => sum + 1 / seeds, 0);
  const error = Math.sqrt((squares / freedom) * inverse) / tasks.length;
  return { control, title, difference, error, tasks };
}

function grouped<T>(items: readonly T[], keyOf: (item: T) => string): T[][] {
  const groups = new Map<string, T[]>();
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]);
  return [...groups.values()];
}
