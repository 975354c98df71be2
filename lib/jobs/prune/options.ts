/** The options of a run, with their defaults, checked. */
import type { GroupSelect, RmseKind, Scaling } from "../../core/artifacts.ts";
import { EtlError } from "../../core/errors.ts";
import { checkJob, givenOptions, need, needCount, taskData, type JobOptions } from "../run/options.ts";

/** Networks of the pruned network's shape that are trained beside it, on the same axes. */
export type Control = "l1" | "random" | "correlation" | "scratch";
export const controlNames: readonly string[] = ["l1", "random", "correlation", "scratch"];

/** Networks a cut can start from. */
export type Start = "baseline" | "backbone";
const startNames: readonly string[] = ["baseline", "backbone"];

/** What `prune` takes. All but `task`, `data` and `out` have defaults. */
export interface PruneOptions extends Omit<JobOptions, "data"> {
  /** For example "gender"; several that share one trunk: "gender,age"; with data of their own: "gender=DIR1,age=DIR2". */
  readonly task: string;
  /** A folder of labelled faces, or "synthetic": for every task that names no data of its own. */
  readonly data?: string;
  /** Name of a backbone, or a model file. */
  readonly backbone?: string;
  /** Weight file of the backbone, where it does not bring its own. */
  readonly weights?: string;
  /** Largest allowed increase of error along each characteristic curve, in [0, 1) (ETL, eq. 4). */
  readonly gamma?: number;
  /** Instead of gamma: share of the baseline's MACs that is left at most, in (0, 1]. */
  readonly targetFlops?: number;
  /** Instead of gamma: largest size of the pruned network's file, in bytes; up to 1: as a share of the unpruned one's. */
  readonly targetSize?: number;
  /** Instead of gamma: largest median CPU time for one picture, in milliseconds. */
  readonly targetMs?: number;
  /** Instead of gamma: least accuracy on the validation part, before fine-tuning, in (0, 1]. */
  readonly minAccuracy?: number;
  /** Whose weights the cut network starts with, is refitted to and distilled from; the filters are chosen on the backbone. */
  readonly start?: Start;
  readonly scaling?: Scaling;
  readonly reconstruct?: boolean;
  /** Fit every layer of the cut network again, in order, to what the original network has there. */
  readonly refit?: boolean;
  readonly rmse?: RmseKind;
  readonly groupSelect?: GroupSelect;
  readonly minFilters?: number;
  /** Every layer keeps a multiple of so many filters, or all: rounded up, as vector units like it. */
  readonly roundTo?: number;
  /** Controls to be cut and trained beside the pruned network. */
  readonly controls?: readonly Control[];
  /** Epochs of the pruned network's fine-tuning. */
  readonly epochs?: number;
  /** Epochs of the baseline's fine-tuning. */
  readonly baselineEpochs?: number;
  /** Candidate learning rates; a short trial on the validation split picks one. */
  readonly learningRates?: readonly number[];
  /** Those of the baseline; default: the same. */
  readonly baselineLearningRates?: readonly number[];
  /** Weight of the distance to the unpruned network's pooled features in the loss; 0 = off. */
  readonly distill?: number;
  /** Weight of the distance to the unpruned network's outputs in the loss; 0 = off. */
  readonly distillOutputs?: number;
  /** Largest shift of a training picture in each direction, as a share of its side. */
  readonly shift?: number;
  /** Largest zoom of a training picture in or out: 0.1 = by up to a tenth. */
  readonly zoom?: number;
  readonly folds?: number;
  /** Show in the report the faces that kept filters respond to most: pictures of people. Default false. */
  readonly withImages?: boolean;
}

/** Options with every default filled in; what `run.json` keeps. */
export type Config = Readonly<
  Required<Omit<PruneOptions, "progress" | "signal" | Optional | TargetKey>> &
    Pick<PruneOptions, Optional | TargetKey>
>;

type Optional =
  | "data"
  | "label"
  | "crop"
  | "weights"
  | "limit"
  | "device"
  | "threads"
  | "cacheDir"
  | "baselineLearningRates";

type TargetKey = keyof typeof targetKinds;

/** The options that stand instead of gamma, and what they bound. */
const targetKinds = {
  targetFlops: "flops",
  targetSize: "size",
  targetMs: "ms",
  minAccuracy: "accuracy",
} as const;
const targetNames: readonly TargetKey[] = ["targetFlops", "targetSize", "targetMs", "minAccuracy"];

/** What a gamma is looked for. */
export interface Target {
  readonly kind: (typeof targetKinds)[TargetKey];
  readonly value: number;
}

/** The targets of a run, all of which its gamma has to reach; none where gamma was given or the default is used. */
export function targetsOf(options: Pick<PruneOptions, TargetKey>): Target[] {
  return targetNames.flatMap((name) => {
    const value = options[name];
    return value === undefined ? [] : [{ kind: targetKinds[name], value }];
  });
}

/** Options of a finished or stopped run, as they were given: without the gamma that a target has chosen. */
export function asGiven(options: PruneOptions): PruneOptions {
  if (targetsOf(options).length === 0) return options;
  const rest = Object.entries(options).filter(([name]) => name !== "gamma");
  return Object.fromEntries(rest) as unknown as PruneOptions;
}

const defaults = {
  backbone: "face-resnet",
  gamma: 0.01,
  start: "baseline",
  scaling: "none",
  reconstruct: true,
  refit: true,
  rmse: "train",
  groupSelect: "union",
  minFilters: 4,
  roundTo: 1,
  controls: [],
  epochs: 5,
  baselineEpochs: 2,
  batchSize: 32,
  learningRates: [1e-4, 3e-4],
  distill: 16,
  distillOutputs: 4,
  augment: true,
  shift: 0.03,
  zoom: 0,
  folds: 5,
  valFraction: 0.15,
  strict: false,
  runs: 50,
  withImages: false,
  seed: 0,
  engine: "auto",
} as const;

/**
 * Fills in defaults and checks ranges.
 *
 * @throws EtlError `usage` that names the option, what was found and what was needed
 */
export function resolveOptions(options: PruneOptions): Config {
  const given = givenOptions(options);
  const config: Config = { ...defaults, ...given };
  checkTarget(given);
  checkJob(config);
  need(config.gamma >= 0 && config.gamma < 1, "gamma", config.gamma, "a number in [0, 1)");
  need(
    config.groupSelect !== "joint" || (config.scaling === "none" && config.rmse === "train"),
    "group-select",
    "joint",
    "--scaling none and --rmse train",
  );
  needWeight("distill", config.distill);
  needWeight("distill-outputs", config.distillOutputs);
  for (const name of ["shift", "zoom"] as const) {
    need(config[name] >= 0 && config[name] < 1, name, config[name], "a number in [0, 1)");
  }
  needRates("learning-rate", config.learningRates);
  needRates("baseline-learning-rate", config.baselineLearningRates ?? config.learningRates);
  need(startNames.includes(config.start), "start", config.start, `one of ${startNames.join(", ")}`);
  needCount("min-filters", config.minFilters, 1);
  needCount("round-to", config.roundTo, 1);
  needCount("epochs", config.epochs, 0);
  needCount("baseline-epochs", config.baselineEpochs, 0);
  needCount("folds", config.folds, 2);
  for (const name of config.controls)
    need(controlNames.includes(name), "control", name, `one of ${controlNames.join(", ")}`);
  if (taskData(config.task, config.data).length > 1) {
    need(config.label === undefined, "label", config.label, "one task beside it");
    need(config.scaling === "none", "scaling", config.scaling, "none beside several tasks");
  }
  return config;
}

function needWeight(name: string, value: number): void {
  need(value >= 0 && Number.isFinite(value), name, value, "a number of at least 0");
}

function needRates(name: string, rates: readonly number[]): void {
  const valid = rates.length > 0 && rates.every((rate) => rate > 0 && Number.isFinite(rate));
  need(valid, name, rates.join(","), "one or more positive numbers");
}

function checkTarget(given: PruneOptions): void {
  const flags = { targetFlops: "target-flops", targetSize: "target-size", targetMs: "target-ms" };
  const flagOf = { ...flags, minAccuracy: "min-accuracy", gamma: "gamma" } as const;
  const names = (["gamma", ...targetNames] as const).filter((name) => given[name] !== undefined);
  const alone = names.find((name) => name === "gamma" || name === "minAccuracy");
  if (alone !== undefined && names.length > 1) {
    const found = names.map((name) => `--${flagOf[name]}`).join(" and ");
    throw new EtlError(
      "usage",
      `${found}: given together, --${flagOf[alone]} alone or none of it was needed`,
      {
        hint: "--target-flops, --target-size and --target-ms may be given together: gamma then reaches all of them",
      },
    );
  }
  for (const name of targetNames) {
    const value = given[name];
    if (value === undefined) continue;
    const share = name === "targetFlops" || name === "minAccuracy";
    if (value > 0 && Number.isFinite(value) && (!share || value <= 1)) continue;
    const needed = share ? "a number in (0, 1]" : "a positive number";
    throw new EtlError("usage", `--${flagOf[name]}: ${value}, ${needed} was needed`);
  }
}
