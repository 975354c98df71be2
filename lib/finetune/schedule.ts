/** Learning rates over a run: linear warm-up, then a cosine to zero. */

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
