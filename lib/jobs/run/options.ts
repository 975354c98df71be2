/** What every job on labelled faces takes, and how its options are checked. */
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { extname, join, resolve } from "node:path";
import type { CropChoice } from "../../core/crop.ts";
import { EtlError } from "../../core/errors.ts";
import type { OptionNames } from "../../core/options.ts";
import type { Progress } from "../../core/progress.ts";
import type { Augment } from "../../data/images/augment.ts";
import { isSynthetic } from "../../data/synthetic/name.ts";
import type { TaskData } from "../../data/open-tasks.ts";
import type { Device, EngineName } from "../../engine/engine.ts";
import { serviceNames } from "../../engine/service.ts";
import { belowOne, count, type Option } from "./option.ts";

/** Options that `prune` and `train` share. All but `data` and `out` have defaults. */
export interface JobOptions {
  /** A folder of labelled faces, or "synthetic". */
  readonly data: string;
  /** The run folder. */
  readonly out: string;
  /** Label column, where it is not the task's usual one. */
  readonly label?: string;
  /** Face box x0, y0, x1, y1 in fractions of the picture, or `center`; default: that of the data set. */
  readonly crop?: CropChoice;
  /** Pictures in a batch. */
  readonly batchSize?: number;
  /** Change training pictures a little; `false`: none of the changes below. @defaultValue true */
  readonly augment?: boolean;
  /** Mirror every other training picture, where the task allows it. @defaultValue true */
  readonly mirror?: boolean;
  /** Largest shift of a training picture in each direction, as a share of its side. @defaultValue 0.03 */
  readonly shift?: number;
  /** Largest zoom of a training picture in or out: 0.1 = by up to a tenth. @defaultValue 0 */
  readonly zoom?: number;
  /** Largest change of a training picture's brightness: 0.2 = by up to a fifth. @defaultValue 0.2 */
  readonly brightness?: number;
  /** Share of the training part kept for validation, in (0, 0.9). @defaultValue 0.15 */
  readonly valFraction?: number;
  /** Use at most so many pictures, drawn by seed. */
  readonly limit?: number;
  /** Stop at the first broken or unlabelled picture. @defaultValue false */
  readonly strict?: boolean;
  /** Timed runs per network. @defaultValue 50 */
  readonly runs?: number;
  /** Seed of everything random. @defaultValue 0 */
  readonly seed?: number;
  /** Compute threads; default: all cores, and one to time networks. */
  readonly threads?: number;
  /** @defaultValue "auto" */
  readonly engine?: "auto" | EngineName;
  /** Default: what the engine finds, see `probeEngines`. */
  readonly device?: Device;
  /** Folder of the decoded cache; default: ETL_CACHE or ~/.cache/etl-prune. */
  readonly cacheDir?: string;
  /** Make a finished run in `out` anew where it has other options; without it that is refused. */
  readonly replace?: boolean;
  readonly progress?: Progress | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Said once for `prune`, `train` and what they consist of. */
export const jobTable = {
  data: {
    flag: "data",
    kind: "text",
    group: "Data",
    describe: "Folder of labelled faces (labels.csv, CelebA, one folder per class, ...), or synthetic",
    required: true,
  },
  label: {
    flag: "label",
    kind: "text",
    group: "Data",
    describe: "Label column",
    otherwise: "the task's usual one",
  },
  crop: {
    flag: "crop",
    kind: "crop",
    group: "Data",
    describe: "Face box x0,y0,x1,y1 in fractions of the picture, whole, or center (the largest square)",
    otherwise: "that of the data set",
  },
  limit: {
    flag: "limit",
    kind: "number",
    group: "Data",
    describe: "Use at most so many pictures (drawn by seed)",
    otherwise: "all",
    need: count(1),
  },
  strict: {
    flag: "strict",
    kind: "switch",
    group: "Data",
    describe: "Stop at the first broken or unlabelled picture",
    default: false,
  },
  valFraction: {
    flag: "val-fraction",
    kind: "number",
    group: "Data",
    describe: "Share of the training part kept for validation",
    default: 0.15,
    need: { needed: "a number in (0, 0.9)", holds: (value: number) => value > 0 && value < 0.9 },
  },
  cacheDir: {
    flag: "cache-dir",
    kind: "text",
    group: "Data",
    describe: "Folder of the decoded cache",
    otherwise: "ETL_CACHE or ~/.cache/etl-prune",
  },
  batchSize: {
    flag: "batch-size",
    kind: "number",
    group: "Data",
    describe: "Pictures in a batch",
    need: count(1),
  },
  augment: {
    flag: "augment",
    kind: "switch",
    group: "Training",
    describe: "Change training pictures a little; --no-augment: neither mirror, shift, zoom nor brightness",
    default: true,
    variant: true,
  },
  mirror: {
    flag: "mirror",
    kind: "switch",
    group: "Training",
    describe: "Mirror every other training picture (--no-mirror: left and right mean something)",
    default: true,
    variant: true,
  },
  shift: {
    flag: "shift",
    kind: "number",
    group: "Training",
    describe: "Largest shift of a training picture, as a share of its side",
    default: 0.03,
    need: belowOne,
    variant: true,
  },
  zoom: {
    flag: "zoom",
    kind: "number",
    group: "Training",
    describe: "Largest zoom of a training picture, in or out",
    default: 0,
    need: belowOne,
    variant: true,
  },
  brightness: {
    flag: "brightness",
    kind: "number",
    group: "Training",
    describe: "Largest change of a training picture's brightness",
    default: 0.2,
    need: belowOne,
    variant: true,
  },
  runs: {
    flag: "runs",
    kind: "number",
    group: "Measuring",
    describe: "Timed runs per network",
    default: 50,
    need: count(1),
  },
  out: { flag: "out", kind: "text", group: "Output", describe: "Run folder", required: true },
  replace: {
    flag: "replace",
    kind: "switch",
    group: "Output",
    describe: "Make a finished run in --out anew with other options ",
    otherwise: "it is left as it is",
  },
} as const satisfies Readonly<Record<string, Option>>;

/** Options of every command, which the program's parser reads by itself, and handles that no file can keep. */
export type CommonKey = "seed" | "threads" | "engine" | "device" | "progress" | "signal";

/** Their names. */
export const commonNames: OptionNames<Pick<JobOptions, CommonKey>> = { seed: true, ...serviceNames };

/** Options of every command, where they are not given. */
export const commonDefaults = { seed: 0, engine: "auto" } as const;

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

/** Whether every task of a list has data of its own: those for all tasks would then change nothing. */
export function nameTheirData(list: string): boolean {
  return list.split(",").every((entry) => entry.includes("="));
}

/**
 * A folder as it can be found from anywhere: what a run remembers of its data must not depend on where it was called.
 * "synthetic" is no folder.
 */
export function absoluteData(data: string): string {
  return isSynthetic(data) ? data : resolve(data);
}

/** {@link taskData}'s list with absolute folders; names without data of their own stay as they are. */
function absoluteTask(list: string): string {
  return list
    .split(",")
    .map((entry) => {
      const [task, ...rest] = entry.trim().split("=");
      if (rest.length === 0) return entry.trim();
      const [{ data }] = taskData(entry, undefined);
      return `${task}=${absoluteData(data)}`;
    })
    .join(",");
}

interface Paths {
  readonly task?: string;
  readonly data?: string;
  readonly backbone?: string;
  readonly weights?: string;
  readonly table?: string;
  readonly cacheDir?: string;
}

/** Options with absolute paths: a run goes on from any folder. Names of backbones and drawn faces stay as they are. */
export function withAbsolutePaths<T extends Paths>(options: T): T {
  const { task, data, backbone } = options;
  const isFile = backbone !== undefined && extname(backbone) !== "" && existsSync(backbone);
  const files = (["weights", "table", "cacheDir"] as const).flatMap((name) => {
    const path = options[name];
    // `--weights random` names no file.
    return path === undefined || path === "random" ? [] : [[name, resolve(path)]];
  });
  return {
    ...options,
    ...(task !== undefined && { task: absoluteTask(task) }),
    ...(data !== undefined && { data: absoluteData(data) }),
    ...(isFile && { backbone: resolve(backbone) }),
    ...(Object.fromEntries(files) as Partial<T>),
  };
}

/** The options that were given and that `run.json` can keep. */
export function givenOptions<T extends Partial<JobOptions>>(options: T): T {
  return Object.fromEntries(
    Object.entries(options).filter(
      ([key, value]) => value !== undefined && !["progress", "signal", "replace"].includes(key),
    ),
  ) as unknown as T;
}

/** Options that stand instead of gamma, which they choose. */
export const aimNames = ["targetFlops", "targetSize", "targetMs", "targetTime", "minAccuracy"] as const;

/** Targets and how they are met: what a sweep, which goes by gammas, does not take. */
export const targetOptions = [...aimNames, "allocate", "table"] as const;

/**
 * A configuration as options to begin the same run with, in another folder: without the folder, and without what was not given
 * but found on the way.
 */
export function asOptions(config: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const aimed = aimNames.some((name) => config[name] !== undefined);
  const kept = Object.entries(config).filter(
    ([name]) => !["out", "command"].includes(name) && !(aimed && name === "gamma"),
  );
  // By name: the order in which options were given changes no byte.
  return Object.fromEntries(kept.sort(([one], [other]) => (one < other ? -1 : 1)));
}

/** @throws EtlError `usage` that names the option, what was found and what was needed */
export function need(ok: boolean, option: string, found: unknown, needed: string): void {
  if (!ok) throw new EtlError("usage", `--${option}: ${String(found)}, ${needed} was needed`);
}

/** Options that say how training pictures are changed. */
export interface ChangeOptions {
  /** Off: pictures are not changed at all, whatever the other options say. */
  readonly augment: boolean;
  readonly mirror: boolean;
  readonly shift: number;
  readonly zoom: number;
  readonly brightness: number;
}

/** Whether pictures may be mirrored where the labels allow it. */
export function mayMirror({ augment, mirror }: Pick<ChangeOptions, "augment" | "mirror">): boolean {
  return augment && mirror;
}

/** Changes that leave every label alone: shift (share of the side), zoom, brightness. */
export function changesOf({ augment, shift, zoom, brightness }: Omit<ChangeOptions, "mirror">): Augment {
  if (!augment) return {};
  return {
    ...(shift > 0 && { shift }),
    ...(zoom > 0 && { scale: zoom }),
    ...(brightness > 0 && { brightness }),
  };
}
