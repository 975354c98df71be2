/** Learning rates over a run: linear warm-up, then a cosine to zero; or steps down where the loss stands still. */
import type { EpochRecord } from "../core/artifacts.ts";

export interface Schedule {
  /** Largest learning rate. */
  readonly peak: number;
  /** Number of steps of the whole run. */
  readonly steps: number;
  /** Number of steps of the warm-up. */
  readonly warmup: number;
}

/** Learning rate of step `step` (from 0). */
export function learningRateAt(schedule: Schedule, step: number): number {
  const { peak, steps, warmup } = schedule;
  if (step < warmup) return (peak * (step + 1)) / (warmup + 1);
  const position = Math.min(1, (step - warmup) / Math.max(1, steps - warmup));
  return peak * 0.5 * (1 + Math.cos(Math.PI * position));
}

/** Where a run is, for schedules that look at it. */
export interface RatePosition {
  /** Largest learning rate. */
  readonly peak: number;
  /** From 1. */
  readonly epoch: number;
  /** Of the whole run, from 0. */
  readonly step: number;
  /** Epochs that are done, epoch 0 first. */
  readonly history: readonly EpochRecord[];
}

/** The peak times 0.1 for every time that two epochs in a row brought no lower validation loss. */
export function plateauRate({ peak, history }: RatePosition): number {
  let [best, waited, drops] = [Infinity, 0, 0];
  for (const { valLoss } of history) {
    if (valLoss !== null && valLoss < best) [best, waited] = [valLoss, 0];
    else waited += 1;
    if (waited < 2) continue;
    drops += 1;
    waited = 0;
  }
  return peak * 0.1 ** drops;
}

/** Which of several learning rates was taken, and why. */
export function takenSentence(
  label: string | undefined,
  taken: number,
  trials: readonly { readonly learningRate: number; readonly valLoss: number }[],
): string {
  const losses = trials.map(({ learningRate, valLoss }) => `${valLoss.toFixed(4)} with ${learningRate}`);
  const why = `validation loss after a short trial: ${losses.join(", ")}`;
  return `${label ?? "training"}: learning rate ${taken} is taken (${why})`;
}
