/** What a run leaves behind: `run.json`, `metrics.json` and the one input of the report. Plain JSON, versioned. */
import type { Cost, EpochRecord, LayerRow, Measured, Task } from "../core/artifacts.ts";

/** Version of every JSON file we write. Readers refuse newer ones. */
export const SCHEMA = 1;

/** Version of `metrics.json` and of what `--json` gives: 2 has `measure`, `better` and `value`. */
export const METRICS_SCHEMA = 2;

/** Quality of predictions on one split. Fractions in 0..1; errors in the unit of the label file. */
export interface Metrics {
  readonly n: number;
  /** Share of right answers; regression: within the task's tolerance; multi-label: mean over outputs. */
  readonly accuracy: number;
  /** Standard error of `accuracy` (binomial). */
  readonly accuracyError: number;
  readonly balancedAccuracy?: number;
  /** Binary: F1 of class 1; categorical and multi-label: macro mean. */
  readonly f1?: number;
  readonly precision?: number;
  readonly recall?: number;
  /**
   * Regression: distance within which an answer counted as right, in the unit of the label file: the task's
   * tolerance, or half the standard deviation of the labels where the task names none.
   */
  readonly tolerance?: number;
  /** Regression only. */
  readonly mae?: number;
  readonly rmse?: number;
  readonly correlation?: number;
  /** Binary and categorical: rows = truth, columns = prediction, in the order of `task.classes`. */
  readonly confusion?: readonly (readonly number[])[];
  /** Reliability bins of the predicted probability (binary, categorical). */
  readonly calibration?: readonly {
    readonly confidence: number;
    readonly accuracy: number;
    readonly n: number;
  }[];
  /** Multi-label: one entry per output. */
  readonly perOutput?: readonly {
    readonly name: string;
    readonly accuracy: number;
    readonly balancedAccuracy: number;
    readonly f1: number;
    readonly positives: number;
    readonly n: number;
  }[];
}

/** CPU time for one image, batch 1, baseline and pruned interleaved in one process. */
export interface Latency {
  readonly medianMs: number;
  readonly p95Ms: number;
  readonly runs: number;
  readonly threads: number;
  /** Time over the baseline's, from rounds in turns: the median, and the range that holds it with 95 %. */
  readonly ofBaseline?: ShareRange;
  /**
   * Baseline only: an identical copy that was timed beside it. Where the two differ by more than a twentieth, the machine
   * was not quiet enough for the times of this run.
   */
  readonly copy?: ShareRange;
  /** Baseline only: mean number of waiting processes of the machine, of the last minute, before timing. */
  readonly load?: number;
}

/** A share with the range that holds its median with 95 %. */
export interface ShareRange {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

/** CPU time that a network was chosen for, milliseconds a picture. */
export interface TimeRecord {
  /** The unpruned float network. */
  readonly wholeMs: number;
  /** The chosen network by the latency table. */
  readonly predictedMs: number;
  /** The chosen network before training; absent where the table is another machine's. */
  readonly measuredMs?: number;
}

/** One network of the comparison. */
export interface ModelRecord {
  /**
   * "baseline" (unpruned, fine-tuned), "probe" (frozen features, closed-form head), "pruned", one of these in int8
   * ("pruned-int8") or as a graph for onnxruntime ("pruned-onnxruntime"), or a control.
   */
  readonly name: string;
  readonly title: string;
  readonly cost: { readonly total: Cost; readonly trunk: Cost; readonly head: Cost };
  /** The same in the accounting of ETL's Table 1; older records do not have it. */
  readonly paperCost?: { readonly flops: number; readonly bytes: number };
  readonly fileBytes: number;
  readonly latency?: Latency;
  readonly validation?: Metrics;
  readonly test: Metrics;
  readonly history: readonly EpochRecord[];
  readonly bestEpoch?: number;
  readonly learningRate?: number;
  /**
   * Test accuracy minus the baseline's, with its standard error from the same test rows (paired). Without it the report
   * treats the two as independent, which overstates the error.
   */
  readonly versusBaseline?: PairedDifference;
  /** The same beside the pruned network, for what is compared with that: its other forms, and controls. */
  readonly versusPruned?: PairedDifference;
}

/** A network against another one on the same test rows. */
export interface PairedDifference {
  /** Accuracy minus the other's. */
  readonly difference: number;
  /** Standard error of the difference. */
  readonly error: number;
  /** Rows that this network answers better than the other, and worse; older records do not have them. */
  readonly gained?: number;
  readonly lost?: number;
  /** Regression: mean absolute error minus the other's, in the unit of the label, with its standard error. */
  readonly mae?: { readonly difference: number; readonly error: number };
}

/** One tap's characteristic curve, ready to draw. */
export interface CurveRecord {
  readonly tap: string;
  /** Where a run has several tasks: the one whose curve it is. */
  readonly task?: string;
  /** The layer (convolution) the tap belongs to, as people know it. */
  readonly layer: string;
  readonly total: number;
  /** Beside each other, largest lambda first. */
  readonly lambdas: readonly number[];
  readonly filters: readonly number[];
  readonly trainRmse: readonly number[];
  readonly heldOutRmse?: readonly number[];
  readonly heldOutError?: readonly number[];
  /** Largest relative duality gap on the path, gap / (y'y / n). */
  readonly gap: number;
  /** Index of the chosen point; -1: everything is kept. */
  readonly knee: number;
  readonly kneeFilters: number;
  /** The filters at the knee, ascending. */
  readonly keep?: readonly number[];
  /** How much the folds agree on the filters at the knee's lambda: 1 = all choose the same, 0 = as by chance. */
  readonly stability?: number;
}

/** Cost of one layer before and after surgery, beside `RunRecord.layers`. */
export interface LayerCostRecord {
  readonly name: string;
  readonly macsBefore: number;
  readonly macsAfter: number;
  readonly paramsBefore: number;
  readonly paramsAfter: number;
}

/** The pooled response of one filter by label, on a sample of training pictures. */
export interface ResponseRecord {
  readonly tap: string;
  readonly layer: string;
  readonly filter: number;
  /** |correlation| with the target on the training rows (ETL, eq. 2). */
  readonly correlation: number;
  /** Mean and standard deviation of the response over the sample. */
  readonly mean: number;
  readonly sd: number;
  /** By class, or by the middle of a range of the label in its own unit; `error` = standard error of the mean. */
  readonly points: readonly {
    readonly label: string | number;
    readonly mean: number;
    readonly error: number;
    readonly n: number;
  }[];
}

/** How often the networks were right in one group of test faces: those that share a value of a label column. */
export interface GroupRecord {
  readonly column: string;
  readonly label: string;
  readonly n: number;
  /** Share of right answers, by the name of the network. */
  readonly accuracy: Readonly<Record<string, number>>;
}

/** The faces that one filter responds to most. Never part of `record.json`: pictures of people are asked for. */
export interface FilterFaces {
  readonly tap: string;
  readonly layer: string;
  readonly filter: number;
  /** |correlation| of the pooled response with the target, on the sample. */
  readonly correlation: number;
  /** Training pictures in the sample. */
  readonly n: number;
  /** Strongest responses first, weakest last, in standard deviations from the sample's mean. */
  readonly highest: readonly FacePicture[];
  readonly lowest: readonly FacePicture[];
}

export interface FacePicture {
  readonly response: number;
  /** What the label file says about the face, as people read it. */
  readonly label: string;
  /** A small WebP, as base64. */
  readonly webp: string;
}

/** What the plan would cost at another gamma: planned only, nothing trained. Ready for the report's slider. */
export interface GammaCostRecord extends Cost {
  readonly gamma: number;
  /** Filters left in all layers together, after coupled groups are joined. */
  readonly filters: number;
}

/** A picture or row that could not be used. */
export interface DataProblem {
  readonly file: string;
  readonly problem: string;
}

/** What a run says of one of its further tasks; everything else is common to all. */
export interface TaskRecord {
  readonly task: Task;
  readonly dataset: Pick<RunRecord["dataset"], "train" | "val" | "test" | "labels">;
  readonly curves: readonly CurveRecord[];
  readonly responses?: readonly ResponseRecord[];
  /** Beside `RunRecord.models`. */
  readonly models: readonly Pick<ModelRecord, "test" | "validation" | "versusBaseline" | "versusPruned">[];
}

/** The other files of a run, as a page leads to them. Never part of `record.json`: where a page lies is no fact of the run. */
export interface RunLinks {
  readonly files: readonly { readonly name: string; readonly what: string; readonly href: string }[];
  /** The call that makes the same run in another folder. */
  readonly repeat: string;
}

/** Everything about one `etl prune` run. The report is a pure function of it. */
export interface RunRecord {
  readonly schema: typeof SCHEMA;
  /** What a comparison of several runs calls this one (the run folder's name, say). */
  readonly title?: string;
  readonly etlVersion: string;
  readonly createdAt: string;
  /** The options in force, defaults filled in; printed as provenance. */
  readonly config: Readonly<Record<string, string | number | boolean | null>>;
  readonly environment: {
    readonly engine: string;
    readonly threads: number;
    readonly node: string;
    readonly cpu: string;
    readonly platform: string;
  };
  readonly task: Task;
  readonly backbone: { readonly name: string; readonly title: string; readonly fingerprint: string };
  readonly dataset: {
    readonly name: string;
    readonly fingerprint: string;
    /** Hash of which pictures are in the test part: networks are ranked only where it is the same. */
    readonly testFingerprint?: string;
    readonly train: number;
    readonly val: number;
    readonly test: number;
    /** Training labels per class (binary, categorical), or a histogram of the label (regression). */
    readonly labels: readonly { readonly label: string; readonly train: number; readonly test: number }[];
    readonly problems: readonly DataProblem[];
    readonly problemCount: number;
    /** How the data set was read: layout, face box, parts, units. */
    readonly read?: readonly string[];
  };
  readonly gamma: number;
  readonly curves: readonly CurveRecord[];
  readonly layers: readonly LayerRow[];
  /** MACs and parameters of each layer before and after, where the plan knows them. */
  readonly layerCosts?: readonly LayerCostRecord[];
  /** Planned cost over a grid of gammas (ascending), the stops of the report's slider. */
  readonly gammaCosts?: readonly GammaCostRecord[];
  /** How single filters respond to the label. */
  readonly responses?: readonly ResponseRecord[];
  /** Accuracy by group of test faces, where the data set has other labels. */
  readonly groups?: readonly GroupRecord[];
  /** Only with `--with-images`, and only in the report. */
  readonly faces?: readonly FilterFaces[];
  readonly links?: RunLinks;
  /**
   * Networks that answer several tasks: `test`, `validation` and the paired differences are of `task`, the others' are in
   * `others`. The accuracy in `history` is the mean over the tasks.
   */
  readonly models: readonly ModelRecord[];
  /** The tasks beside `task` that the same networks answer. `dataset` counts the pictures with a label of `task`. */
  readonly others?: readonly TaskRecord[];
  /**
   * Of a record that `recordsByTask` made: all tasks of the run, which chose the epoch and share `history`. Never part of
   * `record.json`.
   */
  readonly together?: readonly Task[];
  /** Where a target of time chose the widths. */
  readonly time?: TimeRecord;
  readonly seconds: Readonly<Record<string, number>>;
  /** Things the reader should know: fallbacks, slow convergence, few images. */
  readonly notes: readonly string[];
}

/** `metrics.json` and the `--json` line of `prune`: the contract that other programs rely on. */
export interface RunMetrics {
  readonly schema: typeof METRICS_SCHEMA;
  /** What `value` of a network is: the share of right answers, or the mean absolute error in the unit of the label. */
  readonly measure: "accuracy" | "mae";
  /** Which of two values is the better one. */
  readonly better: "higher" | "lower";
  /** Several with a comma. */
  readonly task: string;
  readonly backbone: string;
  readonly gamma: number;
  readonly dataset: { readonly train: number; readonly val: number; readonly test: number };
  /** Of several tasks the mean accuracy; `value` is that of `measure`, of several tasks the accuracy. */
  readonly baseline: Measured & { readonly value: number };
  readonly pruned: Measured & { readonly value: number };
  /** Where one network answers several tasks: each by itself. */
  readonly tasks?: readonly {
    readonly task: string;
    readonly dataset: RunMetrics["dataset"];
    readonly baseline: Pick<Metrics, "accuracy" | "accuracyError" | "mae" | "n">;
    readonly pruned: Pick<Metrics, "accuracy" | "accuracyError" | "mae" | "n">;
  }[];
  /** 1 - pruned / baseline; of time from rounds in turns, which two medians need not give. */
  readonly reduction: {
    readonly macs: number;
    readonly params: number;
    readonly bytes: number;
    readonly cpuMs: number;
  };
  readonly layers: readonly LayerRow[];
  /** Where a target of time chose the widths. */
  readonly time?: TimeRecord;
  readonly seconds: {
    readonly harvest: number;
    readonly path: number;
    readonly surgery: number;
    readonly finetune: number;
    readonly baseline: number;
    readonly evaluate: number;
  };
}
