/** Updates of loss weights and thresholds while a network trains (DMM-CNN, Algorithm 1): every P iterations, or every epoch. */
import { EtlError } from "../../core/errors.ts";
import { adaptThresholds, countErrors, scoreOfLogit } from "../../evaluate/thresholds.ts";
import {
  adaptiveWeights,
  averageWeights,
  boundedWeights,
  dynamicWeights,
  withMeanOne,
} from "../../finetune/weights.ts";
import type { TrainedHead } from "./heads.ts";
import type { TrainConfig } from "./config.ts";

/** One update. */
export interface WeightUpdate {
  /** Steps done before it. */
  readonly iteration: number;
  /** Losses of the outputs that the next update's weights compare with: validation, for `dwa` training. */
  readonly losses: readonly number[];
  /** Weights of the outputs in the loss from here on. */
  readonly weights: readonly number[];
  /** Thresholds, as scores in -1..1. */
  readonly thresholds: readonly number[];
}

/** What an update looks at. */
export interface SeenLosses {
  readonly iteration: number;
  /** l of eq. 6, from 1. */
  readonly epoch: number;
  /** Validation losses of the outputs. */
  readonly losses: ArrayLike<number>;
  /** Losses that weights compare, where these are others: `dwa` compares those of the training part. */
  readonly compared?: ArrayLike<number>;
  /** Outputs on the validation rows, training units, [n, q]. */
  readonly raw: Float32Array;
  /** [n, q], 0 and 1. */
  readonly targets: Float32Array;
  readonly mask: Float32Array | undefined;
}

type Moves = Pick<TrainConfig, "lossWeights" | "thresholds" | "thresholdRate">;

/** Whether anything is updated. */
export function isMoving({ lossWeights, thresholds }: Moves): boolean {
  return lossWeights !== "equal" || thresholds !== "fixed";
}

/** Iterations between two updates. @throws EtlError `usage` for an interval that the whole training does not reach */
export function intervalOf(
  { updateEvery, epochs }: Pick<TrainConfig, "updateEvery" | "epochs">,
  stepsPerEpoch: number,
): number {
  const all = stepsPerEpoch * epochs;
  if (updateEvery !== undefined && epochs > 0 && updateEvery > all)
    throw new EtlError(
      "usage",
      `--update-every: ${updateEvery} iterations of a training of ${all}, at most ${all} were needed`,
      { hint: `an epoch has ${stepsPerEpoch} here` },
    );
  return updateEvery ?? stepsPerEpoch;
}

/** The weights of a scheme from the losses of this update and the one before. */
function weightsOf(
  scheme: TrainConfig["lossWeights"],
  losses: ArrayLike<number>,
  before: readonly WeightUpdate[],
): Float64Array {
  const previous = before[before.length - 1].losses;
  switch (scheme) {
    case "equal":
      return new Float64Array(losses.length).fill(1);
    case "dynamic":
      return boundedWeights(dynamicWeights(losses, previous));
    case "relative":
      return withMeanOne(boundedWeights(dynamicWeights(losses, previous)));
    case "dwa":
      // Weights of 1 in its first two epochs: there is no training loss before the first.
      return before.length < 2 ? new Float64Array(losses.length).fill(1) : averageWeights(losses, previous);
    case "aw":
      return adaptiveWeights(losses, previous);
  }
}

/** Labels whose loss more than doubled, so that eq. 4's weight is held at 1. */
export function heldWeights(
  scheme: TrainConfig["lossWeights"],
  { losses }: WeightUpdate,
  before: WeightUpdate,
): number {
  if (scheme !== "dynamic" && scheme !== "relative") return 0;
  return dynamicWeights(losses, before.losses).filter((weight) => !(weight <= 1)).length;
}

/**
 * The next update: the first one, before training, has weights of 1 and thresholds of 0.
 *
 * @param before all updates so far
 */
export function nextUpdate(
  config: Moves,
  head: Pick<TrainedHead, "labels">,
  { seen, before }: { readonly seen: SeenLosses; readonly before: readonly WeightUpdate[] },
): WeightUpdate {
  const { iteration, raw, targets, mask, epoch } = seen;
  const losses = Array.from(seen.compared ?? seen.losses);
  const last = before.at(-1);
  if (last === undefined) {
    const [weights, thresholds] = [losses.map(() => 1), losses.map(() => 0)];
    return { iteration, losses, weights, thresholds };
  }
  const weights = Array.from(weightsOf(config.lossWeights, losses, before));
  if (config.thresholds === "fixed") return { iteration, losses, weights, thresholds: last.thresholds };
  const scores = head.labels === "signed" ? raw : raw.map(scoreOfLogit);
  const errors = countErrors(scores, targets, { thresholds: last.thresholds, mask });
  const { thresholdRate: rate } = config;
  const thresholds = Array.from(adaptThresholds(last.thresholds, errors, { epoch, rate }));
  return { iteration, losses, weights, thresholds };
}
