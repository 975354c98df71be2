/** CPU time for one picture, several networks interleaved in one process so that drift of the machine hits all alike. */
import { EtlError } from "../core/errors.ts";
import { createRandom } from "../core/random.ts";
import type { Latency } from "../record/record.ts";
import { quantile } from "../math/statistics.ts";
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
}

/** Runs of one network before the next one has its turn. */
const sliceRuns = 5;
const defaultRuns = 50;

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
  if (!Number.isSafeInteger(runs) || runs < 1) {
    throw new EtlError("usage", `--runs: found ${runs}, a whole number of at least 1 was needed`);
  }
  const programs: Program[] = [];
  try {
    for (const { network } of models) programs.push(await engine.compile(network, { alone: true }));
    const inputs = models.map(({ network }) => noiseFor(network, batch));
    const times: number[][] = models.map(() => []);
    for (const [i, program] of programs.entries()) await program.time(inputs[i], { warmup, runs: 0 });
    for (let round = 0; round * sliceRuns < runs; round++) {
      for (let turn = 0; turn < models.length; turn++) {
        if (signal?.aborted === true) throw new EtlError("interrupted", "profile: stopped, nothing was kept");
        const i = (turn + round) % models.length;
        const count = Math.min(sliceRuns, runs - round * sliceRuns);
        // One run that does not count: another network has just emptied the caches.
        const slice = await programs[i].time(inputs[i], { warmup: 1, runs: count });
        times[i].push(...slice.map((ms) => ms / batch));
      }
    }
    return new Map(models.map(({ name }, i) => [name, summarise(times[i], engine.threads)]));
  } finally {
    await Promise.all(programs.map((program) => program.dispose()));
  }
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
      if (typeof first === "number" && first !== batch && input.shape.length > 1) {
        throw new EtlError(
          "usage",
          `${network.name}: input ${input.name} is made for a batch of ${first}, ${batch} were asked for`,
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
