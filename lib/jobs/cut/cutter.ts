/** Cuts one model at shares of its channels. */
import type { Network } from "../../network/network.ts";
import type { TimeRecord } from "../../record/record.ts";
import { applySurgery } from "../../surgery/apply.ts";
import { criterionScores, selectShare } from "../../surgery/criteria.ts";
import { fillBlocks } from "../../surgery/fill.ts";
import { planKeeping, planSurgery, widened, type Plan } from "../../surgery/plan.ts";
import { withFileShapes, type CuttableModel } from "./model.ts";
import type { CutOptions } from "./options.ts";
import { blockPrices } from "./prices.ts";

/** A network that was cut, with the share and the plan that made it. */
export interface CutCandidate {
  readonly keep: number;
  readonly plan: Plan;
  readonly network: Network;
  /** Where a target of time chose it: milliseconds of a run. */
  readonly time?: TimeRecord;
}

/** Cuts one model at shares of its channels; plans are made once a share. */
export interface Cutter {
  readonly model: CuttableModel;
  planAt(keep: number): Plan;
  cutAt(keep: number): CutCandidate;
  /** The cut at `keep`, with blocks put back as long as the plan fits. */
  filledAt(keep: number, fits: (plan: Plan) => boolean): CutCandidate;
}

export function createCutter(
  model: CuttableModel,
  options: CutOptions & { readonly roundTo: number },
): Cutter {
  const { criterion = "l1", seed = 0, roundTo } = options;
  const { network, coupling, original } = model;
  const plans = new Map<number, Plan>();
  const classScores = criterionScores(network, coupling, { criterion, seed });
  const isPriced =
    (options.targetFlops ?? options.targetMs ?? options.targetTime) !== undefined && roundTo > 1;
  const prices = isPriced ? blockPrices(model, roundTo) : undefined;
  const planAt = (keep: number): Plan => {
    let plan = plans.get(keep);
    if (plan === undefined) {
      const selection = selectShare(coupling, classScores, keep, prices);
      plan = planSurgery(network, selection, { coupling, roundTo, rounding: "nearest", classScores });
      plans.set(keep, plan);
    }
    return plan;
  };
  const cutOf = (keep: number, plan: Plan): CutCandidate => {
    const cut = withFileShapes(applySurgery(network, plan), original);
    const provenance = JSON.stringify({ criterion, keep, seed });
    return { keep, plan, network: { ...cut, metadata: { ...cut.metadata, "etl.cut": provenance } } };
  };
  return {
    model,
    planAt,
    cutAt: (keep) => cutOf(keep, planAt(keep)),
    filledAt: (keep, fits) => {
      const plan = planAt(keep);
      if (roundTo === 1) return cutOf(keep, plan);
      const filled = fillBlocks(plan.keep, {
        ...{ coupling, roundTo, scores: classScores, prices },
        fits: (stays) => fits(planKeeping(network, coupling, stays)),
      });
      return cutOf(keep, widened(plan, planKeeping(network, coupling, filled.keep), filled.added));
    },
  };
}
