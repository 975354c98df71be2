/** Quality of predictions on one split. Pure. */
import type { Task } from "../core/artifacts.ts";
import { EtlError } from "../core/errors.ts";
import { yesProbability } from "../data/probability.ts";
import type { Metrics } from "../record/record.ts";
import {
  accuracyOf,
  balancedAccuracyOf,
  binomialError,
  calibrationOf,
  classScores,
  confusionOf,
  meanOf,
  type ClassScore,
} from "./classification.ts";

export interface MetricsOptions {
  /** 1 = label known, 0 = missing, row-major [n, outputs]; default: all known. */
  readonly mask?: ArrayLike<number>;
  /** Binary and multi-label: logit above which an output means 1, one per output; default: 0. */
  readonly thresholds?: ArrayLike<number>;
  /** Number of reliability bins; default 10. */
  readonly bins?: number;
}

/**
 * Compares what a network predicted with the labels.
 *
 * @param predictions what the network gives, row-major [n, task.outputs]: logits (binary, categorical, multi-label)
 *   or target units (regression: label times `task.scale`)
 * @param targets row-major [n, task.outputs]: 0 and 1 (binary, multi-label), one-hot (categorical), target units
 *   A prediction that is not a finite number counts as wrong.
 * @returns errors of a regression in the unit of the label file; multi-label: `accuracy` is the mean over the outputs
 *   and `accuracyError` comes from the shares of right outputs, row by row
 * @throws EtlError kind `data` where no labelled row is left, `usage` where the lengths do not fit
 */
export function computeMetrics(
  task: Task,
  predictions: ArrayLike<number>,
  targets: ArrayLike<number>,
  options: MetricsOptions = {},
): Metrics {
  checkLengths(task, predictions, targets, options);
  const rows = labelledRows(task, targets.length / task.outputs, options.mask);
  if (rows.length === 0) {
    throw new EtlError("data", `${task.name}: no labelled rows, at least one was needed to measure quality`);
  }
  switch (task.kind) {
    case "binary":
      return binaryMetrics(task, rows, predictions, targets, options);
    case "categorical":
      return categoricalMetrics(task, rows, { predictions, targets, bins: options.bins });
    case "multi-label":
      return multiLabelMetrics(task, rows, { predictions, targets, options });
    case "regression":
      return regressionMetrics(task, rows, { predictions, targets, mask: options.mask });
  }
}

/**
 * Cumulative score CS(t) of the age literature: the share of errors of at most t.
 *
 * @param errors absolute errors
 */
export function cumulativeScore(errors: ArrayLike<number>, tolerance: number): number {
  let within = 0;
  for (let i = 0; i < errors.length; i++) if (errors[i] <= tolerance) within++;
  return within / errors.length;
}

function binaryMetrics(
  task: Task,
  rows: readonly number[],
  predictions: ArrayLike<number>,
  targets: ArrayLike<number>,
  { thresholds, bins = 10 }: MetricsOptions,
): Metrics {
  const threshold = thresholds?.[0] ?? 0;
  const truth = rows.map((i) => (targets[i] > 0.5 ? 1 : 0));
  const predicted = rows.map((i, k) => decide(predictions[i], threshold, truth[k]));
  const confusion = confusionOf(truth, predicted, 2);
  const scores = classScores(confusion);
  const one = scores[1];
  const confidence = rows.map((i, k) =>
    sureness(task, predicted[k] === 1 ? predictions[i] : -predictions[i]),
  );
  return {
    ...accuracyWithError(accuracyOf(confusion), rows.length),
    balancedAccuracy: balancedAccuracyOf(scores),
    f1: one.f1,
    precision: one.precision,
    recall: one.recall,
    confusion,
    calibration: calibrationOf(
      confidence,
      truth.map((value, k) => value === predicted[k]),
      bins,
    ),
  };
}

function categoricalMetrics(
  task: Task,
  rows: readonly number[],
  { predictions, targets, bins = 10 }: Table & { readonly bins: number | undefined },
): Metrics {
  const q = task.outputs;
  const truth = rows.map((i) => largest(targets, i * q, q));
  const predicted = rows.map((i, k) => {
    const top = largest(predictions, i * q, q);
    return Number.isFinite(predictions[i * q + top]) ? top : (truth[k] + 1) % q;
  });
  const confusion = confusionOf(truth, predicted, q);
  const scores = classScores(confusion);
  const seen = scores.filter((score) => score.actual + score.predicted > 0);
  const confidence = rows.map((i, k) => {
    const top = predictions[i * q + predicted[k]];
    let sum = 0;
    for (let c = 0; c < q; c++) sum += Math.exp(predictions[i * q + c] - top);
    return Number.isFinite(sum) ? 1 / sum : 0;
  });
  return {
    ...accuracyWithError(accuracyOf(confusion), rows.length),
    balancedAccuracy: balancedAccuracyOf(scores),
    ...macro(seen),
    confusion,
    calibration: calibrationOf(
      confidence,
      truth.map((value, k) => value === predicted[k]),
      bins,
    ),
  };
}

function multiLabelMetrics(
  task: Task,
  rows: readonly number[],
  { predictions, targets, options }: Table & { readonly options: MetricsOptions },
): Metrics {
  const q = task.outputs;
  const ones: ClassScore[] = [];
  const perOutput: NonNullable<Metrics["perOutput"]>[number][] = [];
  const [right, asked] = [new Map<number, number>(), new Map<number, number>()];
  for (let j = 0; j < q; j++) {
    const threshold = options.thresholds?.[j] ?? 0;
    const known = rows.filter((i) => options.mask === undefined || options.mask[i * q + j] > 0);
    if (known.length === 0) continue;
    const truth = known.map((i) => (targets[i * q + j] > 0.5 ? 1 : 0));
    const predicted = known.map((i, k) => decide(predictions[i * q + j], threshold, truth[k]));
    known.forEach((i, k) => {
      asked.set(i, (asked.get(i) ?? 0) + 1);
      right.set(i, (right.get(i) ?? 0) + (truth[k] === predicted[k] ? 1 : 0));
    });
    const confusion = confusionOf(truth, predicted, 2);
    const scores = classScores(confusion);
    ones.push(scores[1]);
    perOutput.push({
      name: task.classes[j] ?? task.columns[j] ?? `output ${j}`,
      accuracy: accuracyOf(confusion),
      balancedAccuracy: balancedAccuracyOf(scores),
      f1: scores[1].f1,
      positives: scores[1].actual,
      n: known.length,
    });
  }
  const shares = Array.from(asked, ([i, count]) => (right.get(i) ?? 0) / count);
  return {
    n: rows.length,
    accuracy: meanOf(perOutput.map(({ accuracy }) => accuracy)),
    accuracyError: deviationOf(shares) / Math.sqrt(rows.length),
    balancedAccuracy: meanOf(perOutput.map(({ balancedAccuracy }) => balancedAccuracy)),
    ...macro(ones),
    perOutput,
  };
}

function regressionMetrics(
  task: Task,
  rows: readonly number[],
  { predictions, targets, mask }: Table & { readonly mask: ArrayLike<number> | undefined },
): Metrics {
  const { outputs: q, scale } = task;
  const truth: number[] = [];
  const predicted: number[] = [];
  for (const i of rows) {
    for (let j = i * q; j < (i + 1) * q; j++) {
      if (mask !== undefined && !(mask[j] > 0)) continue;
      truth.push(targets[j] / scale);
      predicted.push(predictions[j] / scale);
    }
  }
  const errors = truth.map((value, k) => Math.abs(predicted[k] - value));
  const tolerance = task.tolerance ?? deviationOf(truth) / 2;
  // A float32 step of slack: a label exactly at the tolerance must not depend on rounding.
  const accuracy = cumulativeScore(errors, tolerance * (1 + 2 ** -20));
  const correlation = pearson(truth, predicted);
  return {
    ...accuracyWithError(accuracy, rows.length),
    tolerance,
    mae: meanOf(errors),
    rmse: Math.sqrt(meanOf(errors.map((error) => error * error))),
    ...(correlation === undefined ? {} : { correlation }),
  };
}

interface Table {
  readonly predictions: ArrayLike<number>;
  readonly targets: ArrayLike<number>;
}

function accuracyWithError(accuracy: number, n: number): Pick<Metrics, "n" | "accuracy" | "accuracyError"> {
  return { n, accuracy, accuracyError: binomialError(accuracy, n) };
}

/** Unweighted means over classes or outputs. */
function macro(scores: readonly ClassScore[]): { f1: number; precision: number; recall: number } {
  return {
    f1: meanOf(scores.map(({ f1 }) => f1)),
    precision: meanOf(scores.map(({ precision }) => precision)),
    recall: meanOf(scores.map(({ recall }) => recall)),
  };
}

/** Standard deviation of the values themselves (not an estimate for a population). */
function deviationOf(values: readonly number[]): number {
  const mean = meanOf(values);
  return Math.sqrt(meanOf(values.map((value) => (value - mean) ** 2)));
}

/** Pearson's correlation; undefined where one side is constant. */
function pearson(a: readonly number[], b: readonly number[]): number | undefined {
  const [meanA, meanB] = [meanOf(a), meanOf(b)];
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    ab += (a[i] - meanA) * (b[i] - meanB);
    aa += (a[i] - meanA) ** 2;
    bb += (b[i] - meanB) ** 2;
  }
  return aa > 0 && bb > 0 ? ab / Math.sqrt(aa * bb) : undefined;
}

/** Probability of the answer that was given, from a number above 0 where it was right to give it. */
function sureness(task: Task, x: number): number {
  return Number.isFinite(x) ? yesProbability(task, x) : 0;
}

/** 1 above the threshold, else 0; what is not a finite number is wrong, whatever the truth. */
function decide(logit: number, threshold: number, truth: number): number {
  return Number.isFinite(logit) ? Number(logit > threshold) : 1 - truth;
}

/** Index of the largest of `count` values from `start`; the first of equals. */
function largest(values: ArrayLike<number>, start: number, count: number): number {
  let best = 0;
  for (let c = 1; c < count; c++) if (values[start + c] > values[start + best]) best = c;
  return best;
}

/** Rows with at least one known label. */
function labelledRows(task: Task, n: number, mask: ArrayLike<number> | undefined): number[] {
  const q = task.outputs;
  const rows = Array.from({ length: n }, (_, i) => i);
  if (mask === undefined) return rows;
  return rows.filter((i) => {
    for (let j = i * q; j < (i + 1) * q; j++) if (mask[j] > 0) return true;
    return false;
  });
}

function checkLengths(
  task: Task,
  predictions: ArrayLike<number>,
  targets: ArrayLike<number>,
  { mask }: MetricsOptions,
): void {
  const n = targets.length;
  const fits =
    n % task.outputs === 0 && predictions.length === n && (mask === undefined || mask.length === n);
  if (fits) return;
  const masked = mask === undefined ? "" : ` and ${mask.length} mask values`;
  throw new EtlError(
    "usage",
    `${task.name}: ${predictions.length} predictions, ${n} targets${masked}, equally many in rows of ${task.outputs} were needed`,
  );
}
