/** The labels of a run's tasks in training: what the loss compares, and what is fed with every batch. */
import type { Batch } from "../../data/images/batches.ts";
import type { Tensors } from "../../engine/engine.ts";
import type { LossTerm } from "../../core/artifacts.ts";
import { fedNames, taskLoss } from "../../finetune/losses.ts";
import type { Tensor } from "../../network/network.ts";
import type { RunContext } from "./context.ts";
import { columnsFrom, isLabelled, type RunTask } from "../run/tasks.ts";
import { standardise, type Units } from "../run/units.ts";

/** A task in training. */
export interface FedTask extends RunTask {
  readonly units: Units;
  readonly term: LossTerm;
  /** Training pictures over those with a label: the loss is then a mean over labels, however few know the task. */
  readonly rarity: number;
}

/** The tasks with their losses, which weigh 1 together: the balance with distillation stays that of one task. */
export function fedTasks({ tasks, store, rows }: RunContext, units: readonly Units[]): FedTask[] {
  return tasks.map((of, k): FedTask => {
    const { task, output, start } = of;
    const masked = store.items.some(({ mask }) => mask?.subarray(start, start + task.outputs).includes(0));
    const labelled = rows.train.filter((row) => isLabelled(store.items[row], of)).length;
    const { target, mask } = fedNames(k);
    const term = { ...taskLoss(task, output, false), target, weight: 1 / tasks.length };
    return {
      ...of,
      units: units[k],
      term: masked ? { ...term, mask } : term,
      rarity: rows.train.length / Math.max(1, labelled),
    };
  });
}

/** Labels of a batch in training units, and what is known of them. */
export function feedLabels({ y, mask }: Pick<Batch, "y" | "mask">, fed: readonly FedTask[]): Tensors {
  const [n, width] = y.shape;
  const tensors = new Map<string, Tensor>();
  for (const of of fed) {
    const { term, units, rarity } = of;
    const shape = [n, of.task.outputs];
    tensors.set(term.target, { shape, data: standardise(columnsFrom(y.data, of, width), units) });
    if (term.mask === undefined) continue;
    const known = mask ? columnsFrom(mask.data, of, width) : new Float32Array(n * of.task.outputs).fill(1);
    tensors.set(term.mask, { shape, data: rarity === 1 ? known : known.map((one) => one * rarity) });
  }
  return Object.fromEntries(tensors);
}
