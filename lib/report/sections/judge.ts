/** Two networks beside each other: how far apart they are, whether chance explains it, and how that is said. */
import { evenSplitProbability, shareDifference, studentBound } from "../../math/statistics.ts";
import { measureOf, valueOf } from "../../record/measure.ts";
import type { ModelRecord, PairedDifference, RunRecord } from "../../record/record.ts";
import { formatPoints, formatUncertain } from "../format.ts";

/** A difference with its standard error; `paired` where both were measured on the same rows. */
export interface Difference {
  readonly value: number;
  readonly error: number;
  readonly paired: boolean;
  /** Whether chance is an unlikely explanation (5 %): an exact test where rows are paired, an interval where not. */
  readonly sure: boolean;
  /** Paired rows on which one of the two is right and the other wrong; undefined where that was not kept. */
  readonly disagree?: number;
}

/** `model` against `reference`, row by row; undefined where the record does not have that. */
function pairedDifference(model: ModelRecord, reference: ModelRecord): PairedDifference | undefined {
  const found = pairedWith(model, reference.name);
  if (found) return found;
  const turned = pairedWith(reference, model.name);
  if (turned === undefined) return undefined;
  const { difference, gained, lost, mae } = turned;
  return {
    ...turned,
    difference: 0 - difference,
    ...(gained !== undefined && lost !== undefined && { gained: lost, lost: gained }),
    ...(mae && { mae: { ...mae, difference: 0 - mae.difference } }),
  };
}

function pairedWith(
  { versusBaseline, versusPruned }: ModelRecord,
  name: string,
): PairedDifference | undefined {
  return name === "baseline" ? versusBaseline : name === "pruned" ? versusPruned : undefined;
}

/** Accuracy of `model` minus that of `reference`. */
export function accuracyDifference(model: ModelRecord, reference: ModelRecord): Difference {
  const rows = pairedDifference(model, reference);
  if (rows) {
    const { difference: value, error, gained, lost } = rows;
    const byError = isBeyond(value, error, model.test.n);
    if (gained === undefined || lost === undefined) return { value, error, paired: true, sure: byError };
    // Several answers a row: rows gained and lost say nothing of how much, and may point the other way.
    const single = Math.abs(value * model.test.n - (gained - lost)) < 1e-6 * Math.max(1, model.test.n);
    const sure = single ? evenSplitProbability(gained, lost) < 0.05 : byError;
    return { value, error, paired: true, sure, disagree: gained + lost };
  }
  const [one, other] = [model, reference].map(({ test: { accuracy, n } }) => ({ share: accuracy, n }));
  const { low, high } = shareDifference(one, other);
  const error = Math.hypot(model.test.accuracyError, reference.test.accuracyError);
  return {
    value: one.share - other.share,
    error: error > 0 ? error : (high - low) / 4,
    paired: false,
    sure: low > 0 || high < 0,
  };
}

/** Mean absolute error of `model` minus that of `reference`, in the unit of the label; negative is better. */
export function errorDifference(model: ModelRecord, reference: ModelRecord): Difference | undefined {
  const [one, other] = [model, reference].map(({ test }) => valueOf({ kind: "regression" }, test));
  if (one === undefined || other === undefined) return undefined;
  const paired = pairedDifference(model, reference)?.mae;
  // Unpaired, from the spread of the errors: rmse^2 - mae^2 is their variance.
  const spreadOf = ({ test: { mae = 0, rmse = mae, n } }: ModelRecord): number =>
    Math.sqrt(Math.max(0, rmse ** 2 - mae ** 2) / Math.max(1, n));
  const found = {
    error: paired?.error ?? Math.hypot(spreadOf(model), spreadOf(reference)),
    value: paired?.difference ?? one - other,
  };
  // Networks that compute the same in another order differ by rounding alone: that is no difference to be told.
  const isRounding = Math.abs(found.value) < 1e-5 * other && found.error < 1e-5 * other;
  const { value, error } = isRounding ? { value: 0, error: 0 } : found;
  return { value, error, paired: paired !== undefined, sure: isBeyond(value, error, model.test.n) };
}

/** Whether a mean of n rows is further from nothing than Student's t allows with 95 %. */
function isBeyond(value: number, error: number, n: number): boolean {
  return n > 1 && error > 0 && Math.abs(value) > studentBound(n - 1) * error;
}

/** By the task's own measure: positive where `model` is the better one. Undefined where one of the two has no value. */
export function gainOver(
  task: RunRecord["task"],
  model: ModelRecord,
  reference: ModelRecord,
): Difference | undefined {
  if (measureOf(task).name === "accuracy") return accuracyDifference(model, reference);
  const error = errorDifference(model, reference);
  return error && { ...error, value: -error.value };
}

/** A difference in the task's own measure as it is read: "−1.0 ± 0.4 points" of accuracy, "+14.9 ± 1.2 years" of error. */
export function sayDifference(task: RunRecord["task"], { value, error }: Difference): string {
  const { name, unit } = measureOf(task);
  return name === "accuracy" ? formatPoints(value, error) : formatSigned(value, error, unit);
}

/** "+14.9 ± 1.2 years". */
export function formatSigned(value: number, error: number | undefined, unit: string): string {
  const sign = value < 0 ? "\u2212" : value > 0 ? "+" : "";
  return `${sign}${formatUncertain(Math.abs(value), error)} ${unit}`.trim();
}

/** Share of the reference's accuracy that is left, with its standard error (first-order propagation); undefined over nothing. */
export function accuracyKept(model: ModelRecord, reference: ModelRecord): Difference | undefined {
  const [own, whole] = [model.test.accuracy, reference.test.accuracy];
  if (!(whole > 0)) return undefined;
  const difference = accuracyDifference(model, reference);
  if (difference.paired) return { ...difference, value: own / whole, error: difference.error / whole };
  const error = Math.hypot(model.test.accuracyError, (own / whole) * reference.test.accuracyError) / whole;
  return { ...difference, value: own / whole, error };
}
