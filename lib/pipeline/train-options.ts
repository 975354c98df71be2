/** The options of `train` and `crossval`, with an architecture's own settings filled in, checked. */
import type { Crop } from "../core/artifacts.ts";
import { EtlError } from "../core/errors.ts";
import type { Progress } from "../core/progress.ts";
import { architectureOf, type Architecture } from "../backbones/light.ts";

/** What `train` takes. All but the first four have defaults. */
export interface TrainOptions {
  /** Name of an architecture; see {@link architectureOf}. */
  readonly arch: string;
  /** A task, or several with a comma for an architecture that shares its layers among them. */
  readonly task: string;
  /** A folder of labelled faces, or "synthetic". */
  readonly data: string;
  /** The run folder. */
  readonly out: string;
  /** Weight file of the trunk (.safetensors); without it training begins from nothing. */
  readonly weights?: string;
  readonly label?: string;
  readonly crop?: Crop;
  readonly epochs?: number;
  readonly learningRate?: number;
  readonly batchSize?: number;
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
  /** Shift and brighten training pictures a little, beside mirroring. */
  readonly augment?: boolean;
  readonly valFraction?: number;
  readonly limit?: number;
  readonly strict?: boolean;
  /** Timed runs. */
  readonly runs?: number;
  readonly seed?: number;
  readonly threads?: number;
  readonly engine?: "auto" | "ort" | "tfjs";
  readonly cacheDir?: string;
  readonly progress?: Progress;
  readonly signal?: AbortSignal;
}

type Optional = "weights" | "label" | "crop" | "width" | "limit" | "threads" | "cacheDir";

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
  const given = Object.fromEntries(
    Object.entries(options).filter(
      ([key, value]) => value !== undefined && key !== "progress" && key !== "signal",
    ),
  ) as unknown as TrainOptions;
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

function need(ok: boolean, option: string, found: unknown, needed: string): void {
  if (!ok) throw new EtlError("usage", `--${option}: ${String(found)}, ${needed} was needed`);
}

function checkNumbers(config: TrainConfig, architecture: Architecture): void {
  const count = (option: string, value: number, least: number): void => {
    need(Number.isInteger(value) && value >= least, option, value, `a whole number of at least ${least}`);
  };
  count("epochs", config.epochs, 0);
  count("batch-size", config.batchSize, 1);
  count("runs", config.runs, 1);
  count("size", config.size, 32);
  if (config.limit !== undefined) count("limit", config.limit, 1);
  const { learningRate, dropout, valFraction, thresholdRate, width } = config;
  need(learningRate > 0 && Number.isFinite(learningRate), "learning-rate", learningRate, "a positive number");
  need(dropout >= 0 && dropout < 1, "dropout", dropout, "a number in [0, 1)");
  need(valFraction > 0 && valFraction < 0.9, "val-fraction", valFraction, "a number in (0, 0.9)");
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
