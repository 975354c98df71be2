/** `etl train`: one architecture on one task (or several), from nothing or from weights, measured and reported. */
import { plainText } from "../../report/format.ts";
import { qualityText } from "../../report/sections/facts.ts";
import { refuseMissing, refuseUnknown } from "../../core/options.ts";
import type { EpochRecord, Measured } from "../../core/artifacts.ts";
import { jsonText, writeChanged, writeJson, writeWhole } from "../../core/files.ts";
import { shownMetrics } from "../../record/absent.ts";
import { SCHEMA, type Metrics } from "../../record/record.ts";
import { networkFingerprint } from "../../backbones/backbone.ts";
import type { LabelWise } from "../../evaluate/label-wise.ts";
import { writeOnnx } from "../../formats/onnx/write.ts";
import { costOf } from "../../network/cost.ts";
import type { Network } from "../../network/network.ts";
import { readReportAssets } from "../../report/assets.ts";
import { withLinks } from "../run/links.ts";
import { renderReport } from "../../report/report.ts";
import { asWritten } from "../run/frame.ts";
import { profileStage } from "../run/profile.ts";
import { partsFile, partsStage } from "../run/used.ts";
import { closeWorld } from "../run/world.ts";
import { inRunFolder } from "../run/folder.ts";
import { networkIn, rememberedCrop } from "../run/model.ts";
import { headsOf, trainedHeads, type TrainedHead } from "./heads.ts";
import { thresholdsOf, trainNetwork, type EpochState } from "./loop.ts";
import { measureHeads } from "./measure.ts";
import { finishedNetwork } from "./network.ts";
import { partsInTest } from "./predict.ts";
import { resolveTrainOptions } from "./config.ts";
import { trainNames, type TrainOptions } from "./options.ts";
import { recordOf, type TrainRun } from "./record.ts";
import { openSetup, settingsOf } from "./setup.ts";
import { readStored } from "../run/stored.ts";

/** Quality on one task beside the main one. */
export interface OtherTask {
  readonly task: string;
  readonly test: Metrics;
  readonly validation: Metrics;
}

/** `metrics.json` of a training run, and the object behind `--json`. */
export interface TrainResult {
  readonly schema: typeof SCHEMA;
  readonly arch: string;
  readonly task: string;
  readonly dataset: { readonly train: number; readonly val: number; readonly test: number };
  readonly trained: Measured;
  /** Standard error of `trained.accuracy`, from the test pictures. */
  readonly accuracyError: number;
  /** Mean accuracy of always giving the commoner answer on the test part, and balanced accuracy, for yes/no labels. */
  readonly balancedAccuracy?: number;
  /** Numbers: mean absolute error on the test part, in `unit`, which is that of the label. */
  readonly mae?: number;
  readonly unit?: string;
  readonly bestEpoch: number;
  /** Why training ended before its last epoch: a loss that was no number. The network is that of `bestEpoch`. */
  readonly stopped?: string;
  /** Yes/no labels: every label's scores, means weighted by support, the line of accuracy over positives. */
  readonly labels?: LabelWise;
  /** Thresholds that were taken off the outputs, as scores in -1..1. */
  readonly thresholds?: readonly number[];
  /** The same network on the test part, decided at 0 instead. */
  readonly atZero?: Metrics;
  readonly others: readonly OtherTask[];
  readonly seconds: Readonly<Record<string, number>>;
}

/** What `history.json` holds of the training. */
interface Training {
  readonly history: readonly EpochRecord[];
  readonly bestEpoch: number;
  readonly learningRate: number;
  readonly stopped?: string;
  readonly states: readonly EpochState[];
}

interface Evaluation {
  readonly test: Metrics;
  readonly validation: Metrics;
  readonly labels?: LabelWise;
  readonly atZero?: Metrics;
  readonly others: readonly OtherTask[];
}

/**
 * Trains an architecture and measures it. Leaves `model.onnx`, `history.json`, `metrics.json`, `record.json` and
 * `report.html` in `options.out`; what is there from an earlier run with the same inputs is not done again.
 *
 * @throws EtlError; `interrupted` where `options.signal` was aborted: the state is kept, run again to go on
 */
export async function train(options: TrainOptions): Promise<TrainResult> {
  refuseUnknown("train", options, trainNames);
  refuseMissing("train", options, ["data", "task", "out"]);
  const { config, architecture } = resolveTrainOptions(options, "train");
  const { signal, progress, replace } = options;
  return inRunFolder(config.out, { config: { ...config }, signal, progress, replace }, async (folder) => {
    const setup = await openSetup(options);
    try {
      return await runStages({ ...setup, folder, architecture });
    } finally {
      await closeWorld(setup.data);
    }
  });
}

async function runStages(run: TrainRun): Promise<TrainResult> {
  const { folder } = run;
  const { dataset, store, rows } = run.data;
  await partsStage({ folder, dataset, store, rows });
  const key = {
    network: networkFingerprint(run.start.network),
    data: run.data.dataset.fingerprint,
    tasks: headsOf(run.data.tables),
    ...settingsOf(run),
  };
  const trained = await trainStage(run, key);
  const evaluation = await evaluateStage(run, trained, key);
  const { name } = run.architecture;
  const models = [{ name, network: trained.network }];
  const { timer } = run.data;
  const { [name]: latency } = await profileStage({ ...run, timer }, models, { from: ["finetune"], key });
  const record = asWritten(await recordOf(run, trained, { ...evaluation, latency }), run.progress);
  const { total } = costOf(trained.network);
  const { macs, params, bytes } = total;
  const { test, labels, atZero, others } = evaluation;
  const { balancedAccuracy } = shownMetrics(test);
  const [main] = run.data.tables;
  const state = trained.states[trained.bestEpoch];
  const result: TrainResult = {
    schema: SCHEMA,
    arch: run.architecture.name,
    task: main.task.name,
    dataset: record.dataset,
    trained: { accuracy: test.accuracy, macs, params, bytes, cpuMs: latency.medianMs },
    accuracyError: test.accuracyError,
    ...(balancedAccuracy === undefined ? {} : { balancedAccuracy }),
    ...(test.mae === undefined ? {} : { mae: test.mae, unit: main.task.unit ?? "" }),
    bestEpoch: trained.bestEpoch,
    ...(trained.stopped === undefined ? {} : { stopped: trained.stopped }),
    ...(labels === undefined ? {} : { labels }),
    ...(run.config.thresholds === "adaptive" ? { thresholds: state.thresholds } : {}),
    ...(atZero === undefined ? {} : { atZero: shownMetrics(atZero) }),
    others,
    seconds: record.seconds,
  };
  const { train: n, val, test: tested } = record.dataset;
  const plain = { ...result, dataset: { train: n, val, test: tested } };
  await writeChanged(folder.file("record.json"), jsonText(record));
  await writeChanged(folder.file("metrics.json"), jsonText(plain));
  const page = withLinks(record, folder.path, folder.file("report.html"));
  await writeChanged(folder.file("report.html"), renderReport(page, await readReportAssets()));
  run.progress.note(`report: ${folder.file("report.html")}`);
  await folder.finish(["record.json", partsFile]);
  return plain;
}

type Trained = Training & {
  readonly network: Network;
  /** All outputs, training units: what is measured, with thresholds and without. */
  readonly raw: Network;
  readonly heads: readonly TrainedHead[];
};

/** Trains (or reads back). Leaves `model.onnx`, `outputs.onnx` (the same in training units) and `history.json`. */
async function trainStage(run: TrainRun, key: unknown): Promise<Trained> {
  const { folder, data, start, progress, architecture } = run;
  const [checkpoint, states] = ["checkpoints/training.safetensors", "checkpoints/states.json"];
  const ran = await folder.stage("finetune", {
    costly: true,
    from: ["parts"],
    inputs: key,
    files: ["model.onnx", "outputs.onnx", "history.json"],
    scratch: [checkpoint, states],
    produce: async () => {
      const files = { checkpoint: folder.file(checkpoint), states: folder.file(states) };
      const what = { rows: data.rows, label: architecture.name, files };
      const { network, heads, ...training } = await trainNetwork(run, start.network, what);
      const thresholds = thresholdsOf(heads[0], training.states[training.bestEpoch]);
      const provenance = provenanceOf(run);
      const crop = rememberedCrop(run.config.crop, data.dataset.crop);
      const finished = finishedNetwork(network, heads, {
        ...{ thresholds, crop, provenance },
        parts: partsInTest(run, heads),
      });
      await writeWhole(folder.file("outputs.onnx"), writeOnnx(network));
      await writeWhole(folder.file("model.onnx"), writeOnnx(finished));
      await writeJson(folder.file("history.json"), { trained: training });
    },
  });
  if (!ran) progress.note(`${architecture.name}: trained before, kept`);
  const { trained } = await readStored<{ trained: Training }>(folder, "history.json", "trained");
  const heads = trainedHeads(data.tables, architecture, data.rows.train);
  return {
    ...trained,
    network: await networkIn(folder, "model.onnx"),
    raw: await networkIn(folder, "outputs.onnx"),
    heads,
  };
}

function provenanceOf({ config, data, folder, architecture, start }: TrainRun): object {
  const { dataset } = data;
  return {
    etl: folder.state().etlVersion,
    model: architecture.name,
    start: networkFingerprint(start.network),
    dataset: dataset.name,
    data: dataset.fingerprint,
    seed: config.seed,
  };
}

/** Quality of all tasks on the test part (touched once), of the main one also on the validation part. */
async function evaluateStage(run: TrainRun, trained: Trained, key: unknown): Promise<Evaluation> {
  const { folder, data, progress } = run;
  const file = "evaluation.json";
  await folder.stage("evaluate", {
    from: ["finetune"],
    measures: true,
    inputs: { key },
    files: [file],
    produce: async () => {
      progress.start("evaluate");
      const state = trained.states[trained.bestEpoch];
      const test = await measureHeads(run, trained.raw, {
        rows: data.rows.test,
        heads: trained.heads,
        state,
      });
      const validation = await measureHeads(run, trained.raw, {
        rows: data.rows.val,
        heads: trained.heads,
        state,
      });
      const [main, ...others] = test;
      await writeJson(folder.file(file), {
        test: main.metrics,
        validation: validation[0].metrics,
        ...(main.labels === undefined ? {} : { labels: main.labels }),
        ...(main.atZero === undefined ? {} : { atZero: main.atZero }),
        others: others.map(({ task, metrics }, k) => ({
          task,
          test: metrics,
          validation: validation[k + 1].metrics,
        })),
      } satisfies Evaluation);
      const said = plainText(qualityText(run.data.tables[0].task, main.metrics));
      progress.finish(`${said}, n = ${main.metrics.n}`);
    },
  });
  return readStored<Evaluation>(folder, file, "evaluation");
}
