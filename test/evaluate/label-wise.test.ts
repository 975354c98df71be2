import { expect } from "chai";
import { labelWise } from "../../lib/evaluate/label-wise.ts";

describe("evaluate/label-wise", () => {
  // Four rows, two labels. a: 1 0 0 0, said 1 1 0 0. b: 1 1 1 0, said 1 1 0 0.
  const targets = [1, 1, 0, 1, 0, 1, 0, 0];
  const logits = [2, 3, 1, 0.5, -1, -2, -3, -0.1];

  it("accuracy of all answers, means weighted by support, the line of accuracy over positives", () => {
    const scores = labelWise(["a", "b"], { logits, targets });
    const [a, b] = scores.labels;
    expect(a).to.deep.equal({
      name: "a",
      accuracy: 0.75,
      precision: 0.5,
      recall: 1,
      f1: 2 / 3,
      positives: 1,
      n: 4,
    });
    expect(b).to.deep.include({ accuracy: 0.75, precision: 1, recall: 2 / 3, f1: 0.8, positives: 3 });
    expect(scores.accuracy).to.equal(0.75);
    expect(scores.precision).to.be.closeTo((1 * 0.5 + 3 * 1) / 4, 1e-12);
    expect(scores.recall).to.be.closeTo((1 * 1 + (3 * 2) / 3) / 4, 1e-12);
    expect(scores.f1).to.be.closeTo((2 / 3 + 3 * 0.8) / 4, 1e-12);
    expect(scores.majority).to.equal(0.75);
    expect(scores.line?.slope).to.be.closeTo(0, 1e-12);
    expect(scores.line?.intercept).to.be.closeTo(0.75, 1e-12);
  });

  it("missing labels do not count; a label without rows is left out; one label has no line", () => {
    const mask = [1, 0, 1, 0, 1, 0, 0, 0];
    const scores = labelWise(["a", "b"], { logits, targets, mask });
    expect(scores.labels.map(({ name, n }) => [name, n])).to.deep.equal([["a", 3]]);
    expect(scores.accuracy).to.be.closeTo(2 / 3, 1e-12);
    expect(scores).to.not.have.property("line");
  });

  it("the slope falls where common labels are harder", () => {
    // Label k has k positives of 10 rows, all said no.
    const names = ["one", "two", "three"];
    const rows = Array.from({ length: 10 }, (_, i) => names.map((_, k) => (i <= k ? 1 : 0)));
    const scores = labelWise(names, { logits: rows.flat().map(() => -1), targets: rows.flat() });
    expect(scores.line?.slope).to.be.closeTo(-1, 1e-12);
  });
});
