/** Training one network from a fresh or loaded state: batches, what changes from epoch to epoch, the best epoch. */
import type { EpochRecord } from "../../core/artifacts.ts";
import { worded } from "../../core/voice.ts";
import { jsonText } from "../../core/files.ts";
import { parseJson } from "../../core/parse-json.ts";
import { createRandom } from "../../core/random.ts";
import { writeSealed } from "../../core/seal.ts";
import type { Architecture } from "../../backbones/architecture.ts";
import type { Batch } from "../../data/images/batches.ts";
import { cutParts, randomPart } from "../../data/images/parts.ts";
import type { Tensors } from "../../engine/engine.ts";
import { computeMetrics } from "../../evaluate/metrics.ts";
import { logitOfScore } from "../../evaluate/thresholds.ts";
import { finetune } from "../../finetune/finetune.ts";
import type { Checkpoint, Validation } from "../../finetune/options.ts";
import { lossValue } from "../../finetune/losses.ts";
import { plateauRate, type RatePosition } from "../../finetune/schedule.ts";
import { positiveWeights, termWeights } from "../../finetune/weights.ts";
import type { Network, Tensor } from "../../network/network.ts";
import { changesOf, mayMirror } from "../run/options.ts";
import { checkpointFile, readCheckpoint } from "../run/checkpoint.ts";
import { needStored } from "../run/stored.ts";
import { unstandardise } from "../run/units.ts";
import type { PartRows } from "../run/parts.ts";
import { epochBatches, stepsIn } from "../run/passes.ts";
import { inTraining, outputLosses, trainedHeads, type TrainedHead } from "./heads.ts";
import { predictHeads } from "./predict.ts";
import { labelsAt } from "./data.ts";
import type { TrainSetup } from "./setup.ts";
import {
  heldWeights,
  intervalOf,
  isMoving,
  nextUpdate,
  type SeenLosses,
  type WeightUpdate,
} from "./updates.ts";

/** What changes from epoch to epoch beside the parameters; epoch 0 is the state before the first step. */
export interface EpochState {
  /** Validation loss of every output of the main task. */
  readonly losses: readonly number[];
  /** Weights of the outputs in the next epoch's loss. */
  readonly weights: readonly number[];
  /** Thresholds, as scores in -1..1. */
  readonly thresholds: readonly number[];
  /** The updates of weights and thresholds in this epoch, its end included; absent where nothing is updated. */
  readonly updates?: readonly WeightUpdate[];
}

export interface TrainedNetwork {
  /** Raw outputs: training units, thresholds not yet taken off. */
  readonly network: Network;
  readonly heads: readonly TrainedHead[];
  readonly history: readonly EpochRecord[];
  readonly bestEpoch: number;
  readonly learningRate: number;
  /** Why training ended before its last epoch. */
  readonly stopped?: string;
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
  const course: Course = { states: [], running: [] };
  const { states } = course;
  const checkpoint = checkpointFile(files.checkpoint, setup.progress);
  const { epochs, learningRate, batchSize, seed } = config;
  const stepsPerEpoch = stepsIn(rows.train, batchSize);
  const every = intervalOf(config, stepsPerEpoch);
  const [main] = heads;
  const { targets, mask } = labelsAt(main.table, rows.train);
  const positive = config.positiveWeight
    ? positiveWeights(targets, main.table.task.outputs, mask)
    : undefined;
  const result = await finetune(network, {
    engine,
    losses: heads.map(({ term }) => term),
    batches: (epoch) =>
      trainingBatches(setup, {
        epoch,
        rows: rows.train,
        heads,
        positive,
        weights: () => latest(course)?.weights,
      }),
    stepsPerEpoch,
    epochs,
    learningRate,
    optimizer: architecture.recipe.optimizer,
    clipNorm: noClipping,
    rateAt: rateOf(architecture.recipe.schedule),
    validate: (candidate) => validate(setup, candidate, { rows, heads, course, stepsPerEpoch, every }),
    ...(config.updateEvery === undefined
      ? {}
      : {
          within: {
            every,
            look: async (candidate, iteration) => {
              const seen = await lookAt(setup, candidate, { rows, heads, epoch: states.length, iteration });
              update(setup, heads[0], { course, seen: seen.main });
            },
          },
        }),
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
        const kept = parseJson(new TextDecoder().decode(bytes), files.states);
        needStored(kept, files.states, "states");
        states.splice(0, states.length, ...(kept as EpochState[]).slice(0, point?.history.length));
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
  const kept = states[result.bestEpoch];
  if (hasDiverged(states[0], kept))
    setup.progress.warn(
      worded(
        `epoch ${result.bestEpoch} is kept, and it has diverged itself: the network is of no use, a smaller --learning-rate than ${learningRate} was needed`,
      ),
    );
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
  readonly heads: readonly TrainedHead[];
  readonly positive: Float64Array | undefined;
  /** Those of the moment a batch is asked for. */
  readonly weights: () => readonly number[] | undefined;
}

/** What every step of an epoch is fed. */
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
  for await (const batch of epochBatches(data.store, plan.rows, {
    batchSize,
    preprocessing: size,
    recycler: setup.recycler,
    seed,
    epoch: plan.epoch,
    augment,
  })) {
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
  const fed = new Map<string, Tensor>();
  heads.forEach((head, k) => {
    const q = head.table.task.outputs;
    const { targets, mask } = labelsAt(head.table, batch.rows);
    const y = k === 0 ? batch.y.data : targets;
    const shape = [batch.rows.length, q];
    fed.set(head.target, { shape, data: inTraining(head, y) });
    if (head.term.mask === undefined) return;
    const main = k === 0 ? { positive, output: weights() } : {};
    fed.set(head.mask, { shape, data: termWeights(y, q, { mask, ...main }) });
  });
  return Object.fromEntries(fed);
}

/** Where a training stands beside its parameters. */
interface Course {
  readonly states: EpochState[];
  /** Updates since the last epoch's end. */
  running: WeightUpdate[];
}

function updatesOf({ states, running }: Course): WeightUpdate[] {
  return [...states.flatMap(({ updates }) => updates ?? []), ...running];
}

function latest(course: Course): WeightUpdate | undefined {
  return updatesOf(course).at(-1);
}

interface Look {
  readonly predictions: readonly Float32Array[];
  readonly main: SeenLosses;
}

/** What the network answers on the validation rows, and what an update of weights and thresholds looks at. */
async function lookAt(
  setup: TrainSetup,
  network: Network,
  at: {
    readonly rows: PartRows;
    readonly heads: readonly TrainedHead[];
    readonly epoch: number;
    readonly iteration: number;
  },
): Promise<Look> {
  const { rows, heads, epoch, iteration } = at;
  const [head] = heads;
  const predict = (of: Uint32Array): Promise<Float32Array[]> =>
    predictHeads(setup, network, { rows: of, heads, parts: "centre" });
  const predictions = await predict(rows.val);
  const { targets, mask } = labelsAt(head.table, rows.val);
  const [raw] = predictions;
  const losses = outputLosses(head, raw, targets, mask);
  const seen = { iteration, epoch, losses, raw, targets, mask };
  if (setup.config.lossWeights !== "dwa" || rows.train === rows.val) return { predictions, main: seen };
  // Dynamic weight average alone looks at the training part.
  const own = labelsAt(head.table, rows.train);
  const [trained] = await predict(rows.train);
  return { predictions, main: { ...seen, compared: outputLosses(head, trained, own.targets, own.mask) } };
}

function update(
  { config, progress }: TrainSetup,
  head: TrainedHead,
  { course, seen }: { readonly course: Course; readonly seen: SeenLosses },
): void {
  const before = updatesOf(course);
  const next = nextUpdate(config, head, { seen, before });
  const last = before.at(-1);
  const held = last === undefined ? 0 : heldWeights(config.lossWeights, next, last);
  if (held > 0)
    progress.warn(
      worded(
        `--loss-weights ${config.lossWeights}: the loss of ${held === 1 ? "1 label more than doubled, its weight is" : `${held} labels more than doubled, their weights are`} held at 1`,
      ),
    );
  course.running.push(next);
}

/** Loss and accuracy on the validation rows; leaves the epoch's state. */
async function validate(
  setup: TrainSetup,
  network: Network,
  what: {
    readonly rows: PartRows;
    readonly heads: readonly TrainedHead[];
    readonly course: Course;
    readonly stepsPerEpoch: number;
    readonly every: number;
  },
): Promise<Validation> {
  const { rows, heads, course, stepsPerEpoch, every } = what;
  const { states } = course;
  const epoch = states.length;
  const iteration = epoch * stepsPerEpoch;
  const { predictions, main } = await lookAt(setup, network, { rows, heads, epoch, iteration });
  const moving = isMoving(setup.config) && heads[0].term.mask !== undefined;
  if (moving && iteration % every === 0) update(setup, heads[0], { course, seen: main });
  const losses = Array.from(main.losses);
  const { weights, thresholds } = latest(course) ?? {
    weights: losses.map(() => 1),
    thresholds: losses.map(() => 0),
  };
  states.push({ losses, weights, thresholds, ...(moving ? { updates: course.running } : {}) });
  course.running = [];
  warnOfDivergence(setup, states);
  let [loss, accuracy] = [0, 0];
  heads.forEach((head, k) => {
    const { task } = head.table;
    const { targets, mask } = labelsAt(head.table, rows.val);
    const raw = predictions[k];
    const plain = { predictions: raw, targets: inTraining(head, targets), mask };
    const kind = head.labels === "signed" ? "regression" : task.kind;
    loss += head.term.weight * lossValue(kind, plain, task.outputs);
    if (head.auxiliary) return;
    const moved = k === 0 ? thresholdsOf(head, states.at(-1)) : undefined;
    const units = head.labels === "standard" ? unstandardise(raw, head.units) : raw;
    accuracy += computeMetrics(task, units, targets, {
      ...(mask === undefined ? {} : { mask }),
      ...(moved === undefined ? {} : { thresholds: moved }),
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

const sumOf = ({ losses }: EpochState): number => losses.reduce((sum, loss) => sum + loss, 0);

/** Whether a later state's validation loss has run away from the first one's. */
function hasDiverged(first: EpochState, later: EpochState): boolean {
  return !(sumOf(later) <= diverged * sumOf(first));
}

/** Says where the validation loss of the main task runs away. */
function warnOfDivergence({ progress }: TrainSetup, states: readonly EpochState[]): void {
  const [first, now] = [states[0], states[states.length - 1]];
  if (!hasDiverged(first, now)) return;
  const [from, to] = [first, now].map((state) => sumOf(state).toPrecision(3));
  progress.warn(
    worded(
      `validation loss ${to}, ${from} before training: it diverges; a smaller --learning-rate, or --weights of a trained network, was needed`,
    ),
  );
}
