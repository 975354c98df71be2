import { expect } from "chai";
import fc from "fast-check";
import type { Curve, LassoPath } from "../../lib/core/artifacts.ts";
import { isEtlError } from "../../lib/core/errors.ts";
import { chooseCurveKnee, chooseKnee } from "../../lib/knee/knee.ts";
import { bisectGamma, breakpoints } from "../../lib/knee/targets.ts";

/** A path with given numbers of filters and errors; point i has filters 0..counts[i]-1 in the order of `order`. */
function pathOf(counts: readonly number[], rmse: readonly number[], p = Math.max(1, ...counts)): LassoPath {
  return {
    lambdas: Float64Array.from(counts, (_, i) => 2 ** -i),
    p,
    q: 1,
    points: counts.map((count, i) => ({
      lambda: 2 ** -i,
      support: Uint32Array.from({ length: count }, (_, j) => j),
      beta: Float64Array.from({ length: count }, (_, j) => i + j + 1),
      intercept: 0,
      gap: 0,
      rmse: rmse[i],
    })),
  };
}

const curveOf = (counts: number[], rmse: number[], p?: number): Curve => {
  const path = pathOf(counts, rmse, p);
  return { tap: "t", total: path.p, path };
};

const curves = fc
  .array(fc.record({ count: fc.integer({ min: 0, max: 12 }), rmse: fc.integer({ min: 0, max: 1000 }) }), {
    minLength: 1,
    maxLength: 12,
  })
  .map((points) =>
    curveOf(
      points.map(({ count }) => count),
      points.map(({ rmse }) => rmse / 100),
      12,
    ),
  );
const gammas = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const settings = { numRuns: 300, seed: 1 };

describe("knee", () => {
  const path = pathOf([0, 2, 5, 6, 6, 8], [1, 0.5, 0.25, 0.1, 0.05, 0], 10);

  it("is the point with the fewest filters within gamma of the best", () => {
    expect(chooseKnee(path, 0.3)).to.deep.include({ index: 2, lambda: 0.25, filters: 5, rmse: 0.25 });
    expect(chooseKnee(path, 0.01)).to.deep.include({ index: 5, filters: 8 });
    expect(chooseKnee(path, 0.9).keep).to.deep.equal(Uint32Array.of(0, 1));
    expect(chooseKnee(path, 0.9).beta).to.deep.equal(Float64Array.of(2, 3));
  });

  it("is strict: an error of exactly the bound is outside", () => {
    expect(chooseKnee(path, 0.25).filters).to.equal(6);
    expect(chooseKnee(path, 0.2500001).filters).to.equal(5);
  });

  it("takes the lower error of equal numbers of filters", () => {
    expect(chooseKnee(path, 0.2)).to.deep.include({ index: 4, rmse: 0.05 });
  });

  it("keeps everything at gamma 0, with the coefficients of the best point", () => {
    const { index, keep, beta } = chooseKnee(path, 0);
    expect(index).to.equal(-1);
    expect(Array.from(keep)).to.deep.equal([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(Array.from(beta)).to.deep.equal([6, 7, 8, 9, 10, 11, 12, 13, 0, 0]);
  });

  it("reads a held-out error that rises again", () => {
    const heldOut = Float64Array.of(1, 0.6, 0.3, 0.35, 0.4, 0.9);
    expect(chooseKnee(path, 0.01, { rmse: heldOut, tap: "conv" })).to.deep.include({ index: 2, tap: "conv" });
    const curve = {
      tap: "t",
      total: 10,
      path,
      heldOut: { mean: heldOut, standardError: heldOut, supports: [] },
    };
    expect(chooseCurveKnee(curve, 0.01).filters).to.equal(5);
    expect(chooseCurveKnee(curve, 0.01, { rmse: "train" }).filters).to.equal(8);
  });

  it("keeps at least as many filters as asked for", () => {
    expect(chooseKnee(path, 0.9, { minFilters: 4 })).to.deep.include({ index: 2, filters: 5 });
    expect(chooseKnee(path, 0.9, { minFilters: 9 }).keep.length).to.equal(9);
    expect(chooseKnee(path, 0.9, { minFilters: 99 }).keep.length).to.equal(10);
  });

  it("keeps one filter where the target is constant", () => {
    const flat = pathOf([0, 0, 0], [0, 0, 0], 4);
    expect(chooseKnee(flat, 0.1)).to.deep.include({ filters: 1 });
  });

  it("never keeps more filters at a larger gamma, and is never empty", () => {
    fc.assert(
      fc.property(
        curves,
        gammas,
        gammas,
        fc.integer({ min: 1, max: 12 }),
        ({ path: any }, a, b, minFilters) => {
          const [small, large] = [Math.min(a, b), Math.max(a, b)];
          const [more, fewer] = [
            chooseKnee(any, small, { minFilters }),
            chooseKnee(any, large, { minFilters }),
          ];
          expect(fewer.filters).to.be.at.most(more.filters);
          expect(fewer.filters).to.be.at.least(minFilters);
          expect(Array.from(fewer.keep)).to.deep.equal([...new Set(fewer.keep)].sort((i, j) => i - j));
          expect(fewer.beta.length).to.equal(fewer.filters);
        },
      ),
      settings,
    );
  });

  it("refuses a gamma outside [0, 1), wrong errors and a wrong minimum", () => {
    for (const gamma of [-0.1, 1, NaN, Infinity]) {
      expect(() => chooseKnee(path, gamma))
        .to.throw(/^gamma: .*from 0 up to/)
        .that.satisfies((error: unknown) => isEtlError(error, "usage"));
    }
    expect(() => chooseKnee(path, 0.1, { rmse: Float64Array.of(1) })).to.throw(/1 errors for 6 points/);
    expect(() => chooseKnee(path, 0.1, { rmse: new Float64Array(6).fill(NaN) })).to.throw(/not a finite/);
    expect(() => chooseKnee(path, 0.1, { minFilters: 0 })).to.throw(/min-filters: 0/);
  });
});

describe("targets", () => {
  it("breakpoints are all the gammas there are: any other gives the outcome of one of them", () => {
    fc.assert(
      fc.property(fc.array(curves, { minLength: 1, maxLength: 3 }), gammas, (taps, gamma) => {
        const list = breakpoints(taps);
        const outcome = (g: number): string => taps.map((curve) => chooseCurveKnee(curve, g).index).join();
        expect(Array.from(list, outcome)).to.include(outcome(gamma));
        expect(Array.from(list)).to.deep.equal([...new Set(list)].sort((a, b) => a - b));
        expect(list[0]).to.equal(0);
        expect(list[list.length - 1]).to.be.below(1);
      }),
      settings,
    );
  });

  it("the smallest gamma that meets the target is found", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(curves, { minLength: 1, maxLength: 3 }),
        fc.integer({ min: 0, max: 36 }),
        async (taps, target) => {
          const list = breakpoints(taps);
          const cost = (gamma: number): number =>
            taps.reduce((sum, curve) => sum + chooseCurveKnee(curve, gamma).filters, 0);
          const choice = await bisectGamma(cost, target, { gammas: list });
          const expected = Array.from(list).find((gamma) => cost(gamma) <= target);
          expect(choice).to.deep.equal({
            gamma: expected ?? list[list.length - 1],
            cost: cost(choice.gamma),
            reached: expected !== undefined,
          });
        },
      ),
      settings,
    );
  });

  it("are numbers a person can type again", () => {
    const list = breakpoints([curveOf([0, 2, 5, 8], [1, 0.5, 0.1234567, 0])]);
    expect(Array.from(list)).to.deep.equal([0, 0.1, 0.2, 0.6]);
  });
});
