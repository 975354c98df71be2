/** Many runs as rows: one for each task, backbone, variant, gamma and network, mean and standard deviation over seeds. */
import { csvLine, plainCell } from "../core/csv.ts";
import { groupBy } from "../core/group-by.ts";
import { measureOf, valueOf } from "./measure.ts";
import { baselineOf, isTraining, isUncut, isUnsteady, placeOf, seedOf, timeOver } from "./models.ts";
import { recordsByTask } from "./tasks.ts";
import type { ModelRecord, RunRecord } from "./record.ts";
import { median, spread, type ScoreSpread } from "../math/statistics.ts";

/** One line of a sweep. Shares are over the baseline of the same run, then averaged; absent where a run has none. */
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
  readonly accuracy: ScoreSpread;
  /** Test accuracy over that of the baseline of the same run; absent where a run has none, and where the label is a number. */
  readonly kept?: ScoreSpread;
  /** Regression: mean absolute error over that of the baseline of the same run; absent where a run has none. */
  readonly errorShare?: ScoreSpread;
  /** Regression: of the label and of `mae`. */
  readonly unit?: string;
  /** Regression: mean absolute error, in the unit of the label. */
  readonly mae?: ScoreSpread;
  /** Standard errors of one run's test part of n pictures, where a single seed has no deviation. */
  readonly testError?: {
    readonly n: number;
    readonly accuracy: number;
    readonly kept?: number;
    readonly mae?: number;
  };
  /** Validation accuracy before training, after one epoch, and of the kept epoch. */
  readonly validation: readonly [ScoreSpread | undefined, ScoreSpread | undefined, ScoreSpread | undefined];
  readonly macs: number;
  readonly params: number;
  readonly bytes: number;
  readonly cpuMs?: number;
  /** CPU time of the baselines of the same runs: `cpuMs` is compared with no other. */
  readonly cpuBaselineMs?: number;
  readonly macsShare?: number;
  readonly paramsShare?: number;
  readonly bytesShare?: number;
  /** Mean over the runs of the time over the baseline's, round by round where that was measured. */
  readonly cpuShare?: number;
  /** In one of the runs at least, an identical copy of the baseline took another time: no share is given. */
  readonly unsteady?: true;
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
  ...[
    "gamma",
    "targetFlops",
    "targetSize",
    "targetMs",
    "targetTime",
    "minAccuracy",
    "table",
    "seed",
    "controls",
  ],
  ...["int8", "int8For", "int8Tolerance"],
  ...["threads", "engine", "device", "runs", "withImages"],
]);

/**
 * What the options of each record do otherwise than those of most records: "scaling paper, refit false". Options that a kind
 * of run does not have (those of pruning, for a network that was trained as it is) are not compared.
 */
export function variantsOf(records: readonly RunRecord[]): string[] {
  const found: string[] = new Array<string>(records.length).fill("");
  for (const own of groupBy(records.keys(), (i) => isTraining(records[i])).values()) {
    differencesOf(own.map((i) => records[i].config)).forEach((differing, k) => {
      found[own[k]] = variantOf(differing);
    });
  }
  return found;
}

function variantOf(differing: readonly (readonly [string, string])[]): string {
  return differing
    .filter(([key]) => !plainKeys.has(key))
    .map(([key, value]) => `${key} ${value}`)
    .join(", ");
}

/** Options of a variant that are written out where there is little room. */
const SHOWN = 3;

/** A variant for tables and plots: its first options, and how many more there are. `sweep.csv` has all. */
export function shortVariant(variant: string): string {
  const options = variant.split(", ");
  const more = options.length - SHOWN;
  return more <= 1 ? variant : `${options.slice(0, SHOWN).join(", ")} and ${more} more options`;
}

/** What tells the data of each record from those of most records of its task: "data set other, limit 500". */
function dataOf(records: readonly RunRecord[]): string[] {
  const found: string[] = new Array<string>(records.length).fill("");
  const tasks = groupBy(records.keys(), (i) => records[i].task.name);
  for (const own of tasks.values()) {
    const options = own.map((i) => {
      const { config, dataset } = records[i];
      const { label = "", crop = "", limit = "" } = config;
      return { "data set": dataset.name, label, crop, limit };
    });
    differencesOf(options).forEach((differing, k) => {
      found[own[k]] = differing.map(([key, value]) => `${key} ${value}`).join(", ");
    });
  }
  return found;
}

/** The entries of each record that differ from the most common value of that key. */
function differencesOf(
  records: readonly Readonly<Record<string, unknown>>[],
): (readonly (readonly [string, string])[])[] {
  const keys = [...new Set(records.flatMap((record) => Object.keys(record)))];
  const usual = new Map(keys.map((key) => [key, mostCommon(records.map((record) => said(record[key])))]));
  return records.map((record) =>
    keys
      .filter((key) => Object.hasOwn(record, key) && said(record[key]) !== usual.get(key))
      .map((key) => [key, said(record[key])] as const),
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

/** One network of one run, with the baseline of that run, where there is one. */
interface Member {
  readonly record: RunRecord;
  readonly model: ModelRecord;
  readonly baseline: ModelRecord | undefined;
  readonly variant: string;
}

/**
 * Rows of many runs, in the order: task, backbone, gamma, variant, network. Runs are averaged that differ in nothing but their
 * seed; a run that was put in twice counts once. Two runs of one seed that differ all the same are rows of their own.
 */
export function sweepRows(runs: readonly RunRecord[]): SweepRow[] {
  const records = runs.flatMap(recordsByTask);
  const groups = new Map<string, Member[]>();
  const [variants, data] = [variantsOf(records), dataOf(records)];
  for (const [i, record] of records.entries()) {
    const baseline = baselineOf(record);
    const gamma = isTraining(record) ? "" : String(record.gamma);
    for (const model of record.models) {
      const how = isUncut(model) ? "" : variants[i];
      const options = [data[i], how].filter((each) => each !== "").join(", ");
      const place = [record.task.name, record.backbone.name, isUncut(model) ? "" : gamma, model.name];
      for (let copy = 0; ; copy++) {
        const again = copy === 0 ? "" : copyName(record, copy);
        const variant = [options, again].filter((each) => each !== "").join(", ");
        const key = JSON.stringify([...place, variant]);
        const group = groups.get(key) ?? [];
        const known = group.find((other) => seedOf(other.record) === seedOf(record));
        if (known === undefined) group.push({ record, model, baseline, variant });
        groups.set(key, group);
        if (known === undefined || isSame(known, { record, model })) break;
      }
    }
  }
  return [...groups.values()].map(rowOf).sort(byPlace);
}

/** What to call a run beside another one of the same options and seed. */
function copyName({ title }: RunRecord, copy: number): string {
  return title === undefined ? `run ${copy + 1}` : `run ${title}`;
}

/** Whether two networks are one: the same pictures, cost, answers and training. Times differ whenever they are measured. */
function isSame(one: Pick<Member, "record" | "model">, other: Pick<Member, "record" | "model">): boolean {
  const [a, b] = [one, other].map(({ record, model: { cost, test, history } }) =>
    JSON.stringify([
      record.dataset.fingerprint,
      cost,
      test.accuracy,
      test.mae,
      history.map(({ valLoss }) => valLoss),
    ]),
  );
  return a === b;
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
  const over = (
    read: (model: ModelRecord, baseline: ModelRecord) => number | undefined,
  ): ScoreSpread | undefined => {
    const shares = group.flatMap(({ model: own, baseline }) => (baseline ? (read(own, baseline) ?? []) : []));
    return shares.length === group.length && shares.every(Number.isFinite) ? spread(shares) : undefined;
  };
  const costs = (key: "macs" | "params" | "bytes"): number | undefined =>
    over((own, baseline) => own.cost.total[key] / baseline.cost.total[key])?.mean;
  /** Undefined where a run has no such number. */
  const each = (read: (model: ModelRecord) => number | undefined): ScoreSpread | undefined => {
    const values = group.flatMap((one) => read(one.model) ?? []);
    return values.length === group.length ? spread(values) : undefined;
  };
  const measure = measureOf(record.task);
  const isError = measure.name === "mae";
  const mae = each(({ test }) => valueOf({ kind: "regression" }, test));
  const cpu = each(({ latency }) => latency?.medianMs);
  const ofBaseline = over(({ latency }, baseline) =>
    latency && baseline.latency ? timeOver(latency, baseline.latency) : NaN,
  )?.mean;
  const baselines = over((_, baseline) => baseline.latency?.medianMs ?? NaN)?.mean;
  const value = ({ test }: ModelRecord): number => valueOf(record.task, test) ?? NaN;
  const share = over((own, baseline) => value(own) / value(baseline));
  const unsteady = group.some(({ baseline }) => baseline !== undefined && isUnsteady(baseline));
  const [macsShare, paramsShare, bytesShare] = (["macs", "params", "bytes"] as const).map(costs);
  const isTimed = cpu !== undefined && ofBaseline !== undefined && Number.isFinite(ofBaseline);
  const epoch = each(({ history }) =>
    median(history.filter(({ epoch: at }) => at > 0).map(({ seconds }) => seconds)),
  );
  return {
    task: record.task.name,
    backbone: record.backbone.name,
    variant,
    ...(isUncut(model) || isTraining(record) ? {} : { gamma: record.gamma }),
    network: model.name,
    title: model.title,
    seeds: group.map((one) => seedOf(one.record)),
    accuracy: spread(group.map((one) => one.model.test.accuracy)),
    ...(share && (isError ? { errorShare: share } : { kept: share })),
    ...(mae && { mae }),
    ...(isError && { unit: measure.unit }),
    ...(group.length === 1 && { testError: testErrorOf(group[0]) }),
    validation: [
      each(({ history }) => history[0]?.valAccuracy),
      each(({ history }) => history[1]?.valAccuracy),
      each(({ validation }) => validation?.accuracy),
    ],
    macs: mean(({ cost }) => cost.total.macs),
    params: mean(({ cost }) => cost.total.params),
    bytes: mean(({ cost }) => cost.total.bytes),
    ...(cpu && { cpuMs: cpu.mean }),
    ...(isTimed && baselines !== undefined && { cpuBaselineMs: baselines }),
    ...(macsShare !== undefined && { macsShare }),
    ...(paramsShare !== undefined && { paramsShare }),
    ...(bytesShare !== undefined && { bytesShare }),
    ...(isTimed && !unsteady && { cpuShare: ofBaseline }),
    ...(cpu && unsteady && { unsteady }),
    ...(epoch && { epochSeconds: epoch.mean }),
  };
}

/** How sure the test part of one run makes its numbers. */
function testErrorOf({ model, baseline }: Member): NonNullable<SweepRow["testError"]> {
  const { accuracyError: accuracy, mae, rmse, n } = model.test;
  const whole = baseline?.test.accuracy ?? 0;
  const paired = model.versusBaseline?.error;
  return {
    n,
    accuracy,
    ...(mae !== undefined && rmse !== undefined && { mae: Math.sqrt(Math.max(0, rmse ** 2 - mae ** 2) / n) }),
    ...(paired !== undefined && whole > 0 && { kept: paired / whole }),
  };
}

/** A deviation that one seed does not have is none, not nothing. */
const sdOf = ({ seeds }: SweepRow, found: ScoreSpread | undefined): number | undefined =>
  seeds.length > 1 ? found?.sd : undefined;

const columns: readonly (readonly [string, (row: SweepRow) => number | string | undefined])[] = [
  ["task", (row) => row.task],
  ["backbone", (row) => row.backbone],
  ["variant", (row) => row.variant],
  ["gamma", (row) => row.gamma],
  ["network", (row) => row.network],
  ["seeds", (row) => row.seeds.length],
  ["accuracy", (row) => row.accuracy.mean],
  ["accuracy_sd", (row) => sdOf(row, row.accuracy)],
  ["kept", (row) => row.kept?.mean],
  ["kept_sd", (row) => sdOf(row, row.kept)],
  ["mae", (row) => row.mae?.mean],
  ["mae_sd", (row) => sdOf(row, row.mae)],
  ["mae_share", (row) => row.errorShare?.mean],
  ["mae_share_sd", (row) => sdOf(row, row.errorShare)],
  ["unit", (row) => row.unit],
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
  ["cpu_baseline_ms", (row) => row.cpuBaselineMs],
  ["epoch_seconds", (row) => row.epochSeconds],
];

/** The rows as CSV (RFC 4180). */
export function sweepCsv(rows: readonly SweepRow[]): string {
  const cell = (value: number | string | undefined): string =>
    typeof value === "string" ? plainCell(value) : String(value ?? "");
  const lines = rows.map((row) => csvLine(columns.map(([, read]) => cell(read(row)))));
  return [columns.map(([name]) => name).join(","), ...lines, ""].join("\n");
}
