/** Numbers that several sections tell: read once, here. */
import { own } from "../../core/own.ts";
import type { RmseKind } from "../../core/artifacts.ts";
import { evenSplitProbability, shareDifference, wilson, type Interval } from "../../math/statistics.ts";
import type { Metrics, ModelRecord, RunRecord } from "../../record/record.ts";
import { formatChange, formatPercentError, formatRange } from "../format.ts";

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

/** Whether the training loss of a network holds terms of the full network's features or answers (distillation). */
export function distils({ config }: RunRecord, { name }: ModelRecord): boolean {
  if (name === "baseline" || name === "probe") return false;
  return ["distill", "distillOutputs"].some((key) => Number(own(config, key) ?? 0) > 0);
}

/** Whether a network was to be trained, and is what it was before: no epoch was better. */
export function isNotTrained({ history, bestEpoch }: ModelRecord): boolean {
  return history.length > 1 && bestEpoch === 0;
}

/** CPU time of `model` over the baseline's, of the same run: round by round where that was measured. */
export interface TimeShare {
  readonly value: number;
  /** The range that holds it with 95 %; undefined where rounds were too few, or not kept. */
  readonly range?: Interval;
  /** Why the times of this run are not to be relied on. */
  readonly doubt?: string;
}

/** Two copies of one network that differ by more than this say that the machine was not quiet. */
const COPY_TOLERANCE = 0.05;

export function timeShare(model: ModelRecord, baseline: ModelRecord): TimeShare | undefined {
  if (!model.latency || !baseline.latency) return undefined;
  const { ofBaseline, medianMs } = model.latency;
  const doubt = timeDoubt(baseline);
  return {
    value: ofBaseline?.median ?? medianMs / baseline.latency.medianMs,
    ...(ofBaseline && ofBaseline.high > ofBaseline.low && { range: ofBaseline }),
    ...(doubt !== undefined && { doubt }),
  };
}

/** "−94 %, −95 to −92": a share of time as a change, with its range. */
export function formatTimeChange({ value, range }: TimeShare): string {
  if (range === undefined) return formatChange(value);
  return `${formatChange(value)}, ${formatChange(range.low).replace(/[\s\u00a0\u202f]*%$/, "")} to ${formatChange(range.high)}`;
}

/** Why times beside this baseline are not to be relied on; undefined where its copy took as long. */
function timeDoubt({ latency }: ModelRecord): string | undefined {
  const copy = latency?.copy;
  if (copy === undefined || Math.abs(copy.median - 1) <= COPY_TOLERANCE) return undefined;
  const load = latency?.load === undefined ? "" : `, at a load of ${latency.load.toFixed(1)}`;
  return `times of this run are not reliable: an identical copy of the baseline took ${(100 * copy.median).toFixed(0)} % of its time${load}`;
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

/** Tasks that say how a label is learnt, not which: their column does. */
const GENERIC = new Set(["binary", "categorical", "regression", "multi-label"]);

/** What a task is about: its label, where its name does not say it. */
export function taskName({ name, columns }: RunRecord["task"]): string {
  return GENERIC.has(name) && columns.length === 1 ? columns[0] : name;
}

/** The same for a title. */
export function taskTitle(task: RunRecord["task"]): string {
  return sentenceCase(taskName(task));
}

/** The text with a capital first letter. */
export function sentenceCase(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** "4 threads" or "1 thread". */
export function plural(count: number, word: string): string {
  return `${String(count).replace(/\B(?=(\d{3})+$)/g, ",")} ${word}${count === 1 ? "" : "s"}`;
}

/** How a data set was read, as the log says it: "layout: CelebA". Records of 0.1.0 have such lines among their notes. */
const READING =
  /^(layout|crop|split|labels|label|identity|unit|tolerance|pictures|tasks|validation|groups|classes|landmarks|values|positive class): /;

/** Notes that a reader of the result must know. */
export function toldNotes({ notes }: RunRecord): readonly string[] {
  return notes.filter((note) => !READING.test(note));
}

/** How the data set was read. */
export function readingOf({ dataset, notes }: RunRecord): readonly string[] {
  return dataset.read ?? notes.filter((note) => READING.test(note));
}
