import { expect } from "chai";
import fc from "fast-check";
import { Matrix } from "ml-matrix";
import { readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { LassoPath, PathPoint } from "../../lib/core/artifacts.ts";
import { isEtlError } from "../../lib/core/errors.ts";
import { centre, createMomentsAccumulator } from "../../lib/math/moments.ts";
import { lassoPath, lassoPathFromMoments } from "../../lib/lasso/path.ts";
import { makeResponses } from "../support/responses.ts";

interface Fixture {
  readonly title: string;
  readonly options: { readonly lambdas: number; readonly ratio: number; readonly standardize: boolean };
  readonly n: number;
  readonly p: number;
  readonly q: number;
  readonly x: readonly number[];
  readonly y: readonly number[];
  readonly points: readonly {
    readonly lambda: number;
    readonly support: readonly number[];
    readonly beta: readonly number[];
  }[];
}

const folder = resolve(import.meta.dirname, "../../fixtures/lasso");
const fixtures = readdirSync(folder).map(
  (file) => JSON.parse(readFileSync(resolve(folder, file), "utf8")) as Fixture,
);

/** X (row-major) and Y of a fixture. */
function dataOf({ n, p, q, x, y }: Fixture) {
  const matrix = { data: Float64Array.from(x), rows: n, columns: p };
  const targets = Float64Array.from(y);
  return { x: matrix, y: q === 1 ? targets : { data: targets, rows: n, columns: q } };
}

/** All coefficients of a point, [p, q]. */
function denseBeta(point: Pick<PathPoint, "support" | "beta">, p: number, q: number): Float64Array {
  const beta = new Float64Array(p * q);
  point.support.forEach((j, i) => {
    beta.set(point.beta.subarray(i * q, (i + 1) * q), j * q);
  });
  return beta;
}

const largestOf = (values: Iterable<number>): number =>
  [...values].reduce((most, v) => Math.max(most, Math.abs(v)), 0);

/** Largest difference of two lists, as a share of the largest number of the second. */
function difference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).to.equal(b.length);
  return largestOf(Array.from(a, (v, i) => v - b[i])) / (largestOf(Array.from(b)) || 1);
}

/** Violation of the optimality conditions at every point, from the data, as a share of lambda. */
function worstViolation(data: { x: number[][]; y: number[][] }, path: LassoPath): number {
  const { p, q } = path;
  const n = data.x.length;
  const mean = data.x[0].map((_, j) => data.x.reduce((sum, row) => sum + row[j], 0) / n);
  let worst = 0;
  for (const point of path.points) {
    const beta = denseBeta(point, p, q);
    const b0 = typeof point.intercept === "number" ? [point.intercept] : point.intercept;
    const residuals = data.y.map((row, i) =>
      row.map((v, k) => v - b0[k] - data.x[i].reduce((sum, xij, j) => sum + xij * beta[j * q + k], 0)),
    );
    for (let j = 0; j < p; j++) {
      const corr = Array.from(
        { length: q },
        (_, k) => residuals.reduce((sum, r, i) => sum + (data.x[i][j] - mean[j]) * r[k], 0) / n,
      );
      const row = beta.subarray(j * q, (j + 1) * q);
      const norm = Math.hypot(...row);
      const violation =
        norm === 0
          ? Math.hypot(...corr) - point.lambda
          : Math.hypot(...corr.map((c, k) => c - (point.lambda * row[k]) / norm));
      worst = Math.max(worst, violation / point.lambda);
    }
  }
  return worst;
}

function rowsOf(values: ArrayLike<number>, rows: number, columns: number): number[][] {
  return Array.from({ length: rows }, (_, i) =>
    Array.from({ length: columns }, (__, j) => values[i * columns + j]),
  );
}

describe("lasso path: reference", () => {
  for (const fixture of fixtures) {
    const { p, q } = fixture;
    // One output is solved exactly; several are solved to the gap that is asked for.
    const options = { ...fixture.options, tol: q === 1 ? 1e-6 : 1e-12 };
    const scale = largestOf(fixture.points.flatMap((point) => point.beta));

    const agrees = (path: LassoPath): void => {
      expect(
        difference(
          path.lambdas,
          fixture.points.map((point) => point.lambda),
        ),
      ).to.be.below(1e-10);
      path.points.forEach((point, i) => {
        const expected = fixture.points[i];
        const reference = denseBeta(
          { support: Uint32Array.from(expected.support), beta: Float64Array.from(expected.beta) },
          p,
          q,
        );
        const worst = largestOf(denseBeta(point, p, q).map((b, j) => b - reference[j]));
        expect(worst / scale, `coefficients at lambda ${i}`).to.be.below(1e-5);
        expect(Array.from(point.support), `support at lambda ${i}`).to.deep.equal(expected.support);
      });
    };

    it(`agrees with scikit-learn: ${fixture.title}`, () => {
      agrees(lassoPath(dataOf(fixture), options));
    });

    it(`agrees with scikit-learn, from moments: ${fixture.title}`, () => {
      const accumulator = createMomentsAccumulator(p, q);
      accumulator.add(Float64Array.from(fixture.x), Float64Array.from(fixture.y), fixture.n);
      agrees(lassoPathFromMoments(accumulator.moments(), options));
    });
  }

  it("walks a folder that is not empty", () => {
    expect(fixtures.length).to.be.at.least(8);
  });
});

describe("lasso path: certificates", () => {
  const shapes = [
    { n: 200, p: 30 },
    { n: 50, p: 80 },
    { n: 150, p: 40, q: 3 },
  ];
  for (const shape of shapes) {
    const title = `n ${shape.n}, p ${shape.p}, q ${shape.q ?? 1}`;
    const { n, p, q, x, y } = makeResponses(shape, { seed: title, scale: 0.01, binary: true });
    const data = {
      x: { data: Float64Array.from(x), rows: n, columns: p },
      y: { data: y, rows: n, columns: q },
    };

    it(`reaches the gap at all 100 lambdas: ${title}`, () => {
      const path = lassoPath(data);
      const yy = path.points[0].rmse ** 2 * q;
      expect(path.points).to.have.length(100);
      for (const point of path.points) expect(point.gap).to.be.within(0, 1e-6 * yy);
    });

    it(`satisfies the optimality conditions, computed from the images: ${title}`, () => {
      const path = lassoPath(data, { lambdas: 20, tol: 1e-12 });
      const violation = worstViolation({ x: rowsOf(x, n, p), y: rowsOf(y, n, q) }, path);
      expect(violation).to.be.below(q === 1 ? 1e-6 : 1e-2);
    });

    it(`reports the error on the training rows: ${title}`, () => {
      const path = lassoPath(data, { lambdas: 10 });
      for (const point of path.points) {
        const beta = denseBeta(point, p, q);
        const b0 = typeof point.intercept === "number" ? [point.intercept] : point.intercept;
        let sum = 0;
        for (let i = 0; i < n; i++) {
          for (let k = 0; k < q; k++) {
            let r = y[i * q + k] - b0[k];
            for (let j = 0; j < p; j++) r -= x[i * p + j] * beta[j * q + k];
            sum += r * r;
          }
        }
        expect(point.rmse).to.be.closeTo(Math.sqrt(sum / (n * q)), 1e-9);
      }
    });
  }

  it("starts empty and spans the ratio", () => {
    const { n, p, x, y } = makeResponses({ n: 100, p: 20 }, { seed: 3 });
    const path = lassoPath({ x: { data: x, rows: n, columns: p }, y }, { lambdas: 100, ratio: 1e4 });
    expect(path.points[0].support).to.have.length(0);
    expect(path.points[1].support.length).to.be.above(0);
    expect(path.lambdas[0] / path.lambdas[99]).to.be.closeTo(1e4, 1e-6);
    expect(path.points.map((point) => point.lambda)).to.deep.equal(Array.from(path.lambdas));
  });

  it("gives dead and constant filters no coefficient, standardised or not", () => {
    const { n, p, x, y } = makeResponses({ n: 100, p: 22 }, { seed: 4 });
    for (let i = 0; i < n; i++) x[i * p + 1] = 0.1;
    const accumulator = createMomentsAccumulator(p, 1);
    accumulator.add(x, y, n);
    for (const standardize of [false, true]) {
      for (const point of lassoPathFromMoments(accumulator.moments(), { standardize }).points) {
        expect(Array.from(point.support)).to.not.include.members([1, 5, 16]);
      }
    }
  });

  it("solves filters that are copies of each other", () => {
    const { n, p, x, y } = makeResponses({ n: 80, p: 10 }, { seed: 5 });
    const twice = Float64Array.from({ length: n * 2 * p }, (_, at) => {
      const [i, j] = [Math.floor(at / (2 * p)), at % (2 * p)];
      return x[i * p + (j % p)];
    });
    const one = lassoPath({ x: { data: x, rows: n, columns: p }, y });
    const two = lassoPath({ x: { data: twice, rows: n, columns: 2 * p }, y });
    two.points.forEach((point, i) => {
      expect(point.gap).to.be.at.most(1e-6 * two.points[0].rmse ** 2);
      expect(point.rmse).to.be.closeTo(one.points[i].rmse, 1e-6);
    });
  });
});

describe("lasso path: properties", () => {
  const settings = { numRuns: 20, seed: 1 };
  const cases = fc.record({
    seed: fc.integer(),
    n: fc.integer({ min: 5, max: 60 }),
    p: fc.integer({ min: 1, max: 25 }),
    standardize: fc.boolean(),
  });

  it("scaling y scales lambda and the coefficients", () => {
    fc.assert(
      fc.property(
        cases,
        fc.double({ min: 0.01, max: 100, noNaN: true }),
        ({ seed, n, p, standardize }, factor) => {
          const { x, y } = makeResponses({ n, p }, { seed });
          const matrix = { data: x, rows: n, columns: p };
          const options = { lambdas: 10, ratio: 100, standardize };
          const a = lassoPath({ x: matrix, y }, options);
          const b = lassoPath({ x: matrix, y: y.map((v) => v * factor) }, options);
          expect(
            difference(
              b.lambdas,
              a.lambdas.map((v) => v * factor),
            ),
          ).to.be.below(1e-9);
          b.points.forEach((point, i) => {
            const expected = denseBeta(a.points[i], p, 1).map((v) => v * factor);
            expect(difference(denseBeta(point, p, 1), expected)).to.be.below(1e-6);
          });
        },
      ),
      settings,
    );
  });

  it("moving y and x moves the intercept alone", () => {
    fc.assert(
      fc.property(cases, fc.double({ min: -50, max: 50, noNaN: true }), ({ seed, n, p, standardize }, by) => {
        const { x, y } = makeResponses({ n, p }, { seed });
        const options = { lambdas: 10, ratio: 100, standardize };
        const a = lassoPath({ x: { data: Float64Array.from(x), rows: n, columns: p }, y }, options);
        const moved = { data: Float64Array.from(x, (v) => v + by), rows: n, columns: p };
        const b = lassoPath({ x: moved, y: y.map((v) => v - by) }, options);
        b.points.forEach((point, i) => {
          const beta = denseBeta(a.points[i], p, 1);
          expect(difference(denseBeta(point, p, 1), beta)).to.be.below(1e-6);
          const total = beta.reduce((sum, v) => sum + v, 0);
          const size = 1 + Math.abs(by) * beta.reduce((sum, v) => sum + Math.abs(v), 1);
          expect(point.intercept).to.be.closeTo(Number(a.points[i].intercept) - by - by * total, 1e-6 * size);
        });
      }),
      settings,
    );
  });

  it("the order of the filters does not matter", () => {
    fc.assert(
      fc.property(cases, fc.integer({ min: 1, max: 3 }), ({ seed, n, p, standardize }, q) => {
        const { x, y } = makeResponses({ n, p, q }, { seed });
        const order = Array.from({ length: p }, (_, j) => j).sort(
          (i, j) => ((i * 7) % 13) - ((j * 7) % 13) || i - j,
        );
        const mixed = Float64Array.from({ length: n * p }, (_, at) => x[at - (at % p) + order[at % p]]);
        const targets = { data: y, rows: n, columns: q };
        const options = { lambdas: 8, ratio: 50, standardize, tol: 1e-10 };
        const a = lassoPath({ x: { data: x, rows: n, columns: p }, y: targets }, options);
        const b = lassoPath({ x: { data: mixed, rows: n, columns: p }, y: targets }, options);
        b.points.forEach((point, i) => {
          expect(point.rmse).to.be.closeTo(a.points[i].rmse, 1e-5);
          if (q > 1) return;
          const [there, here] = [denseBeta(a.points[i], p, 1), denseBeta(point, p, 1)];
          expect(
            difference(
              here,
              order.map((j) => there[j]),
            ),
          ).to.be.below(1e-6);
        });
      }),
      settings,
    );
  });

  it("an output beside which all others are constant is solved as if alone", () => {
    const { n, p, x, y } = makeResponses({ n: 60, p: 12 }, { seed: 9 });
    const matrix = { data: x, rows: n, columns: p };
    const one = lassoPath({ x: matrix, y }, { lambdas: 20 });
    const padded = Float64Array.from({ length: 2 * n }, (_, at) => (at % 2 === 0 ? y[at / 2] : 4));
    const two = lassoPath(
      { x: matrix, y: { data: padded, rows: n, columns: 2 } },
      { lambdas: 20, tol: 1e-12 },
    );
    two.points.forEach((point, i) => {
      const beta = denseBeta(point, p, 2).filter((_, at) => at % 2 === 0);
      expect(difference(beta, denseBeta(one.points[i], p, 1))).to.be.below(1e-5);
      expect(point.intercept).to.have.property("1", 4);
    });
  });
});

describe("lasso path: what goes in", () => {
  const { n, p, x, y } = makeResponses({ n: 30, p: 6 }, { seed: 2 });
  const matrix = { data: x, rows: n, columns: p };

  it("reads an ml-matrix Matrix and row-major numbers alike", () => {
    const rows = new Matrix(rowsOf(x, n, p));
    expect(lassoPath({ x: rows, y })).to.deep.equal(lassoPath({ x: matrix, y }));
  });

  it("answers a constant target with a path of empty points", () => {
    const path = lassoPath({ x: matrix, y: new Float64Array(n).fill(3) });
    expect(path.lambdas).to.deep.equal(new Float64Array(100));
    for (const point of path.points) {
      expect(point).to.deep.include({ lambda: 0, intercept: 3, gap: 0, rmse: 0 });
      expect(point.support).to.have.length(0);
    }
  });

  it("answers constant filters with a path of empty points at the target's spread", () => {
    const flat = { data: new Float64Array(n * p).fill(0.3), rows: n, columns: p };
    const path = lassoPath({ x: flat, y });
    const mean = y.reduce((sum, v) => sum + v, 0) / n;
    const spread = Math.sqrt(y.reduce((sum, v) => sum + (v - mean) ** 2, 0) / n);
    for (const point of path.points) expect(point.rmse).to.be.closeTo(spread, 1e-12);
  });

  it("takes a grid as it is", () => {
    const free = lassoPath({ x: matrix, y }, { lambdas: 30 });
    const given = lassoPath({ x: matrix, y }, { lambdas: free.lambdas.slice(10, 20) });
    given.points.forEach((point, i) => {
      expect(difference(denseBeta(point, p, 1), denseBeta(free.points[10 + i], p, 1))).to.be.below(1e-8);
    });
  });

  const wrong: [string, () => unknown, RegExp][] = [
    ["one lambda", () => lassoPath({ x: matrix, y }, { lambdas: 1 }), /lambdas is 1, .*at least 2/],
    ["ratio 1", () => lassoPath({ x: matrix, y }, { ratio: 1 }), /ratio is 1, .*above 1/],
    ["tol 0", () => lassoPath({ x: matrix, y }, { tol: 0 }), /tol is 0, .*above 0/],
    ["tol NaN", () => lassoPath({ x: matrix, y }, { tol: NaN }), /tol is NaN/],
    ["rising grid", () => lassoPath({ x: matrix, y }, { lambdas: Float64Array.of(1, 2) }), /descending/],
    ["lengths", () => lassoPath({ x: matrix, y: y.subarray(1) }), /30 rows and y 29/],
    ["data length", () => lassoPath({ x: { ...matrix, rows: 31 }, y }), /180 numbers for 31 x 6/],
    [
      "one row",
      () => lassoPath({ x: { data: x.slice(0, p), rows: 1, columns: p }, y: y.slice(0, 1) }),
      /1 rows/,
    ],
    [
      "NaN in x",
      () => lassoPath({ x: { ...matrix, data: x.map((v, i) => (i === 8 ? NaN : v)) }, y }),
      /x\[1, 2\] is NaN/,
    ],
    [
      "Infinity in y",
      () => lassoPath({ x: matrix, y: y.map((v, i) => (i === 4 ? Infinity : v)) }),
      /y\[4, 0\] is Inf/,
    ],
  ];
  for (const [title, call, message] of wrong) {
    it(`refuses ${title}`, () => {
      expect(call)
        .to.throw(message)
        .that.satisfies((error: unknown) => isEtlError(error));
    });
  }

  it("refuses moments that are not finite", () => {
    const accumulator = createMomentsAccumulator(p, 1);
    accumulator.add(
      x.map((v, i) => (i === 40 ? NaN : v)),
      y,
      n,
    );
    expect(() => lassoPathFromMoments(accumulator.moments())).to.throw(/not a finite number/);
    expect(() => centre(accumulator.moments())).to.throw(/not a finite number/);
  });
});
