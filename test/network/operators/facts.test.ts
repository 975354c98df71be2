import { expect } from "chai";
import { rules } from "../../../lib/network/coupling/rules.ts";
import { factsOf, operatorsWhere } from "../../../lib/network/operators/facts.ts";
import { shapedOperators } from "../../../lib/network/shapes/infer.ts";

describe("network/operators: the table", () => {
  it("gives a shape rule to every operator whose channels are followed", () => {
    const followed = operatorsWhere(({ channels }) => channels !== undefined);
    expect(followed).to.include.members(["Swish", "RMSNormalization", "Conv"]);
    expect(followed.filter((op) => !shapedOperators.includes(op))).to.deep.equal([]);
  });

  it("gives a coupling rule to every operator that has a kind, and to no other", () => {
    const followed = operatorsWhere(({ channels }) => channels !== undefined);
    expect([...rules.keys()].toSorted()).to.deep.equal(followed.toSorted());
  });

  it("takes every number-by-number operator apart by rows, but the one that draws", () => {
    const mixing = operatorsWhere(({ channels, rows }) => channels === "each" && rows !== true);
    expect(mixing).to.deep.equal(["Dropout"]);
    for (const op of ["Gelu", "Selu", "Celu", "Mish", "Softplus", "Abs"]) {
      expect(factsOf(op).rows, op).to.equal(true);
    }
  });

  it("assumes nothing of an operator that is not in it", () => {
    expect(factsOf("constructor")).to.deep.equal({});
    expect(factsOf("LSTM")).to.deep.equal({});
  });
});
