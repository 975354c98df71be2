/** Stage harvest: moments of every tap and of the pooled features, part by part, so that a killed harvest goes on. */
import { plural } from "../../core/printable.ts";
import type { Preprocessing, TapMoments } from "../../core/artifacts.ts";
import { EtlError } from "../../core/errors.ts";
import { readBytes, writeWhole } from "../../core/files.ts";
import { decodeMoments, encodeMoments } from "../../math/moments-file.ts";
import { mergeMoments } from "../../math/moments.ts";
import { createRandom } from "../../core/random.ts";
import { writeSealed } from "../../core/seal.ts";
import { readCheckpoint } from "../run/checkpoint.ts";
import { dealFolds } from "../../harvest/folds.ts";
import { widthOf } from "../../data/joint.ts";
import { harvest, type HarvestTap } from "../../harvest/harvest.ts";
import type { Network } from "../../network/network.ts";
import { inferShapes } from "../../network/shapes/infer.ts";
import { subnetwork } from "../../network/subnetwork.ts";
import { findTaps, withPooledTaps, type Tap } from "../../network/taps.ts";
import { mayMirror } from "../run/options.ts";
import { batchesOf, pictures, type RunContext } from "./context.ts";

/** Images in a part: what is lost at most when a harvest is killed. */
const partSize = 2000;

export interface Harvest {
  readonly taps: readonly Tap[];
  /** Beside `taps`, of all tasks together: see {@link momentsByTask}. */
  readonly moments: readonly TapMoments[];
  /** The same of the pooled features, for closed-form heads. */
  readonly features: TapMoments;
}

/** Where the moments of the whole training part lie in a run folder. */
export const momentsFile = "moments/taps.bin";

/** Everything the harvest depends on, but which pictures cannot be decoded. */
export interface HarvestInputs {
  /** Fingerprint of labels, parts, face boxes and file sizes. */
  readonly data: string;
  readonly backbone: string;
  readonly preprocessing: Preprocessing;
  readonly folds: number;
  readonly seed: number;
  /** Pictures are not mirrored by wish, whatever the tasks allow. */
  readonly plain?: true;
}

export function harvestInputs(context: RunContext): HarvestInputs {
  const { backbone, config, dataset } = context;
  return {
    data: dataset.fingerprint,
    backbone: backbone.fingerprint,
    preprocessing: backbone.preprocessing,
    folds: config.folds,
    seed: config.seed,
    ...(mayMirror(config) ? {} : { plain: true }),
  };
}

/** The key of a harvest; `broken` = names of the training pictures that could not be decoded. */
export function keyOfHarvest(inputs: HarvestInputs, broken: readonly string[]): unknown {
  return { ...inputs, broken: [...broken].sort() };
}

/** Everything the harvest depends on. */
export function harvestKey(context: RunContext): unknown {
  return keyOfHarvest(harvestInputs(context), brokenTraining(context));
}

/** Names of the training pictures that could not be decoded. */
export function brokenTraining({ dataset, store }: RunContext): string[] {
  const broken = new Set(store.problems.map(({ file }) => file));
  return dataset.items.flatMap(({ file, split }) => (split === "train" && broken.has(file) ? [file] : []));
}

/** Runs (or reads back) the harvest of the training part. */
export async function harvestStage(context: RunContext): Promise<Harvest> {
  const { folder, backbone } = context;
  const taps = tapsOf(backbone);
  const ran = await folder.stage("harvest", {
    inputs: harvestKey(context),
    costly: true,
    from: ["parts"],
    files: [momentsFile],
    scratch: partFiles(context, "moments"),
    produce: async () =>
      writeWhole(folder.file(momentsFile), encodeMoments(await harvestAll(context, "moments"))),
  });
  if (!ran) context.progress.note("harvest: done before, kept");
  const path = folder.file(momentsFile);
  const all = decodeMoments(await readBytes(path), path);
  const features = all.at(-1);
  if (features === undefined || all.length !== taps.length + 1) {
    throw new EtlError("format", `${path}: ${all.length} taps, ${taps.length + 1} were needed`, {
      hint: "remove the file and run the same command again",
    });
  }
  return { taps, moments: all.slice(0, -1), features };
}

/** The taps of a backbone; at least one. */
function tapsOf({ name, network }: RunContext["backbone"]): Tap[] {
  const taps = findTaps(network);
  if (taps.length > 0) return taps;
  throw new EtlError("unsupported", `${name}: no convolution was found, at least one was needed`);
}

/** Files of the parts of a harvest under way, so that a killed one goes on. */
export function partFiles({ rows }: RunContext, prefix: string): string[] {
  const count = Math.ceil(rows.train.length / partSize);
  return Array.from({ length: count }, (_, i) => `checkpoints/${prefix}-${i}.bin`);
}

/** Moments of every tap, then of the features, over the training rows of the context; part by part. */
export async function harvestAll(context: RunContext, prefix: string): Promise<TapMoments[]> {
  const { folder, backbone } = context;
  const { network, features } = backbone;
  const files = partFiles(context, prefix).map((name) => folder.file(name));
  const done = new Set<number>();
  for (const [i, path] of files.entries())
    if ((await readCheckpoint(path, context.progress)) !== undefined) done.add(i);
  const pending = rowsToHarvest(context, files.length, (i) => done.has(i));
  if (pending.length < files.length) {
    context.progress.note(`harvest: goes on after ${files.length - pending.length} of ${files.length} parts`);
  }
  await harvestRows(
    context,
    { network, features, taps: tapsOf(backbone) },
    { parts: pending, done: (i, moments) => writeSealed(files[i], encodeMoments(moments)) },
  );
  let sum: TapMoments[] | undefined;
  for (const path of files) {
    const bytes = await readCheckpoint(path, context.progress);
    if (bytes === undefined) {
      throw new EtlError(
        "io",
        `${path}: damaged or gone a moment after it was written, a disk that keeps files was needed`,
      );
    }
    sum = addTaps(sum, decodeMoments(bytes, path));
  }
  const taps = sum ?? [];
  const plain = taps.pop();
  if (plain === undefined)
    throw new EtlError("data", "harvest: no training picture, at least one was needed");
  return [...taps, await addMirrored(context, { network, features, plain })];
}

/** The sums of two harvests of the same taps and folds. */
export function addTaps(sum: readonly TapMoments[] | undefined, more: readonly TapMoments[]): TapMoments[] {
  return more.map(({ tap, folds }, t) => ({
    tap,
    folds: folds.map((fold, k) => (sum === undefined ? fold : mergeMoments([sum[t].folds[k], fold]))),
  }));
}

interface Part {
  readonly index: number;
  readonly rows: Uint32Array;
}

function rowsToHarvest(context: RunContext, parts: number, isDone: (index: number) => boolean): Part[] {
  const { train } = context.rows;
  return Array.from({ length: parts }, (_, index) => ({
    index,
    rows: train.slice(index * partSize, (index + 1) * partSize),
  })).filter(({ index }) => !isDone(index));
}

/** Harvests parts of the rows: all taps, then the features. */
async function harvestRows(
  context: RunContext,
  what: {
    readonly network: Network;
    readonly features: string;
    readonly taps: readonly Tap[];
    readonly mirror?: boolean;
  },
  {
    parts,
    done,
  }: {
    readonly parts: readonly Part[];
    readonly done: (index: number, moments: TapMoments[]) => Promise<void>;
  },
): Promise<void> {
  if (parts.length === 0) return;
  const { engine, progress, labels } = context;
  const pooled = withPooledTaps(what.network, what.taps);
  const width = featureWidth(what.network, what.features);
  const taps: HarvestTap[] = [
    ...what.taps.map(({ tap, channels }) => ({ tap, output: pooled.outputs.get(tap) ?? tap, channels })),
    { tap: what.features, output: what.features, channels: width },
  ];
  const total = parts.reduce((sum, part) => sum + part.rows.length, 0);
  const program = await engine.compile(pooled.network, {
    outputs: [...new Set(taps.map(({ output }) => output))],
    runs: batchesOf(context, total),
  });
  const folds = foldsOf(context);
  let before = 0;
  progress.start("harvest", total);
  try {
    for (const part of parts) {
      const moments = await harvest(
        program,
        pictures(context, part.rows, what.mirror === true ? { augment: { mirror: "always" } } : {}),
        {
          input: what.network.inputs[0].name,
          taps,
          outputs: widthOf(context.dataset),
          folds,
          foldCount: context.config.folds * labels.groups.length,
          total,
          recycler: context.recycler,
          progress: {
            ...progress,
            update: (count) => {
              progress.update(before + count);
            },
          },
          ...(context.signal ? { signal: context.signal } : {}),
        },
      );
      await done(part.index, moments);
      before += part.rows.length;
    }
  } finally {
    await program.dispose();
  }
  const { length } = what.taps;
  if (length > 0) {
    const filters = what.taps.reduce((sum, { channels }) => sum + channels, 0);
    progress.finish(
      `responses of ${plural(filters, "filter")} in ${plural(length, "layer")} to ${plural(total, "picture")}`,
    );
  } else progress.finish(`features of ${plural(total, "picture")}`, "detail");
}

/**
 * Fold of every row of the store; only those of the training part count. Dealt over the labels, decoded or not, so
 * that a shard deals as the whole does. Pictures that know other tasks have folds of their own, behind the first ones.
 */
function foldsOf({ store, dataset, config, labels }: RunContext): Uint32Array {
  const training = dataset.items.filter(({ split }) => split === "train");
  const identities = training.map(({ identity }) => identity);
  const dealt = dealFolds(identities, config.folds, config.seed);
  const foldOf = new Map(
    training.map((item, i) => [item.file, labels.groupOf(item) * config.folds + dealt[i]]),
  );
  return Uint32Array.from(store.items, ({ file }) => foldOf.get(file) ?? 0);
}

/**
 * Moments of the pooled features of any network over the training part, each picture as it is and, where the task
 * allows it, half of them once more, mirrored: for closed-form heads.
 */
export async function harvestFeatures(
  context: RunContext,
  network: Network,
  features: string,
): Promise<TapMoments> {
  const plain = await featuresOnce(context, { network, features, rows: context.rows.train });
  return addMirrored(context, { network, features, plain });
}

/** Moments of features and of those of every other picture, drawn by seed and name, mirrored. */
async function addMirrored(
  context: RunContext,
  { network, features, plain }: { network: Network; features: string; plain: TapMoments },
): Promise<TapMoments> {
  if (!context.mirrors) return plain;
  const { items } = context.store;
  const random = createRandom(context.config.seed).fork("mirrored features");
  // by name, so that a shard draws what the whole would
  const rows = context.rows.train.filter((row) => random.fork(items[row].file).uniform() < 0.5);
  if (rows.length === 0) return plain;
  const mirrored = await featuresOnce(context, { network, features, rows, mirror: true });
  return { tap: features, folds: plain.folds.map((fold, k) => mergeMoments([fold, mirrored.folds[k]])) };
}

async function featuresOnce(
  context: RunContext,
  what: {
    readonly network: Network;
    readonly features: string;
    readonly rows: Uint32Array;
    readonly mirror?: boolean;
  },
): Promise<TapMoments> {
  const { network, features, rows, mirror = false } = what;
  let result: TapMoments | undefined;
  await harvestRows(
    context,
    { network: subnetwork(network, [features]), features, taps: [], mirror },
    {
      parts: [{ index: 0, rows }],
      done: (_, moments) => {
        result = moments.at(-1);
        return Promise.resolve();
      },
    },
  );
  if (result === undefined)
    throw new EtlError("engine", "harvest: no moments came back, those of the features were needed");
  return result;
}

/** Elements of one row of the features. */
export function featureWidth(network: Network, features: string): number {
  const shape = inferShapes(network).get(features);
  if (shape === undefined) {
    throw new EtlError("usage", `${network.name}: no value ${features}, the pooled features were needed`);
  }
  return shape.slice(1).reduce((product, dim) => product * dim, 1);
}
