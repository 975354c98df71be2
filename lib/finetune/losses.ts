/** The loss of each kind of task, and the parts of distillation. */
import type { Task } from "../core/artifacts.ts";
import type { LossTerm } from "../engine/engine.ts";

/** Names under which the trainer feeds targets. */
export const targetName = "etl_target";
export const maskName = "etl_mask";

/**
 * The loss of a task on the network's output.
 *
 * binary and multi-label: sigmoid cross-entropy; categorical: softmax cross-entropy; regression: half the squared
 * error (of standardised targets).
 */
export function taskLoss(task: Task, output: string, masked: boolean): LossTerm {
  const kinds = {
    binary: "sigmoid-cross-entropy",
    "multi-label": "sigmoid-cross-entropy",
    categorical: "softmax-cross-entropy",
    regression: "squared",
  } as const;
  return {
    kind: kinds[task.kind],
    output,
    target: targetName,
    weight: 1,
    ...(masked ? { mask: maskName } : {}),
  };
}
