/** What every stage of a run works with, opened once and closed together. */
import type { Preprocessing } from "../../core/artifacts.ts";
import { EtlError } from "../../core/errors.ts";
import { readJson, writeJson } from "../../core/files.ts";
import { silent, type Progress } from "../../core/progress.ts";
import { loadBackbone, type Backbone } from "../../backbones/catalogue.ts";
import { trunkOf } from "../../backbones/trunk.ts";
import { batches, type Batch, type BatchOptions } from "../../data/images/batches.ts";
import { widthOf } from "../../data/joint.ts";
import { openTasks } from "../../data/open-tasks.ts";
import type { Engine } from "../../engine/engine.ts";
import { readLatencyTable } from "../../latency/table.ts";
import { analyseCoupling } from "../../network/coupling/analyse.ts";
import type { Coupling } from "../../network/coupling/types.ts";
import { needFloats } from "../../network/bytes.ts";
import { mayMirror, taskData } from "../run/options.ts";
import type { Config, Widths } from "./config.ts";
import { allPartRows, checkParts, checkVaries, partRows } from "../run/parts.ts";
import type { RunFolder } from "../run/folder.ts";
import { labelsOf, labelGroups, runTasks, type Labelling } from "../run/tasks.ts";
import { announce, closeWorld, openWorld, type World } from "../run/world.ts";
import { shardOf, type Shard } from "../run/shard.ts";

export interface RunContext extends World, Labelling {
  readonly config: Config;
  readonly folder: RunFolder;
  /** Layers keep multiples of so many filters. Decided once in a run: another machine goes on with the same. */
  readonly block: number;
  /** Which channels of the backbone go together: analysed once, whatever weights it takes. */
  readonly coupling: Coupling;
  /** What stays, where a target has decided it otherwise than by gamma's knees alone. */
  readonly widths?: Widths;
  readonly backbone: Backbone;
  /** Whether pictures may be mirrored: no task and no option forbids it. */
  readonly mirrors: boolean;
}

/** A run without its folder: enough to look at pictures and networks. */
export type RunParts = Omit<RunContext, "folder" | "block" | "coupling" | "widths">;

/** Opens data, backbone and engine for a run folder. The caller closes with {@link closeWorld}, also after a failure. */
export async function openContext(
  config: Config,
  folder: RunFolder,
  options: Parameters<typeof openParts>[1],
): Promise<RunContext> {
  const parts = await openParts(config, options);
  try {
    const coupling = analyseCoupling(parts.backbone.network);
    return { folder, coupling, block: await decidedBlock(config, folder, parts.engine), ...parts };
  } catch (error) {
    await closeWorld(parts);
    throw error;
  }
}

/** What `--round-to auto` means in this run: measured once, `block.json`. */
async function decidedBlock(
  { roundTo, table }: Pick<Config, "roundTo" | "table">,
  folder: RunFolder,
  engine: Engine,
): Promise<number> {
  if (roundTo !== "auto") return roundTo;
  if (table !== undefined) return (await readLatencyTable(table)).block;
  const path = "block.json";
  await folder.stage("block", {
    inputs: "auto",
    files: [path],
    produce: () => writeJson(folder.file(path), { block: engine.channelBlock }),
  });
  const value = (await readJson(folder.file(path))) as { readonly block?: unknown } | null;
  if (Number.isInteger(value?.block) && Number(value?.block) >= 1) return Number(value?.block);
  throw new EtlError("format", `${folder.file(path)}: no block, a whole number of at least 1 was needed`, {
    hint: "remove the file: it is measured again",
  });
}

/** Opens data, backbone and engine. The caller closes with {@link closeWorld}, also after a failure. */
export async function openParts(
  config: Config,
  options: {
    readonly progress?: Progress | undefined;
    readonly signal?: AbortSignal | undefined;
    /** Only the pictures of one shard of the training part: no other is decoded. */
    readonly shard?: Shard | undefined;
  },
): Promise<RunParts> {
  const progress = options.progress ?? silent;
  const { weights, head, size, bind } = config;
  const loaded = await loadBackbone(config.backbone, {
    ...(weights !== undefined && { weights }),
    ...(size !== undefined && { preprocessing: { height: size[0], width: size[1] } }),
    ...(bind !== undefined && { bind }),
  });
  needFloats(loaded.network, config.backbone);
  const dataset = await openTasks(taskData(config.task, config.data), {
    seed: config.seed,
    valFraction: config.valFraction,
    strict: config.strict,
    ...(config.label === undefined ? {} : { label: config.label }),
    ...(config.crop === undefined ? {} : { crop: config.crop }),
    ...(config.limit === undefined ? {} : { limit: config.limit }),
  });
  announce(dataset, progress);
  const backbone = trunkOf(loaded, { place: head, outputs: widthOf(dataset) });
  for (const note of backbone.notes.slice(loaded.notes.length)) progress.note(`${backbone.name}: ${note}`);
  const { shard, signal } = options;
  const hint =
    dataset.layout === "image folder"
      ? "pictures to test on lie in test/ (validation is cut from train/), or leave the parts away; --limit makes all of them smaller"
      : "check the split column of labels.csv, --val-fraction and --limit";
  const tasks = runTasks(dataset);
  const labels = labelGroups(
    dataset.items.filter(({ split }) => split === "train"),
    tasks,
  );
  const world = await openWorld(dataset, backbone.preprocessing, {
    ...{ config, progress, signal },
    ...(shard !== undefined && { items: shardOf(dataset, shard) }),
    rowsOf: (store) => {
      if (shard !== undefined) return allPartRows(store);
      const rows = partRows(store, hint);
      checkParts(store, rows, tasks);
      for (const each of tasks) checkVaries(dataset.name, each.task, labelsOf(store, each, rows.train));
      return rows;
    },
  });
  return {
    ...world,
    ...{ config, backbone, tasks, labels },
    mirrors: mayMirror(config) && tasks.every(({ task }) => task.mirror !== "forbid"),
  };
}

/** How many batches rows make. */
export function batchesOf({ config }: Pick<RunContext, "config">, rows: number): number {
  return Math.ceil(rows / config.batchSize);
}

/** Pictures of some rows in order, or shuffled and mirrored for an epoch of training. */
export function pictures(
  context: Pick<RunContext, "store" | "backbone" | "config" | "recycler">,
  rows: Uint32Array,
  options: Partial<BatchOptions> = {},
): AsyncGenerator<Batch, void, undefined> {
  const preprocessing: Preprocessing = context.backbone.preprocessing;
  return batches(context.store, rows, {
    batchSize: context.config.batchSize,
    preprocessing,
    seed: context.config.seed,
    recycler: context.recycler,
    ...options,
  });
}
