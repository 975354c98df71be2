/** What the outputs of a trained network stand for: their losses, labels in training units, predictions and decisions. */
import { predictionName } from "../../backbones/head.ts";
import type { Architecture } from "../../backbones/architecture.ts";
import type { TaskHead } from "../../backbones/entry.ts";
import type { LossTerm, Task } from "../../core/artifacts.ts";
import { fedNames, taskLoss } from "../../finetune/losses.ts";
import { type TargetTable } from "./data.ts";
import { standardise, gather, type Units } from "../run/units.ts";

/** One output of a network in training. */
export interface TrainedHead {
  readonly table: TargetTable;
  /** Name of the value that answers. */
  readonly output: string;
  readonly term: LossTerm;
  /** Names under which labels and their weights are fed. */
  readonly target: string;
  readonly mask: string;
  /** `signed`: labels are -1 and 1; `standard`: numbers in units of their spread; `plain`: as they are. */
  readonly labels: "signed" | "standard" | "plain";
  readonly units: Units;
  /** An auxiliary task (landmarks) is trained but not judged. */
  readonly auxiliary: boolean;
}

/** DMM-CNN's beta: weight of the landmarks beside the attributes (eq. 3). */
export const landmarkWeight = 0.5;

/** Heads of a network for the tasks of a run, the main one called `prediction`. */
export function headsOf(tables: readonly TargetTable[]): TaskHead[] {
  return tables.map(({ task }, k) => ({ name: k === 0 ? predictionName : task.name, outputs: task.outputs }));
}

/**
 * The losses of all outputs. Cross-entropy, or DMM-CNN's squared errors: eq. 2 sums the mean square over the attributes
 * and eq. 1 over the coordinates, where the engine's term is half of a mean over the outputs, so its weight is 2 q.
 */
export function trainedHeads(
  tables: readonly TargetTable[],
  { recipe }: Architecture,
  train: Uint32Array,
): TrainedHead[] {
  return tables.map((table, k): TrainedHead => {
    const { task } = table;
    const auxiliary = k > 0 && task.unit === "crop";
    const signed = recipe.loss === "squared" && (task.kind === "multi-label" || task.kind === "binary");
    const labels = signed ? "signed" : task.kind === "regression" && !auxiliary ? "standard" : "plain";
    const { target, mask } = fedNames(k);
    const output = k === 0 ? predictionName : task.name;
    const summed = 2 * task.outputs;
    const weight = signed ? summed : auxiliary ? landmarkWeight * summed : 1;
    const { kind } = signed ? { kind: "squared" as const } : taskLoss(task, output, false);
    const weighted = task.kind === "multi-label" || task.kind === "binary";
    return {
      table,
      output,
      term: { kind, output, target, weight, ...(weighted ? { mask } : {}) },
      target,
      mask,
      labels,
      units: labels === "standard" ? unitsOfRows(table, train) : plainUnits(task.outputs),
      auxiliary,
    };
  });
}

/** The task of a head, with what its outputs are. */
export function answeredTask({ table: { task }, labels }: Pick<TrainedHead, "table" | "labels">): Task {
  return labels === "signed" ? { ...task, scores: "signed" } : task;
}

function plainUnits(q: number): Units {
  return { mean: new Float64Array(q), std: new Float64Array(q).fill(1) };
}

function unitsOfRows({ task, targets }: TargetTable, rows: Uint32Array): Units {
  const q = task.outputs;
  const { mean, std } = plainUnits(q);
  const values = gather(targets, rows, q);
  for (let k = 0; k < q; k++) {
    const own = values.filter((_, i) => i % q === k);
    mean[k] = own.reduce((sum, value) => sum + value, 0) / own.length;
    const variance = own.reduce((sum, value) => sum + (value - mean[k]) ** 2, 0) / own.length;
    std[k] = variance > 0 ? Math.sqrt(variance) : 1;
  }
  return { mean, std };
}

/** Labels in training units. */
export function inTraining({ labels, units }: TrainedHead, targets: Float32Array): Float32Array {
  if (labels === "signed") return targets.map((value) => (value > 0.5 ? 1 : -1));
  return labels === "standard" ? standardise(targets, units) : targets;
}

/**
 * Loss of every output on some rows, unweighted: mean over the rows with a label. Cross-entropy, or the mean square (DMM-CNN,
 * eq. 2) where labels are signed. Softmax outputs and numbers have one loss together.
 *
 * @param predictions [n, q], training units
 * @param targets [n, q], 0 and 1
 */
export function outputLosses(
  head: TrainedHead,
  predictions: ArrayLike<number>,
  targets: Float32Array,
  mask?: Float32Array,
): Float64Array {
  const q = head.table.task.outputs;
  const [sums, counts] = [new Float64Array(q), new Float64Array(q)];
  for (let i = 0; i < targets.length; i++) {
    if (mask !== undefined && !(mask[i] > 0)) continue;
    const [z, y] = [predictions[i], targets[i]];
    const signed = y > 0.5 ? 1 : -1;
    sums[i % q] +=
      head.labels === "signed"
        ? (z - signed) ** 2
        : Math.max(z, 0) - z * (y > 0.5 ? 1 : 0) + Math.log1p(Math.exp(-Math.abs(z)));
    counts[i % q]++;
  }
  return sums.map((sum, j) => sum / Math.max(1, counts[j]));
}
