/** How much of a model stays: the share of channels that a target allows, and the blocks that fit in beside it. */
import { EtlError } from "../../core/errors.ts";
import { silent } from "../../core/progress.ts";
import type { Engine } from "../../engine/engine.ts";
import { writeOnnx } from "../../formats/onnx/write.ts";
import { clockOf, readTable, type LatencyTable } from "../../latency/table.ts";
import type { Network } from "../../network/network.ts";
import type { TimeRecord } from "../../record/record.ts";
import { applySurgery } from "../../surgery/apply.ts";
import { criterionScores, selectByCriterion } from "../../surgery/criteria.ts";
import { fillBlocks } from "../../surgery/fill.ts";
import { planSurgery, type Plan } from "../../surgery/plan.ts";
import { aimAtTime, measureEntries, measureTogether, tableOf, type Candidate } from "../run/latency.ts";
import { withFileShapes, type CuttableModel } from "./model.ts";
import type { CutOptions } from "./options.ts";
import { largestKeep, reached } from "./search.ts";

/** Steps between nothing and all that a share of channels is searched in. */
const fineSteps = 4096;

export interface Cut {
  readonly keep: number;
  readonly plan: Plan;
  readonly network: Network;
  /** Where a target of time chose it: milliseconds of a run. */
  readonly time?: TimeRecord;
}

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

export async function reachTarget(
  cutter: Cutter,
  options: CutOptions,
  withEngine: () => Promise<Engine>,
): Promise<Cut> {
  const { keep, targetFlops, targetSize, targetMs, targetTime } = options;
  if (keep !== undefined) return cutter.cutAt(keep);
  if (targetFlops !== undefined) {
    const limit = targetFlops * cutter.planAt(1).before.macs;
    const found = await largestKeep(fineSteps, (share) => cutter.planAt(share).after.macs, limit);
    return cutter.filledAt(reached(found, limit, "MACs"), ({ after }) => after.macs <= limit);
  }
  if (targetSize !== undefined) return cutForSize(cutter, targetSize);
  if (targetMs === undefined && targetTime === undefined)
    throw new EtlError("usage", "cut: no target, one was needed");
  return cutForTime(cutter, options, withEngine);
}

/** By the latency table's prediction, corrected by what the cut takes; another machine's table decides alone. */
async function cutForTime(
  cutter: Cutter,
  options: CutOptions,
  withEngine: () => Promise<Engine>,
): Promise<Cut> {
  const { targetMs = 0, targetTime, table: path, progress = silent, signal } = options;
  const { network } = cutter.model;
  const batch = fixedBatch(network);
  const threads = path === undefined ? undefined : options.threads;
  const made =
    path === undefined ? await measuredTable(cutter, options, await withEngine()) : await readTable(path);
  const { wholeMs, predict } = clockOf(made, { int8: false, threads });
  const limitMs = targetTime === undefined ? targetMs / batch : targetTime * wholeMs;
  const predicted = (share: number): number => {
    stopIfAborted(signal);
    return predict(applySurgery(network, cutter.planAt(share)));
  };
  const search = async (limit: number): Promise<Candidate<Cut>> => {
    const found = await largestKeep(fineSteps, predicted, limit);
    const fits = (plan: Plan): boolean => predict(applySurgery(network, plan)) <= limit;
    const cut = found.reached ? cutter.filledAt(found.keep, fits) : cutter.cutAt(found.keep);
    const predictedMs = predict(applySurgery(network, cut.plan));
    progress.note(
      `keep ${found.keep.toFixed(3)}: ${predictedMs.toFixed(3)} ms predicted of ${wholeMs.toFixed(3)}`,
    );
    return { item: cut, predictedMs, reached: found.reached };
  };
  const measure = async ({ plan }: Cut): Promise<number> => {
    const [before, after] = await measureTogether(
      await withEngine(),
      [network, applySurgery(network, plan)],
      batch,
    );
    return (after / before) * wholeMs;
  };
  const {
    item,
    reached: isReached,
    predictedMs,
    measuredMs,
  } = await aimAtTime(limitMs, search, path === undefined ? measure : undefined);
  const time = {
    wholeMs: wholeMs * batch,
    predictedMs: predictedMs * batch,
    ...(measuredMs !== undefined && { measuredMs: measuredMs * batch }),
  };
  const cost = (measuredMs ?? predictedMs) * batch;
  reached({ keep: item.keep, cost, reached: isReached }, limitMs * batch, "ms");
  return { ...item, time };
}

async function measuredTable({ model }: Cutter, options: CutOptions, engine: Engine): Promise<LatencyTable> {
  const { progress = silent, signal, seed = 0 } = options;
  const { network, coupling } = model;
  const batch = fixedBatch(network);
  const how = { int8: false, batch, seed, progress, signal };
  return tableOf(engine, network.name, await measureEntries(engine, { network, coupling }, how), batch);
}

/** The file holds more than weights (names, index tables), so the first guess is corrected by the real size. */
async function cutForSize(cutter: Cutter, target: number): Promise<Cut> {
  const { original } = cutter.model;
  let extra = fileBytes(original) - cutter.planAt(1).before.bytes;
  for (let round = 0; ; round++) {
    const estimate = (share: number): number => cutter.planAt(share).after.bytes + extra;
    const keep = reached(await largestKeep(fineSteps, estimate, target), target, "bytes");
    const room = target - extra;
    const cut = cutter.filledAt(keep, ({ after }) => after.bytes <= room);
    const size = fileBytes(cut.network);
    if (size <= target) return cut;
    extra += size - target + round * 1024;
  }
}

/** The network with the sizes that were assumed for open dimensions, so that it can be timed. */
export function boundAs({ model }: Pick<Cutter, "model">, network: Network): Network {
  return { ...network, inputs: model.network.inputs, outputs: model.network.outputs };
}

/** A file for a fixed batch is timed with it; the time is that of one run. */
export function fixedBatch(network: Network): number {
  const first = network.inputs[0]?.shape[0];
  return typeof first === "number" ? first : 1;
}

/** Size of a network as an ONNX file. */
export function fileBytes(network: Network): number {
  return writeOnnx(network).length;
}

export function stopIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw new EtlError("interrupted", "cut: stopped, nothing was written");
}
