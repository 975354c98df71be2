/** The characteristic curves of all taps, on several threads where that is worth starting them. */
import { plural } from "../../core/printable.ts";
import { once } from "node:events";
import type { Worker } from "node:worker_threads";
import type { Curve, TapMoments } from "../../core/artifacts.ts";
import type { Progress } from "../../core/progress.ts";
import { startThread, scriptBeside } from "../../core/worker.ts";
import { characteristicCurve } from "../../lasso/curve.ts";

interface SolveOptions {
  readonly threads: number;
  readonly progress: Progress;
  readonly signal?: AbortSignal | undefined;
}

/** Work (filters squared times outputs squared, over all taps) below which no thread is started. */
const smallWork = 1e5;

/** Solves every tap; the result does not depend on the number of threads. */
export async function solveCurves(moments: readonly TapMoments[], options: SolveOptions): Promise<Curve[]> {
  const { progress } = options;
  const work = moments.map(({ folds: [{ p, q }] }) => p * p * q * q);
  const total = work.reduce((sum, each) => sum + each, 0);
  const threads = Math.max(1, Math.min(options.threads, moments.length));
  progress.start("LASSO paths", moments.length);
  const curves =
    total < smallWork
      ? await solveHere(moments, options)
      : await solveThere(moments, work, { ...options, threads });
  progress.finish(foundBy(curves));
  return curves;
}

/** Which layer explains the answer best, on rows that its filters were not chosen on. */
function foundBy(curves: readonly Curve[]): string {
  const layers = plural(curves.length, "layer");
  const shares = curves.flatMap(({ tap, heldOut }) => {
    if (heldOut === undefined || !(heldOut.mean[0] > 0)) return [];
    return [{ tap, share: 1 - (Math.min(...heldOut.mean) / heldOut.mean[0]) ** 2 }];
  });
  const [best] = shares.sort((a, b) => b.share - a.share);
  return best === undefined
    ? `of ${layers}`
    : `of ${layers}, ${best.tap} explains the labels best: ${(100 * best.share).toFixed(0)} % of their variance, held out`;
}

async function solveHere(
  moments: readonly TapMoments[],
  { progress, signal }: SolveOptions,
): Promise<Curve[]> {
  const curves: Curve[] = [];
  for (const tap of moments) {
    curves.push(characteristicCurve(tap));
    progress.update(curves.length);
    await new Promise((resolve) => setImmediate(resolve)); // lets Ctrl-C and the progress line through
    signal?.throwIfAborted();
  }
  return curves;
}

/** The largest taps first, each to the thread that is free next. */
async function solveThere(
  moments: readonly TapMoments[],
  work: readonly number[],
  { threads, progress, signal }: SolveOptions,
): Promise<Curve[]> {
  const queue = Array.from(moments.keys()).sort((a, b) => work[b] - work[a]);
  const curves: Curve[] = [];
  let done = 0;
  const workers = Array.from({ length: threads }, () =>
    startThread(scriptBeside(import.meta.url, "solve-worker")),
  );
  try {
    await Promise.all(
      workers.map(async (worker) => {
        for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
          curves[next] = await solveIn(worker, moments[next], signal);
          progress.update(++done);
        }
      }),
    );
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
  return curves;
}

/** Ctrl-C does not wait for the tap under way: with many outputs one takes minutes. */
async function solveIn(worker: Worker, moments: TapMoments, signal: AbortSignal | undefined): Promise<Curve> {
  signal?.throwIfAborted();
  const answer = once(worker, "message", signal === undefined ? {} : { signal }); // an error of the thread rejects it
  worker.postMessage(moments);
  try {
    const [curve] = (await answer) as [Curve];
    return curve;
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}
