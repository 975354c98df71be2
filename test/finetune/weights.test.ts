import { expect } from "chai";
import {
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
