/** The run's record, `metrics.json` and the report. */
import type { Knee, Measured } from "../../core/artifacts.ts";
import { jsonText, writeChanged } from "../../core/files.ts";
import {
  METRICS_SCHEMA,
  type Latency,
  type ModelRecord,
  type ResponseRecord,
  type Metrics,
  type RunMetrics,
  type RunRecord,
  type TaskRecord,
  type TimeRecord,
} from "../../record/record.ts";
import { timeOver } from "../../record/models.ts";
import { recordsByTask } from "../../record/tasks.ts";
import { costOf } from "../../network/cost.ts";
import { readReportAssets } from "../../report/assets.ts";
import { withLinks } from "../run/links.ts";
import { renderReport } from "../../report/report.ts";
import { labelCounts, modelRecord, type MadeModel } from "../run/models.ts";
import { asWritten, recordFrame } from "../run/frame.ts";
import type { Plan } from "../../surgery/plan.ts";
import type { RunContext } from "./context.ts";
import { filterFaces, imagesWarning } from "./faces.ts";
import { groupAccuracies, type Evaluated } from "./measure.ts";
import { gammaCosts } from "./aim/widths.ts";
import { curveRecords, type Curves } from "./plan.ts";
import { labelsOf, meanOver, type RunTask } from "../run/tasks.ts";

/** One network of the comparison, before it becomes a record. */
export interface MeasuredModel extends MadeModel {
  /** The stage that made it; absent for the probe, which none keeps. */
  readonly stage?: string;
}

export interface Results {
  readonly curves: Curves;
  readonly knees: readonly Knee[];
  readonly plan: Plan;
  /** Beside the run's tasks. */
  readonly responses: readonly (readonly ResponseRecord[])[];
  readonly models: readonly MeasuredModel[];
  readonly evaluated: readonly Evaluated[];
  readonly latency: Readonly<Record<string, Latency>>;
  readonly time?: TimeRecord | undefined;
  readonly notes: readonly string[];
}

/** Assembles the record of a finished run. */
async function makeRecord(context: RunContext, results: Results): Promise<RunRecord> {
  const { config, tasks, backbone } = context;
  const before = costOf(backbone.network).layers;
  const pruned = results.models.find(({ name }) => name === "pruned");
  const after = new Map((pruned ? costOf(pruned.network).layers : []).map((layer) => [layer.name, layer]));
  const isCounted = ofTask(results.plan.rows, after);
  const curves = curveRecords(results.curves, results.knees);
  const perTask = curves.length / tasks.length;
  const [first, ...others] = await Promise.all(
    tasks.map(async (of, t): Promise<TaskRecord & { models: ModelRecord[] }> => {
      const responses = results.responses[t];
      return {
        task: of.task,
        dataset: datasetOf(context, of),
        curves: curves.slice(t * perTask, (t + 1) * perTask),
        ...(responses.length > 0 ? { responses } : {}),
        models: await Promise.all(
          results.models.map((model) =>
            modelRecord(context.folder, model, {
              ...qualityOf(results, model).tasks[t],
              latency: results.latency[model.name],
            }),
          ),
        ),
      };
    }),
  );
  const groups = groupAccuracies(context, results.evaluated);
  const frame = recordFrame(context, first.dataset.labels);
  return {
    ...frame,
    ...first,
    dataset: { ...frame.dataset, ...first.dataset },
    backbone: { name: backbone.name, title: backbone.title, fingerprint: backbone.fingerprint },
    gamma: config.gamma,
    layers: results.plan.rows.filter(isCounted),
    layerCosts: before.filter(isCounted).map(({ name, macs, params }) => ({
      name,
      macsBefore: macs,
      macsAfter: after.get(name)?.macs ?? 0,
      paramsBefore: params,
      paramsAfter: after.get(name)?.params ?? 0,
    })),
    gammaCosts: gammaCosts(context, results.curves),
    ...(groups.length > 0 ? { groups } : {}),
    ...(others.length > 0 ? { others: others.map(answersOnly) } : {}),
    ...(results.time && { time: results.time }),
    notes: results.notes,
  };
}

/**
 * Which layers a network of the task has: not the backbone's own classifier, which is whole in the plan and in no network that was
 * trained or measured.
 */
function ofTask(
  rows: Plan["rows"],
  after: ReadonlyMap<string, unknown>,
): (layer: { name: string }) => boolean {
  const whole = new Set(rows.filter(({ kept, total }) => kept === total).map(({ name }) => name));
  return ({ name }) => after.has(name) || !whole.has(name);
}

function qualityOf({ evaluated }: Results, { name }: MeasuredModel): Evaluated {
  const found = evaluated.find((each) => each.name === name);
  if (found === undefined) throw new Error(`no evaluation of ${name}`);
  return found;
}

/** Without what is common to all tasks. */
function answersOnly(record: TaskRecord): TaskRecord {
  const models = record.models.map(({ test, validation, versusBaseline, versusPruned }) => ({
    test,
    ...(validation && { validation }),
    ...(versusBaseline && { versusBaseline }),
    ...(versusPruned && { versusPruned }),
  }));
  return { ...record, models };
}

/** Number of labelled pictures, and of those per class. */
function datasetOf({ rows, store }: RunContext, of: RunTask): TaskRecord["dataset"] {
  const [train, val, test] = [rows.train, rows.val, rows.test].map((part) => labelsOf(store, of, part));
  return {
    ...{ train: train.at.length, val: val.at.length, test: test.at.length },
    labels: labelCounts(of.task, train.targets, test.targets),
  };
}

/** The contract that other programs rely on. */
export function metricsOf(record: RunRecord): RunMetrics {
  const all = recordsByTask(record);
  const modelOf = ({ models }: RunRecord, name: string): ModelRecord => {
    const model = models.find((each) => each.name === name);
    if (model === undefined) throw new Error(`the record has no ${name}`);
    return model;
  };
  const isError = all.length === 1 && record.task.kind === "regression";
  const measured = (name: string): RunMetrics["baseline"] => {
    const { cost, latency, test } = modelOf(record, name);
    const { macs, params, bytes } = cost.total;
    const accuracy = meanOver(all, (one) => modelOf(one, name).test.accuracy);
    const value = isError ? (test.mae ?? Number.NaN) : accuracy;
    return { accuracy, value, macs, params, bytes, cpuMs: latency?.medianMs ?? 0 };
  };
  const scores = (
    one: RunRecord,
    name: string,
  ): Pick<Metrics, "accuracy" | "accuracyError" | "mae" | "n"> => {
    const { accuracy, accuracyError, mae, n } = modelOf(one, name).test;
    return { accuracy, accuracyError, ...(mae !== undefined && { mae }), n };
  };
  const tasks = all.map((one) => ({
    task: one.task.name,
    dataset: countsOf(one),
    baseline: scores(one, "baseline"),
    pruned: scores(one, "pruned"),
  }));
  const [baseline, pruned] = [measured("baseline"), measured("pruned")];
  const saved = (key: keyof Measured): number => 1 - pruned[key] / baseline[key];
  const [own, whole] = ["pruned", "baseline"].map((name) => modelOf(record, name).latency);
  const savedTime = own && whole ? 1 - timeOver(own, whole) : saved("cpuMs");
  const { seconds } = record;
  const took = (stage: string): number => seconds[stage] ?? 0;
  const evaluations = Object.entries(seconds).filter(([stage]) => stage.startsWith("evaluate:"));
  return {
    schema: METRICS_SCHEMA,
    measure: isError ? "mae" : "accuracy",
    better: isError ? "lower" : "higher",
    task: all.map(({ task }) => task.name).join(","),
    backbone: record.backbone.name,
    gamma: record.gamma,
    dataset: countsOf(record),
    baseline,
    pruned,
    ...(tasks.length > 1 ? { tasks } : {}),
    reduction: { macs: saved("macs"), params: saved("params"), bytes: saved("bytes"), cpuMs: savedTime },
    layers: record.layers,
    ...(record.time && { time: record.time }),
    seconds: {
      harvest: took("harvest"),
      path: took("curves"),
      surgery: took("plan") + took("surgery"),
      finetune: took("finetune"),
      baseline: took("baseline"),
      evaluate: evaluations.reduce((sum, [, time]) => sum + time, took("profile")),
    },
  };
}

function countsOf({ dataset: { train, val, test } }: RunRecord): RunMetrics["dataset"] {
  return { train, val, test };
}

/** The record with pictures of people: for the page alone, never for `record.json`. */
async function withFaces(context: RunContext, record: RunRecord): Promise<RunRecord> {
  context.progress.warn(imagesWarning(context.dataset.name));
  return { ...record, faces: await filterFaces(context, record.curves) };
}

/** Writes `record.json`, `metrics.json` and `report.html`. */
export async function reportStage(context: RunContext, results: Results): Promise<RunRecord> {
  const { config, folder, progress } = context;
  const record = asWritten(await makeRecord(context, results), progress);
  await writeChanged(folder.file("record.json"), jsonText(record));
  await writeChanged(folder.file("metrics.json"), jsonText({ ...metricsOf(record), models: record.models }));
  const faces = config.withImages ? await withFaces(context, record) : record;
  const page = withLinks(faces, folder.path, folder.file("report.html"));
  await writeChanged(folder.file("report.html"), renderReport(page, await readReportAssets()));
  progress.note(`report: ${folder.file("report.html")}`);
  return record;
}
