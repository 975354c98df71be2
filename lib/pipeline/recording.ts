/** The run's record, `metrics.json` and the report. */
import { stat } from "node:fs/promises";
import type { EpochRecord, Knee, Measured } from "../core/artifacts.ts";
import { writeJson, writeWhole } from "../core/files.ts";
import {
  SCHEMA,
  type Latency,
  type ModelRecord,
  type ResponseRecord,
  type RunMetrics,
  type RunRecord,
} from "../core/record.ts";
import { costOf } from "../network/cost.ts";
import type { Network } from "../network/network.ts";
import { readReportAssets } from "../report/assets.ts";
import { renderReport } from "../report/report.ts";
import { recordFrame } from "./record-frame.ts";
import type { Plan } from "../surgery/plan.ts";
import type { RunContext } from "./context.ts";
import type { Evaluated } from "./measuring.ts";
import { gammaCosts, type Curves } from "./planning.ts";

/** One network of the comparison, before it becomes a record. */
export interface Model {
  readonly name: string;
  readonly title: string;
  readonly network: Network;
  /** File in the run folder, where the network was written. */
  readonly file?: string;
  readonly history: readonly EpochRecord[];
  readonly bestEpoch?: number;
  readonly learningRate?: number;
}

export interface Results {
  readonly curves: Curves;
  readonly knees: readonly Knee[];
  readonly plan: Plan;
  readonly responses: readonly ResponseRecord[];
  readonly models: readonly Model[];
  readonly evaluated: readonly Evaluated[];
  readonly latency: Readonly<Record<string, Latency>>;
  readonly notes: readonly string[];
}

/** Assembles the record of a finished run. */
export async function makeRecord(context: RunContext, results: Results): Promise<RunRecord> {
  const { config, task, backbone } = context;
  const before = costOf(backbone.network).layers;
  const pruned = results.models.find(({ name }) => name === "pruned");
  const after = new Map((pruned ? costOf(pruned.network).layers : []).map((layer) => [layer.name, layer]));
  return {
    ...recordFrame(context, labelCounts(context)),
    task,
    backbone: { name: backbone.name, title: backbone.title, fingerprint: backbone.fingerprint },
    gamma: config.gamma,
    curves: results.curves.records(results.knees),
    layers: results.plan.rows,
    layerCosts: before.map(({ name, macs, params }) => ({
      name,
      macsBefore: macs,
      macsAfter: after.get(name)?.macs ?? 0,
      paramsBefore: params,
      paramsAfter: after.get(name)?.params ?? 0,
    })),
    gammaCosts: gammaCosts(context, results.curves),
    ...(results.responses.length > 0 ? { responses: results.responses } : {}),
    models: await Promise.all(results.models.map((model) => modelRecord(context, model, results))),
    notes: results.notes,
  };
}

async function modelRecord(context: RunContext, model: Model, results: Results): Promise<ModelRecord> {
  const { total, trunk, head } = costOf(model.network);
  const evaluated = results.evaluated.find(({ name }) => name === model.name);
  if (evaluated === undefined) throw new Error(`no evaluation of ${model.name}`);
  const { test, validation, versusBaseline } = evaluated;
  const latency = results.latency[model.name];
  return {
    name: model.name,
    title: model.title,
    cost: { total, trunk, head },
    fileBytes: model.file === undefined ? total.bytes : (await stat(context.folder.file(model.file))).size,
    ...(latency === undefined ? {} : { latency }),
    validation,
    test,
    history: model.history,
    ...(model.bestEpoch === undefined ? {} : { bestEpoch: model.bestEpoch }),
    ...(model.learningRate === undefined ? {} : { learningRate: model.learningRate }),
    ...(versusBaseline === undefined ? {} : { versusBaseline }),
  };
}

/** Number of pictures per class; for numbers, per decile of the training labels. */
function labelCounts(context: RunContext): RunRecord["dataset"]["labels"] {
  const { task, rows, store } = context;
  const labels = labelNames(context);
  const count = (part: Uint32Array): number[] => {
    const counts = new Array<number>(labels.names.length).fill(0);
    for (const row of part) for (const k of labels.of(store.items[row].target)) counts[k] += 1;
    return counts;
  };
  const [train, test] = [count(rows.train), count(rows.test)];
  return task.kind === "regression" && task.outputs > 1
    ? []
    : labels.names.map((label, k) => ({ label, train: train[k], test: test[k] }));
}

function labelNames(context: RunContext): {
  names: readonly string[];
  of: (target: Float32Array) => number[];
} {
  const { task, rows, store } = context;
  if (task.kind === "binary") return { names: task.classes, of: (target) => [target[0] >= 0.5 ? 1 : 0] };
  if (task.kind !== "regression") {
    return { names: task.classes, of: (target) => Array.from(target.keys()).filter((k) => target[k] >= 0.5) };
  }
  const values = Array.from(rows.train, (row) => store.items[row].target[0] / task.scale);
  const [low, high] = values.reduce(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [Infinity, -Infinity]);
  const width = Math.max(1e-9, high - low) / 10;
  const names = Array.from(
    { length: 10 },
    (_, k) => `${(low + k * width).toFixed(0)} to ${(low + (k + 1) * width).toFixed(0)}`,
  );
  return {
    names,
    of: (target) => [Math.min(9, Math.max(0, Math.floor((target[0] / task.scale - low) / width)))],
  };
}

/** The contract that other programs rely on. */
export function metricsOf(record: RunRecord): RunMetrics {
  const measured = (name: string): Measured => {
    const model = record.models.find((each) => each.name === name);
    if (model === undefined) throw new Error(`the record has no ${name}`);
    const { macs, params, bytes } = model.cost.total;
    return { accuracy: model.test.accuracy, macs, params, bytes, cpuMs: model.latency?.medianMs ?? 0 };
  };
  const [baseline, pruned] = [measured("baseline"), measured("pruned")];
  const saved = (key: keyof Measured): number => 1 - pruned[key] / baseline[key];
  const { seconds } = record;
  const took = (stage: string): number => seconds[stage] ?? 0;
  return {
    schema: SCHEMA,
    task: record.task.name,
    backbone: record.backbone.name,
    gamma: record.gamma,
    dataset: { train: record.dataset.train, val: record.dataset.val, test: record.dataset.test },
    baseline,
    pruned,
    reduction: { macs: saved("macs"), params: saved("params"), bytes: saved("bytes"), cpuMs: saved("cpuMs") },
    layers: record.layers,
    seconds: {
      harvest: took("harvest"),
      path: took("curves"),
      surgery: took("plan") + took("surgery"),
      finetune: took("finetune"),
      baseline: took("baseline"),
      evaluate: took("evaluate") + took("profile"),
    },
  };
}

/** Writes `record.json`, `metrics.json` and `report.html`. */
export async function reportStage(context: RunContext, results: Results): Promise<RunRecord> {
  const { folder, progress } = context;
  const record = await makeRecord(context, results);
  await writeJson(folder.file("record.json"), record);
  await writeJson(folder.file("metrics.json"), { ...metricsOf(record), models: record.models });
  await writeWhole(folder.file("report.html"), renderReport(record, await readReportAssets()));
  progress.note(`report: ${folder.file("report.html")}`);
  return record;
}
