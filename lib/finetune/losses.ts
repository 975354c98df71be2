/** The loss of each kind of task, in the graph and as a number. */
import type { Task, TaskKind } from "../core/artifacts.ts";
import type { LossTerm } from "../core/artifacts.ts";

/** Names under which the trainer feeds targets. */
const targetName = "etl_target";
const maskName = "etl_mask";

/** The names for the k-th of several heads: the plain ones for the first. */
export function fedNames(k: number): { readonly target: string; readonly mask: string } {
  return k === 0
    ? { target: targetName, mask: maskName }
    : { target: `${targetName}.${k}`, mask: `${maskName}.${k}` };
}

const kinds: Readonly<Record<TaskKind, LossTerm["kind"]>> = {
  binary: "sigmoid-cross-entropy",
  "multi-label": "sigmoid-cross-entropy",
  categorical: "softmax-cross-entropy",
  regression: "squared",
};

/**
 * The loss of a task on the network's output.
 *
 * binary and multi-label: sigmoid cross-entropy; categorical: softmax cross-entropy; regression: half the squared
 * error (of standardised targets).
 */
export function taskLoss(task: Task, output: string, masked: boolean): LossTerm {
  return {
    kind: kinds[task.kind],
    output,
    target: targetName,
    weight: 1,
    ...(masked ? { mask: maskName } : {}),
  };
}

/**
 * The same loss as a number: mean over rows (and outputs), in float64.
 *
 * @param predictions [n, q] row-major
 * @param targets [n, q]
 * @param mask [n, q], 0 = label missing
 */
export function lossValue(
  kind: TaskKind,
  {
    predictions,
    targets,
    mask,
  }: { predictions: ArrayLike<number>; targets: ArrayLike<number>; mask?: ArrayLike<number> | undefined },
  q: number,
): number {
  const rows = predictions.length / q;
  let sum = 0;
  for (let i = 0; i < rows; i++) {
    sum += kind === "categorical" ? softmaxLoss(predictions, targets, i * q, q) : 0;
    if (kind === "categorical") continue;
    for (let k = i * q; k < (i + 1) * q; k++) {
      const weight = (mask?.[k] ?? 1) / q;
      const [z, y] = [predictions[k], targets[k]];
      if (weight === 0) continue;
      sum += weight * (kind === "regression" ? 0.5 * (z - y) ** 2 : sigmoidLoss(z, y));
    }
  }
  return sum / Math.max(1, rows);
}

/** -y log s(z) - (1 - y) log(1 - s(z)), without overflow. */
function sigmoidLoss(z: number, y: number): number {
  return Math.max(z, 0) - z * y + Math.log1p(Math.exp(-Math.abs(z)));
}

function softmaxLoss(z: ArrayLike<number>, y: ArrayLike<number>, start: number, q: number): number {
  let largest = -Infinity;
  for (let k = start; k < start + q; k++) largest = Math.max(largest, z[k]);
  let total = 0;
  for (let k = start; k < start + q; k++) total += Math.exp(z[k] - largest);
  const normaliser = largest + Math.log(total);
  let sum = 0;
  for (let k = start; k < start + q; k++) sum += y[k] * (normaliser - z[k]);
  return sum;
}
