/** Numbers that several sections tell: read once, here. */
import type { RmseKind } from "../../core/artifacts.ts";
import { baselineOf } from "../../record/models.ts";
import type { ModelRecord, RunRecord } from "../../record/record.ts";

/** Whether the run trained a network as it is: no filter was harvested, nothing was cut. */
export function isTraining(record: RunRecord): boolean {
  return record.curves.length === 0 && record.layers.length === 0 && baselineOf(record) === undefined;
}

/** A difference of accuracies with its standard error; `paired` where both were measured on the same rows. */
export interface Difference {
  readonly value: number;
  readonly error: number;
  readonly paired: boolean;
}

/** Accuracy of `model` minus that of `reference`. */
export function accuracyDifference(model: ModelRecord, reference: ModelRecord): Difference {
  if (reference.name === "baseline" && model.versusBaseline) {
    return { value: model.versusBaseline.difference, error: model.versusBaseline.error, paired: true };
  }
  return {
    value: model.test.accuracy - reference.test.accuracy,
    error: Math.hypot(model.test.accuracyError, reference.test.accuracyError),
    paired: false,
  };
}

/** Share of the reference's accuracy that is left, with its standard error (first-order propagation). */
export function accuracyKept(model: ModelRecord, reference: ModelRecord): Difference {
  const kept = model.test.accuracy / reference.test.accuracy;
  const difference = accuracyDifference(model, reference);
  if (difference.paired)
    return { value: kept, error: difference.error / reference.test.accuracy, paired: true };
  const error =
    kept *
    Math.hypot(
      model.test.accuracyError / model.test.accuracy,
      reference.test.accuracyError / reference.test.accuracy,
    );
  return { value: kept, error, paired: false };
}

/** Which error the knees were found on. */
export function rmseKindOf(record: RunRecord): RmseKind {
  const asked = record.config["rmse"];
  const hasHeldOut = record.curves.every((curve) => curve.heldOutRmse !== undefined);
  if (asked === "train" || !hasHeldOut) return "train";
  return "heldout";
}

/** What counts as right for this task: "within 15 degrees", or nothing to add. */
export function accuracyMeaning(record: RunRecord): string {
  const { kind, tolerance, unit } = record.task;
  if (kind === "regression")
    return `share of test faces predicted within ${tolerance ?? 0} ${unit ?? ""}`.trim();
  if (kind === "multi-label") return "share of right answers, averaged over the attributes";
  return "share of test faces classified correctly";
}

/** The text with a capital first letter. */
export function sentenceCase(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** "4 threads" or "1 thread". */
export function plural(count: number, word: string): string {
  return `${String(count).replace(/\B(?=(\d{3})+$)/g, ",")} ${word}${count === 1 ? "" : "s"}`;
}
