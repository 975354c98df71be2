import { expect } from "chai";
import type { Moments } from "../../lib/core/artifacts.ts";
import { createMomentsAccumulator, mergeMoments } from "../../lib/math/moments.ts";
import { characteristicCurve } from "../../lib/lasso/curve.ts";
import { leastSquares } from "../../lib/lasso/least-squares.ts";
import { lassoPath } from "../../lib/lasso/path.ts";
import { correlationRanking } from "../../lib/lasso/ranking.ts";
import { makeResponses, type Responses } from "../support/responses.ts";

const foldCount = 4;
const foldOf = (i: number): number => i % foldCount;

/** The rows of some folds. */
function select(data: Responses, wanted: (fold: number) => boolean): Responses {
  const { p, q } = data;
  const rows = Array.from({ length: data.n }, (_, i) => i).filter((i) => wanted(foldOf(i)));
  return {
    n: rows.length,
    p,
    q,
    x: Float32Array.from(rows.flatMap((i) => Array.from(data.x.subarray(i * p, (i + 1) * p)))),
    y: Float64Array.from(rows.flatMap((i) => Array.from(data.y.subarray(i * q, (i + 1) * q)))),
  };
}

function momentsOf({ n, p, q, x, y }: Responses): Moments {
  const accumulator = createMomentsAccumulator(p, q);
  accumulator.add(x, y, n);
  return accumulator.moments();
}

const foldsOf = (data: Responses): Moments[] =>
  Array.from({ length: foldCount }, (_, f) => momentsOf(select(data, (fold) => fold === f)));

describe("characteristic curve", () => {
  for (const q of [1, 2]) {
    it(`held-out error from moments equals the error on the images, ${q} output(s)`, () => {
      const data = makeResponses({ n: 120, p: 24, q }, { seed: q, scale: 0.01, binary: true });
      const tol = 1e-12;
      const curve = characteristicCurve({ tap: "t", folds: foldsOf(data) }, { lambdas: 15, ratio: 100, tol });
      const errors = Array.from({ length: foldCount }, (_, f) => {
        const [inside, outside] = [select(data, (fold) => fold !== f), select(data, (fold) => fold === f)];
        const path = lassoPath(
          {
            x: { data: inside.x, rows: inside.n, columns: data.p },
            y: { data: inside.y, rows: inside.n, columns: q },
          },
          { lambdas: curve.path.lambdas, tol },
        );
        return path.points.map(({ support, beta, intercept }) => {
          let sum = 0;
          for (let i = 0; i < outside.n; i++) {
            for (let k = 0; k < q; k++) {
              let r = outside.y[i * q + k] - (typeof intercept === "number" ? intercept : intercept[k]);
              support.forEach((j, row) => (r -= outside.x[i * data.p + j] * beta[row * q + k]));
              sum += r * r;
            }
          }
          return Math.sqrt(sum / (outside.n * q));
        });
      });
      curve.path.points.forEach((_, i) => {
        const values = errors.map((error) => error[i]);
        const mean = values.reduce((sum, v) => sum + v, 0) / foldCount;
        const spread = Math.sqrt(
          values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (foldCount - 1) / foldCount,
        );
        expect(curve.heldOut?.mean[i]).to.be.closeTo(mean, 1e-6);
        expect(curve.heldOut?.standardError[i]).to.be.closeTo(spread, 1e-6);
      });
    });
  }

  it("is the path of all folds together", () => {
    const data = makeResponses({ n: 120, p: 24 }, { seed: 5 });
    const curve = characteristicCurve({ tap: "t", folds: foldsOf(data) }, { lambdas: 10 });
    expect(curve).to.deep.include({ tap: "t", total: 24 });
    const whole = lassoPath({ x: { data: data.x, rows: 120, columns: 24 }, y: data.y }, { lambdas: 10 });
    curve.path.points.forEach((point, i) => {
      expect(point.support).to.deep.equal(whole.points[i].support);
      expect(point.rmse).to.be.closeTo(whole.points[i].rmse, 1e-9);
    });
  });

  it("has a filter that is dead in every fold but one", () => {
    const data = makeResponses({ n: 120, p: 12 }, { seed: 6 });
    for (let i = 0; i < data.n; i++) data.x[i * 12 + 2] = i === 0 ? 1 : 0.25;
    const curve = characteristicCurve({ tap: "t", folds: foldsOf(data) });
    for (const error of curve.heldOut?.mean ?? []) expect(error).to.be.within(0, 2);
    expect(curve.heldOut?.mean).to.have.length(100);
  });

  it("has no held-out error without folds", () => {
    const one = momentsOf(makeResponses({ n: 40, p: 8 }, { seed: 7 }));
    expect(characteristicCurve({ tap: "t", folds: [one] })).to.not.have.property("heldOut");
    expect(() => characteristicCurve({ tap: "t", folds: [] })).to.throw(/t: moments of 0 rows/);
  });
});

describe("correlation ranking", () => {
  it("is the absolute correlation, and 0 for dead filters", () => {
    const data = makeResponses({ n: 200, p: 12 }, { seed: 8 });
    const { rho, order } = correlationRanking(momentsOf(data));
    const y = Array.from(data.y);
    const centred = (values: number[]): number[] => {
      const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
      return values.map((v) => v - mean);
    };
    const inner = (a: number[], b: number[]): number => a.reduce((sum, v, i) => sum + v * b[i], 0);
    for (let j = 0; j < 12; j++) {
      const column = centred(Array.from({ length: 200 }, (_, i) => data.x[i * 12 + j]));
      const size = Math.sqrt(inner(column, column) * inner(centred(y), centred(y)));
      const expected = size === 0 ? 0 : Math.abs(inner(column, centred(y))) / size;
      expect(rho[j]).to.be.closeTo(expected, 1e-10);
    }
    expect(rho[5]).to.equal(0);
    const ranked = Array.from(order, (j) => rho[j]);
    expect(ranked).to.deep.equal([...ranked].sort((a, b) => b - a));
    expect([...order].sort((a, b) => a - b)).to.deep.equal(Array.from({ length: 12 }, (_, j) => j));
  });
});

describe("least squares", () => {
  const data = makeResponses({ n: 80, p: 14, q: 2 }, { seed: 9 });
  const moments = mergeMoments(foldsOf(data));

  it("leaves residuals that no chosen filter explains", () => {
    const support = Uint32Array.of(1, 4, 5, 9);
    const { beta, intercept, rmse } = leastSquares(moments, { support, ridge: 0 });
    const normal = new Float64Array(support.length + 1);
    let squares = 0;
    for (let i = 0; i < data.n; i++) {
      for (let k = 0; k < 2; k++) {
        let r = data.y[i * 2 + k] - intercept[k];
        support.forEach((j, row) => (r -= data.x[i * 14 + j] * beta[row * 2 + k]));
        squares += r * r;
        if (k === 1) continue;
        support.forEach((j, row) => (normal[row] += r * data.x[i * 14 + j]));
        normal[support.length] += r;
      }
    }
    for (const value of normal) expect(value).to.be.closeTo(0, 1e-9);
    expect(rmse).to.be.closeTo(Math.sqrt(squares / (2 * data.n)), 1e-10);
    expect(Array.from(beta.subarray(4, 6)), "dead filter").to.deep.equal([0, 0]);
  });

  it("shrinks towards the mean as the ridge grows", () => {
    const sizes = [0, 1, 100, 1e6].map((ridge) => Math.hypot(...leastSquares(moments, { ridge }).beta));
    expect(sizes).to.deep.equal([...sizes].sort((a, b) => b - a));
    expect(sizes[3]).to.be.below(1e-3 * sizes[0]);
  });

  it("refuses a filter that is not there and a negative ridge", () => {
    expect(() => leastSquares(moments, { support: Uint32Array.of(3, 14) })).to.throw(
      /filter 14, one of 0..13/,
    );
    expect(() => leastSquares(moments, { ridge: -1 })).to.throw(/ridge is -1/);
  });
});
