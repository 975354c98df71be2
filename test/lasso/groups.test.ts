import { expect } from "chai";
import type { LassoPath, PathPoint } from "../../lib/core/artifacts.ts";
import { centre, createMomentsAccumulator, type CentredMoments } from "../../lib/math/moments.ts";
import { createRandom } from "../../lib/core/random.ts";
import { extrapolated } from "../../lib/lasso/extrapolation.ts";
import { createGroupSolver } from "../../lib/lasso/groups.ts";
import { expandOutputs, reduceOutputs } from "../../lib/lasso/outputs.ts";
import { solvePath, type LassoOptions } from "../../lib/lasso/path.ts";
import { dualityGap } from "../../lib/lasso/penalty.ts";
import { quadratic, zeroIterate } from "../../lib/lasso/problem.ts";
import { makeResponses, type Responses } from "../support/responses.ts";

function centredOf({ n, p, q, x, y }: Responses): CentredMoments {
  const accumulator = createMomentsAccumulator(p, q);
  accumulator.add(x, y, n);
  return centre(accumulator.moments());
}

/** One of `q` classes for every image, the one whose target is largest. */
function oneHot(n: number, p: number, q: number, seed: number): Responses {
  const drawn = makeResponses({ n, p, q }, { seed, scale: 0.01 });
  const y = new Float64Array(n * q);
  for (let i = 0; i < n; i++) {
    const row = drawn.y.subarray(i * q, (i + 1) * q);
    y[i * q + row.indexOf(Math.max(...row))] = 1;
  }
  return { ...drawn, y };
}

/** Averages of rectified responses: positive, of several sizes, and mixtures of factors each half as strong as the one before. */
function alike({ n, p, q }: { readonly n: number; readonly p: number; readonly q: number }): Responses {
  const random = createRandom(3);
  const factors = Float64Array.from({ length: n * 40 }, () => random.normal());
  const loads = Float64Array.from({ length: 40 * p }, () => random.normal());
  const x = Float32Array.from({ length: n * p }, (_, at) => {
    const [i, j] = [Math.floor(at / p), at % p];
    let sum = 1;
    for (let f = 0; f < 40; f++) sum += factors[i * 40 + f] * loads[f * p + j] * 0.5 ** f;
    return (1 + (j % 7)) * 10 * Math.max(0, sum);
  });
  const y = Float64Array.from({ length: n * q }, (_, at) => (Math.floor(at / q) % q === at % q ? 1 : 0));
  return { n, p, q, x, y };
}

function denseBeta({ support, beta }: PathPoint, p: number, q: number): Float64Array {
  const all = new Float64Array(p * q);
  support.forEach((j, i) => {
    all.set(beta.subarray(i * q, (i + 1) * q), j * q);
  });
  return all;
}

const norm = (values: Float64Array): number => Math.hypot(...values);

function expectGaps(path: LassoPath, centred: CentredMoments, tol = 1e-6): void {
  const { yy } = quadratic(centred, false);
  for (const point of path.points) expect(point.gap, `lambda ${point.lambda}`).to.be.within(0, tol * yy);
}

/** Largest relative difference of the coefficients to those of the problem with its outputs as they are. */
function differenceToUnreduced(centred: CentredMoments, options: LassoOptions & { tol: number }): number {
  const problem = quadratic(centred, false);
  const path = solvePath(centred, options);
  expectGaps(path, centred, options.tol);
  const solver = createGroupSolver(problem);
  const iterate = zeroIterate(problem);
  let worst = 0;
  for (const point of path.points) {
    solver.solve(iterate, point.lambda, options.tol * problem.yy);
    const beta = denseBeta(point, problem.p, problem.q);
    const difference = norm(beta.map((b, t) => b - iterate.beta[t]));
    worst = Math.max(worst, difference / (norm(iterate.beta) || 1));
  }
  return worst;
}

describe("several outputs: fewer of them", () => {
  const tight = { lambdas: 30, ratio: 1e3, tol: 1e-13 };

  it("of seven classes six are left, with the same path", () => {
    const centred = centredOf(oneHot(300, 40, 7, 1));
    expect(reduceOutputs(quadratic(centred, false)).problem.q).to.equal(6);
    expect(differenceToUnreduced(centred, tight)).to.be.below(1e-8);
  });

  it("of forty outputs of twelve filters twelve are left at most, with the same path", () => {
    const centred = centredOf(makeResponses({ n: 200, p: 12, q: 40 }, { seed: 2, binary: true }));
    expect(reduceOutputs(quadratic(centred, false)).problem.q).to.equal(11); // filter 5 is dead
    expect(differenceToUnreduced(centred, tight)).to.be.below(1e-8);
  });

  it("rotates with rows that are orthonormal, and back", () => {
    const problem = quadratic(centredOf(oneHot(100, 20, 5, 3)), false);
    const { problem: less, basis } = reduceOutputs(problem);
    if (basis === undefined) throw new Error("one output was to go");
    for (let a = 0; a < less.q; a++) {
      for (let b = 0; b < less.q; b++) {
        let inner = 0;
        for (let k = 0; k < 5; k++) inner += basis[a * 5 + k] * basis[b * 5 + k];
        expect(inner).to.be.closeTo(a === b ? 1 : 0, 1e-14);
      }
    }
    const again = expandOutputs(less.cov, basis, less.q);
    const largest = problem.cov.reduce((most, c) => Math.max(most, Math.abs(c)), 0);
    again.forEach((c, t) => expect(c).to.be.closeTo(problem.cov[t], 1e-14 * largest));
  });

  it("keeps outputs that are independent as they are", () => {
    const problem = quadratic(centredOf(makeResponses({ n: 100, p: 20, q: 4 }, { seed: 4 })), false);
    expect(reduceOutputs(problem)).to.deep.equal({ problem, basis: undefined });
  });
});

describe("several outputs: certificates", () => {
  const shapes = [
    { n: 150, p: 5, q: 2 },
    { n: 300, p: 37, q: 7 },
    { n: 40, p: 70, q: 3 },
    { n: 200, p: 66, q: 40 },
  ];
  for (const shape of shapes) {
    it(`reaches the gap at all lambdas: n ${shape.n}, p ${shape.p}, q ${shape.q}`, () => {
      const centred = centredOf(makeResponses(shape, { seed: shape.p, scale: 0.01, binary: true }));
      expectGaps(solvePath(centred, {}), centred);
    });
  }

  it("reaches the gap at all lambdas where more filters are in use than there are images", () => {
    const centred = centredOf(alike({ n: 50, p: 128, q: 7 }));
    const path = solvePath(centred, {});
    expect(path.points[99].support.length).to.be.above(50);
    expectGaps(path, centred);
  });

  it("reaches the gap from nothing at a small lambda, and at one lambda twice", () => {
    const centred = centredOf(makeResponses({ n: 200, p: 40, q: 3 }, { seed: 6 }));
    const { lambdas } = solvePath(centred, { lambdas: 12, ratio: 1e4 });
    for (const few of [lambdas.slice(8), lambdas.map((_, i) => lambdas[i - (i % 3)])]) {
      expectGaps(solvePath(centred, { lambdas: few }), centred);
    }
  });

  it("gives constant filters no coefficient, standardised or not", () => {
    const data = makeResponses({ n: 120, p: 22, q: 3 }, { seed: 7 });
    for (let i = 0; i < data.n; i++) data.x[i * data.p + 1] = 0.1;
    const centred = centredOf(data);
    for (const standardize of [false, true]) {
      const path = solvePath(centred, { standardize });
      expectGaps(path, centred);
      for (const { support } of path.points) expect([...support]).to.not.include.members([1, 5, 16]);
    }
  });

  it("gives constant outputs no coefficient, and their value as intercept", () => {
    const data = makeResponses({ n: 120, p: 20, q: 4 }, { seed: 8 });
    for (let i = 0; i < data.n; i++) data.y[i * 4 + 2] = 5;
    const centred = centredOf(data);
    const path = solvePath(centred, { lambdas: 30 });
    expectGaps(path, centred);
    for (const { support, beta, intercept } of path.points) {
      for (let i = 0; i < support.length; i++) expect(Math.abs(beta[i * 4 + 2])).to.be.below(1e-12);
      expect((intercept as Float64Array)[2]).to.be.closeTo(5, 1e-12);
    }
  });

  it("answers covariances that are all zero with empty points", () => {
    const data = makeResponses({ n: 60, p: 8, q: 3 }, { seed: 9 });
    const flat = centredOf({ ...data, x: new Float32Array(data.n * data.p).fill(0.5) });
    const fixed = centredOf({ ...data, y: new Float64Array(data.n * 3).fill(2) });
    for (const centred of [flat, fixed]) {
      for (const lambdas of [10, Float64Array.of(1, 0.1)]) {
        const path = solvePath(centred, { lambdas });
        expect(path.q).to.equal(3);
        for (const point of path.points) {
          expect(point.support).to.have.length(0);
          expect(point.intercept).to.deep.equal(centred.meanY);
        }
      }
    }
  });

  it("solves filters that are copies of each other", () => {
    const { n, p, q, x, y } = makeResponses({ n: 90, p: 15, q: 3 }, { seed: 10 });
    const twice = Float32Array.from({ length: 2 * n * p }, (_, t) => {
      const [i, j] = [Math.floor(t / (2 * p)), t % (2 * p)];
      return x[i * p + (j % p)];
    });
    const one = solvePath(centredOf({ n, p, q, x, y }), {});
    const centred = centredOf({ n, p: 2 * p, q, x: twice, y });
    const two = solvePath(centred, {});
    expectGaps(two, centred);
    two.points.forEach(({ rmse }, i) => expect(rmse).to.be.closeTo(one.points[i].rmse, 1e-4));
  });

  it("has the gap of a point computed afresh", () => {
    const centred = centredOf(makeResponses({ n: 150, p: 30, q: 5 }, { seed: 11 }));
    const problem = quadratic(centred, false);
    for (const point of solvePath(centred, { lambdas: 20 }).points) {
      const beta = denseBeta(point, 30, 5);
      const corr = problem.cov.slice();
      for (let i = 0; i < 30; i++) {
        for (let j = 0; j < 30; j++) {
          for (let k = 0; k < 5; k++) corr[i * 5 + k] -= problem.gram[i * 30 + j] * beta[j * 5 + k];
        }
      }
      expect(dualityGap(problem, { beta, corr }, point.lambda)).to.be.closeTo(point.gap, 1e-10 * problem.yy);
    }
  });
});

describe("extrapolation along a path", () => {
  const at = (lambda: number, rows: number[][]) => ({ lambda, beta: Float64Array.from(rows.flat()) });

  it("goes on with parabolas, lines and constants of log lambda, row by row", () => {
    const random = createRandom(1);
    const [a, b, c, d] = [random.normal() + 9, random.normal(), random.normal(), random.normal()];
    const rows = (lambda: number, used: number): number[][] => {
      const t = Math.log(lambda);
      return [[a + b * t, 9 + c * t + d * t * t], used > 1 ? [5 + t, 3] : [0, 0], used > 2 ? [1, 2] : [0, 0]];
    };
    const past = [at(0.5, rows(0.5, 3)), at(0.6, rows(0.6, 2)), at(0.8, rows(0.8, 1))];
    const expected = rows(0.4, 3).flat();
    Array.from(extrapolated(past, 0.4, 2) ?? []).forEach((value, i) => {
      expect(value).to.be.closeTo(expected[i], 1e-9);
    });
  });

  it("makes a row zero that would turn round", () => {
    const past = [at(0.5, [[0.1, 0], [1, 1]]), at(1, [[1, 0], [1, 1]])]; // prettier-ignore
    const guess = Array.from(extrapolated(past, 0.25, 2) ?? []);
    expect(guess.slice(0, 2)).to.deep.equal([0, 0]);
    guess.slice(2).forEach((value) => expect(value).to.be.closeTo(1, 1e-12));
  });

  it("knows nothing from one solution, nor at the last one's lambda", () => {
    const one = at(1, [[1, 1]]);
    expect(extrapolated([one], 0.5, 2)).to.equal(undefined);
    expect(extrapolated([one, at(2, [[1, 2]])], 1, 2)).to.equal(undefined);
  });
});
