/** Numbers that several sections tell: read once, here. */
import { own } from "../../core/own.ts";
import { plural } from "../../core/printable.ts";
import type { RmseKind } from "../../core/artifacts.ts";
import { wilson, type Interval } from "../../math/statistics.ts";
import { measureOf, valueOf } from "../../record/measure.ts";
import { isUnsteady, plainOf, timeOver } from "../../record/models.ts";
import type { Metrics, ModelRecord, RunRecord } from "../../record/record.ts";
import { formatChange, formatDigits, formatPercentError, formatRange } from "../format.ts";
import type { Cell } from "../tables.ts";

/** An accuracy as people should read it: with its standard error, or where that is nothing with the range that n allows. */
export function accuracyText({ accuracy, accuracyError, n }: Metrics): string {
  return accuracyError > 0
    ? formatPercentError(accuracy, accuracyError)
    : formatRange(accuracy, wilson(accuracy, n));
}

/** The same as a cell; the CSV file has what stands behind the ±, or the ends of the range. */
export function accuracyCell(test: Metrics): Cell {
  const { accuracy, accuracyError, n } = test;
  const spread = accuracyError > 0 ? { error: accuracyError } : { range: wilson(accuracy, n) };
  return { show: accuracyText(test), csv: accuracy, ...spread };
}

/** Whether the training loss of a network holds terms of the full network's features or answers (distillation). */
export function distils({ config }: RunRecord, { name }: ModelRecord): boolean {
  // What is trained from scratch learns from the labels alone.
  if (["baseline", "probe", "scratch"].includes(name)) return false;
  return ["distill", "distillOutputs"].some((key) => Number(own(config, key) ?? 0) > 0);
}

/** Whether a network was to be trained, and is what it was before: no epoch was better. */
export function isNotTrained({ history, bestEpoch }: ModelRecord): boolean {
  return history.length > 1 && bestEpoch === 0;
}

/** Whether a network was trained at all: at least one epoch. */
export function isTrained({ history }: ModelRecord): boolean {
  return history.some(({ epoch }) => epoch > 0);
}

/** What a network is called: a title that speaks of fine-tuning is wrong where none was better than the start. */
export function networkTitle(model: ModelRecord): string {
  return isNotTrained(model) || (model.name === "baseline" && !isTrained(model))
    ? model.title.replace(", fine-tuned", "")
    : model.title;
}

/** A network that was not fine-tuned is not called so anywhere; nor are its other forms. */
export function withTrueTitles(record: RunRecord): RunRecord {
  const titleOf = (model: ModelRecord): string => {
    const plain = plainOf(record, model)?.model;
    return plain === undefined ? networkTitle(model) : model.title.replace(plain.title, networkTitle(plain));
  };
  return { ...record, models: record.models.map((model) => ({ ...model, title: titleOf(model) })) };
}

/**
 * How good one network is, in the task's own measure, as people should read it: "97.6 % ± 0.4" or "6.35 years off". A network
 * whose answers are no finite numbers (training diverged) is said to be so.
 */
export function qualityText(task: RunRecord["task"], test: Metrics): string {
  const measure = measureOf(task);
  if (measure.name === "accuracy") return accuracyText(test);
  const value = valueOf(task, test);
  return value === undefined ? NO_NUMBERS : `${formatError(value, measure.unit)} off`;
}

/** What stands for the error of a network whose answers are not finite. */
export const NO_NUMBERS = "no finite answers";

/** "6.35 years". */
export function formatError(value: number, unit: string): string {
  return `${formatDigits(value, 3)} ${unit}`.trim();
}

/** CPU time of `model` over the baseline's, of the same run: round by round where that was measured. */
export interface TimeShare {
  readonly value: number;
  /** The range that holds it with 95 %; undefined where rounds were too few, or not kept. */
  readonly range?: Interval;
  /** Whether the range holds no change at all: then neither faster nor slower can be said. */
  readonly open?: true;
  /** Why the times of this run are not to be relied on. */
  readonly doubt?: string;
}

/** Rounds that a range of 95 % needs: the extremes of five hold the median with 94 %. */
export const LEAST_ROUNDS = 6;

export function timeShare(model: ModelRecord, baseline: ModelRecord): TimeShare | undefined {
  if (!model.latency || !baseline.latency) return undefined;
  const { ofBaseline, runs } = model.latency;
  const doubt = timeDoubt(baseline);
  const range =
    ofBaseline && runs >= LEAST_ROUNDS && ofBaseline.high > ofBaseline.low ? ofBaseline : undefined;
  return {
    value: timeOver(model.latency, baseline.latency),
    ...(range && { range, ...(range.low <= 1 && range.high >= 1 && { open: true }) }),
    ...(doubt !== undefined && { doubt }),
  };
}

/** "−94 %, −95 to −92": a share of time as a change, with its range. */
export function formatTimeChange({ value, range }: TimeShare): string {
  if (range === undefined) return formatChange(value);
  return `${formatChange(value)}, ${formatChange(range.low).replace(/[\s\u00a0\u202f]*%$/, "")} to ${formatChange(range.high)}`;
}

/** Why times beside this baseline are not to be relied on; undefined where its copy took as long. */
export function timeDoubt(baseline: ModelRecord): string | undefined {
  const { latency } = baseline;
  const copy = latency?.copy;
  if (copy === undefined || !isUnsteady(baseline)) return undefined;
  const load = latency?.load === undefined ? "" : `, at a load of ${latency.load.toFixed(1)}`;
  return `times of this run are not reliable: an identical copy of the baseline took ${(100 * copy.median).toFixed(0)} % of its time${load}`;
}

/** Which error the knees were found on. */
export function rmseKindOf(record: RunRecord): RmseKind {
  const asked = record.config["rmse"];
  const hasHeldOut = record.curves.every((curve) => curve.heldOutRmse !== undefined);
  if (asked === "train" || !hasHeldOut) return "train";
  return "heldout";
}

/** How far off a number may be to count as right: "5 years". */
export function toleranceText({ task, models }: RunRecord): string {
  const tolerance = task.tolerance ?? (models as (ModelRecord | undefined)[])[0]?.test.tolerance;
  if (tolerance === undefined) return "the tolerance";
  return `${Number(tolerance.toPrecision(3))} ${task.unit ?? ""}`.trim();
}

/** What counts as right for this task: "within 15 degrees", or nothing to add. */
export function accuracyMeaning(record: RunRecord): string {
  const { kind } = record.task;
  if (kind === "regression") return `share of test faces predicted within ${toleranceText(record)}`;
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

/** The text with a capital first letter; what begins with a name that is written small ("mobilenet-v1-0.25: ...") stays. */
export function sentenceCase(text: string): string {
  return /^\S*\d\S*:/.test(text) ? text : text.charAt(0).toUpperCase() + text.slice(1);
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

/** "1,250 test faces". */
export function testFaces({ test: { n } }: ModelRecord): string {
  return plural(n, "test face");
}
