/** Stage evaluate: quality on the test part (touched once). */
import { plainText } from "../../report/format.ts";
import { qualityText } from "../../report/sections/facts.ts";
import { EtlError } from "../../core/errors.ts";
import { writeJson } from "../../core/files.ts";
import type { GroupRecord, Metrics, PairedDifference } from "../../record/record.ts";
import { computeMetrics } from "../../evaluate/metrics.ts";
import type { Network } from "../../network/network.ts";
import { isUncut } from "../../record/models.ts";
import type { RunContext } from "./context.ts";
import type { Lineage } from "../run/profile.ts";
import { readStored } from "../run/stored.ts";
import { labelsOf } from "../run/tasks.ts";
import { predictParts, qualityOf, type TaskAnswers } from "./tune.ts";

/** A network to be measured, in target units. */
export interface Candidate {
  readonly name: string;
  readonly network: Network;
}

/** Quality of one network on one task, and how it compares with the baseline on the same rows. */
interface TaskQuality {
  readonly task: string;
  readonly test: Metrics;
  readonly validation: Metrics;
  readonly versusBaseline?: PairedDifference;
  readonly versusPruned?: PairedDifference;
  /** Regression: distance of each answer from its label, in the unit of the label. */
  readonly errors?: readonly number[];
  /** How right the answer to each labelled row of the test part is, 0..1. */
  readonly right: readonly number[];
}

/** Quality of one network. */
export interface Evaluated {
  readonly name: string;
  /** Beside the run's tasks. */
  readonly tasks: readonly TaskQuality[];
}

/** `evaluation/NAME.json`: metrics, and how right each labelled test row was (0..1), for paired comparisons. */
interface EvaluationFile {
  readonly tasks: readonly Omit<TaskQuality, "versusBaseline" | "versusPruned">[];
}

const fileOf = (model: string): string => `evaluation/${model}.json`;

/** Evaluates a network on validation and test parts; leaves `evaluation/NAME.json`. The baseline comes first, the pruned one before controls. */
export async function evaluateStage(
  context: RunContext,
  { name, network }: Candidate,
  { from, key }: Lineage,
): Promise<Evaluated> {
  const { folder, progress } = context;
  await folder.stage(`evaluate:${name}`, {
    from,
    measures: true,
    inputs: { key, file: "by task, with errors" },
    files: [fileOf(name)],
    produce: async () => {
      const parts = [context.rows.test, context.rows.val];
      progress.start(`evaluate ${name}`, parts[0].length + parts[1].length);
      const [test, validation] = await predictParts(context, network, parts, progress);
      context.signal?.throwIfAborted();
      const tasks = test.map((answers, t) => {
        const quality = qualityOf(answers);
        return {
          task: answers.task.name,
          test: quality,
          validation: qualityOf(validation[t]),
          right: Array.from(rightness(answers, quality)),
          ...(answers.task.kind === "regression" && { errors: Array.from(distances(answers)) }),
        };
      });
      await writeJson(folder.file(fileOf(name)), { tasks } satisfies EvaluationFile);
      progress.finish(
        tasks
          .map(({ task, test: quality }, t) => {
            const said = plainText(qualityText(test[t].task, quality));
            return `${task} ${said}, n = ${quality.n}`;
          })
          .join("; "),
      );
    },
  });
  const { tasks } = await readEvaluation(context, name);
  const baseline = name === "baseline" ? undefined : await readEvaluation(context, "baseline");
  const pruned = name === "pruned" || isUncut({ name }) ? undefined : await readEvaluation(context, "pruned");
  return {
    name,
    tasks: tasks.map((quality, t) => ({
      ...quality,
      ...(baseline && { versusBaseline: versus(quality, baseline.tasks[t]) }),
      ...(pruned && { versusPruned: versus(quality, pruned.tasks[t]) }),
    })),
  };
}

async function readEvaluation(
  { folder, tasks }: Pick<RunContext, "folder" | "tasks">,
  name: string,
): Promise<EvaluationFile> {
  const file = fileOf(name);
  const read = await readStored<EvaluationFile>(folder, file, "evaluations");
  if (read.tasks.length === tasks.length) return read;
  throw new EtlError(
    "format",
    `${folder.file(file)}: ${read.tasks.length} tasks, ${tasks.length} were needed`,
    { hint: "remove this file and run the same command again: it is made anew" },
  );
}

/** How right the answer to each row is. */
function rightness(
  { task, predictions, targets, mask }: TaskAnswers,
  { tolerance }: Pick<Metrics, "tolerance">,
): Float64Array {
  const q = task.outputs;
  // A regression without a tolerance of its own is judged row by row by the one of the whole part.
  const each = tolerance === undefined ? task : { ...task, tolerance };
  return Float64Array.from({ length: targets.length / q }, (_, i) => {
    const part = (data: Float32Array): Float32Array => data.subarray(i * q, (i + 1) * q);
    const known = mask ? { mask: part(mask) } : {};
    return computeMetrics(each, part(predictions), part(targets), known).accuracy;
  });
}

/**
 * Difference of two accuracies on the same rows, with its standard error from the rows that differ. For one answer a
 * row this is McNemar's: sqrt((gained + lost) / n - difference^2) / sqrt(n).
 */
function paired(
  right: readonly number[],
  reference: readonly number[],
): { difference: number; error: number } {
  const n = right.length;
  let [sum, squares] = [0, 0];
  right.forEach((value, i) => {
    const difference = value - reference[i];
    sum += difference;
    squares += difference * difference;
  });
  const difference = sum / n;
  return { difference, error: Math.sqrt(Math.max(0, squares / n - difference ** 2) / n) };
}

/** One network against another on the same rows. */
function versus(
  one: Pick<TaskQuality, "right" | "errors">,
  other: Pick<TaskQuality, "right" | "errors">,
): PairedDifference {
  const better = (a: readonly number[], b: readonly number[]): number =>
    a.filter((value, i) => value > b[i]).length;
  return {
    ...paired(one.right, other.right),
    gained: better(one.right, other.right),
    lost: better(other.right, one.right),
    ...(one.errors && other.errors && { mae: paired(one.errors, other.errors) }),
  };
}

/** Mean absolute distance of each row's answers from its labels, in the unit of the label. */
function distances({ task, predictions, targets }: TaskAnswers): Float64Array {
  const q = task.outputs;
  return Float64Array.from({ length: targets.length / q }, (_, i) => {
    let sum = 0;
    for (let k = i * q; k < (i + 1) * q; k++) sum += Math.abs(predictions[k] - targets[k]);
    return sum / q / task.scale;
  });
}

/** Accuracy of every network in every group of test faces that has some; of the run's first task. */
export function groupAccuracies(
  { dataset, store, rows, tasks: [task] }: Pick<RunContext, "dataset" | "store" | "rows" | "tasks">,
  evaluated: readonly Evaluated[],
): readonly GroupRecord[] {
  const tested = Array.from(labelsOf(store, task, rows.test).at, (i) => store.items[rows.test[i]]);
  return dataset.groups.flatMap(({ column, labels }, c) =>
    labels.flatMap((label, code) => {
      const own = Array.from(tested.keys()).filter((i) => tested[i].groups?.[c] === code);
      if (own.length === 0) return [];
      const share = ({ tasks: [{ right }] }: Evaluated): number =>
        own.reduce((sum, i) => sum + right[i], 0) / own.length;
      const accuracy = Object.fromEntries(evaluated.map((each) => [each.name, share(each)]));
      return [{ column, label, n: own.length, accuracy }];
    }),
  );
}
