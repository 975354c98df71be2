/** With how many threads networks are timed where nobody says it. */
import { stopIfAborted } from "../core/options.ts";
import { silent, type Progress } from "../core/progress.ts";
import type { Engine, Program } from "../engine/engine.ts";
import { median } from "../math/statistics.ts";
import type { Network } from "../network/network.ts";
import { noiseFor } from "./profile.ts";

/** Threads to time with, and what all of them take of the time that one takes; no share where there is nothing to choose. */
export interface TimingThreads {
  readonly threads: number;
  readonly share?: number;
}

/** All threads are worth being timed with where they take less than this share of one thread's time. */
const WORTH = 0.95;
/** Rounds of turns, how many there are at least, and milliseconds after which there are no more. */
const [ROUNDS, FEWEST_ROUNDS, ENOUGH_MS] = [12, 3, 1500];
/** Milliseconds that a turn may take, and runs of it at most. */
const [TURN_MS, MOST_RUNS] = [20, 5];

/**
 * One thread or all of the engine's, whichever is quicker here: cores of virtual machines may be halves of one, or others may use
 * them, and what waits for threads that do not run is slower than one thread, and takes another time at each run.
 *
 * @param batch pictures in a run
 */
export async function timingThreads(
  engine: Engine,
  network: Network,
  { batch = 1, signal }: { readonly batch?: number; readonly signal?: AbortSignal | undefined } = {},
): Promise<TimingThreads> {
  const { threads, withThreads } = engine;
  if (withThreads === undefined || threads === 1) return { threads };
  const inputs = noiseFor(network, batch);
  const programs: Program[] = [];
  try {
    for (const timer of [engine, withThreads(1)])
      programs.push(await timer.compile(network, { alone: true }));
    const turn = async (program: Program, runs: number): Promise<number> => {
      stopIfAborted(signal, "timing a network: stopped");
      return median(await program.time(inputs, { warmup: 1, runs })) ?? Number.NaN;
    };
    const [all, one] = programs;
    const first = (await turn(all, 1)) + (await turn(one, 1));
    const runs = Math.max(1, Math.min(MOST_RUNS, Math.floor(TURN_MS / first)));
    const rounds = Math.min(ROUNDS, Math.floor(ENOUGH_MS / ((runs + 1) * first)));
    const shares: number[] = [];
    for (let round = 0; round < Math.max(FEWEST_ROUNDS, rounds); round++) {
      const own = await turn(all, runs);
      shares.push(own / (await turn(one, runs)));
    }
    const share = median(shares) ?? Number.NaN;
    return { threads: share < WORTH ? threads : 1, share };
  } finally {
    await Promise.all(programs.map((program) => program.dispose()));
  }
}

/** The engine whose programs have so many threads. */
export const timerWith = (engine: Engine, { threads }: TimingThreads): Engine =>
  threads === engine.threads ? engine : (engine.withThreads?.(threads) ?? engine);

/**
 * The engine with the threads that networks are timed with.
 *
 * @param given threads that somebody asked for: those are taken
 */
export async function timerOf(
  engine: Engine,
  network: Network,
  options: {
    readonly given: number | undefined;
    readonly batch?: number | undefined;
    readonly progress?: Progress | undefined;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<Engine> {
  const { given, batch = 1, progress = silent, signal } = options;
  if (given !== undefined) return engine;
  const chosen = await timingThreads(engine, network, { batch, signal });
  sayThreads(engine, chosen, progress);
  return timerWith(engine, chosen);
}

/** Says where not all threads are timed with. */
export function sayThreads(
  { threads }: Pick<Engine, "threads">,
  chosen: TimingThreads,
  progress: Progress,
): void {
  if (chosen.share === undefined || chosen.threads === threads) return;
  const percent = (100 * chosen.share).toFixed(0);
  progress.note(
    `${threads} threads take ${percent} % of the time of one here: times are of one thread, --threads ${threads} takes all`,
  );
}
