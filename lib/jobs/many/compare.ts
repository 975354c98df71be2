/** Networks of several runs in one list: pruned ones, their baselines and controls, and light networks beside them. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { testedOn } from "../../record/models.ts";
import { shownMetrics } from "../../record/absent.ts";
import { recordsByTask } from "../../record/tasks.ts";
import type { Latency, ModelRecord, RunRecord } from "../../record/record.ts";
import { openEngine } from "../../engine/open.ts";
import { profileModels } from "../../evaluate/profile.ts";
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
  readonly balancedAccuracy?: number;
  readonly macs: number;
  readonly params: number;
  readonly bytes: number;
  readonly cpuMs?: number;
  /** No other network that answered the same test pictures is as accurate with as few MACs. */
  readonly front: boolean;
}

/** Every network of some runs, run by run, each marked where none is both as accurate and as cheap. */
export function comparedNetworks(records: readonly RunRecord[]): ComparedNetwork[] {
  const rows = records.flatMap(recordsByTask).flatMap((record) =>
    record.models.map((model) => {
      const { accuracy, accuracyError, balancedAccuracy } = shownMetrics(model.test);
      return {
        run: record.title ?? record.backbone.name,
        task: record.task.name,
        dataset: testedOn(record),
        name: model.name,
        title: model.title,
        accuracy,
        accuracyError,
        ...(balancedAccuracy === undefined ? {} : { balancedAccuracy }),
        ...model.cost.total,
        ...(model.latency === undefined ? {} : { cpuMs: model.latency.medianMs }),
      };
    }),
  );
  return rows.map((row) => ({
    ...row,
    front: !rows.some(
      (other) =>
        other.task === row.task &&
        other.dataset === row.dataset &&
        other.accuracy >= row.accuracy &&
        other.macs <= row.macs &&
        (other.accuracy > row.accuracy || other.macs < row.macs),
    ),
  }));
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
    options.progress?.start(`time ${opened.length} networks`);
    const times = await profileModels(engine, opened, {
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
