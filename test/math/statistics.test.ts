import { expect } from "chai";
import fc from "fast-check";
import { evenSplitProbability, shareDifference, wilson } from "../../lib/math/statistics.ts";

describe("Wilson's interval", () => {
  it("is the published one", () => {
    // SciPy 1.10.1: binomtest(9, 10).proportion_ci(method="wilson"), and 0 of 20.
    const nine = wilson(0.9, 10);
    expect([nine.low, nine.high].map((value) => value.toFixed(4))).to.deep.equal(["0.5958", "0.9821"]);
    expect(wilson(0, 20).high).to.be.closeTo(0.1611, 5e-5);
    expect(wilson(0.5, 0)).to.deep.equal({ low: 0, high: 1 });
  });

  it("holds the share, lies in 0..1, and narrows with n", () => {
    fc.assert(
      fc.property(fc.nat(50), fc.integer({ min: 50, max: 500 }), (k, n) => {
        const { low, high } = wilson(k / n, n);
        const more = wilson(k / n, 4 * n);
        return (
          low >= 0 &&
          high <= 1 &&
          low <= k / n + 1e-12 &&
          high >= k / n - 1e-12 &&
          more.high - more.low < high - low
        );
      }),
    );
  });

  it("tests an even split exactly: R's binom.test", () => {
    expect(evenSplitProbability(0, 0)).to.equal(1);
    expect(evenSplitProbability(6, 0)).to.be.closeTo(0.03125, 1e-12);
    expect(evenSplitProbability(5, 0)).to.be.closeTo(0.0625, 1e-12);
    expect(evenSplitProbability(2, 12)).to.be.closeTo(0.01293945, 1e-8);
    expect(evenSplitProbability(30, 30)).to.equal(1);
    expect(evenSplitProbability(4000, 4200)).to.be.within(0.02, 0.03);
  });

  it("compares shares of small counts: Newcombe's method 10, his example 56/70 against 48/80", () => {
    const { low, high } = shareDifference({ share: 56 / 70, n: 70 }, { share: 48 / 80, n: 80 });
    expect(low).to.be.closeTo(0.0524, 5e-5);
    expect(high).to.be.closeTo(0.3339, 5e-5);
    const same = shareDifference({ share: 1, n: 40 }, { share: 1, n: 40 });
    expect(same.low).to.be.lessThan(-0.05);
    expect(same.high).to.be.greaterThan(0.05);
  });
});
