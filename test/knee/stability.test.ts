import { expect } from "chai";
import { stabilityOf } from "../../lib/knee/stability.ts";

describe("stability of a selection (Nogueira et al. 2018)", () => {
  it("is 1 where every fold chooses the same filters, whatever they are", () => {
    expect(
      stabilityOf(
        [
          [1, 4],
          [1, 4],
          [1, 4],
        ],
        6,
      ),
    ).to.be.closeTo(1, 1e-12);
  });

  it("equals the formula on a case computed by hand", () => {
    // p = 4, M = 2: filter 0 in both, filters 1 and 2 in one each. Mean variance 2 * (2 * 1/4) / 4 = 1/4; share 1/2, chance 1/4.
    expect(
      stabilityOf(
        [
          [0, 1],
          [0, 2],
        ],
        4,
      ),
    ).to.be.closeTo(0, 1e-12);
    // Filters 0, 1 in both, 2 in one: variance (2 * 1/4) / 4 = 1/8; share 5/8, chance 15/64.
    expect(
      stabilityOf(
        [
          [0, 1],
          [0, 1, 2],
        ],
        4,
      ),
    ).to.be.closeTo(1 - 8 / 15, 1e-12);
  });

  it("is about 0 for random choices, and negative for choices that avoid each other", () => {
    expect(
      stabilityOf(
        [
          [0, 1],
          [2, 3],
        ],
        4,
      ),
    ).to.be.lessThan(-0.5);
  });

  it("has no value where nothing could vary", () => {
    expect(stabilityOf([[0]], 4)).to.equal(undefined);
    expect(stabilityOf([[], []], 4)).to.equal(undefined);
    expect(
      stabilityOf(
        [
          [0, 1],
          [0, 1],
        ],
        2,
      ),
    ).to.equal(undefined);
  });
});
