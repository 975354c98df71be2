/** Measures a latency table: networks of the same layers with other widths are cut, timed and fitted to. */
import { cpus } from "node:os";
import { isEtlError } from "../../core/errors.ts";
import { stopIfAborted } from "../../core/options.ts";
import { plural } from "../../core/printable.ts";
import { silent, type Progress } from "../../core/progress.ts";
import { createRandom, type Random } from "../../core/random.ts";
import type { Engine } from "../../engine/engine.ts";
import { besideOf, type Reference } from "../../evaluate/beside.ts";
import { noiseFor } from "../../evaluate/profile.ts";
import { workOf, type Work } from "../../latency/features.ts";
import {
  fitRates,
  heldOutErrors,
  predictMs,
  kernelSums,
  type KernelSums,
  type Timed,
} from "../../latency/fit.ts";
import type { LatencyTable, TableEntry } from "../../latency/table.ts";
import { median, quantile } from "../../math/statistics.ts";
import type { Coupling } from "../../network/coupling/types.ts";
import { producersOf, type Network } from "../../network/network.ts";
import { factsOf } from "../../network/operators/facts.ts";
import { placesOf } from "../../quantize/places.ts";
import { readyForBytes } from "../../quantize/ready.ts";
import { inBytes } from "../../quantize/in-bytes.ts";
import { entryLayers } from "../../quantize/whole.ts";
import { cutNetwork } from "../../surgery/cut.ts";
import { blocksOf, markBest } from "../../surgery/choose.ts";
import { planKeeping } from "../../surgery/plan.ts";

/** A network whose widths can be chosen. */
export interface Sizable {
  /** Sizes fixed, but for the batch. */
  readonly network: Network;
  readonly coupling: Coupling;
  /** What is timed of a cut: heads put on, for example. Default: the cut itself. */
  readonly finish?: (cut: Network) => Network;
}

export interface TableOptions {
  readonly int8: boolean;
  readonly batch?: number;
  readonly seed?: number;
  readonly progress?: Progress;
  readonly signal?: AbortSignal | undefined;
}

/**
 * How many networks are timed: the whole one, the smallest and others of random widths; and in how many rounds, so that one has
 * its turns seconds apart. Fewer where the whole network alone takes long.
 */
const [NETWORKS, ROUNDS] = [36, 5];
const [FEW_NETWORKS, FEW_ROUNDS] = [24, 2];
const KERNEL_RUNS = 10;
/** Further rounds for those that are off what the others say by more than this share. */
const SUSPICIOUS = 0.04;
const MORE_ROUNDS = 4;

/** One network of a table, in floats or in bytes, and its shares of the whole one's time, turn by turn. */
interface Sample {
  readonly make: () => Network;
  readonly work: Work;
  readonly ratios: number[];
}

/** Times in floats, and in bytes where asked for, with the engine's threads. */
export async function measureEntries(
  engine: Engine,
  sizable: Sizable,
  options: TableOptions,
): Promise<TableEntry[]> {
  const { batch = 1, progress = silent, seed = 0 } = options;
  const random = createRandom(seed).fork("latency table");
  const kinds = options.int8 ? [false, true] : [false];
  const { network, finish = (cut: Network): Network => cut } = sizable;
  const beside = await besideOf(engine, finish(network), batch);
  try {
    const [count, rounds] = beside.isLong ? [FEW_NETWORKS, FEW_ROUNDS] : [NETWORKS, ROUNDS];
    const makers = Array.from({ length: count }, (_, i) =>
      sample(sizable, engine.channelBlock, random, i / (count - 1)),
    );
    let done = 0;
    const onTurn = (note: string, isFurther: boolean): void => {
      if (!isFurther) done++;
      progress.update(done, note);
    };
    progress.start("latency table", rounds * count * kinds.length);
    const measured: { readonly int8: boolean; readonly samples: Sample[]; readonly seen?: KernelSums }[] = [];
    for (const int8 of kinds) {
      const entry = int8 ? await quickerEntry(beside, makers[0](), rounds) : "bytes";
      const samples = makers.map((make): Sample => {
        const work = workOf(make(), engine.channelBlock);
        return { make: () => (int8 ? asBytes(make(), entry) : make()), work, ratios: [] };
      });
      const seen = await seenKernels(engine, makers[0](), { run: samples[0].make(), batch });
      await timeSamples(samples, { beside, rounds, seen, onTurn, signal: options.signal });
      measured.push({ int8, samples, ...(seen !== undefined && { seen }) });
    }
    // Only now: shares of both kinds are of one time of the whole network, the median of all its turns.
    const entries = measured.map(({ int8, samples, seen }): TableEntry => {
      const timed = timesOf(samples, beside);
      const errors = heldOutErrors(timed, seen);
      return {
        threads: engine.threads,
        int8,
        wholeMs: timed[0].ms,
        rates: fitRates(timed, seen),
        error: { median: quantile(errors, 0.5), largest: quantile(errors, 1) },
        networks: timed.length,
      };
    });
    progress.finish(entries.map(entrySentence).join("; "));
    return entries;
  } finally {
    await beside.dispose();
  }
}

/** Rounds of turns; those that are far from what the others say have further ones. */
async function timeSamples(
  samples: readonly Sample[],
  how: Pick<TableOptions, "signal"> & {
    readonly beside: Reference;
    readonly rounds: number;
    readonly seen: KernelSums | undefined;
    readonly onTurn: (note: string, isFurther: boolean) => void;
  },
): Promise<void> {
  const { beside, rounds, seen, onTurn, signal } = how;
  const turn = async ({ make, ratios }: Sample): Promise<void> => {
    stopIfAborted(signal, "latency table: stopped, nothing was kept");
    ratios.push(...(await beside.shares(make())));
  };
  for (let round = 0; round < rounds; round++)
    for (const one of samples) {
      await turn(one);
      onTurn(`${msOf(one, beside).toFixed(2)} ms`, false);
    }
  for (let round = 0; round < MORE_ROUNDS; round++) {
    const timed = timesOf(samples, beside);
    const rates = fitRates(timed, seen);
    for (const [i, { work, ms }] of timed.entries())
      if (Math.abs(ms / (predictMs(work, rates) ?? 0) - 1) > SUSPICIOUS) {
        await turn(samples[i]);
        onTurn("again, where one differs from the others", true);
      }
  }
}

const msOf = ({ ratios }: Sample, beside: Reference): number => (median(ratios) ?? 1) * beside.ms();

const timesOf = (samples: readonly Sample[], beside: Reference): Timed[] =>
  samples.map((one) => ({ work: one.work, ms: msOf(one, beside) }));

/** What the kernels of the whole network take; undefined where the engine does not tell. */
async function seenKernels(
  engine: Engine,
  network: Network,
  { run, batch }: { readonly run: Network; readonly batch: number },
): Promise<KernelSums | undefined> {
  try {
    const kernels = await engine.kernels(run, noiseFor(run, batch), { runs: KERNEL_RUNS });
    return kernelSums(network, run, { block: engine.channelBlock, kernels });
  } catch (error) {
    if (isEtlError(error) && error.kind === "unsupported") return undefined;
    throw error;
  }
}

/** The file that holds them. */
export function tableOf(
  engine: Engine,
  network: string,
  entries: readonly TableEntry[],
  batch = 1,
): LatencyTable {
  return {
    schema: 1,
    network,
    cpu: cpus()[0]?.model ?? "unknown",
    engine: engine.description,
    block: engine.channelBlock,
    batch,
    entries,
  };
}

/** "2 threads, float: whole 6.21 ms, held-out networks 2.1 % off (median), 6.0 % at most". */
function entrySentence({ threads, int8, wholeMs, error }: TableEntry): string {
  const off = `${(100 * error.median).toFixed(1)} % off (median), ${(100 * error.largest).toFixed(1)} % at most`;
  return `${plural(threads, "thread")}, ${int8 ? "int8" : "float"}: whole ${wholeMs.toFixed(2)} ms, held-out networks ${off}`;
}

/** How layers that read the picture compute in a network in bytes. */
type Entry = "bytes" | "floats";

/**
 * The network in bytes with made-up ranges. Time depends on them in one way: behind a Relu they must begin at 0, as those of
 * pictures do, or the runtime cannot fuse it and the network takes three times as long.
 */
export function asBytes(network: Network, entry: Entry): Network {
  const ready = readyForBytes(network);
  const all = placesOf(ready);
  const producers = producersOf(ready);
  const ranges = new Map(
    [...all.values.keys()].map((name) => {
      const isCutOff = factsOf(producers.get(name)?.op ?? "").bytes === "fused";
      return [name, { low: isCutOff ? 0 : -4, high: 4 }];
    }),
  );
  const whole = entry === "floats" ? entryLayers(ready, all) : [];
  return inBytes(ready, { whole, ranges, bits: 8 }).network;
}

/** Both ways that a network may be delivered in bytes. */
export const bothBytes = (network: Network): Network[] =>
  (["bytes", "floats"] as const).map((entry) => asBytes(network, entry));

/** The way that is quicker, both beside the whole network in turns. */
async function quickerEntry(beside: Reference, network: Network, rounds: number): Promise<Entry> {
  const ratios: Record<Entry, number[]> = { bytes: [], floats: [] };
  for (let round = 0; round < rounds; round++)
    for (const entry of ["bytes", "floats"] as const)
      ratios[entry].push(...(await beside.shares(asBytes(network, entry))));
  const [bytes = 0, floats = 0] = [median(ratios.bytes), median(ratios.floats)];
  return floats < bytes ? "floats" : "bytes";
}

/**
 * Makes a network of random widths around a share of all, whenever it is needed: many of a large one would fill the memory.
 *
 * @param size 0: the whole network; 1: one block everywhere; between them the random ones
 */
function sample(
  { network, coupling, finish = (cut) => cut }: Sizable,
  block: number,
  random: Random,
  size: number,
): () => Network {
  if (size === 0) return () => finish(network);
  const share = 1 - size;
  const scores = Float64Array.from({ length: coupling.classes }, () => random.uniform());
  const stays = new Uint8Array(coupling.classes).fill(1);
  for (const { classes, unit } of blocksOf(coupling, block)) {
    const units = Math.ceil(classes.length / unit);
    const own = Math.min(1, Math.max(0, share + (size === 1 ? 0 : 0.5 * (random.uniform() - 0.5))));
    for (const id of classes) stays[id] = 0;
    markBest(stays, classes, scores, unit * Math.max(1, Math.round(own * units)));
  }
  const { keep } = planKeeping(network, coupling, stays);
  // Time does not depend on which weights stay: the first ones need not be copied.
  return () => finish(cutNetwork(network, coupling, keep, "shapes"));
}

/** A network that a search found for a limit. */
export interface TimedCandidate<T> {
  readonly item: T;
  readonly predictedMs: number;
  /** False: nothing smaller can be reached. */
  readonly reached: boolean;
}

export interface Aimed<T> extends TimedCandidate<T> {
  /** Absent where another machine's table decides. */
  readonly measuredMs?: number;
}

/** Networks that are measured at most. */
const AIMS = 4;
/** How far below the target a measured network may stay. */
const SLACK = 0.03;

/**
 * The largest network whose time is at most `targetMs`: found by prediction; measured, the prediction corrected by that, and found
 * again.
 *
 * @param search the largest network whose predicted time is at most `limit`
 * @param measure milliseconds of a network here; none where it is meant for another machine
 */
export async function aimAtTime<T>(
  targetMs: number,
  search: (limit: number) => Promise<TimedCandidate<T>>,
  measure?: (item: T) => Promise<number>,
): Promise<Aimed<T>> {
  let limit = targetMs;
  let best: Aimed<T> | undefined;
  for (let round = 0; round < AIMS; round++) {
    const found = await search(limit);
    if (measure === undefined) return found;
    if (best !== undefined && found.predictedMs === best.predictedMs) break;
    const measuredMs = await measure(found.item);
    const hit = { ...found, reached: measuredMs <= targetMs, measuredMs };
    if (best === undefined || isBetter(hit, best, targetMs)) best = hit;
    if (hit.reached && measuredMs >= (1 - SLACK) * targetMs) break;
    if (!found.reached && !hit.reached) break; // already the smallest
    limit = Math.min(1.5, Math.max(0.6, (0.99 * targetMs) / measuredMs)) * found.predictedMs;
  }
  if (best === undefined) throw new Error("nothing was measured");
  return best;
}

/** Within the target the slower one, as it is the larger; beyond it the quicker one. */
function isBetter<T>(one: Aimed<T>, other: Aimed<T>, targetMs: number): boolean {
  const [a, b] = [one.measuredMs ?? Infinity, other.measuredMs ?? Infinity];
  if (a <= targetMs) return b > targetMs || a > b;
  return b > targetMs && a < b;
}
