import { expect } from "chai";
import type { Task } from "../../../lib/core/artifacts.ts";
import { labelCounts } from "../../../lib/jobs/run/models.ts";

const task = (more: Partial<Task>): Task => ({
  ...{ name: "some", kind: "binary", columns: ["some"], classes: ["no", "yes"], outputs: 1 },
  ...{ scale: 1, mirror: "keep" },
  ...more,
});

describe("jobs/world: how many pictures have each label", () => {
  it("of classes and of yes/no labels", () => {
    expect(labelCounts(task({}), Float32Array.of(0, 1, 1), Float32Array.of(0))).to.deep.equal([
      { label: "no", train: 1, test: 1 },
      { label: "yes", train: 2, test: 0 },
    ]);
    const three = task({ kind: "categorical", classes: ["a", "b", "c"], outputs: 3 });
    expect(labelCounts(three, Float32Array.of(0, 0, 1, 1, 0, 0), Float32Array.of(0, 0, 1))).to.deep.equal([
      { label: "a", train: 1, test: 0 },
      { label: "b", train: 0, test: 0 },
      { label: "c", train: 1, test: 1 },
    ]);
    const both = task({ kind: "multi-label", classes: ["smile", "hat"], outputs: 2 });
    expect(labelCounts(both, Float32Array.of(1, 1, 1, 0), Float32Array.of(0, 0))).to.deep.equal([
      { label: "smile", train: 2, test: 0 },
      { label: "hat", train: 1, test: 0 },
    ]);
  });

  it("of numbers by tenths of the range in training, in the unit of the labels, the test part within it", () => {
    const degrees = task({ kind: "regression", classes: [], scale: Math.PI / 180 });
    const radians = (...of: number[]): Float32Array => Float32Array.from(of, (each) => each * degrees.scale);
    const counts = labelCounts(degrees, radians(0, 1, 55, 100), radians(-20, 55, 300));
    expect(counts.map(({ label }) => label).slice(0, 2)).to.deep.equal(["0 to 10", "10 to 20"]);
    expect(counts.map(({ train }) => train)).to.deep.equal([2, 0, 0, 0, 0, 1, 0, 0, 0, 1]);
    expect(counts.map(({ test }) => test)).to.deep.equal([1, 0, 0, 0, 0, 1, 0, 0, 0, 1]);
    const points = task({ kind: "regression", classes: [], outputs: 2 });
    expect(labelCounts(points, Float32Array.of(1, 2), Float32Array.of(1, 2))).to.deep.equal([]);
  });
});
