import { expect } from "chai";
import type { Task } from "../../lib/core/artifacts.ts";
import { yesProbability } from "../../lib/data/probability.ts";
import { answersOf } from "../../lib/evaluate/answer.ts";
import { linesOf } from "../../lib/web/lines.ts";

const task: Task = {
  ...{ name: "gender", kind: "binary", columns: ["Male"], classes: ["female", "male"], outputs: 1, scale: 1 },
  mirror: "keep",
};
const signed: Task = { ...task, scores: "signed" };

describe("data/probability", () => {
  it("of logits, and of numbers learnt as -1 and 1, which may lie beyond", () => {
    expect([-2, 0, 2].map((z) => yesProbability(task, z))).to.deep.equal([
      1 / (1 + Math.exp(2)),
      0.5,
      1 / (1 + Math.exp(-2)),
    ]);
    expect([-3, -1, -0.5, 0, 1, 3].map((s) => yesProbability(signed, s))).to.deep.equal([
      0, 0, 0.25, 0.5, 1, 1,
    ]);
  });

  it("is what a terminal and a page say", () => {
    const answered = (own: Task): number | undefined =>
      answersOf(
        { output: "prediction", tasks: [{ output: "prediction", task: own }] },
        { prediction: { shape: [1, 1], data: Float32Array.of(-0.5) } },
        { number: 0, of: 1 },
      ).probability;
    expect(answered(signed)).to.equal(0.75);
    expect(answered(task)).to.be.closeTo(0.622, 1e-3);
    expect(linesOf([-0.5], signed)).to.deep.equal([{ name: "female", share: 0.75 }]);
    const labels: Task = { ...signed, kind: "multi-label", classes: ["Bald", "Young"], outputs: 2 };
    expect(linesOf([-1, 0.5], labels).map(({ share }) => share)).to.deep.equal([0, 0.75]);
  });
});
