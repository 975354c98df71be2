/**
 * Everything that flows between the stages: readonly plain data with typed arrays, no handles, no native memory.
 *
 *   data -> harvest -> Moments -> lasso -> LassoPath -> knee -> Curve, Knee -> surgery -> Plan -> finetune -> metrics
 */

/** What kind of label a task has. */
export type TaskKind = "binary" | "categorical" | "regression" | "multi-label";

/** A task resolved against a data set: what the columns are and how a row becomes numbers. */
export interface Task {
  /** For example "gender". */
  readonly name: string;
  readonly kind: TaskKind;
  /** Label columns; one, except for multi-label tasks and landmarks. */
  readonly columns: readonly string[];
  /**
   * Meaning of the outputs. binary: [name of 0, name of 1]; categorical: class names in output order;
   * multi-label: one name per output; regression: [].
   */
  readonly classes: readonly string[];
  /** Width of a target row: 1 (binary, regression), classes.length (categorical, multi-label), columns.length. */
  readonly outputs: number;
  /** Regression: unit of the label file ("degrees", "years"). */
  readonly unit?: string;
  /** Regression: number by which a label is multiplied to give the target (degrees -> radians), 1 elsewhere. */
  readonly scale: number;
  /** Regression: a prediction counts as right within this distance, in `unit` (15 degrees, 5 years). */
  readonly tolerance?: number;
  /** Yes/no labels: what an output is. Default: a logit; `signed`: a number learnt as -1 (no) or 1 (yes), by squared errors. */
  readonly scores?: "signed";
  /** What mirroring the picture does to the target. */
  readonly mirror: "keep" | "negate" | "landmarks" | "forbid";
}

/** A box in fractions of the picture: x0, y0, x1, y1. Outside 0..1 = padded. */
export type Crop = readonly [number, number, number, number];

/** How pixels become the network's input: out = (pixel - mean) * scale, per channel, NCHW. */
export interface Preprocessing {
  readonly width: number;
  readonly height: number;
  /** Order of the channels the network expects. */
  readonly color: "RGB" | "BGR";
  /** Subtracted, in the units of 0..255, in the order of `color`. */
  readonly mean: readonly [number, number, number];
  /** Multiplied after the mean, in the order of `color`. */
  readonly scale: readonly [number, number, number];
}

/**
 * data -> harvest -> lasso. Sufficient statistics of one tap's pooled responses x (p filters) and targets y (q
 * outputs), float64, not centred. Moments of two shards add up. X'X is kept whole, row-major.
 */
export interface Moments {
  readonly n: number;
  readonly p: number;
  readonly q: number;
  /** sum of x, [p] */
  readonly sumX: Float64Array;
  /** sum of y, [q] */
  readonly sumY: Float64Array;
  /** X'X, [p, p] */
  readonly xx: Float64Array;
  /** X'Y, [p, q] */
  readonly xy: Float64Array;
  /** Y'Y, [q, q] */
  readonly yy: Float64Array;
}

/** Moments of one tap for each of the K folds; held-out error needs no second pass. */
export interface TapMoments {
  /** Name of the value whose pooled response was harvested. */
  readonly tap: string;
  readonly folds: readonly Moments[];
}

/** lasso -> knee. One solution on the path, raw units. */
export interface PathPoint {
  readonly lambda: number;
  /** Indices of the filters with a coefficient that is not zero, ascending. */
  readonly support: Uint32Array;
  /** Coefficients beside `support`, row-major [support.length, q]. */
  readonly beta: Float64Array;
  /** [q] for several outputs, a number for one. */
  readonly intercept: number | Float64Array;
  /** Duality gap, in the units of the objective. */
  readonly gap: number;
  /** Root mean squared error on the training rows (over all outputs), units of y. */
  readonly rmse: number;
}

/** The LASSO solutions over the geometric grid, largest lambda first. */
export interface LassoPath {
  readonly lambdas: Float64Array;
  readonly points: readonly PathPoint[];
  /** Number of filters (columns of x). */
  readonly p: number;
  /** Number of outputs (columns of y). */
  readonly q: number;
}

/** Number of filters against error along one tap's path: the characteristic curve (ETL, section 3.3). */
export interface Curve {
  readonly tap: string;
  /** Number of filters of the tap. */
  readonly total: number;
  readonly path: LassoPath;
  /** RMSE on held-out folds, mean over folds, beside `path.lambdas`; absent where there were no folds. */
  readonly heldOut?: {
    readonly mean: Float64Array;
    readonly standardError: Float64Array;
    /** [folds][lambdas]: the filters that the path without the fold chose, ascending. */
    readonly supports: readonly (readonly Uint32Array[])[];
  };
  /** The path of the coupled group the tap belongs to, over the group's classes, and the class of every filter, [total]. */
  readonly joint?: { readonly path: LassoPath; readonly classOf: Int32Array };
}

/** knee -> surgery. The path point gamma chose for one tap. */
export interface Knee {
  readonly tap: string;
  /** Position on the path; `lambdas[index]` is the chosen penalty. -1 where everything is kept (gamma 0). */
  readonly index: number;
  /** Channels to keep, ascending, never empty. */
  readonly keep: Uint32Array;
  /** LASSO coefficients of the kept channels, raw units, row-major [keep.length, q]. */
  readonly beta: Float64Array;
  readonly q: number;
}

/** How the error of a curve is read. */
export type RmseKind = "heldout" | "train";

/** How kept filters are scaled (ETL, eq. 5). */
export type Scaling = "paper" | "paper-bias" | "compensated" | "none";

/** How a coupled group's selection comes from the taps inside it. */
export type GroupSelect = "union" | "last" | "joint";

/** One row of every per-layer table. */
export interface LayerRow {
  readonly name: string;
  readonly kept: number;
  readonly total: number;
  /** Why the layer was not pruned, or not further. */
  readonly reason?: string;
}

/** Cost of a network at batch 1. FLOPs = 2 x MACs; the paper's "FLOPS" (eqs. 6-8) are MACs. */
export interface Cost {
  readonly macs: number;
  readonly params: number;
  /** Size of the stored parameters, bytes (float32: 4 x params). */
  readonly bytes: number;
}

/** What was measured of one network on one task. Fractions in 0..1, bytes, milliseconds. */
export interface Measured {
  readonly accuracy: number;
  readonly macs: number;
  readonly params: number;
  readonly bytes: number;
  /** Median CPU time for one image. */
  readonly cpuMs: number;
}

/** One epoch of a training run. Epoch 0 is the state before the first step. */
export interface EpochRecord {
  readonly epoch: number;
  readonly trainLoss?: number;
  /** Parts of `trainLoss`, weighted: of the labels, and of the distance to the unpruned network's features and outputs. */
  readonly trainTerms?: Readonly<Partial<Record<"labels" | "features" | "outputs", number>>>;
  /** null: no number, the training had diverged. Such an epoch is never the one that is kept. */
  readonly valLoss: number | null;
  readonly valAccuracy: number;
  /** The mean of the last epochs' weights was better than the epoch's own: validation is that of the mean. */
  readonly averaged?: boolean;
  readonly learningRate: number;
  readonly seconds: number;
}

/**
 * One term of the loss. Mean over the batch, times `weight`.
 *
 * - `softmax-cross-entropy`: output are logits [n, classes], target is [n, classes] (one-hot or soft)
 * - `sigmoid-cross-entropy`: logits [n, q], target [n, q] in 0..1, mean over n and q
 * - `squared`: half the squared difference, mean over n and over the elements of a row
 *
 * `output` may name any value of the graph, so that pooled features can be distilled. The target is fed at each step
 * under the name `target`; where `mask` is given, a fed [n, q] tensor of that name multiplies the terms
 * (0 = label missing; also carries positive weights).
 */
export interface LossTerm {
  readonly kind: "softmax-cross-entropy" | "sigmoid-cross-entropy" | "squared";
  readonly output: string;
  readonly target: string;
  readonly mask?: string;
  readonly weight: number;
}

export type Optimizer =
  | {
      readonly kind: "adamw";
      readonly beta1?: number;
      readonly beta2?: number;
      readonly epsilon?: number;
      readonly weightDecay?: number;
    }
  | {
      readonly kind: "sgd";
      readonly momentum?: number;
      readonly nesterov?: boolean;
      readonly weightDecay?: number;
    };
