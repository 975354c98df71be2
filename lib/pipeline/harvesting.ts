/** Stage harvest: moments of every tap and of the pooled features, in shards, so that a killed harvest goes on. */
import { existsSync } from "node:fs";
import type { TapMoments } from "../core/artifacts.ts";
import { EtlError } from "../core/errors.ts";
import { readBytes, writeWhole } from "../core/files.ts";
import { decodeMoments, encodeMoments } from "../core/moments-file.ts";
import { mergeMoments } from "../core/moments.ts";
import { dealFolds, foldsFingerprint } from "../harvest/folds.ts";
import { harvest, type HarvestTap } from "../harvest/harvest.ts";
import type { Network } from "../network/network.ts";
import { inferShapes } from "../network/shapes.ts";
import { subnetwork } from "../network/subnetwork.ts";
import { findTaps, withPooledTaps, type Tap } from "../network/taps.ts";
import { partFingerprint, pictures, type RunContext } from "./context.ts";

/** Images in a shard: what is lost at most when a harvest is killed. */
const shardSize = 2000;

export interface Harvest {
  readonly taps: readonly Tap[];
  /** Beside `taps`. */
  readonly moments: readonly TapMoments[];
  /** Moments of the pooled features, for closed-form heads. */
  readonly features: TapMoments;
}

const file = "moments/taps.bin";

/** Everything the harvest depends on. */
export function harvestKey(context: RunContext): unknown {
  const { backbone, config } = context;
  return {
    data: partFingerprint(context),
    backbone: backbone.fingerprint,
    preprocessing: backbone.preprocessing,
    folds: config.folds,
    seed: config.seed,
  };
}

/** Runs (or reads back) the harvest of the training part. */
export async function harvestStage(context: RunContext): Promise<Harvest> {
  const { folder, backbone, rows } = context;
  const taps = findTaps(backbone.network);
  if (taps.length === 0) {
    throw new EtlError("unsupported", `${backbone.name}: no convolution was found, at least one was needed`);
  }
  const shards = Math.ceil(rows.train.length / shardSize);
  const shardFile = (i: number): string => `checkpoints/moments-${i}.bin`;
  const ran = await folder.stage("harvest", {
    inputs: harvestKey(context),
    files: [file],
    scratch: Array.from({ length: shards }, (_, i) => shardFile(i)),
    produce: async () => {
      const parts: TapMoments[][] = [];
      const pending = rowsToHarvest(context, shards, (i) => existsSync(folder.file(shardFile(i))));
      if (pending.length < shards) {
        context.progress.note(`harvest: goes on after ${shards - pending.length} of ${shards} shards`);
      }
      await harvestRows(
        context,
        { network: backbone.network, features: backbone.features, taps },
        {
          shards: pending,
          done: (i, moments) => writeWhole(folder.file(shardFile(i)), encodeMoments(moments)),
        },
      );
      for (let i = 0; i < shards; i++) {
        parts.push(decodeMoments(await readBytes(folder.file(shardFile(i))), shardFile(i)));
      }
      const merged = mergeShards(parts);
      const { network, features } = backbone;
      merged.push(await addMirrored(context, { network, features, plain: merged.pop() as TapMoments }));
      await writeWhole(folder.file(file), encodeMoments(merged));
    },
  });
  if (!ran) context.progress.note("harvest: done before, kept");
  const all = decodeMoments(await readBytes(folder.file(file)), folder.file(file));
  const features = all.at(-1);
  if (features === undefined || all.length !== taps.length + 1) {
    throw new EtlError("format", `${folder.file(file)}: ${all.length} taps, ${taps.length + 1} were needed`, {
      hint: "remove the file and run the same command again",
    });
  }
  return { taps, moments: all.slice(0, -1), features };
}

interface Shard {
  readonly index: number;
  readonly rows: Uint32Array;
}

function rowsToHarvest(context: RunContext, shards: number, isDone: (index: number) => boolean): Shard[] {
  const { train } = context.rows;
  return Array.from({ length: shards }, (_, index) => ({
    index,
    rows: train.slice(index * shardSize, (index + 1) * shardSize),
  })).filter(({ index }) => !isDone(index));
}

/** Harvests shards of rows: all taps, then the features. */
async function harvestRows(
  context: RunContext,
  what: {
    readonly network: Network;
    readonly features: string;
    readonly taps: readonly Tap[];
    readonly mirror?: boolean;
  },
  shards: {
    readonly shards: readonly Shard[];
    readonly done: (index: number, moments: TapMoments[]) => Promise<void>;
  },
): Promise<void> {
  if (shards.shards.length === 0) return;
  const { engine, progress, task } = context;
  const pooled = withPooledTaps(what.network, what.taps);
  const width = featureWidth(what.network, what.features);
  const taps: HarvestTap[] = [
    ...what.taps.map(({ tap, channels }) => ({ tap, output: pooled.outputs.get(tap) ?? tap, channels })),
    { tap: what.features, output: what.features, channels: width },
  ];
  const program = await engine.compile(pooled.network, {
    outputs: [...new Set(taps.map(({ output }) => output))],
  });
  const folds = foldsOf(context);
  const total = shards.shards.reduce((sum, shard) => sum + shard.rows.length, 0);
  let before = 0;
  progress.start("harvest", total);
  try {
    for (const shard of shards.shards) {
      const moments = await harvest(
        program,
        pictures(context, shard.rows, what.mirror === true ? { augment: { mirror: true } } : {}),
        {
          input: what.network.inputs[0].name,
          taps,
          outputs: task.outputs,
          folds,
          foldCount: context.config.folds,
          total,
          progress: {
            ...progress,
            update: (done) => {
              progress.update(before + done);
            },
          },
          ...(context.signal ? { signal: context.signal } : {}),
        },
      );
      await shards.done(shard.index, moments);
      before += shard.rows.length;
    }
  } finally {
    await program.dispose();
  }
  progress.finish(`${total} pictures, ${what.taps.length} taps`);
}

/** Fold of every row of the store; only those of the training part count. */
function foldsOf(context: RunContext): Uint8Array {
  const { store, rows, config } = context;
  const identities = Array.from(rows.train, (row) => store.items[row].identity);
  const dealt = dealFolds(identities, config.folds, config.seed);
  const folds = new Uint8Array(store.items.length);
  rows.train.forEach((row, i) => (folds[row] = dealt[i]));
  return folds;
}

/** Changes when the dealing of folds changes. */
export function foldsKey(context: RunContext): string {
  return foldsFingerprint(foldsOf(context));
}

/**
 * Moments of the pooled features of any network over the training part, each picture as it is and, where the task
 * allows it, once more mirrored or not by chance: for closed-form heads.
 */
export async function harvestFeatures(
  context: RunContext,
  network: Network,
  features: string,
): Promise<TapMoments> {
  const plain = await featuresOnce(context, network, features, false);
  return context.task.mirror === "forbid" ? plain : addMirrored(context, { network, features, plain });
}

/** Moments of features and of the same pictures mirrored by chance, together. */
export async function addMirrored(
  context: RunContext,
  { network, features, plain }: { network: Network; features: string; plain: TapMoments },
): Promise<TapMoments> {
  if (context.task.mirror === "forbid") return plain;
  const mirrored = await featuresOnce(context, network, features, true);
  return { tap: features, folds: plain.folds.map((fold, k) => mergeMoments([fold, mirrored.folds[k]])) };
}

async function featuresOnce(
  context: RunContext,
  network: Network,
  features: string,
  mirror: boolean,
): Promise<TapMoments> {
  let result: TapMoments | undefined;
  await harvestRows(
    context,
    { network: subnetwork(network, [features]), features, taps: [], mirror },
    {
      shards: [{ index: 0, rows: context.rows.train }],
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

function mergeShards(parts: readonly (readonly TapMoments[])[]): TapMoments[] {
  return parts[0].map(({ tap, folds }, t) => ({
    tap,
    folds: folds.map((_, k) => mergeMoments(parts.map((part) => part[t].folds[k]))),
  }));
}
