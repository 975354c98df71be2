/** Training one network from a fresh or loaded state: batches, what changes from epoch to epoch, the best epoch. */
import type { EpochRecord } from "../../core/artifacts.ts";
import { jsonText } from "../../core/files.ts";
import { createRandom } from "../../core/random.ts";
import { writeSealed } from "../../core/seal.ts";
import type { Architecture } from "../../backbones/architecture.ts";
import { batches, type Batch } from "../../data/images/batches.ts";
import { cutParts, randomPart } from "../../data/images/parts.ts";
import type { Tensors } from "../../engine/engine.ts";
import { computeMetrics } from "../../evaluate/metrics.ts";
import { adaptThresholds, countErrors, logitOfScore, scoreOfLogit } from "../../evaluate/thresholds.ts";
import { finetune, type Checkpoint, type Validation } from "../../finetune/finetune.ts";
import { lossValue } from "../../finetune/losses.ts";
import { plateauRate, type RatePosition } from "../../finetune/schedule.ts";
import {
  boundedWeights,
  dynamicWeights,
  positiveWeights,
  termWeights,
  withMeanOne,
} from "../../finetune/weights.ts";
import type { Network, Tensor } from "../../network/network.ts";
import { changesOf, mayMirror } from "../world/changes.ts";
import { checkpointFile, readCheckpoint } from "../world/checkpoint.ts";
import { unstandardise } from "../world/units.ts";
import type { PartRows } from "../world/parts.ts";
import { gather } from "../world/units.ts";
import { inTraining, outputLosses, trainedHeads, type TrainedHead } from "./heads.ts";
import { predictHeads } from "./predict.ts";
import type { TrainSetup } from "./setup.ts";

/** What changes from epoch to epoch beside the parameters; epoch 0 is the state before the first step. */
export interface EpochState {
  /** Validation loss of every output of the main task. */
  readonly losses: readonly number[];
  /** Weights of the outputs in the next epoch's loss. */
  readonly weights: readonly number[];
  /** Thresholds, as scores in -1..1. */
  readonly thresholds: readonly number[];
}

export interface TrainedNetwork {
  /** Raw outputs: training units, thresholds not yet taken off. */
  readonly network: Network;
  readonly heads: readonly TrainedHead[];
  readonly history: readonly EpochRecord[];
  readonly bestEpoch: number;
  readonly learningRate: number;
  /** Beside `history`. */
  readonly states: readonly EpochState[];
}

/**
 * Trains a network on some rows and keeps the best epoch on the validation rows.
 *
 * @param files where a stopped training is kept, and the states beside it
 */
export async function trainNetwork(
  setup: TrainSetup,
  network: Network,
  what: {
    readonly rows: PartRows;
    readonly label: string;
    readonly files: { checkpoint: string; states: string };
  },
): Promise<TrainedNetwork> {
  const { config, architecture, data, engine } = setup;
  const { rows, files } = what;
  const heads = trainedHeads(data.tables, architecture, rows.train);
  const states: EpochState[] = [];
  const checkpoint = checkpointFile(files.checkpoint, setup.progress);
  const { epochs, learningRate, batchSize, seed } = config;
  const stepsPerEpoch = Math.max(1, Math.floor(rows.train.length / batchSize));
  const [main] = heads;
  const labels = gather(main.table.targets, rows.train, main.table.task.outputs);
  const known = main.table.mask && gather(main.table.mask, rows.train, main.table.task.outputs);
  const positive = config.positiveWeight
    ? positiveWeights(labels, main.table.task.outputs, known)
    : undefined;
  const result = await finetune(network, {
    engine,
    losses: heads.map(({ term }) => term),
    batches: (epoch) =>
      trainingBatches(setup, {
        epoch,
        rows: rows.train,
        steps: stepsPerEpoch,
        heads,
        positive,
        weights: states[epoch - 1]?.weights,
      }),
    stepsPerEpoch,
    epochs,
    learningRate,
    optimizer: architecture.recipe.optimizer,
    clipNorm: noClipping,
    rateAt: rateOf(architecture.recipe.schedule),
    validate: (candidate) => validate(setup, candidate, { rows: rows.val, heads, states }),
    validationSize: rows.val.length,
    // Of numbers the share within a tolerance says little: their loss decides.
    judge: main.table.task.kind === "regression" ? "loss" : (architecture.recipe.keep ?? "accuracy"),
    onDivergence: "stop",
    give: setup.recycler,
    seed,
    checkpoint: {
      load: async () => {
        const point = await checkpoint.load();
        const bytes = point && (await readCheckpoint(files.states, setup.progress));
        if (bytes === undefined) return undefined;
        const kept = JSON.parse(new TextDecoder().decode(bytes)) as EpochState[];
        states.splice(0, states.length, ...kept.slice(0, point?.history.length));
        return point;
      },
      save: async (point: Checkpoint) => {
        await writeSealed(files.states, new TextEncoder().encode(jsonText(states)));
        await checkpoint.save(point);
      },
    },
    label: what.label,
    progress: setup.progress,
    signal: setup.signal,
  });
  return { ...result, heads, states };
}

/** The papers do not clip gradients. */
const noClipping = 1e9;

function rateOf(schedule: Architecture["recipe"]["schedule"]): ((at: RatePosition) => number) | undefined {
  if (schedule === "cosine") return undefined;
  return schedule === "constant" ? ({ peak }) => peak : plateauRate;
}

interface EpochPlan {
  readonly epoch: number;
  readonly rows: Uint32Array;
  readonly steps: number;
  readonly heads: readonly TrainedHead[];
  readonly positive: Float64Array | undefined;
  readonly weights: readonly number[] | undefined;
}

/** Full batches of one epoch; the rows that are left over wait for the next epoch's shuffle. */
async function* trainingBatches(setup: TrainSetup, plan: EpochPlan): AsyncGenerator<Tensors> {
  const { config, data, preprocessing } = setup;
  const size = { ...preprocessing, width: data.store.width, height: data.store.height };
  // Only labels that a changed picture keeps may be fed beside the main ones.
  const free = plan.heads
    .slice(1)
    .every(({ table: { task } }) => task.mirror === "keep" && task.unit !== "crop");
  const mirror = free && mayMirror(config) && plan.heads[0].table.task.mirror !== "forbid";
  const augment = { ...(free ? changesOf(config) : {}), mirror };
  const { batchSize, seed } = config;
  let done = 0;
  for await (const batch of batches(data.store, plan.rows, {
    batchSize,
    preprocessing: size,
    recycler: setup.recycler,
    seed,
    shuffle: true,
    epoch: plan.epoch,
    augment,
  })) {
    if (done === plan.steps) return;
    done += 1;
    yield { image: partsOfBatch(setup, batch, plan.epoch), ...labelsOfBatch(batch, plan) };
  }
}

/** The batch's pictures, a part of each where the network sees less than the whole. */
function partsOfBatch({ data, preprocessing, config }: TrainSetup, batch: Batch, epoch: number): Tensor {
  const { width: side } = preprocessing;
  if (side === data.store.width) return batch.x;
  const random = createRandom(config.seed).fork(`parts ${epoch} ${batch.rows[0]}`);
  return cutParts(batch.x, side, () => randomPart(data.store.width, side, random));
}

function labelsOfBatch(batch: Batch, { heads, positive, weights }: EpochPlan): Tensors {
  const fed: Record<string, Tensor> = {};
  heads.forEach((head, k) => {
    const { task, targets, mask } = head.table;
    const q = task.outputs;
    const y = k === 0 ? batch.y.data : gather(targets, batch.rows, q);
    const shape = [batch.rows.length, q];
    fed[head.target] = { shape, data: inTraining(head, y) };
    if (head.term.mask === undefined) return;
    const own = mask && gather(mask, batch.rows, q);
    const main = k === 0 ? { positive, output: weights } : {};
    fed[head.mask] = { shape, data: termWeights(y, q, { mask: own, ...main }) };
  });
  return fed;
}

/** Loss and accuracy on the validation rows; leaves the epoch's state. */
async function validate(
  setup: TrainSetup,
  network: Network,
  what: { readonly rows: Uint32Array; readonly heads: readonly TrainedHead[]; readonly states: EpochState[] },
): Promise<Validation> {
  const { rows, heads, states } = what;
  const predictions = await predictHeads(setup, network, { rows, heads, parts: "centre" });
  let [loss, accuracy] = [0, 0];
  heads.forEach((head, k) => {
    const { task, targets: all, mask: known } = head.table;
    const targets = gather(all, rows, task.outputs);
    const mask = known && gather(known, rows, task.outputs);
    const raw = predictions[k];
    const own = outputLosses(head, raw, targets, mask);
    const plain = { predictions: raw, targets: inTraining(head, targets), mask };
    const kind = head.labels === "signed" ? "regression" : task.kind;
    loss += head.term.weight * lossValue(kind, plain, task.outputs);
    if (k === 0) states.push(nextState(setup, head, { own, raw, targets, mask, states }));
    if (k === 0) warnOfDivergence(setup, states);
    if (head.auxiliary) return;
    const thresholds = k === 0 ? thresholdsOf(head, states.at(-1)) : undefined;
    const units = head.labels === "standard" ? unstandardise(raw, head.units) : raw;
    accuracy += computeMetrics(task, units, targets, {
      ...(mask === undefined ? {} : { mask }),
      ...(thresholds === undefined ? {} : { thresholds }),
    }).accuracy;
  });
  return { loss, accuracy: accuracy / heads.filter(({ auxiliary }) => !auxiliary).length };
}

/** Thresholds in the units of the network's output: as they are where labels are signed, else as logits. */
export function thresholdsOf(head: TrainedHead, state: EpochState | undefined): number[] | undefined {
  if (state === undefined || head.term.mask === undefined) return undefined;
  return head.labels === "signed" ? [...state.thresholds] : state.thresholds.map(logitOfScore);
}

/** A loss that is so many times what it was before training does not come back. */
const diverged = 10;

/** Says where the validation loss of the main task runs away, and where the weights of eq. 4 are held. */
function warnOfDivergence({ config, progress }: TrainSetup, states: readonly EpochState[]): void {
  const sums = states.map(({ losses }) => losses.reduce((sum, loss) => sum + loss, 0));
  const [first, now] = [sums[0], sums[sums.length - 1]];
  if (!(now <= diverged * first))
    progress.warn(
      `validation loss ${now.toPrecision(3)}, ${first.toPrecision(3)} before training: it diverges; a smaller --learning-rate, or --weights of a trained network, was needed`,
    );
  if (config.lossWeights === "equal" || states.length < 2) return;
  const held = dynamicWeights(states[states.length - 1].losses, states[states.length - 2].losses).filter(
    (weight) => !(weight <= 1),
  ).length;
  if (held > 0)
    progress.warn(
      `--loss-weights ${config.lossWeights}: the loss of ${held} labels more than doubled, their weights are held at 1`,
    );
}

function nextState(
  { config }: TrainSetup,
  head: TrainedHead,
  seen: {
    readonly own: Float64Array;
    readonly raw: Float32Array;
    readonly targets: Float32Array;
    readonly mask: Float32Array | undefined;
    readonly states: readonly EpochState[];
  },
): EpochState {
  const { own, raw, targets, mask, states } = seen;
  const q = head.table.task.outputs;
  const before = states.at(-1);
  const losses = Array.from(own);
  const even = new Array<number>(q).fill(1);
  const start = { losses, weights: even, thresholds: new Array<number>(q).fill(0) };
  if (before === undefined || head.term.mask === undefined) return start;
  const moved = dynamicWeights(own, before.losses);
  const weights = {
    equal: even,
    dynamic: Array.from(boundedWeights(moved)),
    relative: Array.from(withMeanOne(boundedWeights(moved))),
  }[config.lossWeights];
  if (config.thresholds === "fixed") return { ...start, weights };
  const scores = head.labels === "signed" ? raw : raw.map(scoreOfLogit);
  const errors = countErrors(scores, targets, { thresholds: before.thresholds, mask });
  const { thresholdRate: rate } = config;
  const thresholds = Array.from(adaptThresholds(before.thresholds, errors, { epoch: states.length, rate }));
  return { losses, weights, thresholds };
}
