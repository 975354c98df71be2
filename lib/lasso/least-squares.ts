/** The linear model on chosen filters in closed form: where a head starts, and the probe on frozen features. */
import type { Moments } from "../core/artifacts.ts";
import { EtlError } from "../core/errors.ts";
import { centre } from "../math/moments.ts";
import { createFactor } from "./cholesky.ts";

export interface LeastSquares {
  /** The filters, ascending as given. */
  readonly support: Uint32Array;
  /** Coefficients beside `support`, row-major [support.length, q], raw units. Zero for constant filters. */
  readonly beta: Float64Array;
  /** [q] */
  readonly intercept: Float64Array;
  /** Root mean squared error on the rows of the moments (over all outputs), units of y. */
  readonly rmse: number;
}

/**
 * argmin ||Y - B0 - X_S B||_F^2 / N + ridge * v ||B||_F^2, v the mean variance of the chosen filters.
 *
 * @param options.support filters S; default all
 * @param options.ridge default 1e-6: enough to decide between filters that are copies of each other
 */
export function leastSquares(
  moments: Moments,
  options: { readonly support?: Uint32Array; readonly ridge?: number } = {},
): LeastSquares {
  const { ridge = 1e-6 } = options;
  const { p, q } = moments;
  const support = options.support ?? Uint32Array.from({ length: p }, (_, j) => j);
  if (support.some((j) => j >= p)) {
    throw new EtlError(
      "usage",
      `least squares: filter ${Math.max(...support)}, one of 0..${p - 1} was needed`,
    );
  }
  if (!(ridge >= 0) || !Number.isFinite(ridge)) {
    throw new EtlError("usage", `least squares: ridge is ${ridge}, a number of at least 0 was needed`);
  }
  const { gram, cov, yy, meanX, meanY, constantX } = centre(moments);
  const rows = Array.from(support.keys()).filter((row) => constantX[support[row]] === 0);
  const mean = rows.reduce((sum, row) => sum + gram[support[row] * (p + 1)], 0) / Math.max(1, rows.length);
  const factor = createFactor(rows.length);
  rows.forEach((row, size) => {
    const at = support[row] * p;
    const column = Float64Array.from(rows.slice(0, size), (other) => gram[at + support[other]]);
    factor.append(column, gram[at + support[row]] + ridge * mean);
  });

  const beta = new Float64Array(support.length * q);
  const intercept = meanY.slice();
  let error = 0;
  for (let k = 0; k < q; k++) {
    const solution = Float64Array.from(rows, (row) => cov[support[row] * q + k]);
    factor.solve(solution);
    rows.forEach((row, i) => {
      beta[row * q + k] = solution[i];
      intercept[k] -= meanX[support[row]] * solution[i];
    });
    error += yy[k * q + k];
    for (let i = 0; i < rows.length; i++) {
      let fitted = 0;
      for (let j = 0; j < rows.length; j++) {
        fitted += gram[support[rows[i]] * p + support[rows[j]]] * solution[j];
      }
      error += solution[i] * (fitted - 2 * cov[support[rows[i]] * q + k]);
    }
  }
  return { support, beta, intercept, rmse: Math.sqrt(Math.max(0, error) / q) };
}
