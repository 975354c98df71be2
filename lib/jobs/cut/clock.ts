/** Targets of time: a latency table chooses, and what it chose is measured. */
import { stopIfAborted } from "../../core/options.ts";
import { silent } from "../../core/progress.ts";
import type { Engine } from "../../engine/engine.ts";
import { shareOfTime } from "../../evaluate/beside.ts";
import { timerOf } from "../../evaluate/profile.ts";
import { clockOf, readLatencyTable, type Clock } from "../../latency/table.ts";
import type { Network } from "../../network/network.ts";
import { applySurgery } from "../../surgery/apply.ts";
import { cutNetwork } from "../../surgery/cut.ts";
import type { Plan } from "../../surgery/plan.ts";
import { aimAtTime, measureEntries, tableOf, type TimedCandidate } from "../run/latency.ts";
import type { CuttableModel } from "./model.ts";
import type { CutOptions } from "./options.ts";
import { largestKeep, type Missed } from "./search.ts";
import type { CutCandidate, Cutter } from "./cutter.ts";
import { fixedBatch, stopped } from "./time.ts";

/** Steps between nothing and all that a share of channels is searched in. */
const STEPS = 4096;

/** The times of one model, a picture. */
export interface CutClock extends Clock {
  /** Milliseconds here, in units of the table's whole network; absent where the table is another machine's. */
  readonly measure?: (cut: Network) => Promise<number>;
}

/** Reads the table, or measures one. */
export async function openClock(
  { network, coupling }: CuttableModel,
  options: CutOptions,
  withEngine: () => Promise<Engine>,
): Promise<CutClock> {
  const { table, threads, progress = silent, signal, seed = 0 } = options;
  if (table !== undefined) return clockOf(await readLatencyTable(table), { int8: false, threads });
  const engine = timerOf(await withEngine(), threads);
  const batch = fixedBatch(network);
  const how = { int8: false, batch, seed, progress, signal };
  const entries = await measureEntries(engine, { network, coupling }, how);
  const clock = clockOf(tableOf(engine, network.name, entries, batch), { int8: false });
  const measure = async (cut: Network): Promise<number> =>
    (await shareOfTime(engine, network, cut, { batch, signal })) * clock.wholeMs;
  return { ...clock, measure };
}

/** The cut whose time is the target's, as far as it can be reached. */
export async function cutForTime(
  cutter: Cutter,
  options: CutOptions,
  clock: CutClock,
): Promise<CutCandidate | Missed> {
  const { targetMs = 0, targetTime, progress = silent, signal } = options;
  const { network, coupling } = cutter.model;
  const { wholeMs, predict, measure } = clock;
  const batch = fixedBatch(network);
  const limitMs = targetTime === undefined ? targetMs / batch : targetTime * wholeMs;
  const predicted = (plan: Plan): number => {
    stopIfAborted(signal, stopped);
    return predict(cutNetwork(network, coupling, plan.keep, "shapes"));
  };
  const search = async (limit: number): Promise<TimedCandidate<CutCandidate>> => {
    const found = await largestKeep(STEPS, (share) => predicted(cutter.planAt(share)), limit);
    const fits = (plan: Plan): boolean => predicted(plan) <= limit;
    const cut = found.reached ? cutter.filledAt(found.keep, fits) : cutter.cutAt(found.keep);
    const predictedMs = predicted(cut.plan);
    const said = `${predictedMs.toFixed(3)} ms predicted of ${wholeMs.toFixed(3)}`;
    progress.note(`keep ${found.keep.toFixed(3)}: ${said}`);
    return { item: cut, predictedMs, reached: found.reached };
  };
  const { item, reached, predictedMs, measuredMs } = await aimAtTime(
    limitMs,
    search,
    measure && (({ plan }) => measure(applySurgery(network, plan, coupling))),
  );
  if (!reached) return { cost: (measuredMs ?? predictedMs) * batch, limit: limitMs * batch, unit: "ms" };
  const time = {
    wholeMs: wholeMs * batch,
    predictedMs: predictedMs * batch,
    ...(measuredMs !== undefined && { measuredMs: measuredMs * batch }),
  };
  return { ...item, time };
}
