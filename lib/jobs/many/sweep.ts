/** Many runs from one harvest per task and seed: gammas, controls, variants; resumable, point by point. */
import { refuseMissing, refuseUnknown } from "../../core/options.ts";
import { existsSync } from "node:fs";
import { join, relative } from "node:path";
import { EtlError, isEtlError } from "../../core/errors.ts";
import { jsonText, makeFolder, writeChanged, writeJson } from "../../core/files.ts";
import { fingerprint } from "../../core/fingerprint.ts";
import { damageOf } from "../../core/seal.ts";
import { onceOnly, silent } from "../../core/progress.ts";
import { openTasks, type TaskData } from "../../data/open-tasks.ts";
import { sweepCsv, sweepRows, type SweepRow } from "../../record/sweep.ts";
import { worthOfSelection, type Worth } from "../../record/worth.ts";
import { readReportAssets } from "../../report/assets.ts";
import { withLinks } from "../run/links.ts";
import { renderReport } from "../../report/report.ts";
import { resolveOptions, withoutIgnored } from "../prune/config.ts";
import { pruneTable, type PruneOptions } from "../prune/options.ts";
import { prune, runPipeline } from "../prune/prune.ts";
import { readRecord, runsBelow } from "./records.ts";
import { adoptStages } from "../run/folder.ts";
import { belowOne, count, shareOfPercent } from "../run/option.ts";
import { refuseFileName, refuseForeign } from "../run/foreign.ts";
import { absoluteData, asOptions, commonNames, givenOptions, targetOptions } from "../run/options.ts";
import { differences } from "../run/same.ts";
import { readRunState } from "../run/state.ts";

/** Options of every run of a sweep. */
type Shared = Omit<PruneOptions, "task" | "data" | "out" | "gamma" | (typeof targetOptions)[number]>;

export interface SweepOptions extends Shared {
  /** Tasks with their data. */
  readonly tasks: readonly { readonly task: string; readonly data: string }[];
  readonly gammas: readonly number[];
  /** How many seeds, from `seed` (0) on. Default 1. */
  readonly seeds?: number;
  /** One more run per gamma for each: the options given, all else as it is. */
  readonly variants?: readonly Partial<Shared>[];
  /** Folder of the sweep. */
  readonly out: string;
}

export interface SweepResult {
  readonly folder: string;
  /** Run folders, relative to `folder`. */
  readonly runs: readonly string[];
  readonly rows: readonly SweepRow[];
  /** ETL beside each control. */
  readonly worth: readonly Worth[];
}

interface Point {
  readonly base: PruneOptions;
  readonly options: PruneOptions;
}

/** A sweep gives its runs their gamma, task and data. */
const ofPoints = new Set<string>(["task", "data", "gamma", ...targetOptions]);
const names = {
  ...Object.fromEntries(Object.entries(pruneTable).filter(([name]) => !ofPoints.has(name))),
  ...commonNames,
  ...{ tasks: true, gammas: true, seeds: true, variants: true },
};

/**
 * Runs every point. The harvest, the curves and the baseline of a task and seed are made once, in `base/`, and adopted by its
 * points; every point is a run folder of its own. A run that fails is left out, and named at the end. Leaves `sweep.json`, `sweep.csv` and `report.html`, after every point.
 *
 * @throws EtlError `usage` for an empty or repeated list; what a run throws
 */
export async function sweep(options: SweepOptions): Promise<SweepResult> {
  refuseUnknown("sweep", options, names);
  refuseMissing("sweep", options, ["tasks", "gammas", "out"]);
  const list: unknown = options.tasks;
  if (!Array.isArray(list))
    throw new EtlError("usage", "sweep: tasks is no list, a list of { task, data } was needed");
  const progress = onceOnly(options.progress ?? silent);
  refuseFileName(options.out);
  const points = pointsOf({ ...options, progress });
  for (const point of points) resolveOptions(point.options);
  await lookBelow(options.out, points);
  for (const task of options.tasks) await lookAt(options, task);
  const { variants = [], tasks, ...rest } = options;
  const absolute = tasks.map(({ task, data }) => ({ task, data: absoluteData(data) }));
  const given = givenOptions({ ...rest, tasks: absolute, ...(variants.length > 0 && { variants }) });
  await makeFolder(options.out);
  if (!existsSync(join(options.out, "sweep.json"))) await refuseForeign(options.out, "sweep.json");
  const config = join(options.out, "config.json");
  // Options of an earlier sweep stay until the runs of the new ones are there: some may be refused.
  if (!existsSync(config)) await writeJson(config, asOptions(given));
  const failed: string[] = [];
  const ready = new Set<string>();
  for (const [i, { base, options: point }] of points.entries()) {
    const name = relative(options.out, point.out);
    if (await isFinished(point)) {
      progress.note(`sweep ${i + 1}/${points.length}: ${name}, done before, kept`);
      continue;
    }
    progress.note(`sweep ${i + 1}/${points.length}: ${name}`);
    if (!ready.has(base.out)) await runPipeline(base, "baseline");
    ready.add(base.out);
    await adoptStages(base.out, point.out, ["harvest", "curves", "joint", "baseline"]);
    try {
      await prune(point);
    } catch (error) {
      if (!isEtlError(error) || error.kind === "interrupted" || error.kind === "io") throw error;
      failed.push(`${name} (${error.message})`);
      progress.warn(`${name} failed, the sweep goes on: ${error.message}`);
    }
    await summarise(options.out, false);
  }
  const result = await summarise(options.out, true);
  if (failed.length === 0) {
    await writeChanged(config, jsonText(asOptions(given)));
    return result;
  }
  throw new EtlError(
    "engine",
    `sweep: ${failed.length} of ${points.length} runs failed: ${failed.join("; ")}`,
    {
      hint: `the others are in ${join(options.out, "report.html")}`,
    },
  );
}

/**
 * Looks at what an earlier sweep left, so that nothing is computed for hours that cannot be put beside it.
 *
 * @throws EtlError `usage` where finished runs have other options; `format` where the record of a run beside them cannot be read
 */
async function lookBelow(out: string, points: readonly Point[]): Promise<void> {
  if (!existsSync(join(out, "sweep.json"))) return;
  const own = new Set(points.map(({ options }) => relative(out, options.out)));
  for (const run of await runsBelow(out)) if (!own.has(run)) await readRecord(join(out, run), run);
  const others: string[] = [];
  for (const { options } of points) {
    if (options.replace === true || !existsSync(join(options.out, "run.json"))) continue;
    const state = await readRunState(options.out);
    const found = state?.status === "finished" ? differences(state.config, resolveOptions(options)) : [];
    if (found.length > 0) others.push(`${relative(out, options.out)}: ${found.join(", ")}`);
  }
  if (others.length > 0)
    throw new EtlError(
      "usage",
      `${out}: ${others.length} of ${points.length} runs are finished with other options (${others[0]}), a folder of its own was needed`,
      { hint: "choose another --out; nothing was changed" },
    );
}

/** Opens the labels of a task, so that a wrong name, column or folder is said before the first harvest. */
async function lookAt(options: SweepOptions, task: TaskData): Promise<void> {
  const { seed = 0, valFraction, strict, label, crop, limit } = options;
  await openTasks([task], {
    seed,
    ...(valFraction !== undefined && { valFraction }),
    ...(strict !== undefined && { strict }),
    ...(label !== undefined && { label }),
    ...(crop !== undefined && { crop }),
    ...(limit !== undefined && { limit }),
  });
}

function pointsOf(options: SweepOptions): Point[] {
  const { tasks, gammas, seeds = 1, variants = [], out, ...shared } = options;
  const need = (ok: boolean, option: string, found: string, needed: string): void => {
    if (!ok) throw new EtlError("usage", `--${option}: ${found}, ${needed} was needed`);
  };
  need(tasks.length > 0, "tasks", "nothing", "at least one task");
  need(gammas.length > 0, "gammas", "nothing", "at least one number in [0, 1)");
  for (const gamma of gammas)
    if (!belowOne.holds(gamma as never)) {
      const near = shareOfPercent(gamma);
      throw new EtlError("usage", `--gammas: ${gamma}, ${belowOne.needed} was needed`, {
        hint: near === undefined ? undefined : `did you mean ${near}?`,
      });
    }
  need(new Set(gammas).size === gammas.length, "gammas", gammas.join(","), "every gamma only once");
  need(
    new Set(tasks.map(({ task }) => task)).size === tasks.length,
    "tasks",
    "a task twice",
    "every task only once",
  );
  need(manySeeds.holds(seeds as never), "seeds", String(seeds), manySeeds.needed);
  const first = shared.seed ?? 0;
  return tasks.flatMap(({ task, data }) =>
    Array.from({ length: seeds }, (_, i) => first + i).flatMap((seed) => {
      const folder = join(out, task, `seed-${seed}`);
      const base: PruneOptions = { ...shared, task, data, seed, controls: [], out: join(folder, "base") };
      return gammas.flatMap((gamma) =>
        [{}, ...variants].map((variant, v) => {
          const own: PruneOptions = {
            ...base,
            ...(v === 0 && shared.controls !== undefined ? { controls: shared.controls } : {}),
            ...variant,
            gamma,
            out: join(folder, [`gamma-${gamma}`, ...Object.entries(variant).flat().map(String)].join("-")),
          };
          return { base, options: v === 0 ? own : withoutIgnored(own) };
        }),
      );
    }),
  );
}

/** Every point is listed, and its options are looked at, before the first one runs. */
const manySeeds = count(1, 1000);

/** Whether a run folder holds the finished run of exactly these options. */
async function isFinished(options: PruneOptions): Promise<boolean> {
  const path = join(options.out, "record.json");
  if (!existsSync(path)) return false;
  const state = await readRunState(options.out);
  if (state?.status !== "finished") return false;
  if (fingerprint(state.config) !== fingerprint(resolveOptions(options))) return false;
  return (await damageOf(path, state.results?.["record.json"])) === undefined;
}

/** Reads all runs below a folder; writes rows, and where asked the report. */
async function summarise(out: string, report: boolean): Promise<SweepResult> {
  const runs = await runsBelow(out);
  const records = await Promise.all(runs.map((run) => readRecord(join(out, run), run)));
  const [rows, worth] = [sweepRows(records), worthOfSelection(records)];
  await writeChanged(join(out, "sweep.json"), jsonText({ schema: 1, runs, rows, worth }));
  await writeChanged(join(out, "sweep.csv"), sweepCsv(rows));
  if (report) {
    const file = join(out, "report.html");
    const linked = records.map((record, i) => withLinks(record, join(out, runs[i]), file));
    await writeChanged(file, renderReport(linked, await readReportAssets()));
  }
  return { folder: out, runs, rows, worth };
}
