import { expect } from "chai";
import {
  adaptiveWeights,
  averageWeights,
  boundedWeights,
  dynamicWeights,
  positiveWeights,
  termWeights,
  withMeanOne,
} from "../../lib/finetune/weights.ts";

describe("finetune/weights", () => {
  it("dynamic weights are the relative change of the validation loss (DMM-CNN, eq. 4)", () => {
    // |0.6 - 0.8| / 0.8 = 0.25; |0.55 - 0.5| / 0.5 = 0.1; no change: 0; no loss before: 0.
    const weights = dynamicWeights([0.6, 0.55, 0.3, 0.2], [0.8, 0.5, 0.3, 0]);
    const expected = [0.25, 0.1, 0, 0];
    weights.forEach((weight, j) => {
      expect(weight).to.be.closeTo(expected[j], 1e-12);
    });
  });

  it("a weight is held at 1, which no falling loss exceeds, whatever a diverging one does", () => {
    const weights = dynamicWeights([0, 1.6, 9.9e12, Number.NaN], [0.8, 0.8, 2, 2]);
    expect([...boundedWeights(weights)]).to.deep.equal([1, 1, 1, 1]);
    expect([...boundedWeights([0.25, 0, 1.01])]).to.deep.equal([0.25, 0, 1]);
  });

  it("relative weights keep the size of the loss", () => {
    expect([...withMeanOne([0.5, 0.25, 0.25, 0])]).to.deep.equal([2, 1, 1, 0]);
    expect([...withMeanOne([0, 0])]).to.deep.equal([1, 1]);
  });

  it("dynamic weight average: a softmax of the ratios of training losses, by hand, with a mean of 1", () => {
    // ratios 0.5 and 1 over T = 2: exp(0.25) = 1.2840, exp(0.5) = 1.6487; 2 / (their sum) times each.
    const weights = averageWeights([1, 0.8], [2, 0.8]);
    expect(weights[0]).to.be.closeTo(0.8756, 5e-5);
    expect(weights[1]).to.be.closeTo(1.1244, 5e-5);
    // A loss that ran away, or none: bounded by the number of outputs, never no number.
    const wild = averageWeights([1e300, 0, Number.NaN], [1e-10, 0, 1]);
    expect([...wild].every((weight) => weight >= 0 && weight <= 3)).to.equal(true);
    expect(wild.reduce((sum, weight) => sum + weight, 0)).to.be.closeTo(3, 1e-12);
  });

  it("adaptive weights: trend times loss of the validation part, each over its mean, by hand", () => {
    // trends |0.5 - 1| / 0.5 = 1 and |1 - 1.5| / 1 = 0.5; losses 0.5 and 1: both products 0.5, so both weights 1.
    expect([...adaptiveWeights([0.5, 1], [1, 1.5])]).to.deep.equal([1, 1]);
    // trends 1 and 1, losses 1 and 3.
    expect([...adaptiveWeights([1, 3], [2, 6])]).to.deep.equal([0.5, 1.5]);
    expect([...adaptiveWeights([1, 1], [1, 1])]).to.deep.equal([1, 1]);
    expect([...adaptiveWeights([Infinity, 1], [1, 1])]).to.deep.equal([1, 1]);
  });

  it("positive weights are negatives / positives, 1 where there is only one kind", () => {
    const targets = [1, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 0];
    expect([...positiveWeights(targets, 3)]).to.deep.equal([3, 1, 1 / 3]);
    const mask = [1, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 0];
    expect([...positiveWeights(targets, 3, mask)]).to.deep.equal([2, 1, 1]);
  });

  it("term weights: missing labels count nothing, yes labels their positive weight", () => {
    const weights = termWeights([1, 0, 0, 1], 2, { mask: [1, 1, 0, 1], positive: [4, 5], output: [0.5, 2] });
    expect([...weights]).to.deep.equal([2, 2, 0, 10]);
    expect([...termWeights([1, 0], 2, {})]).to.deep.equal([1, 1]);
  });
});
