/** The cut that a target asks for: a share of channels as it is, or the largest share that keeps within a limit. */
import { EtlError } from "../../core/errors.ts";
import { stopIfAborted } from "../../core/options.ts";
import { silent } from "../../core/progress.ts";
import type { Engine } from "../../engine/engine.ts";
import { writeLike } from "../../formats/onnx/like.ts";
import type { Network } from "../../network/network.ts";
import { applySurgery } from "../../surgery/apply.ts";
import { criterionScores, selectByCriterion } from "../../surgery/criteria.ts";
import { fillBlocks } from "../../surgery/fill.ts";
import { planSurgery, type Plan } from "../../surgery/plan.ts";
import type { CutOptions } from "./options.ts";
import { withFileShapes, type CuttableModel } from "./model.ts";
import { largestKeep, missedError, type Missed } from "./search.ts";
import { boundAs, timed } from "./time.ts";

/** Steps between nothing and all that a share of channels is searched in. */
const fineSteps = 4096;
/** The same where every step has to be measured. */
const coarseSteps = 64;

/** A network that was cut, with the share and the plan that made it. */
export interface Cut {
  readonly keep: number;
  readonly plan: Plan;
  readonly network: Network;
}

/** Cuts one model at shares of its channels; plans are made once a share. */
export interface Cutter {
  readonly model: CuttableModel;
  planAt(keep: number): Plan;
  cutAt(keep: number): Cut;
  /** The cut at `keep`, with blocks put back as long as the plan fits. */
  filledAt(keep: number, fits: (plan: Plan) => boolean): Cut;
}

export function createCutter(
  model: CuttableModel,
  options: CutOptions & { readonly roundTo: number },
): Cutter {
  const { criterion = "l1", seed = 0, roundTo } = options;
  const { network, coupling, original } = model;
  const plans = new Map<number, Plan>();
  const classScores = criterionScores(network, coupling, { criterion, seed });
  const planAt = (keep: number): Plan => {
    let plan = plans.get(keep);
    if (plan === undefined) {
      const selection = selectByCriterion(network, coupling, { criterion, keep, seed });
      plan = planSurgery(network, selection, { coupling, roundTo, rounding: "nearest", classScores });
      plans.set(keep, plan);
    }
    return plan;
  };
  const cutOf = (keep: number, plan: Plan): Cut => {
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
      return cutOf(keep, fillBlocks(network, plan, { coupling, roundTo, scores: classScores, fits }));
    },
  };
}

/** The cut in the first of these blocks that reaches the target; narrower ones than the first are said. */
export async function reachInBlocks(
  blocks: readonly number[],
  reach: (block: number) => Promise<Cut | Missed>,
  notes: string[],
): Promise<Cut> {
  for (const [i, block] of blocks.entries()) {
    const found = await reach(block);
    if ("plan" in found) {
      if (i > 0) notes.push(narrower(blocks[0], block));
      return found;
    }
    if (i === blocks.length - 1) throw missedError(found);
  }
  throw new EtlError("usage", "cut: no block to round to, one was needed");
}

function narrower(asked: number, taken: number): string {
  const width = taken === 1 ? "single channels" : `multiples of ${taken}`;
  return `multiples of ${asked} channels, which the kernels compute at a time, are too wide for the target: ${width} were kept`;
}

/** The cut that reaches the target of `options`, or how much is left where nothing does. */
export async function reachTarget(
  cutter: Cutter,
  options: CutOptions,
  withEngine: () => Promise<Engine>,
): Promise<Cut | Missed> {
  const { keep, targetFlops, targetSize, targetMs, progress = silent, signal } = options;
  if (keep !== undefined) return cutter.cutAt(keep);
  if (targetFlops !== undefined) {
    const limit = targetFlops * cutter.planAt(1).before.macs;
    const found = await largestKeep(fineSteps, (share) => cutter.planAt(share).after.macs, limit);
    if (!found.reached) return { cost: found.cost, limit, unit: "MACs" };
    return cutter.filledAt(found.keep, ({ after }) => after.macs <= limit);
  }
  if (targetSize !== undefined) return cutForSize(cutter, targetSize);
  if (targetMs === undefined) throw new EtlError("usage", "cut: no target, one was needed");
  const engine = await withEngine();
  progress.start("latency", Math.log2(coarseSteps) + 2);
  let done = 0;
  const milliseconds = async (share: number): Promise<number> => {
    stopIfAborted(signal, stopped);
    const ms = await timed(engine, boundAs(cutter.model, cutter.cutAt(share).network), { runs: 10, signal });
    progress.update(++done, `keep ${share.toFixed(3)}: ${ms.toFixed(2)} ms`);
    return ms;
  };
  const found = await largestKeep(coarseSteps, milliseconds, targetMs);
  progress.finish(`keep ${found.keep.toFixed(3)}`);
  return found.reached ? cutter.cutAt(found.keep) : { cost: found.cost, limit: targetMs, unit: "ms" };
}

/** The file holds more than weights (names, index tables), so the first guess is corrected by the real size. */
async function cutForSize(cutter: Cutter, target: number): Promise<Cut | Missed> {
  const { original } = cutter.model;
  let extra = fileBytes(original) - cutter.planAt(1).before.bytes;
  for (let round = 0; ; round++) {
    const estimate = (share: number): number => cutter.planAt(share).after.bytes + extra;
    const found = await largestKeep(fineSteps, estimate, target);
    if (!found.reached) return { cost: found.cost, limit: target, unit: "bytes" };
    const room = target - extra;
    const cut = cutter.filledAt(found.keep, ({ after }) => after.bytes <= room);
    const size = fileBytes(cut.network);
    if (size <= target) return cut;
    extra += size - target + round * 1024;
  }
}

/** Size of a network as an ONNX file. */
export function fileBytes(network: Network): number {
  return writeLike(network).bytes.length;
}

/** What an interrupted cut says. */
export const stopped = "cut: stopped, nothing was written";
