import { expect } from "chai";
import fc from "fast-check";
import { wilson } from "../../lib/math/statistics.ts";

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
});
