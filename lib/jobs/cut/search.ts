/** The largest share of channels that a target allows. */
import { EtlError } from "../../core/errors.ts";

/** What a search found: the share, what it costs, whether that is within the limit. */
export interface Found {
  readonly keep: number;
  readonly cost: number;
  readonly reached: boolean;
}

/** The largest share, in steps of 1/steps, whose cost is at most `limit`; cost must not fall as the share grows. */
export async function largestKeep(
  steps: number,
  cost: (keep: number) => number | Promise<number>,
  limit: number,
): Promise<Found> {
  const whole = await cost(1);
  if (whole <= limit) return { keep: 1, cost: whole, reached: true };
  let [low, high] = [1, steps];
  let best = await cost(low / steps);
  if (best > limit) return { keep: low / steps, cost: best, reached: false };
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    const found = await cost(middle / steps);
    if (found <= limit) [low, best] = [middle, found];
    else high = middle;
  }
  return { keep: low / steps, cost: best, reached: true };
}

/** What is left where every layer keeps as little as it can, when that is more than a target allows. */
export interface Missed {
  readonly cost: number;
  readonly limit: number;
  readonly unit: string;
}

/** The error for a target that nothing reaches. */
export function missedError({ cost, limit, unit }: Missed): EtlError {
  return new EtlError(
    "unsupported",
    `cut: ${format(cost)} ${unit} are left where every layer keeps as little as it can, at most ${format(limit)} were needed`,
    { hint: "etl plan MODEL lists the layers that must stay whole, and why" },
  );
}

/** A block of AVX-512, two of AVX2, which computes two with fewer readings of their input than one and one. */
const WIDE = 16;

/** Multiples to try in turn for a target: wide ones, the engine's own block, then half of it, down to single channels. */
export function blocksToTry(block: number): readonly number[] {
  const blocks = block > 1 && block < WIDE ? [WIDE, block] : [block];
  for (let next = block >> 1; next >= 1; next >>= 1) blocks.push(next);
  return blocks;
}

function format(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toPrecision(4);
}
