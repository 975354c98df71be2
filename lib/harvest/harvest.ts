/** Harvest (ETL, eq. 1): globally average-pooled filter responses, reduced at once to moments per tap and fold. */
import { needWithin } from "../core/budget.ts";
import { stopIfAborted, refuseUnknown, type OptionNames } from "../core/options.ts";
import type { TapMoments } from "../core/artifacts.ts";
import { EtlError } from "../core/errors.ts";
import { createMomentsAccumulator, type MomentsAccumulator } from "../math/moments.ts";
import { silent, type Progress } from "../core/progress.ts";
import type { Recycler } from "../core/recycler.ts";
import type { Program, Tensors } from "../engine/engine.ts";
import { runStream } from "../engine/stream.ts";
import type { Tensor } from "../network/network.ts";

/** One pooled tap of the compiled program. */
export interface HarvestTap {
  /** Name of the tapped value; names the moments. */
  readonly tap: string;
  /** Output of the program that holds its pooled response, [n, channels]. */
  readonly output: string;
  readonly channels: number;
}

/** What the harvest reads of a batch. */
export interface HarvestBatch {
  /** Images, [n, 3, height, width]. The harvest gives them to the engine: they are gone afterwards, or back with `recycler`. */
  readonly x: Tensor;
  /** Targets, [n, q]. */
  readonly y: Tensor;
  /** Row of each image in the harvested set: chooses its fold. */
  readonly rows: Uint32Array;
}

export interface HarvestOptions {
  /** Name of the network's image input. */
  readonly input: string;
  readonly taps: readonly HarvestTap[];
  /** Width of a target row. */
  readonly outputs: number;
  /** Fold of each row. */
  readonly folds: Uint32Array;
  readonly foldCount: number;
  /** Number of images, for progress. */
  readonly total: number;
  /** Where the images' arrays come from. */
  readonly recycler?: Recycler;
  readonly progress?: Progress | undefined;
  readonly signal?: AbortSignal | undefined;
}

const harvestNames: OptionNames<HarvestOptions> = {
  input: true,
  taps: true,
  outputs: true,
  folds: true,
  foldCount: true,
  total: true,
  recycler: true,
  progress: true,
  signal: true,
};

/**
 * Streams batches through the network and accumulates moments. No n x C matrix exists: memory is independent of the
 * number of images. The moments of one batch are added while the engine computes the next ones.
 */
export async function harvest(
  program: Program,
  batches: AsyncIterable<HarvestBatch>,
  options: HarvestOptions,
): Promise<TapMoments[]> {
  refuseUnknown("harvest", options, harvestNames);
  const progress = options.progress ?? silent;
  const { outputs: q, foldCount, taps } = options;
  const numbers = taps.reduce((sum, { channels: p }) => sum + foldCount * (p + q) ** 2, 0);
  needWithin(
    `harvest: ${q} outputs of the task, ${taps.length} taps, ${foldCount} folds`,
    "moments",
    numbers,
  );
  const accumulators = options.taps.map((tap) =>
    Array.from({ length: options.foldCount }, () => createMomentsAccumulator(tap.channels, options.outputs)),
  );
  let done = 0;
  const inputsOf = ({ x }: HarvestBatch): Tensors => ({ [options.input]: x });
  const stream = runStream(program, batches, inputsOf, { give: options.recycler ?? true });
  for await (const { item, outputs } of stream) {
    stopIfAborted(options.signal, stopped);
    addBatch(accumulators, item, outputs, options);
    done += item.rows.length;
    progress.update(done);
  }
  if (done === 0) {
    throw new EtlError(
      "data",
      "harvest: no usable training image was found, at least a few hundred were needed",
    );
  }
  return options.taps.map((tap, i) => ({
    tap: tap.tap,
    folds: (accumulators[i] ?? []).map((accumulator) => accumulator.moments()),
  }));
}

const stopped = "harvest: stopped by the user, run the same command again to go on";

function addBatch(
  accumulators: readonly (readonly MomentsAccumulator[])[],
  batch: HarvestBatch,
  outputs: Record<string, Tensor>,
  options: HarvestOptions,
): void {
  const members = rowsByFold(batch.rows, options);
  options.taps.forEach((tap, t) => {
    const pooled = outputs[tap.output];
    if (pooled?.data.length !== batch.rows.length * tap.channels) {
      throw new EtlError(
        "engine",
        `harvest: tap ${tap.tap} gave ${pooled?.data.length ?? 0} numbers, ${batch.rows.length * tap.channels} were needed`,
      );
    }
    members.forEach((positions, fold) => {
      accumulators[t]?.[fold]?.add(pooled.data, batch.y.data, batch.rows.length, positions);
    });
  });
}

function rowsByFold(rows: Uint32Array, options: HarvestOptions): number[][] {
  const members = Array.from({ length: options.foldCount }, (): number[] => []);
  rows.forEach((row, position) => members[options.folds[row] ?? 0]?.push(position));
  return members;
}
