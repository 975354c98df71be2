/** The options of a run with their defaults, checked; and what stands in place of gamma. */
import { checkCrop } from "../../core/crop.ts";
import { EtlError } from "../../core/errors.ts";
import { refuseMissing, refuseUnknown } from "../../core/options.ts";
import { checkOptions, defaultsOf, ignoredIn, refuseIgnored, type Ignored } from "../run/option.ts";
import {
  aimNames,
  asOptions,
  commonDefaults,
  commonNames,
  givenOptions,
  nameTheirData,
  need,
  taskData,
  withAbsolutePaths,
} from "../run/options.ts";
import type { TimeRecord } from "../../record/record.ts";
import type { Plan } from "../../surgery/plan.ts";
import { pruneTable, type Allocation, type PruneOptions } from "./options.ts";

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
  | "head"
  | "size"
  | "bind"
  | "limit"
  | "device"
  | "threads"
  | "cacheDir"
  | "int8Tolerance"
  | "table"
  | "baselineLearningRates";

type TargetKey = keyof typeof targetKinds;

/** The options that stand instead of gamma, and what they bound. */
const targetKinds = {
  targetFlops: "flops",
  targetSize: "size",
  targetMs: "ms",
  targetTime: "time",
  minAccuracy: "accuracy",
} as const;
const targetNames: readonly TargetKey[] = aimNames;

/** What a gamma is looked for. */
export interface Target {
  readonly kind: (typeof targetKinds)[TargetKey];
  readonly value: number;
}

/** The gamma that one target needs. */
export interface Hit {
  readonly target: Target;
  readonly gamma: number;
  /** What is left at this gamma, in the target's unit: share of the MACs, bytes, ms, share of the time, or accuracy. */
  readonly value: number;
  /** Of a time: what the latency table said, what was measured, and what the unpruned float network takes. */
  readonly time?: TimeRecord;
  readonly reached: boolean;
  /** Networks that were looked at. */
  readonly evaluations: number;
}

/** What stays, where it is not what gamma's knees alone say. A part of `target.json`. */
export interface Widths {
  readonly allocate: Allocation;
  /** Coupled classes that stay, ascending. */
  readonly keep: readonly number[];
  readonly rounding?: Plan["rounding"];
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
  return { ...(asOptions({ ...options }) as unknown as PruneOptions), out: options.out };
}

/**
 * Fills in defaults and checks ranges.
 *
 * @throws EtlError `usage` that names the option, what was found and what was needed
 */
export function resolveOptions(options: PruneOptions): Config {
  refuseUnknown("prune", options, { ...pruneTable, ...commonNames });
  refuseMissing("prune", options, ["task", "out"]);
  const given = givenOptions(options);
  checkTarget(given);
  checkOptions(pruneTable, given);
  if (given.crop !== undefined) checkCrop(given.crop);
  const config = { ...commonDefaults, ...defaultsOf(pruneTable), ...given } as Config;
  need(
    config.groupSelect !== "joint" || (config.scaling === "none" && config.rmse === "train"),
    "group-select",
    "joint",
    "--scaling none and --rmse train",
  );
  const isBudget = targetsOf(config).some(({ kind }) => kind !== "accuracy");
  need(
    config.allocate === "gamma" || isBudget,
    "allocate",
    config.allocate,
    "--target-time, --target-ms, --target-flops or --target-size",
  );
  if (taskData(config.task, config.data).length > 1) {
    need(config.label === undefined, "label", config.label, "one task beside it");
    need(config.scaling === "none", "scaling", config.scaling, "none beside several tasks");
  }
  refuseIgnored(pruneTable, config, ignoredBy(config));
  return withAbsolutePaths(config);
}

/** What would change nothing beside the other options. */
function ignoredBy(config: Config): (Ignored | false)[] {
  const { augment, epochs, baselineEpochs, targetMs, targetTime, roundTo } = config;
  const untrained = epochs === 0 && baselineEpochs === 0;
  // A weight or a change of 0 says the same as what switches it off.
  const changes = (["shift", "zoom", "brightness"] as const).filter((name) => config[name] !== 0);
  return [
    nameTheirData(config.task) && {
      names: ["data"],
      by: "a call whose tasks have data of their own",
      needed: "a task without",
    },
    !config.int8 && {
      names: ["int8For", "int8Tolerance"],
      by: "a run without --int8",
      needed: "--int8",
    },
    // --round-to auto takes the table's block: widths for the machine that it was made on.
    targetMs === undefined &&
      targetTime === undefined &&
      roundTo !== "auto" && {
        names: ["table"],
        by: `a run with --round-to ${roundTo} and without a target of time`,
        needed: "--target-ms, --target-time or --round-to auto",
      },
    !augment && { names: changes, by: "--no-augment", needed: "--augment" },
    baselineEpochs === 0 && {
      names: ["baselineLearningRates"],
      by: "--baseline-epochs 0",
      needed: "an epoch of the baseline",
    },
    epochs === 0 &&
      config.baselineLearningRates !== undefined && {
        names: ["learningRates"],
        by: "--epochs 0 with --baseline-learning-rate",
        needed: "an epoch of the pruned network",
      },
    epochs === 0 && {
      names: (["distill", "distillOutputs"] as const).filter((name) => config[name] !== 0),
      by: "--epochs 0",
      needed: "an epoch of the pruned network",
    },
    untrained && {
      names: ["learningRates", ...changes],
      by: "a run without any epoch",
      needed: "--epochs or --baseline-epochs",
    },
  ];
}

/** Options without those that mean nothing any more, because a sweep's variant has switched off what they are for. */
export function withoutIgnored(options: PruneOptions): PruneOptions {
  const config = { ...defaultsOf(pruneTable), ...givenOptions(options) } as Config;
  const found = ignoredIn(pruneTable, config, ignoredBy(config));
  return found === undefined ? options : withoutIgnored({ ...options, [found[0]]: undefined });
}

function checkTarget(given: PruneOptions): void {
  const flagOf = (name: keyof typeof pruneTable): string => pruneTable[name].flag;
  const names = (["gamma", ...targetNames] as const).filter((name) => given[name] !== undefined);
  const alone = names.find((name) => name === "gamma" || name === "minAccuracy");
  if (alone !== undefined && names.length > 1) {
    const found = names.map((name) => `--${flagOf(name)}`).join(" and ");
    throw new EtlError(
      "usage",
      `${found}: given together, --${flagOf(alone)} alone or none of it was needed`,
      {
        hint: "--target-flops, --target-size, --target-ms and --target-time may be given together: gamma then reaches all of them",
      },
    );
  }
}
