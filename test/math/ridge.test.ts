import { expect } from "chai";
import { createRandom } from "../../lib/core/random.ts";
import { solve } from "ml-matrix";
import { Matrix } from "ml-matrix";
import { fitRidge } from "../../lib/math/ridge.ts";

/** Ridge with a penalty of its own by the normal equations of rows but one, and what it says of that one. */
function leftOut(x: number[][], y: number[], penalty: number, out: number): number {
  const kept = x.map((_, i) => i).filter((i) => i !== out);
  const means = x[0].map((_, j) => kept.reduce((sum, i) => sum + x[i][j], 0) / kept.length);
  const mean = kept.reduce((sum, i) => sum + y[i], 0) / kept.length;
  const z = new Matrix(kept.map((i) => x[i].map((v, j) => v - means[j])));
  const gram = z.transpose().mmul(z).add(Matrix.eye(means.length).mul(penalty));
  const beta = solve(gram, z.transpose().mmul(Matrix.columnVector(kept.map((i) => y[i] - mean))));
  return mean + x[out].reduce((sum, v, j) => sum + (v - means[j]) * beta.get(j, 0), 0);
}

describe("ridge regression, its strength by rows left out", () => {
  const random = createRandom(3).fork("ridge");
  const made = (rows: number, p: number, noise: number): { x: number[][]; y: number[] } => {
    const x = Array.from({ length: rows }, () => Array.from({ length: p }, () => random.normal() + 2));
    return { x, y: x.map((row) => 3 + 2 * row[0] - row[1] + noise * random.normal()) };
  };
  const fit = (x: number[][], y: number[]) =>
    fitRidge(Float32Array.from(x.flat()), Float64Array.from(y), x.length);

  for (const [rows, p] of [
    [30, 4],
    [12, 20],
  ] as const)
    it(`${rows} rows of ${p} columns: what it says of rows left out is what fits without them say`, () => {
      const { x, y } = made(rows, p, 1);
      const rounded = x.map((row) => row.map(Math.fround));
      const { ridge, heldOut } = fit(x, y);
      const variance = (j: number): number => {
        const mean = rounded.reduce((sum, row) => sum + row[j], 0) / rows;
        return rounded.reduce((sum, row) => sum + (row[j] - mean) ** 2, 0) / rows;
      };
      const unit = (rows * rounded[0].reduce((sum, _, j) => sum + variance(j), 0)) / p;
      const errors = y.map((value, i) => value - leftOut(rounded, y, ridge * unit, i));
      const expected = Math.sqrt(errors.reduce((sum, error) => sum + error * error, 0) / rows);
      expect(heldOut).to.be.closeTo(expected, 1e-6 * expected);
    });

  it("finds a line where there is one, and keeps to the mean where there is none", () => {
    const line = made(200, 3, 0.01);
    const { beta, intercept, ridge } = fit(line.x, line.y);
    expect(ridge).to.equal(0.1); // the least of its strengths
    expect(beta[0]).to.be.within(1.7, 2);
    expect(line.x[7].reduce((sum, v, j) => sum + v * beta[j], intercept[0])).to.be.closeTo(line.y[7], 0.6);
    const noise = made(60, 10, 0);
    const chance = fit(
      noise.x,
      noise.y.map(() => random.normal()),
    );
    expect(chance.ridge).to.be.at.least(10);
    expect(Math.max(...chance.beta.map(Math.abs))).to.be.below(0.05);
  });

  it("columns that do not vary leave the mean", () => {
    const { beta, intercept, heldOut } = fitRidge(Float32Array.of(1, 1, 1), Float64Array.of(1, 2, 6), 3);
    expect([...beta, ...intercept]).to.deep.equal([0, 3]);
    // 1 beside a mean of 4, 2 beside 3.5, 6 beside 1.5
    expect(heldOut).to.be.closeTo(Math.sqrt((9 + 2.25 + 20.25) / 3), 1e-12);
  });
});
