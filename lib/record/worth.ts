/** What the choice of filters is worth: ETL beside each control of the same widths, over all runs. */
import { groupBy } from "../core/group-by.ts";
import type { RunRecord } from "./record.ts";
import { measureOf, valueOf, type Measure } from "./measure.ts";
import { controlsOf, prunedOf, seedOf } from "./models.ts";
import { recordsByTask } from "./tasks.ts";
import { spread, studentBound } from "../math/statistics.ts";
import { variantsOf } from "./sweep.ts";

/** ETL minus one control, in the measure of the tasks on the test part. */
export interface Worth {
  /** Name and title of the control. */
  readonly control: string;
  readonly title: string;
  /** "accuracy": a positive difference is ETL's gain. "mae", in `unit`: a negative one is. */
  readonly measure: Measure["name"];
  /** Of mean absolute errors; empty for accuracies. */
  readonly unit: string;
  /** Mean over the tasks of this measure. */
  readonly difference: number;
  /**
   * Standard error of `difference` by what seeds do: the deviation within a task, pooled over tasks. Absent where no task
   * has two seeds.
   */
  readonly error?: number;
  /** Whether chance is an unlikely explanation (5 %, Student's t over the seeds); absent with `error`. */
  readonly sure?: boolean;
  readonly tasks: readonly TaskWorth[];
}

export interface TaskWorth {
  readonly task: string;
  readonly backbone: string;
  /** Name of the data set. */
  readonly dataset: string;
  /** Mean over the seeds. */
  readonly difference: number;
  readonly seeds: number;
}

/**
 * One entry for each control and measure (errors in years are not averaged with accuracies), in the order in which they appear. Networks of one run are compared with each other: they saw the
 * same pictures, so that what a seed's draw of pictures does to both falls out. Gammas of one task and seed are averaged
 * first; variants are left out, and a run that was put in twice counts once.
 */
export function worthOfSelection(runs: readonly RunRecord[]): Worth[] {
  const records = runs.flatMap(recordsByTask);
  const variants = variantsOf(records);
  const pairs = new Map<string, Pair>();
  for (const [i, record] of records.entries()) {
    const pruned = prunedOf(record);
    if (variants[i] !== "" || pruned === undefined) continue;
    const { task, backbone, dataset } = record;
    const place = { task: task.name, backbone: backbone.name, dataset: dataset.name, seed: seedOf(record) };
    for (const { name, title, test } of controlsOf(record)) {
      const [own, others] = [valueOf(task, pruned.test), valueOf(task, test)];
      if (own === undefined || others === undefined) continue;
      const { name: measure, unit } = measureOf(task);
      const pair = { control: name, title, measure, unit, ...place, difference: own - others };
      pairs.set(JSON.stringify([name, place, record.gamma]), pair);
    }
  }
  const alike = groupBy(pairs.values(), ({ control, measure, unit }) =>
    JSON.stringify([control, measure, unit]),
  );
  return Array.from(alike.values(), worthOf);
}

interface Pair extends Omit<TaskWorth, "seeds">, Pick<Worth, "control" | "title" | "measure" | "unit"> {
  readonly seed: number;
}

function worthOf(pairs: readonly [Pair, ...Pair[]]): Worth {
  const [{ control, title, measure, unit }] = pairs;
  const byTask = groupBy(pairs, ({ task, backbone, dataset }) => JSON.stringify([task, backbone, dataset]));
  const each = Array.from(byTask.values(), (own) => ({ ...own[0], differences: overGammas(own) }));
  const tasks = each.map(({ task, backbone, dataset, differences }): TaskWorth => {
    return { task, backbone, dataset, difference: spread(differences).mean, seeds: differences.length };
  });
  const difference = spread(tasks.map((one) => one.difference)).mean;
  const freedom = tasks.reduce((sum, { seeds }) => sum + seeds - 1, 0);
  if (freedom === 0) return { control, title, measure, unit, difference, tasks };
  const squares = each.reduce(
    (sum, { differences }) => sum + (differences.length - 1) * spread(differences).sd ** 2,
    0,
  );
  const inverse = tasks.reduce((sum, { seeds }) => sum + 1 / seeds, 0);
  const error = Math.sqrt((squares / freedom) * inverse) / tasks.length;
  const sure = error > 0 && Math.abs(difference) > studentBound(freedom) * error;
  return { control, title, measure, unit, difference, error, sure, tasks };
}

/** The difference of every seed, mean over its gammas. */
function overGammas(pairs: readonly Pair[]): number[] {
  const bySeed = groupBy(pairs, ({ seed }) => seed);
  return Array.from(bySeed.values(), (own) => spread(own.map(({ difference }) => difference)).mean);
}
