/** The knee of a characteristic curve (ETL, eq. 4): the fewest filters whose error is within gamma of the best. */
import { refuseUnknown, type OptionNames } from "../core/options.ts";
import type { Curve, Knee, LassoPath, RmseKind } from "../core/artifacts.ts";
import { EtlError } from "../core/errors.ts";

export interface KneeOptions {
  /** The error to read, beside `path.lambdas` (a held-out one), or "train": the path's own. Default "train". */
  readonly rmse?: Float64Array | "train";
  /** Filters that stay in any case. Default 1. */
  readonly minFilters?: number;
  /** Default "". */
  readonly tap?: string;
}

const kneeNames: OptionNames<KneeOptions> = { rmse: true, minFilters: true, tap: true };

/** A knee and what it costs. */
export interface ChosenKnee extends Knee {
  /** The penalty of the point that gave `beta`. */
  readonly lambda: number;
  /** keep.length */
  readonly filters: number;
  /** Error of that point, as read. */
  readonly rmse: number;
}

/**
 * The point with the fewest filters such that RMSE(i) - min r < gamma (max r - min r); of equal ones, that with the
 * lower error. A larger gamma never keeps more filters.
 *
 * gamma = 0 keeps every filter (index -1; `beta` is that of the point with the lowest error, zero where it has none).
 * Where the choice has fewer than `minFilters`, the smallest point of the path that has them is taken; where none
 * has, the filters that enter the path first are kept, with a zero coefficient if need be.
 */
export function chooseKnee(path: LassoPath, gamma: number, options: KneeOptions = {}): ChosenKnee {
  refuseUnknown("chooseKnee", options, kneeNames);
  checkGamma(gamma);
  const { p, points } = path;
  const rmse = errorsOf(path, options);
  const minFilters = Math.min(p, checkMinFilters(options.minFilters ?? 1));
  if (gamma === 0) return kneeAt(path, { index: -1, from: lowest(rmse), rmse, minFilters: p }, options);
  const [low, high] = range(rmse);
  const better = (i: number, j: number): number =>
    points[i].support.length - points[j].support.length || rmse[i] - rmse[j] || i - j;
  const indices = Array.from(points.keys());
  const within = indices.filter((i) => rmse[i] === low || rmse[i] - low < gamma * (high - low)).sort(better);
  const enough = indices.filter((i) => points[i].support.length >= minFilters).sort(better);
  let index = within[0];
  if (points[index].support.length < minFilters) index = enough[0] ?? largest(path);
  return kneeAt(path, { index, from: index, rmse, minFilters }, options);
}

/**
 * The knee of a tap's curve. Where held-out error is asked for and there were no folds, the training error is read. A tap
 * with a joint path keeps the filters whose classes the joint path's knee keeps, on the training error; point, error and coefficients
 * are those of the tap's own knee.
 */
export function chooseCurveKnee(
  curve: Curve,
  gamma: number,
  options: { readonly rmse?: RmseKind; readonly minFilters?: number } = {},
): ChosenKnee {
  refuseUnknown("chooseCurveKnee", options, { rmse: true, minFilters: true });
  const { rmse = "heldout", minFilters = 1 } = options;
  if (curve.joint !== undefined) return jointKnee(curve, curve.joint, gamma, minFilters);
  return chooseKnee(curve.path, gamma, { rmse: curveError(curve, rmse), minFilters, tap: curve.tap });
}

function jointKnee(
  curve: Curve,
  { path, classOf }: NonNullable<Curve["joint"]>,
  gamma: number,
  minFilters: number,
): ChosenKnee {
  const { tap, total } = curve;
  const chosen = chooseKnee(path, gamma, { minFilters: Math.min(minFilters, path.p), tap });
  const own = chooseKnee(curve.path, gamma, { minFilters, tap });
  const classes = new Set(chosen.keep);
  const keep = Uint32Array.from(
    Array.from({ length: total }, (_, j) => j).filter((j) => classes.has(classOf[j])),
  );
  const { q } = own;
  const beta = new Float64Array(keep.length * q);
  keep.forEach((filter, row) => {
    const at = own.keep.indexOf(filter);
    if (at >= 0) beta.set(own.beta.subarray(at * q, (at + 1) * q), row * q);
  });
  return { ...own, keep, beta, filters: keep.length };
}

/** The error of a curve that `kind` names. */
export function curveError(curve: Curve, kind: RmseKind): Float64Array {
  return kind === "heldout" && curve.heldOut
    ? curve.heldOut.mean
    : Float64Array.from(curve.path.points, (point) => point.rmse);
}

/**
 * Normalised error (ETL, eq. 4: 0 at the curve's lowest, 1 at its highest) of the best point with at most n filters,
 * [total + 1]: what gamma bounds for every layer, as a loss that layers can be compared by.
 */
export function errorByWidth(curve: Curve, kind: RmseKind): Float64Array {
  const rmse = curveError(curve, kind);
  const low = Math.min(...rmse);
  const span = Math.max(...rmse) - low;
  const errors = new Float64Array(curve.total + 1).fill(span > 0 ? 1 : 0);
  for (const [i, { support }] of curve.path.points.entries())
    errors[support.length] = Math.min(errors[support.length], span > 0 ? (rmse[i] - low) / span : 0);
  for (let n = 1; n < errors.length; n++) errors[n] = Math.min(errors[n], errors[n - 1]);
  return errors;
}

/** @throws EtlError kind `usage` outside [0, 1) */
function checkGamma(gamma: number): void {
  if (gamma >= 0 && gamma < 1) return;
  throw new EtlError("usage", `gamma: ${gamma}, a number from 0 up to but not including 1 was needed`, {
    hint: "0.01 is the paper's choice; a larger gamma keeps fewer filters, 0 keeps all",
  });
}

function kneeAt(
  path: LassoPath,
  choice: {
    readonly index: number;
    readonly from: number;
    readonly rmse: Float64Array;
    readonly minFilters: number;
  },
  options: KneeOptions,
): ChosenKnee {
  const { q } = path;
  const point = path.points[choice.from];
  const kept = new Set(point.support);
  for (const { support } of path.points) {
    for (const j of support) if (kept.size < choice.minFilters) kept.add(j);
  }
  for (let j = 0; j < path.p && kept.size < choice.minFilters; j++) kept.add(j);
  const keep = Uint32Array.from(kept).sort();
  const beta = new Float64Array(keep.length * q);
  const rowOf = new Map(Array.from(keep, (j, row) => [j, row] as const));
  point.support.forEach((j, i) => {
    beta.set(point.beta.subarray(i * q, (i + 1) * q), (rowOf.get(j) ?? 0) * q);
  });
  return {
    tap: options.tap ?? "",
    index: choice.index,
    keep,
    beta,
    q,
    lambda: point.lambda,
    filters: keep.length,
    rmse: choice.rmse[choice.from],
  };
}

function errorsOf(path: LassoPath, options: KneeOptions): Float64Array {
  const { rmse = "train" } = options;
  const errors = rmse === "train" ? Float64Array.from(path.points, (point) => point.rmse) : rmse;
  if (errors.length !== path.points.length || errors.length === 0) {
    throw new EtlError(
      "usage",
      `knee: ${errors.length} errors for ${path.points.length} points, one each was needed`,
    );
  }
  if (errors.some((r) => !Number.isFinite(r))) {
    throw new EtlError("data", "knee: an error that is not a finite number, finite ones were needed");
  }
  return errors;
}

function checkMinFilters(minFilters: number): number {
  if (Number.isInteger(minFilters) && minFilters >= 1) return minFilters;
  throw new EtlError("usage", `min-filters: ${minFilters}, a whole number of at least 1 was needed`);
}

function range(values: Float64Array): [number, number] {
  return values.reduce<[number, number]>(
    ([low, high], v) => [Math.min(low, v), Math.max(high, v)],
    [Infinity, -Infinity],
  );
}

function lowest(values: Float64Array): number {
  return values.reduce((best, v, i) => (v < values[best] ? i : best), 0);
}

function largest(path: LassoPath): number {
  const count = (i: number): number => path.points[i].support.length;
  return path.points.reduce((best, _, i) => (count(i) > count(best) ? i : best), 0);
}
