/** What every job on labelled faces takes, and how its options are checked. */
import { homedir } from "node:os";
import { join } from "node:path";
import type { Crop } from "../../core/artifacts.ts";
import { EtlError } from "../../core/errors.ts";
import type { Progress } from "../../core/progress.ts";
import type { TaskData } from "../../data/open-tasks.ts";
import type { Device } from "../../engine/engine.ts";

/** Options that `prune` and `train` share. All but `data` and `out` have defaults. */
export interface JobOptions {
  /** A folder of labelled faces, or "synthetic". */
  readonly data: string;
  /** The run folder. */
  readonly out: string;
  readonly label?: string;
  readonly crop?: Crop;
  readonly batchSize?: number;
  /** Shift and brighten training pictures a little, beside mirroring. */
  readonly augment?: boolean;
  readonly valFraction?: number;
  readonly limit?: number;
  readonly strict?: boolean;
  /** Timed runs per network. */
  readonly runs?: number;
  readonly seed?: number;
  readonly threads?: number;
  readonly engine?: "auto" | "ort" | "tfjs";
  readonly device?: Device;
  readonly cacheDir?: string;
  readonly progress?: Progress;
  readonly signal?: AbortSignal;
}

/**
 * Reads tasks, each with its data: "gender", "gender,age", "gender=FOLDER,age=OTHER".
 *
 * @param common data of the tasks that name none
 * @param option what the list was given as, for messages
 * @throws EtlError `usage` for an empty list, a task twice, or a task without data
 */
export function taskData(list: string, common: string | undefined, option = "task"): TaskData[] {
  const entries = list.split(",").map((entry): TaskData => {
    const [task, ...rest] = entry.trim().split("=");
    const data = rest.length > 0 ? rest.join("=") : common;
    need(task !== "", option, JSON.stringify(list), "a task, for example gender");
    // A shell leaves a ~ behind "=" as it is.
    if (data?.startsWith("~/")) return { task, data: join(homedir(), data.slice(2)) };
    if (data !== undefined && data !== "") return { task, data };
    throw new EtlError("usage", `--${option}: ${JSON.stringify(entry)} has no data, a folder was needed`, {
      hint: `write ${task}=FOLDER, or give --data for all tasks`,
    });
  });
  const names = entries.map(({ task }) => task);
  need(new Set(names).size === names.length, option, names.join(","), "every task only once");
  return entries;
}

/** The options that were given and that `run.json` can keep. */
export function givenOptions<T extends Partial<JobOptions>>(options: T): T {
  return Object.fromEntries(
    Object.entries(options).filter(
      ([key, value]) => value !== undefined && key !== "progress" && key !== "signal",
    ),
  ) as unknown as T;
}

/** @throws EtlError `usage` that names the option, what was found and what was needed */
export function need(ok: boolean, option: string, found: unknown, needed: string): void {
  if (!ok) throw new EtlError("usage", `--${option}: ${String(found)}, ${needed} was needed`);
}

/** @throws EtlError `usage` where `value` is not a whole number of at least `least` */
export function needCount(option: string, value: number, least: number): void {
  need(Number.isInteger(value) && value >= least, option, value, `a whole number of at least ${least}`);
}

/** Checks what jobs share. */
export function checkJob(
  config: Pick<JobOptions, "limit" | "crop"> &
    Required<Pick<JobOptions, "batchSize" | "runs" | "valFraction">>,
): void {
  const { batchSize, runs, valFraction, limit, crop } = config;
  need(valFraction > 0 && valFraction < 0.9, "val-fraction", valFraction, "a number in (0, 0.9)");
  needCount("batch-size", batchSize, 1);
  needCount("runs", runs, 1);
  if (limit !== undefined) needCount("limit", limit, 1);
  if (crop !== undefined) checkCrop(crop);
}

function checkCrop(crop: Crop): void {
  const [x0, y0, x1, y1] = crop;
  if (crop.length !== 4 || !crop.every(Number.isFinite) || x1 <= x0 || y1 <= y0) {
    throw new EtlError(
      "usage",
      `--crop: ${crop.join(",")}, x0,y0,x1,y1 with x0 < x1 and y0 < y1 was needed`,
      {
        hint: "fractions of the picture, for example --crop 0.18,0.35,0.82,0.87",
      },
    );
  }
}
