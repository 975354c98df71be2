/** The options of `train` and `crossval`, with an architecture's own settings filled in, checked. */
import { checkCrop } from "../../core/crop.ts";
import { EtlError } from "../../core/errors.ts";
import { architectureOf, architectures, checkSide, type Architecture } from "../../backbones/nets/light.ts";
import {
  belowOne,
  checkOptions,
  count,
  defaultsOf,
  positive,
  type Need,
  type OptionTable,
} from "../run/option.ts";
import {
  absoluteData,
  commonDefaults,
  commonNames,
  givenOptions,
  jobTable,
  need,
  type CommonKey,
  type JobOptions,
} from "../run/options.ts";

/** What `train` takes. All but `arch`, `task`, `data` and `out` have defaults; "the paper's" are the architecture's own. */
export interface TrainOptions extends JobOptions {
  /** Name of an architecture; see `architectureOf`. */
  readonly arch: string;
  /** A task, or several with a comma for an architecture that shares its layers among them. */
  readonly task: string;
  /** Weights of the trunk: a file (.safetensors), a run or its model.onnx; without them training begins from nothing. */
  readonly weights?: string;
  /** Epochs; default: the paper's. */
  readonly epochs?: number;
  /** Learning rate; default: the paper's. */
  readonly learningRate?: number;
  /** One layer for all outputs, or one head for each. @defaultValue "one" */
  readonly heads?: "one" | "forty";
  /** Share of the features dropped before the head, in [0, 1); default: the paper's. */
  readonly dropout?: number;
  /** Weight positive labels by negatives / positives of the training part. @defaultValue false */
  readonly positiveWeight?: boolean;
  /** Decision thresholds: 0, or following the mistakes on the validation part (DMM-CNN, eq. 6). @defaultValue "fixed" */
  readonly thresholds?: "fixed" | "adaptive";
  /** gamma of eq. 6. @defaultValue 0.01 */
  readonly thresholdRate?: number;
  /** Weights of the labels in the loss: all 1, by DMM-CNN's eq. 4, or the same with a mean of 1. @defaultValue "equal" */
  readonly lossWeights?: "equal" | "dynamic" | "relative";
  /** DMM-CNN: learn landmarks too, where the data have them. @defaultValue true */
  readonly landmarks?: boolean;
  /** DMM-CNN: objective and subjective attributes in branches of their own. @defaultValue true */
  readonly groups?: boolean;
  /** Side of the picture (resolution multiplier); default: the paper's. */
  readonly size?: number;
  /** Width multiplier; default: 1. */
  readonly width?: number;
  /** `given`, or shares of training, validation and test to be cut by seed: "7:2:1". @defaultValue "given" */
  readonly split?: string;
}

const { data, ...shared } = jobTable;

/** Every option of `train` with its flag, help, default and check: the one place that says them. */
export const trainTable = {
  data,
  task: {
    flag: "task",
    kind: "text",
    group: "Data",
    describe: "attributes, gender, age, age-group, ...; several with a comma for lmtcnn-*",
    required: true,
  },
  ...shared,
  batchSize: { ...shared.batchSize, otherwise: "the paper's" },
  valFraction: {
    ...shared.valFraction,
    describe: "Share of the training part kept for validation; 0: the training part validates",
    need: { needed: "a number in [0, 0.9)", holds: (value: number) => value >= 0 && value < 0.9 },
  },
  split: {
    flag: "split",
    kind: "text",
    group: "Data",
    describe: "given, or shares of train:val:test by seed: 7:2:1",
    default: "given",
  },
  arch: {
    flag: "arch",
    kind: "text",
    group: "Network",
    describe: "Architecture",
    choices: architectures.map(({ name }) => name),
    required: true,
  },
  weights: {
    flag: "weights",
    kind: "text",
    group: "Network",
    describe: "Weights of the trunk: .safetensors, a run, or its model.onnx",
    otherwise: "from nothing",
  },
  size: {
    flag: "size",
    kind: "number",
    group: "Network",
    describe: "Side of the picture: the resolution multiplier times 224",
    otherwise: "the paper's",
    need: count(32),
  },
  width: { flag: "width", kind: "number", group: "Network", describe: "Width multiplier", otherwise: "1" },
  heads: {
    flag: "heads",
    kind: "text",
    group: "Network",
    describe: "One layer for all labels, or a head for each",
    choices: ["one", "forty"],
    default: "one",
  },
  dropout: {
    flag: "dropout",
    kind: "number",
    group: "Network",
    describe: "Share of features dropped before the head",
    otherwise: "the paper's",
    need: belowOne,
  },
  groups: {
    flag: "groups",
    kind: "switch",
    group: "Network",
    describe: "dmm-cnn: objective and subjective branches (--no-groups)",
    default: true,
  },
  landmarks: {
    flag: "landmarks",
    kind: "switch",
    group: "Network",
    describe: "dmm-cnn: learn landmarks too where there are some (--no-landmarks)",
    default: true,
  },
  epochs: {
    flag: "epochs",
    kind: "number",
    group: "Training",
    describe: "Epochs (see docs/light-networks.md)",
    otherwise: "the paper's",
    need: count(0),
  },
  learningRate: {
    flag: "learning-rate",
    kind: "number",
    group: "Training",
    describe: "Learning rate",
    otherwise: "the paper's",
    need: positive,
  },
  positiveWeight: {
    flag: "positive-weight",
    kind: "switch",
    group: "Training",
    describe: "Weight yes labels by negatives / positives",
    default: false,
  },
  thresholds: {
    flag: "thresholds",
    kind: "text",
    group: "Training",
    describe: "Decision thresholds: 0, or following validation (DMM-CNN, eq. 6)",
    choices: ["fixed", "adaptive"],
    default: "fixed",
  },
  thresholdRate: {
    flag: "threshold-rate",
    kind: "number",
    group: "Training",
    describe: "gamma of eq. 6",
    default: 0.01,
    need: positive,
  },
  lossWeights: {
    flag: "loss-weights",
    kind: "text",
    group: "Training",
    describe: "Weights of the labels: 1, by DMM-CNN's eq. 4, or these with a mean of 1",
    choices: ["equal", "dynamic", "relative"],
    default: "equal",
  },
} as const satisfies OptionTable<Omit<TrainOptions, CommonKey>>;

type Optional = "weights" | "label" | "crop" | "width" | "limit" | "device" | "threads" | "cacheDir";

/** Options with every default filled in; what `run.json` keeps. */
export type TrainConfig = Readonly<
  Required<Omit<TrainOptions, "progress" | "signal" | Optional>> &
    Pick<TrainOptions, Optional> & { readonly command: "train" | "crossval" }
>;

/** Tasks of a run: the main one first. */
export function tasksOf({ task }: Pick<TrainOptions, "task">): string[] {
  return task
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
}

/** Its options and those of every command. */
export const trainNames = { ...trainTable, ...commonNames };

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
  const config = {
    ...commonDefaults,
    ...defaultsOf(trainTable),
    ...own,
    ...given,
    command,
  } as unknown as TrainConfig;
  checkOptions({ ...trainTable, width: { ...trainTable.width, need: widthOf(architecture) } }, config);
  if (config.crop !== undefined) checkCrop(config.crop);
  partsOf(config.split);
  checkIgnored(architecture, config);
  checkSide(architecture, config.size, config.width);
  const tasks = tasksOf(config);
  need(config.label === undefined || tasks.length < 2, "label", config.label, "one task beside it");
  need(tasks.length > 0, "task", `"${config.task}"`, "a task, for example attributes");
  if (tasks.length > 1 && (!architecture.joint || architecture.overSampling === undefined)) {
    const found = `${architecture.name} with ${tasks.length} tasks (${tasks.join(", ")})`;
    throw new EtlError("usage", `--task: ${found}, one was needed`, {
      hint: "lmtcnn-1-1 and lmtcnn-2-1 answer several at once",
    });
  }
  return { config: { ...config, data: absoluteData(config.data) }, architecture };
}

/** @throws EtlError `usage` for a setting that would change nothing */
function checkIgnored({ name, takes, recipe }: Architecture, config: TrainConfig): void {
  const plain: Record<string, unknown> = { ...defaultsOf(trainTable), dropout: recipe.dropout };
  const refuse = (key: keyof typeof trainTable, where: string, needed: string): never => {
    const value = config[key as keyof TrainConfig];
    const { flag, kind } = trainTable[key];
    const given = kind === "switch" && value === false ? `--no-${flag}` : `--${flag} ${String(value)}`;
    throw new EtlError("usage", `${given}: ${where} ignores it, ${needed} was needed`);
  };
  for (const key of ["heads", "dropout", "groups", "landmarks"] as const) {
    if (takes.includes(key) || config[key] === plain[key]) continue;
    const able = architectures.filter((each) => each.takes.includes(key)).map((each) => each.name);
    refuse(key, name, able.length === 1 ? able[0] : `one of ${able.join(", ")}`);
  }
  if (config.thresholds === "fixed" && config.thresholdRate !== plain["thresholdRate"])
    refuse("thresholdRate", "--thresholds fixed", "--thresholds adaptive");
}

/** Widths that an architecture has. */
function widthOf({ widths, name }: Architecture): Need {
  if (widths === undefined) return { needed: `no width (${name} has none)`, holds: () => false };
  if (widths === "any") {
    return { needed: "a number in (0, 4]", holds: (value: number) => value > 0 && value <= 4 };
  }
  return { needed: `one of ${widths.join(", ")}`, holds: (value: number) => widths.includes(value) };
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
