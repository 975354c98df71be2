/** Networks of several runs in one list: pruned ones, their baselines and controls, and light networks beside them. */
import { plural } from "../../core/printable.ts";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { measureOf, valueOf, type Measure } from "../../record/measure.ts";
import { testedOn } from "../../record/models.ts";
import { shownMetrics } from "../../record/absent.ts";
import { recordsByTask } from "../../record/tasks.ts";
import type { Latency, ModelRecord, RunRecord } from "../../record/record.ts";
import { withTrueTitles } from "../../report/sections/facts.ts";
import { openEngine } from "../../engine/open.ts";
import { profileModels, timerOf } from "../../evaluate/profile.ts";
import { openModel } from "../run/model.ts";
import type { ServiceOptions } from "../../engine/service.ts";

/** One network of one run. Fractions in 0..1, bytes, milliseconds. */
export interface ComparedNetwork {
  readonly run: string;
  readonly task: string;
  readonly dataset: string;
  readonly name: string;
  readonly title: string;
  readonly accuracy: number;
  readonly accuracyError: number;
  /** Test pictures. */
  readonly n: number;
  /** What the networks of a task are judged by, and how this one fares: its accuracy, or its mean absolute error. */
  readonly measure: Measure["name"];
  readonly better: Measure["better"];
  /** Null where it is no finite number: the network diverged. */
  readonly value: number | null;
  /** Of `value`, where it is an error. */
  readonly unit: string;
  readonly balancedAccuracy?: number;
  readonly macs: number;
  readonly params: number;
  readonly bytes: number;
  readonly cpuMs?: number;
  /** No other network that answered the same test pictures is better with as few MACs, or as good with fewer. */
  readonly front: boolean;
}

/** Every network of some runs, run by run, each marked where none is both as accurate and as cheap. */
export function comparedNetworks(records: readonly RunRecord[]): ComparedNetwork[] {
  const rows: Row[] = records
    .flatMap(recordsByTask)
    .map(withTrueTitles)
    .flatMap((record) =>
      record.models.map((model) => {
        const { accuracy, accuracyError, balancedAccuracy, n } = shownMetrics(model.test);
        return {
          run: record.title ?? record.backbone.name,
          task: record.task.name,
          dataset: testedOn(record),
          name: model.name,
          title: model.title,
          ...{ accuracy, accuracyError, n },
          ...valuesOf(record, model),
          ...(balancedAccuracy === undefined ? {} : { balancedAccuracy }),
          ...model.cost.total,
          ...(model.latency === undefined ? {} : { cpuMs: model.latency.medianMs }),
        };
      }),
    );
  return rows.map((row) => ({
    ...row,
    front: row.value !== null && !rows.some((other) => excels(other, row)),
  }));
}

type Row = Omit<ComparedNetwork, "front">;

function valuesOf(
  { task }: RunRecord,
  { test }: ModelRecord,
): Pick<Row, "measure" | "better" | "value" | "unit"> {
  const { name, better, unit } = measureOf(task);
  return { measure: name, better, value: valueOf(task, test) ?? null, unit };
}

/** Whether a network is as good and as cheap as another one on the same pictures, and better in one of the two. */
function excels(one: Row, other: Row): boolean {
  if (one.task !== other.task || one.dataset !== other.dataset || one.measure !== other.measure) return false;
  if (one.value === null || other.value === null) return one.value !== null && one.macs <= other.macs;
  const gain = one.better === "higher" ? one.value - other.value : other.value - one.value;
  return gain >= 0 && one.macs <= other.macs && (gain > 0 || one.macs < other.macs);
}

/**
 * The records with CPU times that were taken together: all networks whose files are in the run folders, interleaved in one
 * process. Networks without a file lose theirs.
 *
 * @param folders beside `records`
 */
export async function timedTogether(
  folders: readonly string[],
  records: readonly RunRecord[],
  options: ServiceOptions & { readonly runs?: number | undefined },
): Promise<RunRecord[]> {
  const models = folders.flatMap((folder, i) =>
    records[i].models.flatMap(({ name }) => {
      const path = fileOf(folder, name, records[i].models.length === 1);
      return path === undefined ? [] : [{ key: `${i} ${name}`, path }];
    }),
  );
  const opened = await Promise.all(
    models.map(async ({ key, path }) => ({ name: key, network: (await openModel(path)).network })),
  );
  const engine = await openEngine({
    engine: options.engine,
    device: options.device,
    threads: options.threads,
  });
  try {
    options.progress?.start(`time ${plural(opened.length, "network")}`);
    const times = await profileModels(timerOf(engine, options.threads), opened, {
      ...(options.runs === undefined ? {} : { runs: options.runs }),
      signal: options.signal,
    });
    options.progress?.finish();
    return records.map((record, i) => ({
      ...record,
      models: record.models.map((model) => withLatency(model, times.get(`${i} ${model.name}`))),
    }));
  } finally {
    await engine.dispose();
  }
}

/** The record with another time, or with none. */
function withLatency(model: ModelRecord, latency: Latency | undefined): ModelRecord {
  const rest = Object.fromEntries(Object.entries(model).filter(([name]) => name !== "latency"));
  return { ...(rest as unknown as ModelRecord), ...(latency === undefined ? {} : { latency }) };
}

/** The file of a network in its run folder. */
function fileOf(folder: string, name: string, only: boolean): string | undefined {
  const names = only ? [`${name}.onnx`, "model.onnx"] : [`${name}.onnx`];
  return names.map((file) => join(folder, file)).find((path) => existsSync(path));
}
