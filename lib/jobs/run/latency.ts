/** Measures a latency table: networks of the same layers with other widths are cut, timed and fitted to. */
import { cpus } from "node:os";
import { stopIfAborted } from "../../core/options.ts";
import { silent, type Progress } from "../../core/progress.ts";
import { createRandom, type Random } from "../../core/random.ts";
import type { Engine } from "../../engine/engine.ts";
import { noiseFor } from "../../evaluate/profile.ts";
import { workOf } from "../../latency/features.ts";
import { fitRates, heldOutErrors, predictMs } from "../../latency/fit.ts";
import type { LatencyTable, TableEntry } from "../../latency/table.ts";
import { quantile } from "../../math/statistics.ts";
import type { Coupling } from "../../network/coupling/types.ts";
import { foldBatchNorm } from "../../network/fold-batch-norm.ts";
import { producersOf, type Network } from "../../network/network.ts";
import { factsOf } from "../../network/operators/facts.ts";
import { placesOf } from "../../quantize/places.ts";
import { quantized } from "../../quantize/rewrite.ts";
import { applySurgery } from "../../surgery/apply.ts";
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

/** Networks of random widths, beside the whole one and the smallest. */
const SAMPLES = 22;
/** Milliseconds of a network in each turn, so that slow ones are not run as often as quick ones. */
const TURN_MS = 60;
/** Turns of every network, one network after the other. */
const TURNS = 2;
/** Further turns of those that took longer than the others say, by more than this share. */
const SUSPICIOUS = 0.04;
const MORE_TURNS = 4;

/** Times in floats, and in bytes where asked for, with the engine's threads. */
export async function measureEntries(
  engine: Engine,
  sizable: Sizable,
  options: TableOptions,
): Promise<TableEntry[]> {
  const { batch = 1, progress = silent, seed = 0 } = options;
  const random = createRandom(seed).fork("latency table");
  const networks = Array.from({ length: SAMPLES + 2 }, (_, i) =>
    sample(sizable, engine.channelBlock, random, i),
  );
  const kinds = options.int8 ? [false, true] : [false];
  progress.start("latency table", TURNS * networks.length * kinds.length);
  const entries: TableEntry[] = [];
  let done = 0;
  for (const int8 of kinds) {
    const samples = networks.map((network) => ({ work: workOf(network, engine.channelBlock), ms: Infinity }));
    const turn = async (i: number): Promise<void> => {
      stopIfAborted(options.signal, "latency table: stopped, nothing was kept");
      const ms = await quickMs(engine, int8 ? asBytes(networks[i]) : networks[i], batch);
      samples[i].ms = Math.min(samples[i].ms, ms);
    };
    for (let round = 0; round < TURNS; round++)
      for (const i of networks.keys()) {
        await turn(i);
        progress.update(++done, `${samples[i].ms.toFixed(2)} ms`);
      }
    // What else the machine does makes a network slower, never faster: who seems slow has another turn.
    for (let round = 0; round < MORE_TURNS; round++) {
      const rates = fitRates(samples);
      for (const [i, { work, ms }] of samples.entries())
        if (ms > (1 + SUSPICIOUS) * (predictMs(work, rates) ?? 0)) await turn(i);
    }
    const errors = heldOutErrors(samples);
    entries.push({
      threads: engine.threads,
      int8,
      wholeMs: samples[0].ms,
      rates: fitRates(samples),
      error: { median: quantile(errors, 0.5), largest: quantile(errors, 1) },
      networks: samples.length,
    });
  }
  progress.finish(entries.map(entrySentence).join("; "));
  return entries;
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
  return `${threads} threads, ${int8 ? "int8" : "float"}: whole ${wholeMs.toFixed(2)} ms, held-out networks ${off}`;
}

/** One turn: the lower quartile of a few runs, milliseconds a picture. */
async function quickMs(engine: Engine, network: Network, batch = 1): Promise<number> {
  const program = await engine.compile(network, { alone: true });
  try {
    const inputs = noiseFor(network, batch);
    const [, first] = await program.time(inputs, { warmup: 1, runs: 2 });
    const runs = Math.max(3, Math.min(60, Math.round(TURN_MS / first)));
    const times = await program.time(inputs, { warmup: 1, runs });
    return (
      quantile(
        times.toSorted((a, b) => a - b),
        0.25,
      ) / batch
    );
  } finally {
    await program.dispose();
  }
}

/**
 * The network in bytes with made-up ranges. Time depends on them in one way: behind a Relu they must begin at 0, as those of
 * pictures do, or the runtime cannot fuse it and the network takes three times as long.
 */
export function asBytes(network: Network): Network {
  const folded = foldBatchNorm(network);
  const places = placesOf(folded);
  const producers = producersOf(folded);
  const ranges = new Map(
    [...places.values.keys()].map((name) => {
      const isCutOff = factsOf(producers.get(name)?.op ?? "").bytes === "fused";
      return [name, { low: isCutOff ? 0 : -4, high: 4 }];
    }),
  );
  return quantized(folded, places, { ranges, bits: 8 });
}

/** The whole network first, the one of one block everywhere second, then random widths around a random share. */
function sample(
  { network, coupling, finish = (cut) => cut }: Sizable,
  block: number,
  random: Random,
  i: number,
): Network {
  if (i === 0) return finish(network);
  const share = i === 1 ? 0 : (i - 1) / SAMPLES;
  const scores = Float64Array.from({ length: coupling.classes }, () => random.uniform());
  const stays = new Uint8Array(coupling.classes).fill(1);
  for (const { classes, unit } of blocksOf(coupling, block)) {
    const units = Math.ceil(classes.length / unit);
    const own = Math.min(1, Math.max(0, share + (i === 1 ? 0 : 0.5 * (random.uniform() - 0.5))));
    for (const id of classes) stays[id] = 0;
    markBest(stays, classes, scores, unit * Math.max(1, Math.round(own * units)));
  }
  const plan = planKeeping(network, coupling, stays);
  return finish(applySurgery(network, plan, coupling));
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
const SLACK = 0.05;

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

/** Lowest of five turns each, one network after the other. @returns milliseconds beside the networks */
export async function measureTogether(
  engine: Engine,
  networks: readonly Network[],
  batch = 1,
): Promise<number[]> {
  const best = networks.map(() => Infinity);
  for (let turn = 0; turn < 5; turn++)
    for (const [i, network] of networks.entries())
      best[i] = Math.min(best[i], await quickMs(engine, network, batch));
  return best;
}
