/** CPU time for one picture, several networks interleaved in one process so that drift of the machine hits all alike. */
import { loadavg } from "node:os";
import { stopIfAborted } from "../core/options.ts";
import { EtlError } from "../core/errors.ts";
import { createRandom } from "../core/random.ts";
import type { Latency, ShareRange } from "../record/record.ts";
import { median, medianRange, quantile } from "../math/statistics.ts";
import type { Engine, Program, Tensors } from "../engine/engine.ts";
import { sizeOf, type Network } from "../network/network.ts";

/** A network to be timed. */
export interface ProfiledModel {
  readonly name: string;
  readonly network: Network;
}

export interface ProfileOptions {
  /** Timed runs of each network; default 50. */
  readonly runs?: number;
  /** Runs of each network that are not timed; default 10. */
  readonly warmup?: number;
  /** Pictures per run; default 1. Times are given per picture. */
  readonly batch?: number;
  readonly signal?: AbortSignal | undefined;
  /** Name of the network that the others are compared with, round by round; an identical copy of it is timed as well. */
  readonly baseline?: string;
}

/** Runs of one network before the next one has its turn, at most, and how long they may take: a stop is heard in between. */
const [longestSlice, sliceMs] = [5, 500];
/** Turns of each network, where there are runs enough. */
const leastRounds = 6;
const defaultRuns = 50;

/**
 * What times networks: one thread, unless somebody said how many. Times of one thread can be compared and predicted; what several
 * take depends on whether something else runs on their cores just then.
 *
 * @param given threads that were asked for, which the engine has
 */
export function timerOf(engine: Engine, given: number | undefined): Engine {
  return given === undefined ? (engine.withThreads?.(1) ?? engine) : engine;
}

/**
 * Times networks: warm-up for each, then rounds of a few runs, in an order that turns from round to round.
 *
 * @returns name -> milliseconds per picture, in the order of `models`
 */
export async function profileModels(
  engine: Engine,
  models: readonly ProfiledModel[],
  options: ProfileOptions = {},
): Promise<Map<string, Latency>> {
  const { runs = defaultRuns, warmup = 10, batch = 1, signal } = options;
  const at = models.findIndex(({ name }) => name === options.baseline);
  const load = loadavg()[0];
  const compared = at < 0 ? models : [...models, { ...models[at], name: "copy" }];
  if (!Number.isSafeInteger(runs) || runs < 1) {
    throw new EtlError("usage", `--runs: found ${runs}, a whole number of at least 1 was needed`);
  }
  const programs: Program[] = [];
  try {
    for (const { network } of compared) programs.push(await engine.compile(network, { alone: true }));
    const sliceRuns = Math.max(1, Math.min(longestSlice, Math.floor(runs / leastRounds)));
    const inputs = compared.map(({ network }) => noiseFor(network, batch));
    const times: number[][] = compared.map(() => []);
    const rounds: number[][] = compared.map(() => []);
    /** Runs of one network one after the other: in one go where they are short, else each by itself. */
    const timed = async (i: number, count: number, ms: number): Promise<number[]> => {
      const most = Math.max(1, Math.floor(sliceMs / ms));
      const measured: number[] = [];
      while (measured.length < count) {
        stopIfAborted(signal, "profile: stopped, nothing was kept");
        const left = Math.min(most, count - measured.length);
        // One run that does not count: another network, or another thread, has just emptied the caches.
        const unseen = measured.length === 0 || most > 1 ? 1 : 0;
        measured.push(...(await programs[i].time(inputs[i], { warmup: unseen, runs: left })));
      }
      return measured;
    };
    const typical: number[] = [];
    for (const i of compared.keys()) {
      const [first] = await timed(i, 1, Infinity);
      const rest = warmup > 2 ? await timed(i, warmup - 2, first) : [first];
      typical.push(median(rest) ?? first);
    }
    for (let round = 0; round * sliceRuns < runs; round++) {
      for (let turn = 0; turn < compared.length; turn++) {
        const i = (turn + round) % compared.length;
        const count = Math.min(sliceRuns, runs - round * sliceRuns);
        const slice = await timed(i, count, typical[i]);
        times[i].push(...slice.map((ms) => ms / batch));
        rounds[i].push(median(slice) ?? Number.NaN);
      }
    }
    const share = (i: number): ShareRange =>
      medianRange(rounds[i].map((ms, round) => ms / rounds[at][round]));
    return new Map(
      models.map(({ name }, i): [string, Latency] => {
        const own = summarise(times[i], engine.threads);
        if (at < 0) return [name, own];
        return [
          name,
          i === at ? { ...own, copy: share(models.length), load } : { ...own, ofBaseline: share(i) },
        ];
      }),
    );
  } finally {
    await Promise.all(programs.map((program) => program.dispose()));
  }
}

/** {@link profileModels} of networks that need no names: latencies beside them. */
export async function profileNetworks(
  engine: Engine,
  networks: readonly Network[],
  options: ProfileOptions = {},
): Promise<Latency[]> {
  const models = networks.map((network, i) => ({ name: String(i), network }));
  return [...(await profileModels(engine, models, options)).values()];
}

/** Median and 95th percentile of times in milliseconds. */
export function summarise(times: readonly number[], threads: number): Latency {
  const sorted = times.toSorted((a, b) => a - b);
  return { medianMs: quantile(sorted, 0.5), p95Ms: quantile(sorted, 0.95), runs: times.length, threads };
}

/** Standard normal noise for every input of a network: time must not depend on what is on the picture. */
export function noiseFor(network: Network, batch: number): Tensors {
  const random = createRandom(1).fork("profile");
  return Object.fromEntries(
    network.inputs.map((input) => {
      const [first] = input.shape;
      // a vector has no batch, nor has a picture by itself: [channels, height, width]
      const hasBatch = input.shape.length > 1 && input.shape.length !== 3;
      if (typeof first === "number" && first !== batch && hasBatch) {
        throw new EtlError(
          "usage",
          `${network.name}: input ${input.name} is made for a batch of ${first}, ${batch} were asked for`,
          { hint: `--batch ${first}` },
        );
      }
      const shape = input.shape.map((dim, axis) => (axis === 0 && typeof dim === "string" ? batch : dim));
      const free = shape.find((dim) => typeof dim === "string");
      if (free !== undefined || input.type !== "float32") {
        const found = `${network.name}: input ${input.name} is ${input.type} [${input.shape.join(", ")}]`;
        throw new EtlError("unsupported", `${found}, float32 with fixed sizes after the batch was needed`);
      }
      const sizes = shape as number[];
      const data = Float32Array.from({ length: sizeOf(sizes) }, () => random.normal());
      return [input.name, { shape: sizes, data }];
    }),
  );
}
