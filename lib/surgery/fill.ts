/** Blocks of channels put back where a target leaves room. */
import type { Coupling } from "../network/coupling/types.ts";
import type { Network } from "../network/network.ts";
import { blocksOf, markBest, selectionOf } from "./choose.ts";
import { planSurgery, type Plan } from "./plan.ts";

export interface FillOptions {
  readonly coupling: Coupling;
  /** Channels of a block. */
  readonly roundTo: number;
  /** One for every coupling class, larger = put back earlier. */
  readonly scores: Float64Array;
  /** Whether a plan still meets the target. */
  readonly fits: (plan: Plan) => boolean;
}

/**
 * Widths in blocks are a staircase: between two of its steps a target may leave much unused. Adds one block after the other, to
 * the layers that lost most first, as long as the plan fits.
 */
export function fillBlocks(network: Network, plan: Plan, options: FillOptions): Plan {
  const { coupling, roundTo, scores, fits } = options;
  const blocks = blocksOf(coupling, roundTo);
  let best = plan;
  const share = (classes: readonly number[]): number =>
    classes.filter((id) => best.keep[id] === 1).length / classes.length;
  for (let more = true; more;) {
    more = false;
    for (const { classes, unit } of blocks.toSorted((a, b) => share(a.classes) - share(b.classes))) {
      const rest = classes.filter((id) => best.keep[id] === 0);
      if (rest.length === 0 || rest.length === classes.length) continue;
      const stays = Uint8Array.from(best.keep);
      markBest(stays, rest, scores, unit);
      const wider = planSurgery(network, selectionOf(coupling, stays), { coupling });
      if (!fits(wider)) continue;
      const { rounding } = best;
      const added = (rounding?.added ?? 0) + Math.min(unit, rest.length);
      best = { ...wider, ...(rounding !== undefined && { rounding: { ...rounding, added } }) };
      more = true;
    }
  }
  return best;
}
