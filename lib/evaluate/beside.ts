/** Times of networks as shares of one network's, both in turns: whatever slows the machine slows both alike. */
import { isDeepStrictEqual } from "node:util";
import { stopIfAborted } from "../core/options.ts";
import type { Engine, Program } from "../engine/engine.ts";
import { median } from "../math/statistics.ts";
import type { Network } from "../network/network.ts";
import { noiseFor } from "./profile.ts";

/** Whose numbers the caches hold. */
type Caches = "own" | "others";

/** A network that others are timed beside. */
export interface Reference {
  /**
   * Times a network that is compiled for it, a few runs of it and of the reference in turns.
   *
   * @param caches what the runs that count find in them: `own` (default), as a first run of each turn does not count, or what the
   *   other network left
   * @returns its share of the reference's time, turn by turn
   */
  readonly shares: (network: Network, caches?: Caches) => Promise<number[]>;
  /** Milliseconds a picture of the reference: median of all turns so far. */
  readonly ms: () => number;
  /** Whether a run takes so long that caches are a small part of it. */
  readonly isLong: boolean;
  readonly dispose: () => Promise<void>;
}

/** Milliseconds that runs of one network may take before the other has its turn. */
const SLICE_MS = 10;
const LONGEST_SLICE = 10;
/** Milliseconds of all turns of a call, where one of each does not take longer, and how many turns there are at most. */
const [ALL_MS, MOST_TURNS] = [60, 5];
const LONG_MS = 100;

/** @param batch pictures in a run */
export async function besideOf(engine: Engine, reference: Network, batch: number): Promise<Reference> {
  const compile = (network: Network): Promise<Program> => engine.compile(network, { alone: true });
  const input = noiseFor(reference, batch);
  const own = await compile(reference);
  const first = async (program: Program, inputs: typeof input): Promise<number> => {
    const [, ms] = await program.time(inputs, { warmup: 0, runs: 2 });
    return ms;
  };
  const whole = await first(own, input);
  const isLong = whole > LONG_MS;
  const found = [whole / batch];
  const shares = async (network: Network, caches: Caches = "own"): Promise<number[]> => {
    // The run in front of short ones does not count: the other network has just emptied the caches.
    const warmup = isLong || caches === "others" ? 0 : 1;
    const slice = async (program: Program, inputs: typeof input, runs: number): Promise<number> =>
      median(await program.time(inputs, { warmup, runs })) ?? Number.NaN;
    const runsOf = (ms: number): number =>
      caches === "others" ? 1 : Math.max(1, Math.min(LONGEST_SLICE, Math.round(SLICE_MS / ms)));
    const program = await compile(network);
    try {
      const inputs = isDeepStrictEqual(network.inputs, reference.inputs) ? input : noiseFor(network, batch);
      const one = await first(program, inputs);
      const [runs, wholeRuns] = [runsOf(one), runsOf(whole)];
      const turns = Math.round(ALL_MS / ((warmup + runs) * one + (warmup + wholeRuns) * whole));
      const ratios: number[] = [];
      for (let turn = 0; turn < Math.max(1, Math.min(MOST_TURNS, turns)); turn++) {
        const ms = await slice(program, inputs, runs);
        const beside = await slice(own, input, wholeRuns);
        ratios.push(ms / beside);
        if (caches === "own") found.push(beside / batch);
      }
      return ratios;
    } finally {
      await program.dispose();
    }
  };
  return { shares, ms: () => median(found) ?? Number.NaN, isLong, dispose: () => own.dispose() };
}

/** Times that a network whose share is asked for is compiled, each time with turns of its own. */
const TIMES = 8;

/**
 * A network's share of another's time. Small networks lose more than large ones where something else runs between two runs: the mean
 * of shares with the caches to itself and without.
 *
 * @param batch pictures in a run
 */
export async function shareOfTime(
  engine: Engine,
  reference: Network,
  network: Network,
  { batch, signal }: { readonly batch: number; readonly signal?: AbortSignal | undefined },
): Promise<number> {
  const beside = await besideOf(engine, reference, batch);
  try {
    const ratios: Record<Caches, number[]> = { own: [], others: [] };
    for (let time = 0; time < TIMES; time++)
      for (const caches of ["own", "others"] as const) {
        stopIfAborted(signal, "timing a network: stopped");
        ratios[caches].push(...(await beside.shares(network, caches)));
      }
    const [alone, among] = [ratios.own, ratios.others].map((each) => median(each) ?? Number.NaN);
    return (alone + among) / 2;
  } finally {
    await beside.dispose();
  }
}
