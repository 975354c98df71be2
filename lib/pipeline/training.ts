/** Stages baseline and finetune: trains a network with its head on the task and keeps the best epoch. */
import { existsSync } from "node:fs";
import type { EpochRecord } from "../core/artifacts.ts";
import { readBytes, readJson, writeJson, writeWhole } from "../core/files.ts";
import { headOf, predictionName } from "../backbones/head.ts";
import type { Batch } from "../data/batches.ts";
import type { LossTerm, Tensors } from "../engine/engine.ts";
import { computeMetrics } from "../evaluate/metrics.ts";
import { predict } from "../evaluate/predict.ts";
import { calibrateLogits } from "../finetune/calibrate.ts";
import { finetune, type LearningRateTrial, type Validation } from "../finetune/finetune.ts";
import { lossValue, maskName, targetName, taskLoss } from "../finetune/losses.ts";
import { readOnnx, writeOnnx } from "../formats/onnx.ts";
import type { Network } from "../network/network.ts";
import { checkpointFile } from "./checkpoint.ts";
import { pictures, type RunContext } from "./context.ts";
import { withCrop } from "./model.ts";
import { rescaleHead, scaleOutputs, standardise, unstandardise, type Units } from "./targets.ts";

/** What is added to the task's loss, and what is fed for it. */
export interface Distillation {
  readonly terms: readonly LossTerm[];
  targets(batch: Batch): Promise<Tensors>;
}

export interface TrainingPlan {
  /** Stage and file: "baseline", "finetune". */
  readonly stage: string;
  readonly file: string;
  readonly title: string;
  /** Network with its head, in target units. */
  readonly network: () => Promise<Network>;
  /** Everything the network depends on. */
  readonly key: unknown;
  readonly epochs: number;
  readonly units: Units;
  /** In place of the configuration's. */
  readonly learningRates?: readonly number[];
  readonly distillation?: () => Promise<Distillation & { dispose(): Promise<void> }>;
}

export interface Trained {
  readonly network: Network;
  readonly history: readonly EpochRecord[];
  readonly bestEpoch: number;
  readonly learningRate: number;
  readonly trials: readonly LearningRateTrial[];
}

type History = Record<string, Omit<Trained, "network">>;

/** Trains (or reads back) one network. Leaves `plan.file` and an entry in `history.json`. */
export async function trainingStage(context: RunContext, plan: TrainingPlan): Promise<Trained> {
  const { folder, config, progress } = context;
  const { batchSize, seed, distill, augment } = config;
  const learningRates = plan.learningRates ?? config.learningRates;
  const checkpoint = `checkpoints/${plan.stage}.safetensors`;
  const ran = await folder.stage(plan.stage, {
    inputs: {
      key: plan.key,
      epochs: plan.epochs,
      batchSize,
      learningRates,
      seed,
      augment,
      best: "half an error above epoch 0",
      ...(plan.distillation ? { distill, teacher: "sees the unchanged picture" } : {}),
    },
    files: [plan.file],
    scratch: [checkpoint],
    produce: async () => {
      const result = await train(context, plan, folder.file(checkpoint));
      const history = await readHistory(folder.file("history.json"));
      const { network, ...record } = result;
      await writeWhole(folder.file(plan.file), writeOnnx(withProvenance(context, network, plan.title)));
      await writeJson(folder.file("history.json"), { ...history, [plan.stage]: record });
    },
  });
  if (!ran) progress.note(`${plan.title}: done before, kept`);
  const record = (await readHistory(folder.file("history.json")))[plan.stage];
  const network = readOnnx(await readBytes(folder.file(plan.file)), { name: folder.file(plan.file) });
  return { network, ...record };
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
  const boxed = withCrop(network, dataset.crop);
  return { ...boxed, metadata: { ...boxed.metadata, "etl.provenance": JSON.stringify(made) } };
}

async function readHistory(path: string): Promise<History> {
  return existsSync(path) ? ((await readJson(path)) as History) : {};
}

async function train(context: RunContext, plan: TrainingPlan, checkpoint: string): Promise<Trained> {
  const { engine, config, task, rows, store, progress, signal } = context;
  const network = rescaleHead(await plan.network(), plan.units, "training");
  const input = network.inputs[0].name;
  const masked = store.items.some((item) => item.mask !== undefined);
  const distillation = await plan.distillation?.();
  const stepsPerEpoch = Math.max(1, Math.floor(rows.train.length / config.batchSize));
  try {
    const result = await finetune(network, {
      engine,
      losses: [taskLoss(task, predictionName, masked), ...(distillation?.terms ?? [])],
      batches: (epoch) =>
        trainingBatches(context, { epoch, input, units: plan.units, distillation, steps: stepsPerEpoch }),
      stepsPerEpoch,
      epochs: plan.epochs,
      learningRate: plan.learningRates ?? config.learningRates,
      validate: (candidate) => validate(context, candidate, plan.units),
      validationSize: rows.val.length,
      seed: config.seed,
      checkpoint: checkpointFile(checkpoint),
      label: plan.title,
      progress,
      signal,
    });
    return { ...result, network: rescaleHead(result.network, plan.units, "target") };
  } finally {
    await distillation?.dispose();
  }
}

/** Small changes of a picture that leave every task's label alone: shift (share of the side), brightness. */
const changes = { shift: 0.03, brightness: 0.2 } as const;

/** Full batches of one epoch, shuffled and mirrored; the rows that are left over wait for the next epoch's shuffle. */
async function* trainingBatches(
  context: RunContext,
  options: {
    readonly epoch: number;
    readonly input: string;
    readonly units: Units;
    readonly distillation: Distillation | undefined;
    readonly steps: number;
  },
): AsyncGenerator<Tensors> {
  const { rows, task, config } = context;
  const augment = { ...(config.augment ? changes : {}), mirror: task.mirror !== "forbid" };
  let done = 0;
  for await (const batch of pictures(context, rows.train, { shuffle: true, epoch: options.epoch, augment })) {
    if (done === options.steps) return;
    done += 1;
    const extra = options.distillation ? await options.distillation.targets(batch) : {};
    yield {
      [options.input]: batch.x,
      [targetName]: { shape: batch.y.shape, data: standardise(batch.y.data, options.units) },
      ...(batch.mask ? { [maskName]: batch.mask } : {}),
      ...extra,
    };
  }
}

/** Predictions of a network on some rows, in target units, with the targets. */
export async function predictRows(
  context: RunContext,
  network: Network,
  rows: Uint32Array,
): Promise<{ predictions: Float32Array; targets: Float32Array; mask?: Float32Array }> {
  const { engine, task, store } = context;
  const program = await engine.compile(network);
  const input = network.inputs[0].name;
  const output = network.outputs[0].name;
  async function* inputs(): AsyncGenerator<Tensors> {
    for await (const batch of pictures(context, rows)) yield { [input]: batch.x };
  }
  try {
    const collected = await predict(program, inputs(), { outputs: [output], signal: context.signal });
    const q = task.outputs;
    const targets = new Float32Array(rows.length * q);
    rows.forEach((row, i) => {
      targets.set(store.items[row].target, i * q);
    });
    const masked = store.items.some((item) => item.mask !== undefined);
    const mask = new Float32Array(masked ? rows.length * q : 0).fill(1);
    rows.forEach((row, i) => {
      const own = store.items[row].mask;
      if (own) mask.set(own, i * q);
    });
    return { predictions: collected[output].data, targets, ...(masked ? { mask } : {}) };
  } finally {
    await program.dispose();
  }
}

/** The network with its head's logits calibrated on the validation part; numbers stay as they are. */
export async function calibrated(context: RunContext, network: Network): Promise<Network> {
  const { task, rows } = context;
  const head = headOf(network);
  if (head?.bias === undefined || task.kind === "regression") return network;
  const { predictions, targets, mask } = await predictRows(context, network, rows.val);
  const { scale, offset } = calibrateLogits(task.kind, { logits: predictions, targets, mask }, task.outputs);
  return scaleOutputs(network, head, { scale, offset });
}

/** Loss (training units) and accuracy of a network in training units on the validation part. */
async function validate(context: RunContext, network: Network, units: Units): Promise<Validation> {
  const { task, rows } = context;
  const { predictions, targets, mask } = await predictRows(context, network, rows.val);
  const loss = lossValue(
    task.kind,
    { predictions, targets: standardise(targets, units), mask },
    task.outputs,
  );
  const metrics = computeMetrics(task, unstandardise(predictions, units), targets, mask ? { mask } : {});
  return { loss, accuracy: metrics.accuracy };
}
