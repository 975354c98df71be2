/** Rankings that look at no data: controls for ETL, and the criteria of `etl cut`. */
import { refuseUnknown, type OptionNames } from "../core/options.ts";
import { EtlError } from "../core/errors.ts";
import { createRandom, type Random } from "../core/random.ts";
import type { CoupledLayer, Coupling } from "../network/coupling/types.ts";
import type { Network } from "../network/network.ts";
import { blocksOf, markBest, selectionOf } from "./choose.ts";
import { planSurgery, type Selection } from "./plan.ts";
import { eachKernel } from "./weights.ts";

export type Criterion = "l1" | "l2" | "random";

export interface CriterionOptions {
  readonly criterion: Criterion;
  /** Share of the channels that stays, in (0, 1]. */
  readonly keep: number;
  /** For `random`. */
  readonly seed: number | string;
}

/** A criterion of one's own, and how much stays by it: `keep` or `targetMacs`. */
export interface ScoreOptions {
  /**
   * Worth of one filter, any finite number, larger = keep longer. Filters that can only go together add up.
   *
   * @param layer `network.parameters.get(layer.weight)` holds its weights, filters along `layer.weightOutputAxis`
   * @param filter 0 to `layer.outputs.length` - 1
   */
  readonly score: (layer: CoupledLayer, filter: number) => number;
  /** Share of the channels that stays, in (0, 1]. */
  readonly keep?: number | undefined;
  /** Multiplications for one picture that are left at most; up to 1: as a share of the network's. */
  readonly targetMacs?: number | undefined;
}

const criterionNames: OptionNames<CriterionOptions & ScoreOptions> = {
  criterion: true,
  keep: true,
  seed: true,
  score: true,
  targetMacs: true,
};

/** Steps between nothing and all in which a share of channels is looked for. */
const steps = 4096;

/**
 * Keeps the same share of every block of channels that stand in the same layers: round(keep * size), at least 1. With
 * `targetMacs` the largest share that reaches it. `l1` and `l2` rank a class by the norm of all filters in it together, over
 * all layers that make it (a group norm); a `score` of one's own by the sum of it over these filters.
 *
 * @returns for every layer the channels to keep, for `planSurgery`; agrees within coupled classes
 * @throws EtlError `usage` for a share, target or score out of range; `unsupported` where no share reaches the target
 */
export function selectByCriterion(
  network: Network,
  coupling: Coupling,
  options: CriterionOptions | ScoreOptions,
): Selection {
  refuseUnknown("selectByCriterion", options, criterionNames, ["seed"]);
  const own = "score" in options;
  const where = own ? "score" : `criterion ${options.criterion}`;
  const score = own ? sumScores(coupling, options.score) : criterionScores(network, coupling, options);
  const { keep, targetMacs }: Pick<ScoreOptions, "keep" | "targetMacs"> = options;
  if ((keep === undefined) === (targetMacs === undefined)) {
    const found = keep === undefined ? "neither keep nor targetMacs" : "both keep and targetMacs";
    throw new EtlError("usage", `${where}: ${found}, one of them was needed`);
  }
  if (targetMacs !== undefined) return selectForMacs(network, coupling, { where, score, targetMacs });
  if (keep === undefined || !(keep > 0 && keep <= 1))
    throw new EtlError("usage", `${where}: keep is ${keep}, a share in (0, 1] was needed`);
  return selectShare(coupling, score, keep);
}

/**
 * The best of every block of channels that stand in the same layers, at least 1.
 *
 * @param score [classes], larger = keep longer
 * @param keep share of a block that stays
 * @param prices [classes], equal within a block: of a block twice as dear half the share stays. Default: all alike
 */
export function selectShare(
  coupling: Coupling,
  score: Float64Array,
  keep: number,
  prices?: Float64Array,
): Selection {
  const stays = new Uint8Array(coupling.classes);
  for (const { classes } of blocksOf(coupling)) {
    const share = Math.min(1, keep / (prices?.[classes[0]] ?? 1));
    markBest(stays, classes, score, Math.max(1, Math.round(share * classes.length)));
  }
  return selectionOf(coupling, stays);
}

/** The largest share whose plan stays within the target: MACs do not fall as the share grows. */
function selectForMacs(
  network: Network,
  coupling: Coupling,
  options: { readonly where: string; readonly score: Float64Array; readonly targetMacs: number },
): Selection {
  const { where, score, targetMacs } = options;
  if (!(targetMacs > 0)) {
    throw new EtlError("usage", `${where}: targetMacs is ${targetMacs}, a positive number was needed`);
  }
  const at = (step: number): { selection: Selection; macs: number; before: number } => {
    const selection = selectShare(coupling, score, step / steps);
    const { before, after } = planSurgery(network, selection, { coupling });
    return { selection, macs: after.macs, before: before.macs };
  };
  const all = at(steps);
  const limit = targetMacs <= 1 ? targetMacs * all.before : targetMacs;
  if (all.macs <= limit) return all.selection;
  let [low, high] = [1, steps];
  let best = at(low);
  if (best.macs > limit) {
    throw new EtlError(
      "unsupported",
      `${where}: ${best.macs} MACs are left where every layer keeps as little as it can, at most ${limit} were needed`,
      { hint: "explain(coupling, layer) says why a layer must stay whole" },
    );
  }
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    const found = at(middle);
    if (found.macs <= limit) [low, best] = [middle, found];
    else high = middle;
  }
  return best.selection;
}

/** Sums of a score over the filters of every class, [classes]. */
function sumScores(coupling: Coupling, scoreOf: ScoreOptions["score"]): Float64Array {
  const score = new Float64Array(coupling.classes);
  for (const layer of coupling.layers) {
    for (const [filter, atom] of layer.outputs.entries()) {
      const value = scoreOf(layer, filter);
      if (!Number.isFinite(value)) {
        throw new EtlError(
          "usage",
          `score: ${value} for filter ${filter} of ${layer.name}, a finite number was needed`,
        );
      }
      score[coupling.classOf[atom]] += value;
    }
  }
  return score;
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
