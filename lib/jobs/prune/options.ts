/** Every option of `prune`: its type, its flag, help, default and check. */
import type { GroupSelect, RmseKind, Scaling } from "../../core/artifacts.ts";
import type { HeadPlace } from "../../backbones/backbone.ts";
import {
  atLeastZero,
  belowOne,
  block,
  count,
  positive,
  rates,
  share,
  type OptionTable,
} from "../run/option.ts";
import { int8Table, type Int8For } from "../run/int8.ts";
import { jobTable, type CommonKey, type JobOptions } from "../run/options.ts";

/** Networks of the pruned network's shape that are trained beside it, on the same axes. */
export type Control = "l1" | "random" | "correlation" | "scratch";

/** Networks a cut can start from. */
export type Start = "baseline" | "backbone";

/**
 * How a target is met: by the gamma that reaches it, with blocks of filters put back where there is room; by the same share
 * of every layer; or by a knapsack of blocks, their error along the curves against what they cost.
 */
export type Allocation = "gamma" | "uniform" | "knapsack";

/** What `prune` takes. All but `task`, `data` and `out` have defaults. */
export interface PruneOptions extends Omit<JobOptions, "data"> {
  /** For example "gender"; several that share one trunk: "gender,age"; with data of their own: "gender=DIR1,age=DIR2". */
  readonly task: string;
  /** A folder of labelled faces, or "synthetic": for every task that names no data of its own. */
  readonly data?: string;
  /** Name of a backbone, or a model file. @defaultValue "face-resnet" */
  readonly backbone?: string;
  /** Weight file of the backbone, where it does not bring its own. */
  readonly weights?: string;
  /**
   * Where the heads go: `task` on the averages of the last convolution (ETL: what lies behind leaves), `features` on the
   * backbone's own features. Default: the backbone's own, `task` for vggface.
   */
  readonly head?: HeadPlace;
  /** Height and width of the pictures, where the model file leaves them open. */
  readonly size?: readonly [height: number, width: number];
  /** Numbers for open dimensions of the model file, by the names that it gives them. */
  readonly bind?: Readonly<Record<string, number>>;
  /** Largest allowed increase of error along each characteristic curve, in [0, 1) (ETL, eq. 4). @defaultValue 0.01 */
  readonly gamma?: number;
  /** Instead of gamma: share of the baseline's MACs that is left at most, in (0, 1]. */
  readonly targetFlops?: number;
  /** Instead of gamma: largest size of the pruned network's file, in bytes; up to 1: as a share of the unpruned one's. */
  readonly targetSize?: number;
  /** Instead of gamma: largest CPU time for one picture, in milliseconds; with `int8` that of the network in bytes. */
  readonly targetMs?: number;
  /** Instead of gamma: largest share of the unpruned float network's CPU time; with `int8` that of the network in bytes. */
  readonly targetTime?: number;
  /** How a target of MACs, size or time is met; with `knapsack` residual branches may vanish. @defaultValue "gamma" */
  readonly allocate?: Allocation;
  /** Latency table of the machine that the network is made for. Default: this machine, measured. */
  readonly table?: string;
  /** Instead of gamma: least accuracy on the validation part, before fine-tuning, in (0, 1]. */
  readonly minAccuracy?: number;
  /**
   * Whose weights the cut network starts with, is refitted to and distilled from; the filters are chosen on the
   * backbone. @defaultValue "baseline"
   */
  readonly start?: Start;
  /** Scaling of the kept filters (ETL, eq. 5). @defaultValue "none" */
  readonly scaling?: Scaling;
  /** Predict removed filters from the kept ones, folded into the next layer. @defaultValue true */
  readonly reconstruct?: boolean;
  /** Fit every layer of the cut network again, in order, to what the original network has there. @defaultValue true */
  readonly refit?: boolean;
  /** Error that the knee reads. @defaultValue "train" */
  readonly rmse?: RmseKind;
  /** Selection of coupled channels. @defaultValue "union" */
  readonly groupSelect?: GroupSelect;
  /** At least so many filters stay in every layer. @defaultValue 4 */
  readonly minFilters?: number;
  /**
   * Every layer keeps a multiple of so many filters (the nearest, at least one), or all. `auto`: as many as the engine's
   * kernels compute at a time, so that no filter costs time without need. @defaultValue "auto"
   */
  readonly roundTo?: number | "auto";
  /** Controls to be cut and trained beside the pruned network. @defaultValue [] */
  readonly controls?: readonly Control[];
  /** Make baseline and pruned network in int8, too, where that is faster and as good. @defaultValue false */
  readonly int8?: boolean;
  /** For which CPUs; `portable` has weights of 7 bits, `auto` is that where it is as good. @defaultValue "auto" */
  readonly int8For?: Int8For;
  /** How much worse int8 may be on validation: points of a hundred, or the label's unit. */
  readonly int8Tolerance?: number;
  /** Epochs of the pruned network's fine-tuning. @defaultValue 5 */
  readonly epochs?: number;
  /** Epochs of the baseline's fine-tuning. @defaultValue 2 */
  readonly baselineEpochs?: number;
  /** Candidate learning rates; a short trial on the validation split picks one. @defaultValue [1e-4, 3e-4] */
  readonly learningRates?: readonly number[];
  /** Those of the baseline; default: the same. */
  readonly baselineLearningRates?: readonly number[];
  /** Weight of the distance to the unpruned network's pooled features in the loss; 0 = off. @defaultValue 16 */
  readonly distill?: number;
  /** Weight of the distance to the unpruned network's outputs in the loss; 0 = off. @defaultValue 4 */
  readonly distillOutputs?: number;
  /** Folds of the held-out error. @defaultValue 5 */
  readonly folds?: number;
  /** Show in the report the faces that kept filters respond to most: pictures of people. @defaultValue false */
  readonly withImages?: boolean;
}

const { data, ...shared } = jobTable;

/** Every option of `prune` with its flag, help, default and check: the one place that says them. */
export const pruneTable = {
  data: {
    flag: "data",
    kind: "text",
    group: "Data",
    describe: data.describe,
    otherwise: "what --task names: gender=DIR",
  },
  task: {
    flag: "task",
    kind: "text",
    group: "Data",
    describe:
      "gender, emotion, head-pose, age, attributes, ...; one trunk for several: gender,age or gender=DIR,age=DIR",
    required: true,
  },
  ...shared,
  batchSize: { ...shared.batchSize, default: 32 },
  folds: {
    flag: "folds",
    kind: "number",
    group: "Data",
    describe: "Folds of the held-out error",
    default: 5,
    need: count(2, 1000),
  },
  backbone: {
    flag: "backbone",
    kind: "text",
    group: "Network",
    describe: "Backbone by name (see etl backbones), or a model file",
    default: "face-resnet",
  },
  weights: {
    flag: "weights",
    kind: "text",
    group: "Network",
    describe: "Weight file of the backbone",
    otherwise: "its own",
  },
  head: {
    flag: "head",
    kind: "text",
    group: "Network",
    describe: "Heads on the averages of the last convolution, or on the backbone's features",
    choices: ["task", "features"],
    otherwise: "task for vggface, else features",
  },
  size: {
    flag: "size",
    kind: "sides",
    group: "Network",
    describe: "HEIGHTxWIDTH of pictures where the model file leaves them open: 128x128",
    otherwise: "that of the file",
  },
  bind: {
    flag: "bind",
    kind: "bindings",
    group: "Network",
    describe: "NAME=NUMBER for dimensions that the model file leaves open: height=128,width=96",
    otherwise: "as in the file",
  },
  gamma: {
    flag: "gamma",
    kind: "number",
    group: "What stays",
    describe: "Allowed increase of error along each curve, in [0, 1)",
    default: 0.01,
    need: belowOne,
  },
  targetFlops: {
    flag: "target-flops",
    kind: "number",
    group: "What stays",
    describe: "Instead of gamma: share of the MACs that is left at most",
    otherwise: "none",
    need: share,
  },
  targetSize: {
    flag: "target-size",
    kind: "size",
    group: "What stays",
    describe: "Instead of gamma: largest file, in bytes, or 10MB, 500kB, or 12% of the unpruned one's",
    otherwise: "none",
    need: positive,
  },
  targetMs: {
    flag: "target-ms",
    kind: "number",
    group: "What stays",
    describe: "Instead of gamma: largest CPU time of a picture in ms (with --int8: of the int8 network)",
    otherwise: "none",
    need: positive,
  },
  targetTime: {
    flag: "target-time",
    kind: "number",
    group: "What stays",
    describe: "Instead of gamma: largest share of the unpruned float network's CPU time",
    otherwise: "none",
    need: share,
  },
  allocate: {
    flag: "allocate",
    kind: "text",
    group: "What stays",
    describe: "How a target is met: by gamma, equal shares of all layers, or blocks by error against cost",
    choices: ["gamma", "uniform", "knapsack"],
    default: "gamma",
  },
  table: {
    flag: "table",
    kind: "text",
    group: "What stays",
    describe: "Latency table of the machine that it is made for (etl bench --table)",
    otherwise: "this machine, measured",
  },
  minAccuracy: {
    flag: "min-accuracy",
    kind: "number",
    group: "What stays",
    describe: "Instead of gamma: least validation accuracy before fine-tuning, in (0, 1]",
    otherwise: "none",
    need: share,
  },
  rmse: {
    flag: "rmse",
    kind: "text",
    group: "What stays",
    describe: "Error that the knee reads",
    choices: ["heldout", "train"],
    default: "train",
    variant: true,
  },
  groupSelect: {
    flag: "group-select",
    kind: "text",
    group: "What stays",
    describe: "Selection of coupled channels",
    choices: ["union", "last", "joint"],
    default: "union",
    variant: true,
  },
  minFilters: {
    flag: "min-filters",
    kind: "number",
    group: "What stays",
    describe: "At least so many filters stay in every layer",
    default: 4,
    need: count(1),
    variant: true,
  },
  roundTo: {
    flag: "round-to",
    kind: "block",
    group: "What stays",
    describe:
      "Every layer keeps a multiple of so many filters; auto: as many as the kernels compute at a time",
    default: "auto",
    need: block,
    variant: true,
  },
  start: {
    flag: "start",
    kind: "text",
    group: "Surgery",
    describe: "Whose weights are cut, refitted to and distilled (baseline: the fine-tuned full network)",
    choices: ["baseline", "backbone"],
    default: "baseline",
    variant: true,
  },
  scaling: {
    flag: "scaling",
    kind: "text",
    group: "Surgery",
    describe: "Scaling of kept filters (ETL, eq. 5)",
    choices: ["paper", "paper-bias", "compensated", "none"],
    default: "none",
    variant: true,
  },
  reconstruct: {
    flag: "reconstruct",
    kind: "switch",
    group: "Surgery",
    describe: "Predict removed filters from kept ones (--no-reconstruct)",
    default: true,
    variant: true,
  },
  refit: {
    flag: "refit",
    kind: "switch",
    group: "Surgery",
    describe: "Fit the kept filters again, layer by layer (--no-refit)",
    default: true,
    variant: true,
  },
  controls: {
    flag: "control",
    kind: "names",
    group: "Measuring",
    describe: "Controls of the same widths beside it: l1,random,correlation,scratch",
    choices: ["l1", "random", "correlation", "scratch"],
    default: [],
    otherwise: "none",
  },
  int8: {
    flag: "int8",
    kind: "switch",
    group: "Measuring",
    describe: "Baseline and pruned network in int8 beside them, where that is faster and as good",
    default: false,
  },
  ...int8Table,
  epochs: {
    flag: "epochs",
    kind: "number",
    group: "Training",
    describe: "Epochs of the pruned network",
    default: 5,
    need: count(0),
    variant: true,
  },
  baselineEpochs: {
    flag: "baseline-epochs",
    kind: "number",
    group: "Training",
    describe: "Epochs of the baseline",
    default: 2,
    need: count(0),
  },
  learningRates: {
    flag: "learning-rate",
    kind: "numbers",
    group: "Training",
    describe: "One rate, or candidates (validation picks)",
    default: [1e-4, 3e-4],
    otherwise: "1e-4,3e-4",
    need: rates,
  },
  baselineLearningRates: {
    flag: "baseline-learning-rate",
    kind: "numbers",
    group: "Training",
    describe: "The same for the baseline",
    otherwise: "as --learning-rate",
    need: rates,
  },
  distill: {
    flag: "distill",
    kind: "number",
    group: "Training",
    describe: "Weight of the distance to the unpruned features; 0 = off",
    default: 16,
    need: atLeastZero,
    variant: true,
  },
  distillOutputs: {
    flag: "distill-outputs",
    kind: "number",
    group: "Training",
    describe: "Weight of the distance to the baseline's outputs; 0 = off",
    default: 4,
    need: atLeastZero,
    variant: true,
  },
  withImages: {
    flag: "with-images",
    kind: "switch",
    group: "Output",
    describe: "Show the faces that kept filters respond to most: the report then holds pictures of people",
    default: false,
  },
} as const satisfies OptionTable<Omit<PruneOptions, CommonKey>>;
