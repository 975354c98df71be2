/** The options of `train` and `crossval`. */
import { EtlError } from "../../core/errors.ts";
import { trainableNames } from "../../backbones/names.ts";
import { belowOne, count, positive, type OptionTable } from "../run/option.ts";
import { commonNames, jobTable, type CommonKey, type JobOptions } from "../run/options.ts";

/**
 * What `train` takes. All but `backbone`, `task`, `data` and `out` have defaults; see docs/light-networks.md for what papers say
 * and what is a guess.
 */
export interface TrainOptions extends JobOptions {
  /** Name of a network that can begin from nothing, see `etl backbones`; it has to be given. */
  readonly backbone?: string;
  /** The older name of `backbone`. */
  readonly arch?: string;
  /** A task, or several with a comma for an architecture that shares its layers among them. */
  readonly task: string;
  /** Weights of the trunk: a file (.safetensors), a run or its model.onnx; without them training begins from nothing. */
  readonly weights?: string;
  /** Epochs; default: the architecture's. */
  readonly epochs?: number;
  /** Learning rate; default: the architecture's. */
  readonly learningRate?: number;
  /** One layer for all outputs, or one head for each. @defaultValue "one" */
  readonly heads?: "one" | "forty";
  /** Share of the features dropped before the head, in [0, 1); default: the architecture's. */
  readonly dropout?: number;
  /** Weight positive labels by negatives / positives of the training part. @defaultValue false */
  readonly positiveWeight?: boolean;
  /** Decision thresholds: 0, or following the mistakes on the validation part (DMM-CNN, eq. 6). @defaultValue "fixed" */
  readonly thresholds?: "fixed" | "adaptive";
  /** gamma of eq. 6. @defaultValue 0.01 */
  readonly thresholdRate?: number;
  /**
   * Weights of the labels in the loss: all 1, by DMM-CNN's eq. 4, the same with a mean of 1, or the other schemes of its
   * Table 2, dynamic weight average and adaptive weighting. @defaultValue "equal"
   */
  readonly lossWeights?: "equal" | "dynamic" | "relative" | "dwa" | "aw";
  /** P of DMM-CNN's Algorithm 1: iterations between two updates of weights and thresholds; default: an epoch. */
  readonly updateEvery?: number;
  /** DMM-CNN: learn landmarks too, where the data have them. @defaultValue true */
  readonly landmarks?: boolean;
  /** DMM-CNN: objective and subjective attributes in branches of their own. @defaultValue true */
  readonly groups?: boolean;
  /** Side of the picture (resolution multiplier); default: the architecture's. */
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
  batchSize: { ...shared.batchSize, otherwise: "that of the architecture" },
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
  backbone: {
    flag: "backbone",
    alias: "arch",
    kind: "text",
    group: "Network",
    describe: "Network by name (see etl backbones)",
    choices: trainableNames,
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
    otherwise: "that of the architecture",
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
    otherwise: "that of the architecture",
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
    otherwise: "that of the architecture",
    need: count(0),
  },
  learningRate: {
    flag: "learning-rate",
    kind: "number",
    group: "Training",
    describe: "Learning rate",
    otherwise: "that of the architecture",
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
    describe:
      "Weights of the labels: 1, DMM-CNN's eq. 4, these with a mean of 1, or as in its Table 2: DWA, AW",
    choices: ["equal", "dynamic", "relative", "dwa", "aw"],
    default: "equal",
  },
  updateEvery: {
    flag: "update-every",
    kind: "number",
    group: "Training",
    describe: "Iterations between updates of weights and thresholds (P)",
    otherwise: "an epoch",
    need: count(1),
  },
} as const satisfies OptionTable<Omit<TrainOptions, CommonKey | "arch">>;

/** Tasks of a run: the main one first. */
export function tasksOf({ task }: Pick<TrainOptions, "task">): string[] {
  return task
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
}

/** Its options and those of every command. */
export const trainNames = { ...trainTable, ...commonNames, arch: true };

/**
 * The network that is asked for, by the option's name or its older one.
 *
 * @throws EtlError `usage` where neither is given, or both and they differ
 */
export function backboneOf({ backbone, arch = backbone }: Pick<TrainOptions, "backbone" | "arch">): string {
  const name = backbone ?? arch;
  if (name !== undefined && arch === name) return name;
  const found = name === undefined ? "nothing" : `${name}, and as arch ${String(arch)}`;
  throw new EtlError("usage", `--backbone: ${found}, one network by name was needed`, {
    hint: "etl backbones lists them",
  });
}
