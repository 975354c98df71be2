/** Controls: another choice of channels with exactly the widths of a plan, so that only the choice differs. */
import type { Coupling } from "../network/coupling/types.ts";
import { interchangeable, markBest, selectionOf } from "./choose.ts";
import type { Selection } from "./plan.ts";

/**
 * Keeps in every block of interchangeable classes (see `interchangeable`) as many as the plan does, those with
 * the highest scores. Every layer then has the plan's width, and the network its cost (but where a value would lose
 * all its channels, `planSurgery` keeps one more; and one stored parameter that two layers read may become two).
 *
 * @param keep the plan's choice, 1 = stays, [classes]
 * @param score larger = keep longer, [classes]
 * @returns for every layer the channels to keep; agrees within coupled classes
 */
export function selectSameShape(coupling: Coupling, keep: Uint8Array, score: Float64Array): Selection {
  const stays = new Uint8Array(coupling.classes);
  for (const classes of interchangeable(coupling)) {
    const free = classes.filter((id) => !coupling.frozen.has(id));
    for (const id of classes) if (coupling.frozen.has(id)) stays[id] = 1;
    const count = free.reduce((sum, id) => sum + keep[id], 0);
    markBest(stays, free, score, count);
  }
  return selectionOf(coupling, stays);
}

/**
 * Scores of taps' channels as scores of classes: the highest of all taps that see a class; 0 where none does.
 *
 * @param scores tap -> one score of at least 0 per channel
 * @returns [classes]
 */
export function tiedScores(coupling: Coupling, scores: ReadonlyMap<string, ArrayLike<number>>): Float64Array {
  const best = new Float64Array(coupling.classes);
  for (const [tap, values] of scores) {
    for (const [i, atom] of (coupling.layouts.get(tap)?.atoms ?? []).entries()) {
      const id = coupling.classOf[atom];
      best[id] = Math.max(best[id], values[i]);
    }
  }
  return best;
}
