/** What a terminal says of a run's networks and of a sweep: the report's measures and judgements in plain letters. */
import { measureOf } from "../record/measure.ts";
import { baselineOf } from "../record/models.ts";
import type { ModelRecord, RunRecord } from "../record/record.ts";
import { shortVariant, type SweepRow } from "../record/sweep.ts";
import { recordsByTask } from "../record/tasks.ts";
import type { Worth } from "../record/worth.ts";
import {
  formatBytes,
  formatChange,
  formatGamma,
  formatMs,
  formatPercent,
  formatPercentError,
  formatPoints,
  formatSi,
  formatUncertain,
  plainText,
} from "./format.ts";
import { accuracyText, networkTitle, qualityText, timeDoubt, withTrueTitles } from "./sections/facts.ts";
import { accuracyDifference, errorDifference, formatSigned } from "./sections/judge.ts";

/** Titles of columns, and the cells of each line. */
export interface PlainTable {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** The networks of a run, of each of its tasks. */
export function networksTable(record: RunRecord): PlainTable {
  const all = recordsByTask(record).map(withTrueTitles);
  const named = all.length > 1;
  const kinds = new Set(all.map(({ task }) => measureOf(task).name));
  const rows = all.flatMap((one) => {
    const baseline = baselineOf(one);
    const doubt = baseline !== undefined && timeDoubt(baseline) !== undefined ? ", not reliable" : "";
    return one.models.map((model) => [
      ...(named ? [one.task.name] : []),
      networkTitle(model),
      plainText(qualityText(one.task, model.test)),
      ...(kinds.has("mae") ? [againstBaseline(one, model)] : []),
      plainText(formatSi(model.cost.total.macs)),
      plainText(formatSi(model.cost.total.params)),
      plainText(formatBytes(model.fileBytes)),
      model.latency === undefined ? "-" : plainText(formatMs(model.latency.medianMs)) + doubt,
    ]);
  });
  const quality = kinds.size > 1 ? "quality" : kinds.has("mae") ? "mean error" : "accuracy";
  const columns = [
    ...(named ? ["task"] : []),
    ...["network", quality],
    ...(kinds.has("mae") ? ["against baseline"] : []),
    ...["MACs", "parameters", "file", "CPU time"],
  ];
  return { columns, rows };
}

/** How far a network is from the baseline on the same pictures, in the task's own measure. */
function againstBaseline(one: RunRecord, model: ModelRecord): string {
  const baseline = baselineOf(one);
  if (baseline === undefined || baseline === model) return "-";
  const { name, unit } = measureOf(one.task);
  if (name === "accuracy") {
    const { value, error } = accuracyDifference(model, baseline);
    return plainText(formatPoints(value, error));
  }
  const difference = errorDifference(model, baseline);
  return difference === undefined ? "-" : plainText(formatSigned(difference.value, difference.error, unit));
}

/** The networks of a sweep, each a mean over its seeds. */
export function sweepTable(rows: readonly SweepRow[]): PlainTable {
  const share = (value: number | undefined): string => (value === undefined ? "-" : formatPercent(value));
  return {
    columns: ["task", "gamma", "network", "quality", "against baseline", "MACs", "parameters", "CPU time"],
    rows: rows.map((row) =>
      [
        row.task,
        row.gamma === undefined ? "-" : formatGamma(row.gamma),
        [row.network, shortVariant(row.variant)].filter((word) => word !== "").join(", "),
        seedQuality(row),
        keptOfBaseline(row),
        `${formatSi(row.macs)} (${share(row.macsShare)})`,
        `${formatSi(row.params)} (${share(row.paramsShare)})`,
        row.cpuMs === undefined ? "-" : formatMs(row.cpuMs),
      ].map(plainText),
    ),
  };
}

/** Mean and deviation over seeds, in the task's own measure. */
function seedQuality({ mae, unit, accuracy, seeds, testError }: SweepRow): string {
  const many = seeds.length > 1;
  if (unit === undefined || mae === undefined)
    return testError === undefined
      ? formatPercentError(accuracy.mean, accuracy.sd)
      : accuracyText({ accuracy: accuracy.mean, accuracyError: testError.accuracy, n: testError.n });
  return `${formatUncertain(mae.mean, many ? mae.sd : testError?.mae)} ${unit}`.trim() + " off";
}

/** What is left of the baseline's accuracy, or how its error changed. */
function keptOfBaseline({ network, kept, errorShare, seeds, testError }: SweepRow): string {
  if (network === "baseline") return "-";
  if (errorShare !== undefined) return `error ${formatChange(errorShare.mean)}`;
  return kept === undefined
    ? "-"
    : `keeps ${formatPercentError(kept.mean, seeds.length > 1 ? kept.sd : (testError?.kept ?? 0))}`;
}

/** What choosing filters is worth against each control. */
export function worthTable(worth: readonly Worth[]): PlainTable {
  return {
    columns: ["ETL minus", "difference ± standard error", "tasks", "each"],
    rows: worth.map(({ control, difference, error, tasks, measure, unit }) => {
      const say = (value: number, uncertain?: number): string =>
        plainText(measure === "mae" ? formatSigned(value, uncertain, unit) : formatPoints(value, uncertain));
      return [
        control,
        `${say(difference, error)}${measure === "mae" ? " of error" : ""}`,
        String(tasks.length),
        tasks.map((one) => `${one.task} ${say(one.difference)}`).join(", "),
      ];
    }),
  };
}
