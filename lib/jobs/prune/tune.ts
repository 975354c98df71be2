/** Stages baseline and finetune: trains a network with its head on the task and keeps the best epoch. */
import type { EpochRecord } from "../../core/artifacts.ts";
import type { Progress } from "../../core/progress.ts";
import type { Metrics } from "../../record/record.ts";
import { writeJson, writeWhole } from "../../core/files.ts";
import { headOf } from "../../backbones/head.ts";
import type { Tensors } from "../../engine/engine.ts";
import { computeMetrics } from "../../evaluate/metrics.ts";
import { calibrateLogits } from "../../finetune/calibrate.ts";
import { finetune } from "../../finetune/finetune.ts";
import type { LearningRateTrial, Validation } from "../../finetune/options.ts";
import { lossValue } from "../../finetune/losses.ts";
import { writeOnnx } from "../../formats/onnx/write.ts";
import type { Network } from "../../network/network.ts";
import { changesOf } from "../run/options.ts";
import { checkpointFile } from "../run/checkpoint.ts";
import type { RunContext } from "./context.ts";
import { distillation, type Distillation, type Lesson } from "./distil.ts";
import { feedLabels, fedTasks, type FedTask } from "./feed.ts";
import { networkIn, rememberedCrop, withOrigin } from "../run/model.ts";
import { epochBatches, passOver, stepsIn } from "../run/passes.ts";
import { gather } from "../run/units.ts";
import { labelsOf, meanOver, type RunTask, type TaskLabels } from "../run/tasks.ts";
import { rescaleHead, scaleOutputs, standardise, unstandardise, type Units } from "../run/units.ts";
import { readStored } from "../run/stored.ts";

export interface TrainingPlan {
  /** Stage and file: "baseline", "finetune". */
  readonly stage: string;
  readonly file: string;
  readonly title: string;
  /** Network with its head, in target units. */
  readonly network: Network;
  /** The stages that made it, {@link StageOptions.from}. */
  readonly from: readonly string[];
  /** Everything the network depends on. */
  readonly key: unknown;
  readonly epochs: number;
  /** Beside the tasks. */
  readonly units: readonly Units[];
  /** In place of the configuration's. */
  readonly learningRates?: readonly number[];
  /** What it learns beside the labels. */
  readonly lesson?: Lesson;
}

export interface Trained {
  readonly network: Network;
  readonly stage: string;
  readonly history: readonly EpochRecord[];
  readonly bestEpoch: number;
  readonly learningRate: number;
  readonly trials: readonly LearningRateTrial[];
}

/** Trains (or reads back) one network. Leaves `plan.file` and `history/STAGE.json`. */
export async function trainingStage(context: RunContext, plan: TrainingPlan): Promise<Trained> {
  const { folder, config, progress } = context;
  const { batchSize, seed, distill, distillOutputs } = config;
  const learningRates = plan.learningRates ?? config.learningRates;
  const checkpoint = `checkpoints/${plan.stage}.safetensors`;
  const history = `history/${plan.stage.replace(":", "-")}.json`;
  const ran = await folder.stage(plan.stage, {
    from: plan.from,
    costly: true,
    inputs: {
      key: plan.key,
      epochs: plan.epochs,
      batchSize,
      learningRates,
      seed,
      augment: changesOf(config),
      best: "lowest loss within half an error, or the mean of the second half's weights",
      ...(plan.lesson ? { distill, distillOutputs, teacher: "sees the unchanged picture" } : {}),
    },
    files: [plan.file, history],
    scratch: [checkpoint],
    produce: async () => {
      const result = await train(context, plan, folder.file(checkpoint));
      const { network, ...record } = result;
      await writeWhole(folder.file(plan.file), writeOnnx(withProvenance(context, network, plan.title)));
      await writeJson(folder.file(history), record);
    },
  });
  if (!ran) progress.note(`${plan.title}: done before, kept`);
  const record = await readStored<Omit<Trained, "network" | "stage">>(folder, history, "tuned");
  const network = await networkIn(folder, plan.file);
  return { network, stage: plan.stage, ...record };
}

/** The network with what a user of the file needs to know: the face box of its pictures, and where it comes from. */
function withProvenance(context: RunContext, network: Network, title: string): Network {
  const { config, dataset, backbone, folder } = context;
  const made = {
    etl: folder.state().etlVersion,
    model: title,
    backbone: backbone.fingerprint,
    dataset: dataset.name,
    data: dataset.fingerprint,
    gamma: config.gamma,
    seed: config.seed,
  };
  return withOrigin(network, rememberedCrop(config.crop, dataset.crop), made);
}

async function train(
  context: RunContext,
  plan: TrainingPlan,
  checkpoint: string,
): Promise<Omit<Trained, "stage">> {
  const { engine, config, rows, progress, signal } = context;
  const network = rescaled(context, plan.network, plan.units, "training");
  const input = network.inputs[0].name;
  const tasks = fedTasks(context, plan.units);
  const taught = plan.lesson && (await distillation(context, plan.lesson));
  const stepsPerEpoch = stepsIn(rows.train, config.batchSize);
  try {
    const result = await finetune(network, {
      engine,
      losses: [...tasks.map(({ term }) => term), ...(taught?.terms ?? [])],
      ...(taught && { parts: [...tasks.map(() => "labels" as const), ...taught.parts] }),
      batches: (epoch) => trainingBatches(context, { epoch, input, tasks, taught }),
      stepsPerEpoch,
      epochs: plan.epochs,
      learningRate: plan.learningRates ?? config.learningRates,
      validate: (candidate) => validate(context, candidate, plan.units),
      judge: context.tasks.every(({ task }) => task.kind === "regression") ? "loss" : "accuracy",
      validationSize: rows.val.length,
      average: true,
      give: context.recycler,
      seed: config.seed,
      checkpoint: checkpointFile(checkpoint, progress),
      label: plan.title,
      progress,
      signal,
    });
    return { ...result, network: rescaled(context, result.network, plan.units, "target") };
  } finally {
    await taught?.dispose();
  }
}

/** The network with all its heads in training units, or back in target units. */
function rescaled(
  { tasks }: RunContext,
  network: Network,
  units: readonly Units[],
  into: "training" | "target",
): Network {
  return tasks.reduce((made, { output }, t) => rescaleHead(made, units[t], into, output), network);
}

/** What every step of an epoch is fed. */
async function* trainingBatches(
  context: RunContext,
  options: {
    readonly epoch: number;
    readonly input: string;
    readonly tasks: readonly FedTask[];
    readonly taught: Distillation | undefined;
  },
): AsyncGenerator<Tensors> {
  const { rows, mirrors, config, store, recycler, backbone } = context;
  const { batchSize, seed } = config;
  const augment = { ...changesOf(config), mirror: mirrors };
  const { preprocessing } = backbone;
  const { epoch } = options;
  const reading = { batchSize, preprocessing, recycler, seed, epoch, augment };
  for await (const batch of epochBatches(store, rows.train, reading)) {
    const extra = options.taught ? await options.taught.targets(batch) : {};
    yield { [options.input]: batch.x, ...feedLabels(batch, options.tasks), ...extra };
  }
}

/** What a network answers to one task, beside the labels. */
export interface TaskAnswers extends RunTask, TaskLabels {
  /** [at.length, q], target units */
  readonly predictions: Float32Array;
}

/** Predictions of a network on those of some rows that have a label of the task, for every task. */
export async function predictRows(
  context: RunContext,
  network: Network,
  rows: Uint32Array,
): Promise<TaskAnswers[]> {
  return (await predictParts(context, network, [rows]))[0];
}

/** {@link predictRows} of several parts in one pass, beside the parts. */
export async function predictParts(
  context: RunContext,
  network: Network,
  parts: readonly Uint32Array[],
  progress?: Progress,
): Promise<TaskAnswers[][]> {
  const { tasks, store, config, backbone } = context;
  const rows = Uint32Array.from(parts.flatMap((part) => Array.from(part)));
  const collected = await passOver(context, network, rows, {
    outputs: tasks.map(({ output }) => output),
    batchSize: config.batchSize,
    preprocessing: backbone.preprocessing,
    progress,
  });
  let first = 0;
  return parts.map((part) => {
    const [start, end] = [first, (first += part.length)];
    return tasks.map((of) => {
      const labels = labelsOf(store, of, part);
      const { data } = collected[of.output];
      const own = data.subarray(start * of.task.outputs, end * of.task.outputs);
      return { ...of, ...labels, predictions: gather(own, labels.at, of.task.outputs) };
    });
  });
}

/** How good answers are. */
export function qualityOf({ task, predictions, targets, mask }: Omit<TaskAnswers, "at">): Metrics {
  return computeMetrics(task, predictions, targets, mask ? { mask } : {});
}

/** The network with the logits of its heads calibrated on the validation part; numbers stay as they are. */
export async function calibrated(context: RunContext, network: Network): Promise<Network> {
  const { tasks, rows } = context;
  if (tasks.every(({ task }) => task.kind === "regression")) return network;
  const answers = await predictRows(context, network, rows.val);
  return answers.reduce((made, { task, output, predictions, targets, mask }) => {
    const head = headOf(made, output);
    if (head?.bias === undefined || task.kind === "regression") return made;
    const seen = { logits: predictions, targets, mask };
    return scaleOutputs(made, head, calibrateLogits(task.kind, seen, task.outputs));
  }, network);
}

/** Loss (training units) and accuracy of a network in training units on the validation part: means over the tasks. */
async function validate(context: RunContext, network: Network, units: readonly Units[]): Promise<Validation> {
  const answers = await predictRows(context, network, context.rows.val);
  const judged = answers.map((each, t) => {
    const { task, predictions, targets, mask } = each;
    const inTraining = { predictions, targets: standardise(targets, units[t]), mask };
    const { accuracy } = qualityOf({ ...each, predictions: unstandardise(predictions, units[t]) });
    return { loss: lossValue(task.kind, inTraining, task.outputs), accuracy };
  });
  return {
    loss: meanOver(judged, ({ loss }) => loss),
    accuracy: meanOver(judged, ({ accuracy }) => accuracy),
  };
}
