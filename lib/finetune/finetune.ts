/**
 * Fine-tuning: trains all parameters of a network on a task, from where it stands, and keeps the best epoch on the
 * validation split. Epoch 0, the closed-form head on the network's own features, competes: fine-tuning must not lose
 * against it.
 */
import { refuseUnknown, stopIfAborted } from "../core/options.ts";
import { nowMs } from "../core/clock.ts";
import { EtlError } from "../core/errors.ts";
import { silent, type Progress } from "../core/progress.ts";
import type { Trainer } from "../engine/engine.ts";
import type { EpochRecord, Optimizer } from "../core/artifacts.ts";
import { float32, type Network, type Tensor } from "../network/network.ts";
import {
  finetuneNames,
  type Checkpoint,
  type FinetuneOptions,
  type FinetuneResult,
  type Judge,
  type LearningRateTrial,
  type Validation,
} from "./options.ts";
import { averagedEpochs, meanWeights } from "./average.ts";
import { learningRateAt, takenSentence, type Schedule } from "./schedule.ts";

const defaultOptimizer: Optimizer = { kind: "adamw", weightDecay: 1e-4 };

/** Trains `network`; see {@link FinetuneOptions}. */
export async function finetune(network: Network, options: FinetuneOptions): Promise<FinetuneResult> {
  refuseUnknown("finetune", options, finetuneNames);
  if (options.epochs === 0) {
    const start = await options.validate(network);
    const history = [epochZero(start, 0)];
    return { network, history, bestEpoch: 0, learningRate: 0, trials: [] };
  }
  const trainer = await options.engine.compileTraining(network, {
    losses: options.losses,
    optimizer: options.optimizer ?? defaultOptimizer,
    clipNorm: options.clipNorm ?? 1,
    seed: options.seed ?? 0,
    ...(options.trainable ? { trainable: options.trainable } : {}),
  });
  try {
    return await run(network, trainer, options);
  } finally {
    await trainer.dispose();
  }
}

async function run(network: Network, trainer: Trainer, options: FinetuneOptions): Promise<FinetuneResult> {
  const progress = options.progress ?? silent;
  const saved = await options.checkpoint?.load();
  let point: Omit<Checkpoint, "state">;
  if (saved) {
    await trainer.restore(saved.state);
    point = saved;
  } else {
    point = await begin(network, trainer, options);
    // without trials the start is found again as quickly as it is read
    if (point.trials.length > 0) await options.checkpoint?.save({ ...point, state: await trainer.state() });
  }

  const { learningRate, trials } = point;
  const history = [...point.history];
  let { best, average } = point;
  let stopped: string | undefined;
  const steps = options.epochs * options.stepsPerEpoch;
  const schedule: Schedule = { peak: learningRate, steps, warmup: Math.ceil(steps * 0.2) };
  for (let epoch = history.length; epoch <= options.epochs; epoch++) {
    const start = nowMs();
    progress.start(`${options.label ?? "training"}, epoch ${epoch}/${options.epochs}`, options.stepsPerEpoch);
    const rateAt = (step: number): number =>
      options.rateAt?.({ peak: learningRate, epoch, step, history }) ?? learningRateAt(schedule, step);
    const rate = options.rateAt === undefined ? learningRate : rateAt(0);
    const { lost, ...told } = await trainEpoch(network, trainer, { epoch, options, rateAt, progress });
    if (lost !== undefined) {
      const hint = `try a smaller learning rate than ${lost.learningRate}`;
      if (options.onDivergence !== "stop")
        throw new EtlError("engine", `training: ${lost.found}, a finite one was needed`, { hint });
      const kept = bestOf(history, options.validationSize, options.judge);
      const left = kept === 0 ? "epoch 0 is kept, the network as it began" : `epoch ${kept} is kept`;
      stopped = `${lost.found} (epoch ${epoch} of ${options.epochs}): ${left}; ${hint}`;
      progress.warn(`training: ${stopped}`);
      break;
    }
    const parameters = await trainer.parameters();
    let kept: Judged = { parameters, ...(await options.validate(withParameters(network, parameters))) };
    const count = options.average === true ? averagedEpochs(epoch, options.epochs) : 0;
    if (count > 0) average = meanWeights(average, parameters, count);
    if (average !== undefined && count > 1) {
      const judged = { parameters: average, ...(await options.validate(withParameters(network, average))) };
      if (isBetter(judged, kept, options)) kept = { ...judged, averaged: true };
    }
    history.push({
      epoch,
      ...told,
      valLoss: finite(kept.loss),
      valAccuracy: kept.accuracy,
      ...(kept.averaged === true ? { averaged: true } : {}),
      learningRate: rate,
      seconds: (nowMs() - start) / 1000,
    });
    if (bestOf(history, options.validationSize, options.judge) === epoch) best = kept.parameters;
    if (finite(kept.loss) === null)
      progress.warn(
        `epoch ${epoch}: the validation loss is ${kept.loss}, the training diverges; the best epoch before it is kept, try a smaller learning rate than ${learningRate}`,
      );
    progress.finish(
      `loss ${told.trainLoss.toFixed(4)}, validation ${kept.loss.toFixed(4)}${
        // Of labels that are numbers the loss decides; what is within a tolerance would look like an accuracy.
        options.judge === "loss" ? "" : `, accuracy ${(100 * kept.accuracy).toFixed(1)} %`
      }`,
    );
    if (epoch === options.epochs) break; // the result itself is next
    await options.checkpoint?.save({
      learningRate,
      trials,
      history,
      state: await trainer.state(),
      best,
      average,
    });
  }
  return {
    network: withParameters(network, best),
    history,
    bestEpoch: bestOf(history, options.validationSize, options.judge),
    learningRate,
    trials,
    ...(stopped === undefined ? {} : { stopped }),
  };
}

/** Weights after an epoch, and how good they are. */
interface Judged extends Validation {
  readonly parameters: ReadonlyMap<string, Tensor>;
  readonly averaged?: boolean;
}

/** Epoch 0 and the choice of the learning rate. */
async function begin(
  network: Network,
  trainer: Trainer,
  options: FinetuneOptions,
): Promise<Omit<Checkpoint, "state">> {
  const start = nowMs();
  const zero = await options.validate(network);
  const parameters = await trainer.parameters();
  const candidates = typeof options.learningRate === "number" ? [options.learningRate] : options.learningRate;
  const trials: LearningRateTrial[] = [];
  if (candidates.length > 1) {
    const steps = options.trialSteps ?? Math.min(60, Math.max(12, Math.ceil(options.stepsPerEpoch / 3)));
    const initial = await trainer.state();
    for (const candidate of candidates) {
      const valLoss = await tryLearningRate(network, trainer, { candidate, steps, options });
      trials.push({ learningRate: candidate, valLoss });
      await trainer.restore(initial);
    }
  }
  if (trials.length > 0 && trials.every(({ valLoss }) => valLoss === Infinity)) {
    const smallest = Math.min(...candidates);
    throw new EtlError(
      "engine",
      `training: diverged with every learning rate of ${candidates.join(", ")}, one with which the loss stays finite was needed`,
      { hint: `try a smaller learning rate than ${smallest}` },
    );
  }
  const chosen = [...trials].sort((a, b) => a.valLoss - b.valLoss)[0]?.learningRate ?? candidates[0];
  if (chosen === undefined)
    throw new EtlError("usage", "finetune: no learning rate, a number or a list of candidates was needed");
  if (trials.length > 0) options.progress?.note(takenSentence(options.label, chosen, trials));
  return {
    learningRate: chosen,
    trials,
    history: [epochZero(zero, (nowMs() - start) / 1000)],
    best: parameters,
  };
}

async function tryLearningRate(
  network: Network,
  trainer: Trainer,
  { candidate, steps, options }: { candidate: number; steps: number; options: FinetuneOptions },
): Promise<number> {
  const progress = options.progress ?? silent;
  progress.start(`${options.label ?? "training"}, trying learning rate ${candidate}`, steps);
  const schedule: Schedule = { peak: candidate, steps, warmup: Math.ceil(steps * 0.1) };
  let done = 0;
  for (let epoch = 1; done < steps; epoch++) {
    for await (const inputs of options.batches(epoch)) {
      stopIfAborted(options.signal, stoppedByUser);
      await trainer.step(inputs, {
        learningRate: learningRateAt(schedule, done),
        give: options.give,
      });
      done += 1;
      progress.update(done);
      if (done >= steps) break;
    }
  }
  const { loss } = await options.validate(withParameters(network, await trainer.parameters()));
  progress.finish(`validation loss ${loss.toFixed(4)}`, "detail");
  return Number.isFinite(loss) ? loss : Infinity;
}

interface EpochLoss extends Pick<EpochRecord, "trainTerms"> {
  readonly trainLoss: number;
  readonly lost?: { readonly found: string; readonly learningRate: number };
}

/** One epoch: its mean loss, or where the loss became no number. */
async function trainEpoch(
  network: Network,
  trainer: Trainer,
  {
    epoch,
    options,
    rateAt,
    progress,
  }: { epoch: number; options: FinetuneOptions; rateAt: (step: number) => number; progress: Progress },
): Promise<EpochLoss> {
  const { within, stepsPerEpoch, losses, parts } = options;
  const sums = losses.map(() => 0);
  let sum = 0;
  let done = 0;
  for await (const inputs of options.batches(epoch)) {
    stopIfAborted(options.signal, stoppedByUser);
    const step = (epoch - 1) * options.stepsPerEpoch + done;
    const learningRate = rateAt(step);
    const { loss, terms } = await trainer.step(inputs, { learningRate, give: options.give });
    if (!Number.isFinite(loss))
      return { trainLoss: loss, lost: { found: `the loss became ${loss} in step ${step}`, learningRate } };
    sum += loss;
    terms.forEach((term, i) => (sums[i] += losses[i].weight * term));
    done += 1;
    progress.update(done, `loss ${(sum / done).toFixed(4)}`);
    if (within !== undefined && done < stepsPerEpoch && (step + 1) % within.every === 0)
      await within.look(withParameters(network, await trainer.parameters()), step + 1);
  }
  const trainTerms: Partial<Record<string, number>> = {};
  parts?.forEach((part, i) => (trainTerms[part] = (trainTerms[part] ?? 0) + sums[i] / Math.max(1, done)));
  return { trainLoss: sum / Math.max(1, done), ...(parts && { trainTerms }) };
}

/** A loss as histories keep it: null where it is no number. */
function finite(loss: number): number | null {
  return Number.isFinite(loss) ? loss : null;
}

const stoppedByUser = "training: stopped by the user, run the same command again to go on";

function epochZero(validation: Validation, seconds: number): EpochRecord {
  return {
    epoch: 0,
    valLoss: finite(validation.loss),
    valAccuracy: validation.accuracy,
    learningRate: 0,
    seconds,
  };
}

/** How far below that of epoch 0 a validation loss must be to count without a gain in accuracy. */
const clearlyLower = 0.8;

/**
 * The epoch that is kept. Accuracies that differ by less than half a binomial standard error (the error of a comparison on
 * the same pictures, most of which both get right) count as equal; then the lower loss, which chance moves less, decides.
 * Training has to earn its place: where epoch 0 is as accurate, it goes only for a loss lower by a fifth.
 *
 * With the loss alone as judge the lowest one is kept. A loss that is no number is never the better one.
 *
 * @param n pictures of the validation part
 */
export function bestOf(history: readonly EpochRecord[], n: number, judge: Judge = "accuracy"): number {
  const [zero, ...trained] = history;
  if (zero === undefined) return 0;
  const lossOf = ({ valLoss }: EpochRecord): number =>
    valLoss !== null && Number.isFinite(valLoss) ? valLoss : Infinity;
  if (judge === "highest") {
    const finite = trained.filter((one) => lossOf(one) < Infinity);
    const first = finite[0] ?? zero;
    return finite.reduce((best, one) => (one.valAccuracy > best.valAccuracy ? one : best), first).epoch;
  }
  if (judge === "loss")
    return history.reduce((best, one) => (lossOf(one) < lossOf(best) ? one : best), zero).epoch;
  const margin = halfError(zero.valAccuracy, n);
  let best = zero;
  let highest = zero.valAccuracy;
  for (const record of trained) {
    if (lossOf(record) === Infinity) continue;
    highest = Math.max(highest, record.valAccuracy);
    const moreAccurate = record.valAccuracy > best.valAccuracy + margin;
    const asAccurate = record.valAccuracy >= highest - margin;
    const lower = lossOf(record) < lossOf(best) * (best === zero ? clearlyLower : 1);
    if (moreAccurate || (asAccurate && lower) || lossOf(best) === Infinity) best = record;
  }
  return best.epoch;
}

/** Half the binomial standard error of an accuracy on `n` pictures. */
function halfError(accuracy: number, n: number): number {
  return Math.sqrt((accuracy * (1 - accuracy)) / Math.max(1, n)) / 2;
}

/** Whether one of two networks is the better one by the same rule: accuracy where it differs clearly, else the loss. */
function isBetter(
  one: Validation,
  other: Validation,
  { judge, validationSize: n }: Pick<FinetuneOptions, "judge" | "validationSize">,
): boolean {
  if (!Number.isFinite(one.loss)) return false;
  if (!Number.isFinite(other.loss)) return true;
  if (judge === "loss") return one.loss < other.loss;
  if (judge === "highest") return one.accuracy > other.accuracy;
  const ahead = one.accuracy - other.accuracy;
  return Math.abs(ahead) > halfError(other.accuracy, n) ? ahead > 0 : one.loss < other.loss;
}

/** The network with some of its float32 parameters replaced. */
function withParameters(network: Network, values: ReadonlyMap<string, Tensor>): Network {
  const parameters = new Map(network.parameters);
  for (const [name, tensor] of values) {
    if (parameters.has(name)) parameters.set(name, float32(tensor.shape, tensor.data));
  }
  return { ...network, parameters };
}
