/** `etl crossval`: every part of the data is the test part once; quality, size and speed of architectures in one table. */
import { refuseMissing, refuseUnknown } from "../../core/options.ts";
import { join } from "node:path";
import { EtlError } from "../../core/errors.ts";
import { jsonText, writeChanged, writeJson } from "../../core/files.ts";
import { SCHEMA } from "../../record/record.ts";
import { spread, type ScoreSpread } from "../../math/statistics.ts";
import { architectureOf } from "../../backbones/architecture.ts";
import { networkFingerprint } from "../../backbones/backbone.ts";
import { openEngine } from "../../engine/open.ts";
import { profileModels } from "../../evaluate/profile.ts";
import { topAccuracy } from "../../evaluate/top.ts";
import type { Item } from "../../data/dataset.ts";
import { dealFolds } from "../../harvest/folds.ts";
import { costOf } from "../../network/cost.ts";
import type { Network } from "../../network/network.ts";
import { count } from "../run/option.ts";
import { givenOptions, withAbsolutePaths } from "../run/options.ts";
import { closeWorld } from "../run/world.ts";
import { inRunFolder, type RunFolder } from "../run/folder.ts";
import type { PartRows } from "../run/parts.ts";
import { trainNetwork } from "./loop.ts";
import { measureHeads } from "./measure.ts";
import { tasksOf, trainNames, type TrainOptions } from "./options.ts";
import { openSetup, settingsOf, type TrainSetup } from "./setup.ts";
import type { StartingNetwork } from "./network.ts";
import { readStored } from "../run/stored.ts";

/** What makes the folds. */
export type FoldsBy = "lists" | "identity" | "row";

export interface CrossvalOptions extends Omit<TrainOptions, "backbone" | "arch"> {
  /** Names of networks that can begin from nothing, each once; they have to be given. */
  readonly backbones?: readonly string[];
  /** The older name of `backbones`. */
  readonly archs?: readonly string[];
  /** Default 5, or as many as the data set has lists. */
  readonly folds?: number;
  /**
   * What makes the folds: the data set's own lists (its column "fold"), or parts dealt by seed that keep the pictures of a person
   * together, or nothing. Default: the lists where there are some, else persons where they are known.
   */
  readonly by?: FoldsBy;
}

/** Quality over the folds: mean, standard deviation. Fractions in 0..1. */
export interface FoldScores extends ScoreSpread {
  /** One value per fold. */
  readonly folds: readonly number[];
}

/** One task of one architecture. */
export interface CrossvalTask {
  readonly task: string;
  /** Accuracy of the first guess; of numbers: within the tolerance. */
  readonly top1: FoldScores;
  /** Of the first two guesses, where there are more than two classes. */
  readonly top2?: FoldScores;
}

/** A training that ended early, and why. */
export interface StoppedFold {
  /** Tasks of the network, with commas. */
  readonly task: string;
  /** From 1. */
  readonly fold: number;
  readonly why: string;
}

/** One row of the table. Where tasks need networks of their own, costs are those of all together. */
export interface CrossvalRow {
  readonly arch: string;
  readonly title: string;
  readonly networks: number;
  readonly tasks: readonly CrossvalTask[];
  /** Folds whose training ended before its last epoch: each is judged by the best epoch before. */
  readonly stopped?: readonly StoppedFold[];
  readonly macs: number;
  readonly params: number;
  readonly bytes: number;
  /** Median CPU time for one picture on one thread. */
  readonly frameMs: number;
}

export interface CrossvalResult {
  readonly schema: typeof SCHEMA;
  readonly by: FoldsBy;
  readonly folds: readonly { readonly train: number; readonly val: number; readonly test: number }[];
  readonly rows: readonly CrossvalRow[];
}

/** Share of the rows outside a fold that is used for validation: a tenth, as in the LMTCNN paper's Table 2. */
const validationFolds = 10;

const crossvalNames = {
  ...Object.fromEntries(
    Object.entries(trainNames).filter(([name]) => name !== "backbone" && name !== "arch"),
  ),
  ...{ backbones: true, archs: true, folds: true, by: true },
};

/**
 * Cross-validates architectures. Finished folds are kept in `options.out` and not trained again; leaves `crossval.json`.
 *
 * @throws EtlError; `usage` where persons are asked for and none is known
 */
export async function crossval(options: CrossvalOptions): Promise<CrossvalResult> {
  refuseUnknown("crossval", options, crossvalNames);
  refuseMissing("crossval", options, ["data", "task", "out"]);
  const { archs: older, backbones = older ?? [], folds, by, ...shared } = options;
  checkNames(backbones);
  if (folds !== undefined && !manyFolds.holds(folds as never)) {
    throw new EtlError("usage", `--folds: ${folds}, ${manyFolds.needed} was needed`);
  }
  const config = { ...withAbsolutePaths(givenOptions(shared)), backbones, folds, by, command: "crossval" };
  const interruption = { kept: "finished folds are kept", hint: "go on with the same command" };
  const { signal, progress, replace } = options;
  const how = { config, signal, progress, replace, ...interruption };
  return inRunFolder(options.out, how, async (folder) => {
    const rows: CrossvalRow[] = [];
    let deal: Deal | undefined;
    for (const arch of backbones) {
      const { row, dealt } = await crossvalArchitecture(folder, { shared, arch, folds, by });
      rows.push(row);
      deal = dealt;
    }
    if (deal === undefined) throw new EtlError("engine", "crossval: ended without folds");
    const sizes = deal.parts.map(({ train, val, test }) => ({
      train: train.length,
      val: val.length,
      test: test.length,
    }));
    const result: CrossvalResult = { schema: SCHEMA, by: deal.by, folds: sizes, rows };
    await writeChanged(folder.file("crossval.json"), jsonText(result));
    await folder.finish();
    return result;
  });
}

/** @throws EtlError `usage` for no name, an unknown one, or one that stands twice */
function checkNames(backbones: readonly string[]): void {
  if (backbones.length === 0)
    throw new EtlError("usage", "--backbone: nothing, at least one name was needed");
  for (const name of backbones) architectureOf(name);
  if (new Set(backbones).size === backbones.length) return;
  const found = `${backbones.join(",")} names one twice`;
  throw new EtlError("usage", `--backbone: ${found}, every network once was needed`);
}

interface Wanted {
  readonly shared: Omit<CrossvalOptions, "backbones" | "archs" | "folds" | "by">;
  readonly arch: string;
  readonly folds: number | undefined;
  readonly by: FoldsBy | undefined;
}

/** One architecture on all tasks: together where it shares its layers among them, else one network for each. */
async function crossvalArchitecture(
  folder: RunFolder,
  { shared, arch, folds, by }: Wanted,
): Promise<{ row: CrossvalRow; dealt: Deal }> {
  const { joint, overSampling, title } = architectureOf(arch);
  const names = tasksOf(shared);
  const groups = joint && overSampling !== undefined ? [names.join(",")] : names;
  const tasks: CrossvalTask[] = [];
  const stopped: StoppedFold[] = [];
  const networks: Network[] = [];
  let dealt: Deal | undefined;
  for (const task of groups) {
    const setup = await openSetup({ ...shared, backbone: arch, task }, "crossval", names);
    try {
      dealt = dealRows(setup, { folds, by });
      networks.push(setup.start.network);
      const judged = await crossvalTasks(folder, setup, { dealt, task });
      tasks.push(...judged.tasks);
      stopped.push(...judged.stopped);
    } finally {
      await closeWorld(setup.data);
    }
  }
  if (dealt === undefined) throw new EtlError("usage", "--task: nothing, at least one task was needed");
  const costs = networks.map((network) => costOf(network).total);
  const sum = (key: "macs" | "params" | "bytes"): number => costs.reduce((all, cost) => all + cost[key], 0);
  const row = {
    arch,
    title,
    networks: networks.length,
    tasks,
    ...(stopped.length === 0 ? {} : { stopped }),
    macs: sum("macs"),
    params: sum("params"),
    bytes: sum("bytes"),
    frameMs: await frameStage(folder, { arch, networks, shared }),
  };
  return { row, dealt };
}

/** {@link frameTime}, measured once: `latency/ARCH.json`. */
async function frameStage(
  folder: RunFolder,
  { arch, networks, shared }: Pick<Wanted, "arch" | "shared"> & { readonly networks: readonly Network[] },
): Promise<number> {
  const file = join("latency", `${arch}.json`);
  await folder.stage(`profile:${arch}`, {
    inputs: { networks: networks.map(networkFingerprint), runs: shared.runs },
    measures: true,
    files: [file],
    produce: async () =>
      writeJson(folder.file(file), { frameMs: await frameTime(networks, shared) } satisfies FrameFile),
  });
  return (await readStored<FrameFile>(folder, file, "frame")).frameMs;
}

interface FrameFile {
  readonly frameMs: number;
}

/** Time of one picture through all networks of an architecture, on one thread. */
async function frameTime(
  networks: readonly Network[],
  { runs, signal }: Pick<CrossvalOptions, "runs" | "signal">,
): Promise<number> {
  const engine = await openEngine({ engine: "auto", threads: 1 });
  try {
    const models = networks.map((network, i) => ({ name: String(i), network }));
    const times = await profileModels(engine, models, { ...(runs !== undefined && { runs }), signal });
    return [...times.values()].reduce((sum, { medianMs }) => sum + medianMs, 0);
  } finally {
    await engine.dispose();
  }
}

interface Deal {
  readonly by: FoldsBy;
  readonly parts: readonly PartRows[];
}

/** Training, validation and test rows of every fold. */
function dealRows(
  { data, config }: TrainSetup,
  asked: { readonly folds: number | undefined; readonly by: FoldsBy | undefined },
): Deal {
  const { items } = data.store;
  const persons = new Set(items.flatMap(({ identity }) => identity ?? []));
  const lists = [...new Set(items.flatMap(({ fold }) => fold ?? []))].sort();
  const folds = asked.folds ?? 5;
  const own = lists.length > 1 && (asked.folds === undefined || asked.folds === lists.length);
  const by = asked.by ?? (own ? "lists" : persons.size >= folds ? "identity" : "row");
  const together = by !== "row";
  const keyOf = (row: number): string | undefined => (together ? items[row].identity : undefined);
  const all = Array.from(items.keys());
  const dealt =
    by === "lists"
      ? foldsOfLists(items, lists, asked.folds)
      : dealFolds(
          all.map(keyOf),
          checkedFolds(by, { persons: persons.size, pictures: all.length }, folds),
          config.seed,
        );
  const parts = Array.from({ length: by === "lists" ? lists.length : folds }, (_, fold): PartRows => {
    const rest = all.filter((row) => dealt[row] !== fold && dealt[row] !== noFold);
    const inner = dealFolds(rest.map(keyOf), validationFolds, config.seed);
    return {
      train: Uint32Array.from(rest.filter((_row, i) => inner[i] !== 0)),
      val: Uint32Array.from(rest.filter((_row, i) => inner[i] === 0)),
      test: Uint32Array.from(all.filter((row) => dealt[row] === fold)),
    };
  });
  return { by, parts };
}

/** Each fold is a network that is trained. */
const manyFolds = count(2, 1000);

/** A picture in none of the lists. */
const noFold = 0xffffffff;

/** The list of every picture. @throws EtlError `usage` where there are none, or another number was asked for */
function foldsOfLists(
  items: readonly Pick<Item, "fold">[],
  lists: readonly string[],
  folds: number | undefined,
): Uint32Array {
  const hint = { hint: "--by identity or --by row deals new folds" };
  if (lists.length < 2)
    throw new EtlError("usage", `--by lists: ${lists.length} lists, at least two were needed`, hint);
  if (folds !== undefined && folds !== lists.length)
    throw new EtlError("usage", `--folds: ${folds} by lists, ${lists.length} were needed: one a list`, hint);
  return Uint32Array.from(items, ({ fold }) => (fold === undefined ? noFold : lists.indexOf(fold)));
}

/** No fold is empty: there would be nothing to test on. */
function checkedFolds(
  by: FoldsBy,
  { persons, pictures }: { readonly persons: number; readonly pictures: number },
  folds: number,
): number {
  if (by !== "identity") {
    if (pictures >= folds) return folds;
    throw new EtlError("usage", `--folds: ${folds} of ${pictures} pictures, at most one for each was needed`);
  }
  if (persons >= folds) return folds;
  throw new EtlError("usage", `--by identity: ${persons} persons are known, at least ${folds} were needed`, {
    hint: "--by row deals the pictures one by one",
  });
}

interface FoldResult {
  readonly stopped?: string;
  readonly tasks: readonly { readonly task: string; readonly top1: number; readonly top2?: number }[];
}

/** Trains and tests every fold; quality of each task over them. */
async function crossvalTasks(
  folder: RunFolder,
  setup: TrainSetup & { readonly start: StartingNetwork },
  { dealt, task }: { readonly dealt: Deal; readonly task: string },
): Promise<{ tasks: CrossvalTask[]; stopped: StoppedFold[] }> {
  const results: FoldResult[] = [];
  const progress = setup.progress;
  for (const [fold, rows] of dealt.parts.entries()) {
    const name = `${setup.architecture.name}-${task.replace(/[^\w]+/g, "+")}-${fold + 1}`;
    const file = join("folds", `${name}.json`);
    const [checkpoint, states] = [`checkpoints/${name}.safetensors`, `checkpoints/${name}.states.json`];
    const ran = await folder.stage(`fold:${name}`, {
      costly: true,
      inputs: {
        network: networkFingerprint(setup.start.network),
        data: setup.data.dataset.fingerprint,
        by: dealt.by,
        folds: dealt.parts.length,
        ...settingsOf(setup),
      },
      files: [file],
      scratch: [checkpoint, states],
      produce: async () => {
        const files = { checkpoint: folder.file(checkpoint), states: folder.file(states) };
        const label = `${setup.architecture.name}, ${task}, fold ${fold + 1}/${dealt.parts.length}`;
        const trained = await trainNetwork(setup, setup.start.network, { rows, label, files });
        const state = trained.states[trained.bestEpoch];
        const what = { rows: rows.test, heads: trained.heads, state };
        const measured = await measureHeads(setup, trained.network, what);
        const tasks = measured.map(({ task: own, metrics, predictions, targets }, k) => {
          const q = setup.data.tables[k].task.outputs;
          const top2 = { top2: topAccuracy(predictions, targets, { q, k: 2 }) };
          const several = setup.data.tables[k].task.kind === "categorical" && q > 2;
          return { task: own, top1: metrics.accuracy, ...(several ? top2 : {}) };
        });
        const early = trained.stopped === undefined ? {} : { stopped: trained.stopped };
        await writeJson(folder.file(file), { tasks, ...early } satisfies FoldResult);
      },
    });
    if (!ran) progress.note(`${name}: done before, kept`);
    results.push(await readStored<FoldResult>(folder, file, "fold"));
  }
  const tasks = results[0].tasks.map(({ task: own, top2 }, k) => ({
    task: own,
    top1: scoresOf(results.map((result) => result.tasks[k].top1)),
    ...(top2 === undefined ? {} : { top2: scoresOf(results.map((result) => result.tasks[k].top2 ?? 0)) }),
  }));
  const stopped = results.flatMap(({ stopped: why }, i) =>
    why === undefined ? [] : [{ task, fold: i + 1, why }],
  );
  return { tasks, stopped };
}

function scoresOf(folds: readonly number[]): FoldScores {
  return { ...spread(folds), folds };
}
