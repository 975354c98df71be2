import { expect } from "chai";
import fc from "fast-check";
import { createRandom } from "../../lib/core/random.ts";
import {
  evenSplitProbability,
  medianRange,
  shareDifference,
  studentBound,
  wilson,
} from "../../lib/math/statistics.ts";

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

describe("the range of a median", () => {
  it("takes the order statistics of the sign test", () => {
    // Of 10 values the second and the ninth: 1 - 2 * P(Bin(10, 1/2) <= 1) = 0.979; with the third, 0.891.
    const ten = [7, 1, 4, 10, 3, 6, 2, 9, 5, 8];
    expect(medianRange(ten)).to.deep.equal({ median: 5.5, low: 2, high: 9 });
    expect(medianRange([3, 1, 2, 5, 4, 6])).to.deep.equal({ median: 3.5, low: 1, high: 6 });
    expect(medianRange([2, 1, 3])).to.deep.equal({ median: 2, low: 1, high: 3 });
  });

  it("holds the median of most samples", () => {
    const random = createRandom(3);
    let held = 0;
    for (let i = 0; i < 2000; i++) {
      const { low, high } = medianRange(Array.from({ length: 15 }, () => random.normal()));
      if (low <= 0 && high >= 0) held++;
    }
    expect(held / 2000).to.be.within(0.95, 0.985);
  });
});

describe("Student's bound", () => {
  it("is the tabled one, and near it beyond the table", () => {
    expect([1, 4, 30].map(studentBound)).to.deep.equal([12.706, 2.776, 2.042]);
    expect(studentBound(60)).to.be.closeTo(2.0003, 0.002);
  });
});
