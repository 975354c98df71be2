/** The characteristic curve of a tap (ETL, section 3.3), from moments alone: no image is looked at again. */
import { refuseUnknown } from "../core/options.ts";
import type { Curve, LassoPath, Moments, TapMoments } from "../core/artifacts.ts";
import { EtlError } from "../core/errors.ts";
import { centre, mergeMoments, moveOrigin, varianceFloor } from "../math/moments.ts";
import { lassoNames, lassoPathFromMoments, solvePath, type LassoOptions } from "./path.ts";

/** Factor on the gap of the fold paths: an error bar needs fewer digits than the solution that is kept. */
const heldOutSlack = 10;

/**
 * The path on all folds, and its held-out error: for every fold, the path on the other folds at the same lambdas, and
 * its error on the fold.
 *
 * @returns a curve without `heldOut` where fewer than two folds have rows
 */
export function characteristicCurve(tapMoments: TapMoments, options: LassoOptions = {}): Curve {
  refuseUnknown("characteristicCurve", options, lassoNames);
  const { tap } = tapMoments;
  const folds = tapMoments.folds.filter((fold) => fold.n > 0);
  const rows = folds.reduce((sum, fold) => sum + fold.n, 0);
  if (rows < 2) throw new EtlError("data", `${tap}: moments of ${rows} rows, at least 2 were needed`);
  const total = mergeMoments(folds);
  const path = lassoPathFromMoments(total, options);
  const curve = { tap, total: total.p, path };
  if (folds.length < 2 || folds.some((fold) => rows - fold.n < 2)) return curve;
  const tol = (options.tol ?? 1e-6) * heldOutSlack;
  return { ...curve, heldOut: heldOutError(folds, total, { ...options, lambdas: path.lambdas, tol }) };
}

function heldOutError(
  folds: readonly Moments[],
  total: Moments,
  options: LassoOptions & { readonly lambdas: Float64Array },
): NonNullable<Curve["heldOut"]> {
  // About the common mean nothing large cancels, neither in the training Gram matrix nor in the error.
  const origin = { x: total.sumX.map((s) => s / total.n), y: total.sumY.map((s) => s / total.n) };
  const floor = varianceFloor(total);
  const moved = folds.map((fold) => moveOrigin(fold, origin));
  const paths = moved.map((_, f) => {
    const training = mergeMoments(moved.filter((_, other) => other !== f));
    return solvePath(centre(training, { floor }), options);
  });
  const errors = paths.map((path, f) => pathError(path, moved[f]));
  const supports = paths.map((path) => path.points.map(({ support }) => support));
  const count = options.lambdas.length;
  const mean = new Float64Array(count);
  const standardError = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const values = errors.map((error) => error[i]);
    mean[i] = values.reduce((sum, v) => sum + v, 0) / values.length;
    const squares = values.reduce((sum, v) => sum + (v - mean[i]) ** 2, 0);
    standardError[i] = Math.sqrt(squares / (values.length - 1) / values.length);
  }
  return { mean, standardError, supports };
}

/**
 * Root mean squared error of every point of a path on the rows of `moments` (over all outputs), units of y.
 *
 * @param moments about the same origin as those the path was solved on
 */
function pathError(path: LassoPath, moments: Moments): Float64Array {
  const { n, p, q, sumX, sumY, xx, xy, yy } = moments;
  const inner = new Float64Array(q);
  return Float64Array.from(path.points, ({ support, beta, intercept }) => {
    const b0 = typeof intercept === "number" ? Float64Array.of(intercept) : intercept;
    let sum = 0;
    for (let k = 0; k < q; k++) sum += yy[k * q + k] - 2 * b0[k] * sumY[k] + n * b0[k] * b0[k];
    for (let i = 0; i < support.length; i++) {
      const row = support[i];
      for (let k = 0; k < q; k++) {
        inner[k] = 0.5 * xx[row * p + row] * beta[i * q + k] - xy[row * q + k] + b0[k] * sumX[row];
      }
      for (let j = 0, at = 0; j < i; j++) {
        const g = xx[row * p + support[j]];
        for (let k = 0; k < q; k++, at++) inner[k] += g * beta[at];
      }
      for (let k = 0; k < q; k++) sum += 2 * beta[i * q + k] * inner[k];
    }
    return Math.sqrt(Math.max(0, sum) / (n * q));
  });
}
