/** How wide every layer is under a budget: by blocks of channels, by what they are worth against what they cost. Pure. */
import type { Coupling } from "../network/coupling/types.ts";
import { blocksOf } from "./choose.ts";

/** Channels that stand in the same layers, of which a network can keep more or fewer. */
export interface WidthGroup {
  /** Classes that may leave, the best first. */
  readonly classes: readonly number[];
  /** Classes of a block. */
  readonly unit: number;
  /** Blocks that stay at least; the last of all may be smaller than the others. */
  readonly least: number;
  readonly most: number;
  /** What is lost with so many blocks, [most + 1]; 0 with all. */
  readonly loss: Float64Array;
}

/** What is lost where a value keeps so many of its channels. */
interface WidthLoss {
  /** The value whose channels are counted. */
  readonly tap: string;
  /** [channels + 1] */
  readonly loss: Float64Array;
}

/** Steps of a group without blocks, so that wide layers do not take thousands. */
const STEPS = 32;

export interface GroupOptions {
  /** Channels of a block. */
  readonly roundTo: number;
  /** At least so many stay. */
  readonly minFilters: number;
  /** Worth of every class beside others of its group, [classes]. */
  readonly scores: Float64Array;
  readonly losses: readonly WidthLoss[];
  /** Classes that may leave altogether, whatever `minFilters` says; default: none. */
  readonly mayVanish?: ReadonlySet<number>;
}

/** The groups whose channels something speaks for; the others stay whole. */
export function widthGroups(coupling: Coupling, options: GroupOptions): WidthGroup[] {
  const { roundTo, minFilters, scores, losses, mayVanish } = options;
  const tapsOf = new Map<number, { readonly tap: number; readonly count: number }[]>();
  for (const [tap, { tap: name }] of losses.entries()) {
    const counts = new Map<number, number>();
    for (const atom of coupling.layouts.get(name)?.atoms ?? [])
      counts.set(coupling.classOf[atom], (counts.get(coupling.classOf[atom]) ?? 0) + 1);
    for (const [id, count] of counts) tapsOf.set(id, [...(tapsOf.get(id) ?? []), { tap, count }]);
  }
  return blocksOf(coupling, roundTo).flatMap(({ classes, unit: block }) => {
    const heard = classes.filter((id) => tapsOf.has(id) && !coupling.frozen.has(id));
    if (heard.length === 0) return [];
    const unit = Math.max(block, Math.ceil(heard.length / STEPS));
    const most = Math.ceil(heard.length / unit);
    const ranked = [...heard].sort((a, b) => scores[b] - scores[a] || a - b);
    const gone = losses.map(() => 0);
    const loss = new Float64Array(most + 1);
    for (let blocks = most; blocks >= 0; blocks--) {
      for (const id of ranked.slice(blocks * unit, (blocks + 1) * unit))
        for (const { tap, count } of tapsOf.get(id) ?? []) gone[tap] += count;
      for (const [tap, left] of gone.entries()) {
        const all = losses[tap].loss;
        if (left > 0) loss[blocks] += all[all.length - 1 - left];
      }
    }
    const vanishes = heard.length === classes.length && classes.every((id) => mayVanish?.has(id) === true);
    const least = vanishes ? 0 : Math.min(most, Math.max(1, Math.ceil(minFilters / unit)));
    return [{ classes: ranked, unit, least, most, loss }];
  });
}

/** The classes that stay with so many blocks of each group, [classes]. */
export function keepBlocks(
  coupling: Coupling,
  groups: readonly WidthGroup[],
  blocks: readonly number[],
): Uint8Array {
  const keep = new Uint8Array(coupling.classes).fill(1);
  for (const [g, { classes, unit }] of groups.entries())
    for (const id of classes.slice(blocks[g] * unit)) keep[id] = 0;
  return keep;
}

/** Every group at nearly the same share of its blocks, from all to the least: [steps][groups]. */
export function uniformWidths(groups: readonly WidthGroup[]): number[][] {
  const edges = groups.flatMap(({ most }) => Array.from({ length: most }, (_, k) => (k + 0.5) / most));
  const shares = [1, ...[...new Set(edges)].sort((a, b) => b - a).map((edge) => edge - 1e-9)];
  return shares.map((share) =>
    groups.map(({ least, most }) => Math.max(least, Math.min(most, Math.round(share * most)))),
  );
}

/**
 * A knapsack over blocks, greedily from all to the least: the block leaves next whose loss is smallest against what it saves
 * as things stand. What a block saves falls as its neighbours narrow, so what was seen earlier bounds the ratio from below,
 * and few groups are looked at again in a step.
 *
 * @param cost of a network with so many blocks of each group
 * @returns [steps][groups], each with one block fewer than the one before
 */
export function knapsackWidths(
  groups: readonly WidthGroup[],
  cost: (blocks: readonly number[]) => number,
): number[][] {
  const blocks = groups.map(({ most }) => most);
  const steps = [[...blocks]];
  const unseen = { ratio: -1, saved: 0 };
  const prices = groups.map(() => unseen);
  for (let now = cost(blocks); ;) {
    const open = [...groups.keys()].filter((g) => blocks[g] > groups[g].least);
    if (open.length === 0) return steps;
    const looked = new Map<number, number>();
    for (;;) {
      const next = open.reduce((best, g) => (isCheaper(prices[g], prices[best]) ? g : best));
      const left = looked.get(next);
      if (left !== undefined) {
        blocks[next] -= 1;
        now = left;
        prices[next] = unseen;
        break;
      }
      const without = cost(blocks.map((count, g) => (g === next ? count - 1 : count)));
      const { loss } = groups[next];
      const lost = Math.max(0, loss[blocks[next] - 1] - loss[blocks[next]]);
      const saved = now - without;
      prices[next] = { ratio: lost === 0 ? 0 : saved > 0 ? lost / saved : Infinity, saved };
      looked.set(next, without);
    }
    steps.push([...blocks]);
  }
}

interface Price {
  readonly ratio: number;
  readonly saved: number;
}

function isCheaper(one: Price, other: Price): boolean {
  return one.ratio < other.ratio || (one.ratio === other.ratio && one.saved > other.saved);
}

/** Puts the blocks that left last back, as far as what is then kept still fits. @param at the step that fits */
export function refillWidths(
  steps: readonly (readonly number[])[],
  at: number,
  fits: (blocks: readonly number[]) => boolean,
): readonly number[] {
  let blocks = steps[at];
  for (let step = at; step > 0; step--) {
    const gone = steps[step - 1].findIndex((count, g) => count > steps[step][g]);
    const more = blocks.map((count, g) => (g === gone ? count + 1 : count));
    if (fits(more)) blocks = more;
  }
  return blocks;
}
