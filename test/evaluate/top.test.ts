import { expect } from "chai";
import { topAccuracy } from "../../lib/evaluate/top.ts";

describe("evaluate/top", () => {
  const scores = [0.1, 0.7, 0.2, 0.5, 0.3, 0.2, 0.2, 0.4, 0.4];
  const targets = [0, 0, 1, 1, 0, 0, 0, 0, 1];

  it("counts rows whose class is among the first k; of equals the first comes first", () => {
    expect([1, 2, 3].map((k) => topAccuracy(scores, targets, { q: 3, k }))).to.deep.equal([1 / 3, 1, 1]);
  });

  it("what is not a number is wrong", () => {
    expect(topAccuracy([NaN, 1], [1, 0], { q: 2, k: 2 })).to.equal(0);
  });
});
