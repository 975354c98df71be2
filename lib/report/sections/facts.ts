/** Numbers that several sections tell: read once, here. */
import type { RmseKind } from "../../core/artifacts.ts";
import { baselineOf } from "../../record/models.ts";
import { evenSplitProbability, shareDifference, wilson } from "../../math/statistics.ts";
import type { Metrics, ModelRecord, RunRecord } from "../../record/record.ts";
import { formatPercentError, formatRange } from "../format.ts";

/** Whether the run trained a network as it is: no filter was harvested, nothing was cut. */
export function isTraining(record: RunRecord): boolean {
  return record.curves.length === 0 && record.layers.length === 0 && baselineOf(record) === undefined;
}

/** A difference of accuracies with its standard error; `paired` where both were measured on the same rows. */
export interface Difference {
  readonly value: number;
  readonly error: number;
  readonly paired: boolean;
  /** Whether chance is an unlikely explanation (5 %): an exact test where rows are paired, an interval where not. */
  readonly sure: boolean;
  /** Paired rows on which one of the two is right and the other wrong; undefined where that was not kept. */
  readonly disagree?: number;
}

/** Accuracy of `model` minus that of `reference`. */
export function accuracyDifference(model: ModelRecord, reference: ModelRecord): Difference {
  if (reference.name === "baseline" && model.versusBaseline) {
    const { difference: value, error, gained, lost } = model.versusBaseline;
    if (gained === undefined || lost === undefined)
      return { value, error, paired: true, sure: error > 0 && Math.abs(value) > 2 * error };
    const sure = evenSplitProbability(gained, lost) < 0.05;
    return { value, error, paired: true, sure, disagree: gained + lost };
  }
  const [one, other] = [model, reference].map(({ test: { accuracy, n } }) => ({ share: accuracy, n }));
  const { low, high } = shareDifference(one, other);
  const error = Math.hypot(model.test.accuracyError, reference.test.accuracyError);
  return {
    value: one.share - other.share,
    error: error > 0 ? error : (high - low) / 4,
    paired: false,
    sure: low > 0 || high < 0,
  };
}

/** Mean absolute error of `model` minus that of `reference`, in the unit of the label; negative is better. */
export function errorDifference(model: ModelRecord, reference: ModelRecord): Difference | undefined {
  const [one, other] = [model.test.mae, reference.test.mae];
  if (one === undefined || other === undefined) return undefined;
  const paired = reference.name === "baseline" ? model.versusBaseline?.mae : undefined;
  // Unpaired, from the spread of the errors: rmse^2 - mae^2 is their variance.
  const spreadOf = ({ test: { mae = 0, rmse = mae, n } }: ModelRecord): number =>
    Math.sqrt(Math.max(0, rmse ** 2 - mae ** 2) / Math.max(1, n));
  const error = paired?.error ?? Math.hypot(spreadOf(model), spreadOf(reference));
  const value = paired?.difference ?? one - other;
  return { value, error, paired: paired !== undefined, sure: error > 0 && Math.abs(value) > 2 * error };
}

/** An accuracy as people should read it: with its standard error, or where that is nothing with the range that n allows. */
export function accuracyText({ accuracy, accuracyError, n }: Metrics): string {
  return accuracyError > 0
    ? formatPercentError(accuracy, accuracyError)
    : formatRange(accuracy, wilson(accuracy, n));
}

/** Whether a network was to be trained, and is what it was before: no epoch was better. */
export function isNotTrained({ history, bestEpoch }: ModelRecord): boolean {
  return history.length > 1 && bestEpoch === 0;
}

/** Share of the reference's accuracy that is left, with its standard error (first-order propagation). */
export function accuracyKept(model: ModelRecord, reference: ModelRecord): Difference {
  const kept = model.test.accuracy / reference.test.accuracy;
  const difference = accuracyDifference(model, reference);
  if (difference.paired)
    return { ...difference, value: kept, error: difference.error / reference.test.accuracy };
  const error =
    kept *
    Math.hypot(
      model.test.accuracyError / model.test.accuracy,
      reference.test.accuracyError / reference.test.accuracy,
    );
  return { ...difference, value: kept, error };
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
