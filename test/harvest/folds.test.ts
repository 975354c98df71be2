import { expect } from "chai";
import { dealFolds } from "../../lib/harvest/folds.ts";

describe("dealFolds", () => {
  const identities = Array.from({ length: 103 }, (_, i) => (i % 3 === 0 ? undefined : `person ${i % 17}`));

  it("keeps a person in one fold and the folds about equal", () => {
    const folds = dealFolds(identities, 5, 1);
    const of = new Map<string, number>();
    identities.forEach((identity, row) => {
      if (identity === undefined) return;
      expect(of.get(identity) ?? folds[row]).to.equal(folds[row]);
      of.set(identity, folds[row]);
    });
    const sizes = [0, 1, 2, 3, 4].map((k) => folds.filter((fold) => fold === k).length);
    expect(Math.max(...sizes) - Math.min(...sizes)).to.be.at.most(5);
  });

  it("gives hundreds of folds rows of their own", () => {
    const folds = dealFolds(new Array<undefined>(600).fill(undefined), 300, 1);
    expect(new Set(folds).size).to.equal(300);
  });

  it("is the same for the same seed and another for another", () => {
    expect(dealFolds(identities, 5, 1)).to.deep.equal(dealFolds(identities, 5, 1));
    expect(dealFolds(identities, 5, 1)).to.not.deep.equal(dealFolds(identities, 5, 2));
  });
});
