/** Rankings that look at no data: controls for ETL, and the criteria of `etl cut`. */
import { EtlError } from "../core/errors.ts";
import { createRandom, type Random } from "../core/random.ts";
import type { Coupling } from "../network/coupling/types.ts";
import type { Network } from "../network/network.ts";
import { blocksOf, markBest, selectionOf } from "./choose.ts";
import type { Selection } from "./plan.ts";
import { eachKernel } from "./weights.ts";

export type Criterion = "l1" | "l2" | "random";

export interface CriterionOptions {
  readonly criterion: Criterion;
  /** Share of the channels that stays, in (0, 1]. */
  readonly keep: number;
  /** For `random`. */
  readonly seed: number | string;
}

/**
 * Keeps the same share of every block of channels that stand in the same layers: round(keep * size), at least 1.
 * `l1` and `l2` rank a class by the norm of all filters in it together, over all layers that make it (a group norm).
 *
 * @returns for every layer the channels to keep; agrees within coupled classes
 */
export function selectByCriterion(
  network: Network,
  coupling: Coupling,
  options: CriterionOptions,
): Selection {
  const { criterion, keep, seed } = options;
  if (!(keep > 0 && keep <= 1)) {
    throw new EtlError("usage", `criterion ${criterion}: keep is ${keep}, a share in (0, 1] was needed`);
  }
  const score = criterionScores(network, coupling, { criterion, seed });
  const stays = new Uint8Array(coupling.classes);
  for (const { classes } of blocksOf(coupling)) {
    markBest(stays, classes, score, Math.max(1, Math.round(keep * classes.length)));
  }
  return selectionOf(coupling, stays);
}

/** The scores that {@link selectByCriterion} ranks by: [classes], larger = keep longer. */
export function criterionScores(
  network: Network,
  coupling: Coupling,
  { criterion, seed }: Pick<CriterionOptions, "criterion" | "seed">,
): Float64Array {
  return scoreClasses(network, coupling, { criterion, random: createRandom(seed) });
}

/**
 * Score of every class, larger = keep longer.
 *
 * @returns [classes]
 */
export function scoreClasses(
  network: Network,
  coupling: Coupling,
  { criterion, random }: { readonly criterion: Criterion; readonly random: Random },
): Float64Array {
  const score = new Float64Array(coupling.classes);
  if (criterion === "random") return score.map(() => random.uniform());
  for (const layer of coupling.layers) {
    const weight = network.parameters.get(layer.weight);
    if (!weight) continue;
    const data = weight.data as Float32Array;
    eachKernel(layer, weight.shape, (_, output, start, length) => {
      let sum = 0;
      for (let i = start; i < start + length; i++) {
        sum += criterion === "l1" ? Math.abs(data[i]) : data[i] * data[i];
      }
      score[coupling.classOf[layer.outputs[output]]] += sum;
    });
  }
  return criterion === "l1" ? score : score.map(Math.sqrt);
}
