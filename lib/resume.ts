/** Goes on with a run that was stopped, whatever job made it. Beside the jobs, because it knows them all. */
import { runsIn } from "./jobs/run/model.ts";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { EtlError, isEtlError, shellWord } from "./core/errors.ts";
import { refuseUnknown } from "./core/options.ts";
import { version } from "./core/version.ts";
import { silent, type Progress } from "./core/progress.ts";
import { withoutIgnored } from "./jobs/prune/config.ts";
import { prune, runPipeline, untilOf, type PipelineResult, type Until } from "./jobs/prune/prune.ts";
import type { PruneOptions } from "./jobs/prune/options.ts";
import { asOptions } from "./jobs/run/options.ts";
import { otherBuild } from "./jobs/run/folder.ts";
import { readRunState } from "./jobs/run/state.ts";
import { crossval, type CrossvalOptions, type CrossvalResult } from "./jobs/train/crossval.ts";
import { withoutIdle } from "./jobs/train/config.ts";
import type { TrainOptions } from "./jobs/train/options.ts";
import { train, type TrainResult } from "./jobs/train/train.ts";
import type { RunRecord } from "./record/record.ts";

export interface ResumeOptions {
  readonly progress?: Progress | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What came out, by the job that it is of. */
export type Resumed =
  | { readonly command: "prune"; readonly result: RunRecord }
  | {
      readonly command: "harvest" | "curves" | "baseline" | "plan" | "finetune";
      readonly result: { readonly folder: string };
    }
  | { readonly command: "train"; readonly result: TrainResult }
  | { readonly command: "crossval"; readonly result: CrossvalResult };

/**
 * Goes on where a run was stopped, with the options it had.
 *
 * @param folder a run folder of `prune` or a part of it (`plan`, `harvest` ...), of `train` or of `crossval`
 * @throws EtlError `usage` where the folder holds no run; what the job throws
 */
export async function resume(folder: string, options: ResumeOptions = {}): Promise<Resumed> {
  const done = await goOn(folder, options);
  switch (done.command) {
    case "prune":
    case "train":
    case "crossval":
      return done;
    default:
      return { command: done.command, result: { folder: done.result.folder } };
  }
}

/** A run that was begun for a part of the job, with all that it gave. */
interface Part {
  readonly command: Exclude<Until, "report">;
  readonly result: PipelineResult;
}

/** {@link resume}, with all that a part of the job gave. */
export async function goOn(
  folder: string,
  options: ResumeOptions = {},
): Promise<Exclude<Resumed, { command: Part["command"] }> | Part> {
  refuseUnknown("resume", options, { progress: true, signal: true });
  const state = existsSync(join(folder, "run.json")) ? await readRunState(folder) : undefined;
  if (state === undefined) {
    throw new EtlError("usage", `${folder}: no run.json, a run folder was needed`, {
      hint: existsSync(join(folder, "sweep.json"))
        ? "a sweep goes on with the command that began it, or name the folder of one of its runs, below it"
        : (runsIn(folder) ??
          "a call that was stopped before its first stage is given again; a run is begun by etl prune, train or crossval"),
    });
  }
  const build = otherBuild(state, version);
  if (build !== undefined) {
    throw new EtlError("usage", `${folder}: ${build}, only the build that began a run goes on with it`, {
      hint: `report, compare, predict and evaluate read it; to make it again: ${wayOut(folder)}`,
    });
  }
  const { progress = silent } = options;
  const given: unknown = { ...asOptions(state.config), out: folder, ...options };
  try {
    switch (state.config["command"]) {
      case "train": {
        const taken = said(given as TrainOptions, withoutIdle(given as TrainOptions), progress);
        return { command: "train", result: await train(taken) };
      }
      case "crossval":
        return { command: "crossval", result: await crossval(given as CrossvalOptions) };
      default: {
        const taken = said(given as PruneOptions, withoutIgnored(given as PruneOptions), progress);
        const until = untilOf(state);
        if (until === "report") return { command: "prune", result: await prune(taken) };
        return { command: until, result: await runPipeline(taken, until) };
      }
    }
  } catch (error) {
    if (!isEtlError(error, "usage")) throw error;
    throw new EtlError("usage", `${folder}: ${error.message}`, {
      hint: [...(error.hint === undefined ? [] : [error.hint]), wayOut(folder)].join("; or "),
      cause: error,
    });
  }
}

/** What changes nothing is refused today; a run that was begun with it goes on without. */
function said<T extends object>(given: T, taken: T, progress: Progress): T {
  const idle = Object.keys(given).filter((name) => given[name as keyof T] !== taken[name as keyof T]);
  if (idle.length > 0) progress.warn(`${idle.join(", ")}: changes nothing in this run, it is left out`);
  return taken;
}

/** For what was taken when the run was begun, and is refused today. */
function wayOut(folder: string): string {
  const file = join(folder, "config.json");
  return existsSync(file)
    ? `what this run was begun with is in ${shellWord(file)}: mend a copy, and begin anew in another folder (--config FILE --out FOLDER)`
    : "begin anew in another folder (--out FOLDER); run.json says with which options it was begun, under config";
}
