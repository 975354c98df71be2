/** Many runs as rows: one for each task, backbone, variant, gamma and network, mean and standard deviation over seeds. */
import { csvLine, plainCell } from "../core/csv.ts";
import { baselineOf, placeOf, seedOf } from "./models.ts";
import { recordsByTask } from "./tasks.ts";
import type { ModelRecord, RunRecord } from "./record.ts";
import { median, spread, type Spread } from "../math/statistics.ts";

/** One line of a sweep. Shares are over the baseline of the same run, then averaged. */
export interface SweepRow {
  readonly task: string;
  readonly backbone: string;
  /** What this line's runs do otherwise than the others, "scaling paper"; empty for the plain ones. */
  readonly variant: string;
  /** Absent for baseline and probe, which no gamma touches. */
  readonly gamma?: number;
  /** "baseline", "probe", "pruned" or the name of a control. */
  readonly network: string;
  readonly title: string;
  readonly seeds: readonly number[];
  /** Test accuracy, in 0..1. */
  readonly accuracy: Spread;
  /** Test accuracy over that of the baseline. */
  readonly kept: Spread;
  /** Regression: mean absolute error, in the unit of the label. */
  readonly mae?: Spread;
  /** Validation accuracy before training, after one epoch, and of the kept epoch. */
  readonly validation: readonly [Spread | undefined, Spread | undefined, Spread | undefined];
  readonly macs: number;
  readonly params: number;
  readonly bytes: number;
  readonly cpuMs?: number;
  readonly macsShare: number;
  readonly paramsShare: number;
  readonly bytesShare: number;
  readonly cpuShare?: number;
  /** Median seconds of one epoch of training. */
  readonly epochSeconds?: number;
}

/**
 * Options that no variant consists of: which data, folders and machine, gamma and what stands in its place, the seed,
 * and what is measured beside. Every other option that differs makes a variant, those of later versions included.
 */
export const plainKeys: ReadonlySet<string> = new Set([
  ...[
    "task",
    "data",
    "label",
    "crop",
    "limit",
    "strict",
    "out",
    "cacheDir",
    "backbone",
    "weights",
    "command",
  ],
  ...["gamma", "targetFlops", "targetSize", "targetMs", "minAccuracy", "seed", "controls"],
  ...["threads", "engine", "device", "runs", "withImages"],
]);

/** What the options of each record do otherwise than those of most records: "scaling paper, refit false". */
export function variantsOf(records: readonly RunRecord[]): string[] {
  const keys = [...new Set(records.flatMap(({ config }) => Object.keys(config)))].filter(
    (key) => !plainKeys.has(key),
  );
  const usual = new Map(keys.map((key) => [key, mostCommon(records.map(({ config }) => said(config[key])))]));
  return records.map(({ config }) =>
    keys
      .filter((key) => said(config[key]) !== usual.get(key))
      .map((key) => `${key} ${said(config[key])}`)
      .join(", "),
  );
}

/** A value as text, so that lists compare by what is in them. */
function said(value: unknown): string {
  return Array.isArray(value) ? value.join(" ") : String(value);
}

function mostCommon(values: readonly string[]): string | undefined {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1])[0]?.[0];
}

/** One network of one run, with the baseline of that run (itself, where there is none). */
interface Member {
  readonly record: RunRecord;
  readonly model: ModelRecord;
  readonly baseline: ModelRecord;
  readonly variant: string;
}

/** Rows of many runs, in the order: task, backbone, gamma, variant, network. */
export function sweepRows(runs: readonly RunRecord[]): SweepRow[] {
  const records = runs.flatMap(recordsByTask);
  const groups = new Map<string, Member[]>();
  const variants = variantsOf(records);
  for (const [i, record] of records.entries()) {
    const baseline = baselineOf(record);
    for (const model of record.models) {
      const [variant, gamma] = isUntouched(model) ? ["", ""] : [variants[i], String(record.gamma)];
      const key = JSON.stringify([record.task.name, record.backbone.name, variant, gamma, model.name]);
      const group = groups.get(key) ?? [];
      const known = group.some((other) => seedOf(other.record) === seedOf(record));
      if (!known) group.push({ record, model, baseline: baseline ?? model, variant });
      groups.set(key, group);
    }
  }
  return [...groups.values()].map(rowOf).sort(byPlace);
}

/** Whether a network is the same at every gamma. */
function isUntouched({ name }: ModelRecord): boolean {
  return name === "baseline" || name === "probe" || name === "baseline-int8";
}

function byPlace(a: SweepRow, b: SweepRow): number {
  return (
    a.task.localeCompare(b.task) ||
    a.backbone.localeCompare(b.backbone) ||
    (a.gamma ?? -1) - (b.gamma ?? -1) ||
    a.variant.localeCompare(b.variant) ||
    placeOf(a.network) - placeOf(b.network)
  );
}

function rowOf(group: readonly Member[]): SweepRow {
  const [{ record, model, variant }] = group;
  const mean = (read: (model: ModelRecord) => number): number =>
    spread(group.map((one) => read(one.model))).mean;
  const over = (read: (model: ModelRecord) => number): Spread =>
    spread(group.map((one) => read(one.model) / read(one.baseline)));
  /** Undefined where a run has no such number. */
  const each = (read: (model: ModelRecord) => number | undefined): Spread | undefined => {
    const values = group.flatMap((one) => read(one.model) ?? []);
    return values.length === group.length ? spread(values) : undefined;
  };
  const mae = each(({ test }) => test.mae);
  const cpu = each(({ latency }) => latency?.medianMs);
  const epoch = each(({ history }) =>
    median(history.filter(({ epoch: at }) => at > 0).map(({ seconds }) => seconds)),
  );
  return {
    task: record.task.name,
    backbone: record.backbone.name,
    variant,
    ...(isUntouched(model) ? {} : { gamma: record.gamma }),
    network: model.name,
    title: model.title,
    seeds: group.map((one) => seedOf(one.record)),
    accuracy: spread(group.map((one) => one.model.test.accuracy)),
    kept: over(({ test }) => test.accuracy),
    ...(mae && { mae }),
    validation: [
      each(({ history }) => history[0]?.valAccuracy),
      each(({ history }) => history[1]?.valAccuracy),
      each(({ validation }) => validation?.accuracy),
    ],
    macs: mean(({ cost }) => cost.total.macs),
    params: mean(({ cost }) => cost.total.params),
    bytes: mean(({ cost }) => cost.total.bytes),
    ...(cpu && { cpuMs: cpu.mean }),
    macsShare: over(({ cost }) => cost.total.macs).mean,
    paramsShare: over(({ cost }) => cost.total.params).mean,
    bytesShare: over(({ cost }) => cost.total.bytes).mean,
    ...(cpu && { cpuShare: over(({ latency }) => latency?.medianMs ?? Number.NaN).mean }),
    ...(epoch && { epochSeconds: epoch.mean }),
  };
}

const columns: readonly (readonly [string, (row: SweepRow) => number | string | undefined])[] = [
  ["task", (row) => row.task],
  ["backbone", (row) => row.backbone],
  ["variant", (row) => row.variant],
  ["gamma", (row) => row.gamma],
  ["network", (row) => row.network],
  ["seeds", (row) => row.seeds.length],
  ["accuracy", (row) => row.accuracy.mean],
  ["accuracy_sd", (row) => row.accuracy.sd],
  ["kept", (row) => row.kept.mean],
  ["kept_sd", (row) => row.kept.sd],
  ["mae", (row) => row.mae?.mean],
  ["mae_sd", (row) => row.mae?.sd],
  ["validation_start", (row) => row.validation[0]?.mean],
  ["validation_epoch_1", (row) => row.validation[1]?.mean],
  ["validation_end", (row) => row.validation[2]?.mean],
  ["macs", (row) => row.macs],
  ["macs_share", (row) => row.macsShare],
  ["params", (row) => row.params],
  ["params_share", (row) => row.paramsShare],
  ["bytes", (row) => row.bytes],
  ["bytes_share", (row) => row.bytesShare],
  ["cpu_ms", (row) => row.cpuMs],
  ["cpu_share", (row) => row.cpuShare],
  ["epoch_seconds", (row) => row.epochSeconds],
];

/** The rows as CSV (RFC 4180). */
export function sweepCsv(rows: readonly SweepRow[]): string {
  const cell = (value: number | string | undefined): string =>
    typeof value === "string" ? plainCell(value) : String(value ?? "");
  const lines = rows.map((row) => csvLine(columns.map(([, read]) => cell(read(row)))));
  return [columns.map(([name]) => name).join(","), ...lines, ""].join("\n");
}
