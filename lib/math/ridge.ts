/** Ridge regression whose strength is chosen by leaving out every row once, in closed form. Pure. */
import { EigenvalueDecomposition, Matrix } from "ml-matrix";

/** What {@link fitRidge} found. */
export interface RidgeFit {
  /** [p, q], row-major. */
  readonly beta: Float64Array;
  /** [q] */
  readonly intercept: Float64Array;
  /** The strength, as a share of the columns' mean variance. */
  readonly ridge: number;
  /** Root mean squared error over all outputs, every row predicted from the others. */
  readonly heldOut: number;
}

const STRENGTHS = [0.1, 0.3, 1, 3, 10, 30, 100];

/**
 * argmin ||Y - B0 - X B||_F^2 / n + ridge v ||B||_F^2, v the mean variance of the columns of X; of the strengths the one whose
 * predicted residual sum of squares is least (PRESS: Allen, Technometrics 16, 1974). Solved by the rows' products,
 * O(n^3 + n^2 p): for more columns than rows, too.
 *
 * @param x [n, p], row-major
 * @param y [n, q], row-major
 * @param rows n, at least 2; the memory is n^2
 */
export function fitRidge(x: Float32Array, y: Float64Array, rows: number): RidgeFit {
  const columns = centred(x, rows);
  const target = centred(y, rows);
  const z = columns.values;
  // n times the mean variance of the columns: the unit of the strength. Columns that do not vary leave the mean at any strength.
  const unit = z.norm() ** 2 / z.columns || 1;
  const { realEigenvalues, eigenvectorMatrix: u } = new EigenvalueDecomposition(z.mmul(z.transpose()), {
    assumeSymmetric: true,
  });
  const spectrum = realEigenvalues.map((s) => Math.max(0, s));
  const turned = u.transpose().mmul(target.values);
  const fits = STRENGTHS.map((ridge) => {
    const shrunk = spectrum.map((s) => s / (s + ridge * unit));
    return { ridge, heldOut: press({ u, shrunk, turned, target: target.values }) };
  });
  const best = fits.reduce((a, b) => (b.heldOut < a.heldOut ? b : a));
  const weights = turned.clone();
  spectrum.forEach((s, i) => weights.mulRow(i, 1 / (s + best.ridge * unit)));
  const beta = z.transpose().mmul(u.mmul(weights));
  const intercept = Float64Array.from(target.means, (mean, k) =>
    columns.means.reduce((sum, own, j) => sum - own * beta.get(j, k), mean),
  );
  return { ...best, beta: Float64Array.from(beta.to1DArray()), intercept };
}

function centred(
  given: ArrayLike<number>,
  rows: number,
): { readonly values: Matrix; readonly means: readonly number[] } {
  const values = Matrix.from1DArray(rows, given.length / rows, given);
  const means = values.mean("column");
  return { values: values.subRowVector(means), means };
}

/** Root mean square of (y - fitted) / (1 - leverage): what each row is off when it is left out. */
function press({
  u,
  shrunk,
  turned,
  target,
}: {
  readonly u: Matrix;
  readonly shrunk: readonly number[];
  readonly turned: Matrix;
  readonly target: Matrix;
}): number {
  const { rows, columns } = target;
  const own = turned.clone();
  shrunk.forEach((share, i) => own.mulRow(i, share));
  const fitted = u.mmul(own);
  let sum = 0;
  for (let i = 0; i < rows; i++) {
    const leverage = shrunk.reduce((all, share, k) => all + share * u.get(i, k) ** 2, 1 / rows);
    for (let k = 0; k < columns; k++)
      sum += ((target.get(i, k) - fitted.get(i, k)) / Math.max(1 - leverage, Number.EPSILON)) ** 2;
  }
  return Math.sqrt(sum / (rows * columns));
}
