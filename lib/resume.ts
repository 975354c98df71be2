/** Goes on with a run that was stopped, whatever job made it. Beside the jobs, because it knows them all. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { EtlError } from "./core/errors.ts";
import { refuseUnknown } from "./core/options.ts";
import type { Progress } from "./core/progress.ts";
import { prune } from "./jobs/prune/prune.ts";
import type { PruneOptions } from "./jobs/prune/options.ts";
import { asOptions } from "./jobs/run/options.ts";
import { readRunState } from "./jobs/run/state.ts";
import { crossval, type CrossvalOptions, type CrossvalResult } from "./jobs/train/crossval.ts";
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
  | { readonly command: "train"; readonly result: TrainResult }
  | { readonly command: "crossval"; readonly result: CrossvalResult };

/**
 * Goes on where a run was stopped, with the options it had.
 *
 * @param folder a run folder of `prune`, `train` or `crossval`
 * @throws EtlError `usage` where the folder holds no run; what the job throws
 */
export async function resume(folder: string, options: ResumeOptions = {}): Promise<Resumed> {
  refuseUnknown("resume", options, { progress: true, signal: true });
  const state = existsSync(join(folder, "run.json")) ? await readRunState(folder) : undefined;
  if (state === undefined) {
    throw new EtlError("usage", `${folder}: no run.json, a run folder was needed`, {
      hint: "a call that was stopped before its first stage is given again; a run is begun by etl prune, train or crossval",
    });
  }
  const given: unknown = { ...asOptions(state.config), out: folder, ...options };
  switch (state.config["command"]) {
    case "train":
      return { command: "train", result: await train(given as TrainOptions) };
    case "crossval":
      return { command: "crossval", result: await crossval(given as CrossvalOptions) };
    default:
      return { command: "prune", result: await prune(given as PruneOptions) };
  }
}
