/** What a network costs on this machine, for planning a run: forward, forward with pooled taps, training step. */
import { plural } from "../../core/printable.ts";
import { availableParallelism } from "node:os";
import { refuseUnknown, stopIfAborted, type OptionNames } from "../../core/options.ts";
import { backboneEntries, loadBackbone, type Backbone } from "../../backbones/catalogue.ts";
import { predictionName, withHead } from "../../backbones/head.ts";
import { nowMs } from "../../core/clock.ts";
import { EtlError } from "../../core/errors.ts";
import { silent, type Progress } from "../../core/progress.ts";
import { median } from "../../math/statistics.ts";
import type { Engine, Program, Trainer } from "../../engine/engine.ts";
import { openEngine } from "../../engine/open.ts";
import { noiseFor } from "../../evaluate/profile.ts";
import type { LatencyTable, TableEntry } from "../../latency/table.ts";
import { analyseCoupling } from "../../network/coupling/analyse.ts";
import type { Network } from "../../network/network.ts";
import { findTaps, withPooledTaps } from "../../network/taps.ts";
import { serviceNames, type ServiceOptions } from "../../engine/service.ts";
import { measureEntries, tableOf } from "../run/latency.ts";

export interface BenchOptions extends ServiceOptions {
  /** Weight file; default: the backbone's own, or random ones where it has none: time does not depend on them. */
  readonly weights?: string | undefined;
  /** Pictures per run; default 32. */
  readonly batch?: number | undefined;
  /** Timed runs of each kind; default 5. */
  readonly rounds?: number | undefined;
}

const optionNames: OptionNames<BenchOptions> = {
  ...serviceNames,
  ...{ weights: true, batch: true, rounds: true },
};

/** Milliseconds per picture, medians of `rounds` runs that alternate. */
export interface Bench {
  readonly backbone: string;
  readonly engine: string;
  readonly threads: number;
  readonly batch: number;
  readonly rounds: number;
  /** The network with a head of one output. */
  readonly forwardMs: number;
  /** The same with the global average of every tap: what a harvest computes. */
  readonly forwardTapsMs: number;
  /** Forward, gradients and AdamW update, everything trainable. */
  readonly trainMs: number;
}

const target = "target";

/**
 * Times a backbone or model file. The three kinds of run alternate, so that drift of the machine hits all alike.
 *
 * @throws EtlError `unsupported` where an operator of the network has no gradient
 */
export async function benchBackbone(nameOrPath: string, options: BenchOptions = {}): Promise<Bench> {
  refuseUnknown("bench", options, optionNames);
  const { batch = 32, rounds = 5, progress = silent } = options;
  checkCount("batch", batch);
  checkCount("rounds", rounds);
  const backbone = await loadForTiming(nameOrPath, options.weights, progress);
  const network = withHead(backbone.network, backbone.features, { outputs: 1 });
  const engine = await openEngine({
    engine: options.engine,
    device: options.device,
    threads: options.threads,
  });
  try {
    const runs = await compileRuns(engine, network, batch);
    try {
      const times = await alternate(runs, { rounds, progress, signal: options.signal });
      const [forwardMs, forwardTapsMs, trainMs] = times.map((list) => (median(list) ?? Number.NaN) / batch);
      const { description, threads } = engine;
      return {
        ...{ backbone: backbone.name, engine: description, threads, batch, rounds },
        ...{ forwardMs, forwardTapsMs, trainMs },
      };
    } finally {
      for (const { dispose } of runs) await dispose();
    }
  } finally {
    await engine.dispose();
  }
}

/**
 * Measures a latency table of a backbone or model file: in floats and in bytes, with one thread and with all.
 *
 * @returns the table that `--table` reads
 */
export async function benchTable(
  nameOrPath: string,
  options: BenchOptions & { readonly seed?: number | undefined } = {},
): Promise<LatencyTable> {
  const { batch = 1, progress = silent, threads, signal, seed = 0 } = options;
  checkCount("batch", batch);
  const { name, network, features } = await loadForTiming(nameOrPath, options.weights, progress);
  const coupling = analyseCoupling(network);
  const finish = (cut: Network): Network => withHead(cut, features, { outputs: 1 });
  const all = threads ?? availableParallelism();
  const entries: TableEntry[] = [];
  let table: LatencyTable | undefined;
  for (const count of all > 1 && threads === undefined ? [1, all] : [all]) {
    const service = { engine: options.engine, device: options.device, threads: count };
    const engine = await openEngine(service);
    try {
      const { int8 } = engine;
      const how = { int8, batch, seed, progress, signal };
      entries.push(...(await measureEntries(engine, { network, coupling, finish }, how)));
      table = tableOf(engine, name, entries, batch);
    } finally {
      await engine.dispose();
    }
  }
  if (table === undefined) throw new Error("no table was made");
  return table;
}

/** Forward, forward with taps, training step. */
interface TimedRun {
  /** Milliseconds of one run. */
  readonly once: () => Promise<number>;
  readonly dispose: () => Promise<void>;
}

async function compileRuns(engine: Engine, network: Network, batch: number): Promise<TimedRun[]> {
  const inputs = noiseFor(network, batch);
  const forward = (program: Program): TimedRun => ({
    once: async () => (await program.time(inputs, { warmup: 0, runs: 1 }))[0],
    dispose: () => program.dispose(),
  });
  const runs: TimedRun[] = [];
  try {
    runs.push(forward(await engine.compile(network)));
    runs.push(forward(await engine.compile(withPooledTaps(network, findTaps(network)).network)));
    runs.push(trainingRun(await compileTraining(engine, network), inputs, batch));
    return runs;
  } catch (error) {
    for (const { dispose } of runs) await dispose();
    throw error;
  }
}

function compileTraining(engine: Engine, network: Network): Promise<Trainer> {
  return engine.compileTraining(network, {
    losses: [{ kind: "sigmoid-cross-entropy", output: predictionName, target, weight: 1 }],
    optimizer: { kind: "adamw" },
    seed: 1,
  });
}

function trainingRun(trainer: Trainer, inputs: ReturnType<typeof noiseFor>, batch: number): TimedRun {
  const labels = { shape: [batch, 1], data: Float32Array.from({ length: batch }, (_, i) => i % 2) };
  return {
    once: async () => {
      const start = nowMs();
      await trainer.step({ ...inputs, [target]: labels }, { learningRate: 1e-5 });
      return nowMs() - start;
    },
    dispose: () => trainer.dispose(),
  };
}

/** One run of each that does not count, then `rounds` rounds; milliseconds of each run, by kind. */
async function alternate(
  runs: readonly TimedRun[],
  options: { readonly rounds: number; readonly progress: Progress; readonly signal: AbortSignal | undefined },
): Promise<number[][]> {
  const { rounds, progress, signal } = options;
  const times: number[][] = runs.map(() => []);
  progress.start("bench", (rounds + 1) * runs.length);
  for (let round = 0; round <= rounds; round++) {
    for (const [i, run] of runs.entries()) {
      stopIfAborted(signal, "bench: stopped, nothing was kept");
      const ms = await run.once();
      if (round > 0) times[i].push(ms);
      progress.update(round * runs.length + i + 1);
    }
  }
  progress.finish(`${plural(rounds, "run")} of each`);
  return times;
}

async function loadForTiming(
  name: string,
  weights: string | undefined,
  progress: Progress,
): Promise<Backbone> {
  const needsFile = backboneEntries().some((entry) => entry.name === name && entry.weights === "file");
  if (weights === undefined && needsFile) {
    progress.note(`${name}: timed with random weights, as no file was given (time does not depend on them)`);
    return loadBackbone(name, { weights: "random" });
  }
  return loadBackbone(name, weights === undefined ? {} : { weights });
}

function checkCount(option: string, value: number): void {
  if (Number.isSafeInteger(value) && value >= 1) return;
  throw new EtlError("usage", `--${option}: ${value}, a whole number of at least 1 was needed`);
}
