import { expect } from "chai";
import fc from "fast-check";
import { adaptThresholds, countErrors, logitOfScore, scoreOfLogit } from "../../lib/evaluate/thresholds.ts";

describe("evaluate/thresholds", () => {
  // Four validation rows, two attributes. The first says yes too often, the second misses its yeses.
  const scores = [0.5, -0.4, 0.2, -0.1, 0.1, -0.9, -0.3, 0.6];
  const targets = [0, 1, 0, 1, 1, 0, 0, 1];

  it("counts mistakes of every output beside its threshold (eq. 5), ties mean no", () => {
    const { falsePositives, falseNegatives, samples } = countErrors(scores, targets, { thresholds: [0, 0] });
    expect([...falsePositives]).to.deep.equal([2, 0]);
    expect([...falseNegatives]).to.deep.equal([0, 2]);
    expect(samples).to.equal(4);
    const tied = countErrors(scores, targets, { thresholds: [0.2, -0.4] });
    expect([...tied.falsePositives]).to.deep.equal([1, 0]);
    expect([...tied.falseNegatives]).to.deep.equal([1, 1]);
    const masked = countErrors(scores, targets, { thresholds: [0, 0], mask: [0, 1, 1, 0, 1, 1, 1, 1] });
    expect([...masked.falsePositives, ...masked.falseNegatives]).to.deep.equal([1, 0, 0, 1]);
  });

  it("moves the thresholds as eq. 6 says: tau + gamma l (FP - FN) / V", () => {
    // Epoch 3, gamma 0.01: 0 + 0.01 * 3 * (2 - 0) / 4 = 0.015 and 0.1 + 0.01 * 3 * (0 - 2) / 4 = 0.085.
    const errors = countErrors(scores, targets, { thresholds: [0, 0] });
    const [first, second] = adaptThresholds([0, 0.1], errors, { epoch: 3 });
    expect(first).to.be.closeTo(0.015, 1e-15);
    expect(second).to.be.closeTo(0.085, 1e-15);
    const [fast] = adaptThresholds([0, 0.1], errors, { epoch: 3, rate: 0.1 });
    expect(fast).to.be.closeTo(0.15, 1e-15);
  });

  it("comes to rest where as many are wrongly yes as wrongly no", () => {
    // Scores of 100 rows lie evenly in -1..1, the 10 highest are yes: the fair threshold is 0.8.
    const even = Array.from({ length: 100 }, (_, i) => -1 + (2 * i + 1) / 100);
    const yes = even.map((_, i) => (i >= 90 ? 1 : 0));
    let tau: Float64Array = new Float64Array(1);
    for (let epoch = 1; epoch <= 60; epoch++) {
      tau = adaptThresholds(tau, countErrors(even, yes, { thresholds: tau }), { epoch });
    }
    expect(tau[0]).to.be.closeTo(0.8, 0.02);
  });

  it("scores and logits are the same decision", () => {
    fc.assert(
      fc.property(fc.double({ min: -12, max: 12, noNaN: true }), (logit) => {
        expect(logitOfScore(scoreOfLogit(logit))).to.be.closeTo(logit, 1e-4);
      }),
    );
    expect(scoreOfLogit(0)).to.equal(0);
    expect(Number.isFinite(logitOfScore(1))).to.equal(true);
  });
});
