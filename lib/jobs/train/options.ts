/** The options of `train` and `crossval`, with an architecture's own settings filled in, checked. */
import { EtlError } from "../../core/errors.ts";
import { architectureOf, type Architecture } from "../../backbones/nets/light.ts";
import { checkJob, givenOptions, need, needCount, type JobOptions } from "../run/options.ts";

/** What `train` takes. All but `arch`, `task`, `data` and `out` have defaults. */
export interface TrainOptions extends JobOptions {
  /** Name of an architecture; see {@link architectureOf}. */
  readonly arch: string;
  /** A task, or several with a comma for an architecture that shares its layers among them. */
  readonly task: string;
  /** Weight file of the trunk (.safetensors); without it training begins from nothing. */
  readonly weights?: string;
  readonly epochs?: number;
  readonly learningRate?: number;
  /** One layer for all outputs, or one head for each. */
  readonly heads?: "one" | "forty";
  /** Share of the features dropped before the head. */
  readonly dropout?: number;
  /** Weight positive labels by negatives / positives of the training part. */
  readonly positiveWeight?: boolean;
  /** Decision thresholds: 0, or following the mistakes on the validation part (DMM-CNN, eq. 6). */
  readonly thresholds?: "fixed" | "adaptive";
  /** gamma of eq. 6. */
  readonly thresholdRate?: number;
  /** Weights of the labels in the loss: all 1, by DMM-CNN's eq. 4, or the same with a mean of 1. */
  readonly lossWeights?: "equal" | "dynamic" | "relative";
  /** DMM-CNN: learn landmarks too, where the data have them. */
  readonly landmarks?: boolean;
  /** DMM-CNN: objective and subjective attributes in branches of their own. */
  readonly groups?: boolean;
  /** Side of the picture (resolution multiplier). */
  readonly size?: number;
  /** Width multiplier. */
  readonly width?: number;
  /** `given`, or shares of training, validation and test to be cut by seed: "7:2:1". */
  readonly split?: string;
}

type Optional = "weights" | "label" | "crop" | "width" | "limit" | "device" | "threads" | "cacheDir";

/** Options with every default filled in; what `run.json` keeps. */
export type TrainConfig = Readonly<
  Required<Omit<TrainOptions, "progress" | "signal" | Optional>> &
    Pick<TrainOptions, Optional> & { readonly command: "train" | "crossval" }
>;

const defaults = {
  heads: "one",
  positiveWeight: false,
  thresholds: "fixed",
  thresholdRate: 0.01,
  lossWeights: "equal",
  landmarks: true,
  groups: true,
  split: "given",
  augment: true,
  valFraction: 0.15,
  strict: false,
  runs: 50,
  seed: 0,
  engine: "auto",
} as const;

/** Tasks of a run: the main one first. */
export function tasksOf({ task }: Pick<TrainOptions, "task">): string[] {
  return task
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
}

/**
 * Fills in the architecture's settings and the other defaults, and checks ranges.
 *
 * @throws EtlError `usage` that names the option, what was found and what was needed
 */
export function resolveTrainOptions(
  options: TrainOptions,
  command: TrainConfig["command"],
): { readonly config: TrainConfig; readonly architecture: Architecture } {
  const architecture = architectureOf(options.arch);
  const { epochs, learningRate, batchSize, dropout } = architecture.recipe;
  const given = givenOptions(options);
  const own = { epochs, learningRate, batchSize, dropout, size: architecture.side };
  const config: TrainConfig = { ...defaults, ...own, ...given, command };
  checkNumbers(config, architecture);
  partsOf(config.split);
  const tasks = tasksOf(config);
  need(config.label === undefined || tasks.length < 2, "label", config.label, "one task beside it");
  need(tasks.length > 0, "task", `"${config.task}"`, "a task, for example attributes");
  if (tasks.length > 1 && (!architecture.joint || architecture.overSampling === undefined)) {
    const found = `${architecture.name} with ${tasks.length} tasks (${tasks.join(", ")})`;
    throw new EtlError("usage", `--task: ${found}, one was needed`, {
      hint: "lmtcnn-1-1 and lmtcnn-2-1 answer several at once",
    });
  }
  return { config, architecture };
}

function checkNumbers(config: TrainConfig, architecture: Architecture): void {
  checkJob(config);
  needCount("epochs", config.epochs, 0);
  needCount("size", config.size, 32);
  const { learningRate, dropout, thresholdRate, width } = config;
  need(learningRate > 0 && Number.isFinite(learningRate), "learning-rate", learningRate, "a positive number");
  need(dropout >= 0 && dropout < 1, "dropout", dropout, "a number in [0, 1)");
  need(thresholdRate > 0, "threshold-rate", thresholdRate, "a positive number");
  if (width === undefined) return;
  const { widths, name } = architecture;
  if (widths === undefined) need(false, "width", width, `no width (${name} has none)`);
  else if (widths === "any") need(width > 0 && width <= 4, "width", width, "a number in (0, 4]");
  else need(widths.includes(width), "width", width, `one of ${widths.join(", ")}`);
}

/** Shares of training, validation and test in a text like "7:2:1"; undefined for `given`. */
export function partsOf(split: string): readonly [train: number, val: number, test: number] | undefined {
  if (split === "given") return undefined;
  const parts = split.split(":").map(Number);
  const [train, val, test] = parts;
  const fits = parts.length === 3 && parts.every((part) => part > 0 && Number.isFinite(part));
  need(fits, "split", split, "given, or three positive numbers like 7:2:1");
  const all = train + val + test;
  return [train / all, val / all, test / all];
}
