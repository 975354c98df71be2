/** Blocks of channels put back where a target leaves room. */
import type { Coupling } from "../network/coupling/types.ts";
import { blocksOf, markBest } from "./choose.ts";

export interface FillOptions {
  readonly coupling: Coupling;
  /** Channels of a block. */
  readonly roundTo: number;
  /** One for every coupling class, larger = put back earlier. */
  readonly scores: Float64Array;
  /** One for every class: of a block twice as dear half the share comes back. Default: all alike. */
  readonly prices?: Float64Array | undefined;
  /** Whether what stays still meets the target. @param keep 1 for every class that stays, [classes] */
  readonly fits: (keep: Uint8Array) => boolean;
}

/**
 * Widths in blocks are a staircase: between two of its steps a target may leave much unused. Adds one block after the other, to
 * the layers that lost most first (dear ones later), as long as it fits.
 *
 * @param keep 1 for every class that stays, not changed
 * @returns what stays then, and how many classes were added
 */
export function fillBlocks(
  keep: Uint8Array,
  { coupling, roundTo, scores, prices, fits }: FillOptions,
): { readonly keep: Uint8Array; readonly added: number } {
  const blocks = blocksOf(coupling, roundTo);
  let [best, added] = [keep, 0];
  const share = (classes: readonly number[]): number =>
    (classes.filter((id) => best[id] === 1).length / classes.length) * (prices?.[classes[0]] ?? 1);
  for (let more = true; more;) {
    more = false;
    for (const { classes, unit } of blocks.toSorted((a, b) => share(a.classes) - share(b.classes))) {
      const rest = classes.filter((id) => best[id] === 0);
      if (rest.length === 0 || rest.length === classes.length) continue;
      const wider = Uint8Array.from(best);
      markBest(wider, rest, scores, unit);
      if (!fits(wider)) continue;
      added += Math.min(unit, rest.length);
      best = wider;
      more = true;
    }
  }
  return { keep: best, added };
}
