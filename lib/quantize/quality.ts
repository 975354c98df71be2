/** How good a network is, and how much of that bytes may cost. */
import { own } from "../core/own.ts";
import type { Task } from "../core/artifacts.ts";
import type { Metrics } from "../record/record.ts";

/** What one measurement says. */
export interface Quality {
  /** The task, or "outputs". */
  readonly what: string;
  readonly value: number;
  readonly better: "higher" | "lower";
  /** By how much a network in bytes may be worse. */
  readonly tolerance: number;
  /** A loss of no more is none. Default: the tolerance. */
  readonly least?: number;
  /** Of `value` and `tolerance`, for people: "%" of right answers, or the label's unit. */
  readonly unit: string;
}

/** Smallest loss that counts, where the answers are numbers in this unit. */
const leastByUnit: Readonly<Partial<Record<string, number>>> = { years: 0.05, degrees: 0.1 };
/** Smallest loss that counts, in points of a hundred. */
const LEAST_POINTS = 0.3;
/** In other units: this share of the error. */
const LEAST_SHARE = 0.02;

/**
 * Quality on one task. What is within half a standard error is chance, so the tolerance is at least that.
 *
 * @param given the tolerance, in points of a hundred or in the label's unit; default: 0.3 points, 0.05 years, 0.1 degrees, or half
 *   a standard error where that is more
 */
export function taskQuality(task: Task, metrics: Metrics, given?: number): Quality {
  const { accuracy, accuracyError, mae, rmse = 0, n } = metrics;
  if (task.kind !== "regression" || mae === undefined) {
    const least = given ?? LEAST_POINTS;
    const tolerance = given ?? Math.max(least, 50 * accuracyError);
    return { what: task.name, value: 100 * accuracy, better: "higher", tolerance, least, unit: "%" };
  }
  const error = Math.sqrt(Math.max(0, rmse ** 2 - mae ** 2) / n);
  const least = given ?? own(leastByUnit, task.unit ?? "") ?? LEAST_SHARE * mae;
  const tolerance = given ?? Math.max(least, error / 2);
  return { what: task.name, value: mae, better: "lower", tolerance, least, unit: task.unit ?? "" };
}

/**
 * Where there are no labels: at most this distance of the outputs, in per cent of how much they differ between pictures.
 * Descriptors that are d off have a cosine of about 1 - d^2 / 2 with those of the float network: 0.99.
 */
const OUTPUT_TOLERANCE = 14;

/**
 * How far answers are from those of the float network, in per cent of the spread of the latter: root mean squares over all outputs.
 *
 * @param answers and `reference`: row-major [n, width]
 */
export function outputQuality(
  answers: Float32Array,
  reference: Float32Array,
  {
    width,
    tolerance = OUTPUT_TOLERANCE,
  }: { readonly width: number; readonly tolerance?: number | undefined },
): Quality {
  const distance = createDistance(width);
  distance.add(answers, reference);
  return { what: "outputs", value: distance.percent(), better: "lower", tolerance, unit: "% off" };
}

/** The same, a batch at a time. */
export interface Distance {
  add(answers: ArrayLike<number>, reference: ArrayLike<number>): void;
  percent(): number;
}

export function createDistance(width: number): Distance {
  const means = new Float64Array(width);
  let [rows, error, spread] = [0, 0, 0];
  return {
    add: (answers, reference) => {
      for (let i = 0; i < reference.length; i++) {
        const column = i % width;
        if (column === 0) rows++;
        // Welford: the spread about a mean that is still on its way
        const before = reference[i] - means[column];
        means[column] += before / rows;
        spread += before * (reference[i] - means[column]);
        error += (answers[i] - reference[i]) ** 2;
      }
    },
    percent: () => (error === 0 ? 0 : 100 * Math.sqrt(error / Math.max(spread, Number.MIN_VALUE))),
  };
}

/** By how much `after` is worse; negative where it is better. */
function loss(before: Quality, after: Quality): number {
  return before.better === "higher" ? before.value - after.value : after.value - before.value;
}

/** Whether no measurement got worse than its tolerance allows. */
export function holds(before: readonly Quality[], after: readonly Quality[]): boolean {
  return before.every((one, i) => loss(one, after[i]) <= one.tolerance);
}

/** Whether no measurement got worse by more than the smallest loss that counts. */
export function costsNothing(before: readonly Quality[], after: readonly Quality[]): boolean {
  return before.every((one, i) => loss(one, after[i]) <= (one.least ?? one.tolerance));
}

/** "gender 97.10 -> 96.90 %, 0.30 allowed". */
export function qualitySentence(before: readonly Quality[], after: readonly Quality[]): string {
  return before
    .map((one, i) => {
      const [from, to, allowed] = [one.value, after[i].value, one.tolerance].map((x) => x.toFixed(2));
      return `${one.what} ${from} -> ${to} ${one.unit}, ${allowed} allowed`;
    })
    .join("; ");
}
