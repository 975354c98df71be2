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

  it("of numbers by ranges over both parts, in the unit of the labels", () => {
    const degrees = task({ kind: "regression", classes: [], scale: Math.PI / 180 });
    const radians = (...of: number[]): Float32Array => Float32Array.from(of, (each) => each * degrees.scale);
    const counts = labelCounts(degrees, radians(0, 0.5, 55, 100), radians(-20.5, 55, 299.5));
    expect(counts.map(({ label }) => label).slice(0, 2)).to.deep.equal(["-21 to 11", "11 to 43"]);
    expect(counts.map(({ train }) => train)).to.deep.equal([2, 0, 1, 1, 0, 0, 0, 0, 0, 0]);
    expect(counts.map(({ test }) => test)).to.deep.equal([1, 0, 1, 0, 0, 0, 0, 0, 0, 1]);
    const points = task({ kind: "regression", classes: [], outputs: 2 });
    expect(labelCounts(points, Float32Array.of(1, 2), Float32Array.of(1, 2))).to.deep.equal([]);
  });

  it("of whole numbers by ranges of which no two hold the same number", () => {
    const years = task({ kind: "regression", classes: [], scale: 1 });
    const counts = labelCounts(years, Float32Array.of(1, 10, 11, 92), Float32Array.of(20, 21));
    expect(counts.map(({ label }) => label)).to.deep.equal([
      ...["1 to 10", "11 to 20", "21 to 30", "31 to 40", "41 to 50"],
      ...["51 to 60", "61 to 70", "71 to 80", "81 to 90", "91 to 92"],
    ]);
    expect(counts.map(({ train }) => train)).to.deep.equal([2, 1, 0, 0, 0, 0, 0, 0, 0, 1]);
    expect(counts.map(({ test }) => test)).to.deep.equal([0, 1, 1, 0, 0, 0, 0, 0, 0, 0]);
    const few = labelCounts(years, Float32Array.of(3, 4, 4), Float32Array.of(5));
    expect(few.map(({ label, train, test }) => [label, train, test])).to.deep.equal([
      ["3", 1, 0],
      ["4", 2, 0],
      ["5", 0, 1],
    ]);
  });
});
