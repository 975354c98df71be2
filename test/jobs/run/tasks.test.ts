import { expect } from "chai";
import { homedir } from "node:os";
import { join } from "node:path";
import type { Moments, Task } from "../../../lib/core/artifacts.ts";
import { createMomentsAccumulator } from "../../../lib/math/moments.ts";
import { createRandom } from "../../../lib/core/random.ts";
import { isEtlError } from "../../../lib/core/errors.ts";
import { taskData } from "../../../lib/jobs/run/options.ts";
import { columnsFrom, labelGroups, labelsOf, momentsByTask, runTasks } from "../../../lib/jobs/run/tasks.ts";

const task = (name: string, outputs: number): Task => ({
  ...{ name, outputs, kind: "multi-label", columns: [name], classes: [] },
  ...{ scale: 1, mirror: "keep" },
});
const all = [task("one", 1), task("two", 2), task("three", 1)];
const tasks = runTasks({ task: all[0], tasks: all });

describe("jobs/run/tasks", () => {
  it("one task is answered by `prediction`, several by outputs of their own names", () => {
    expect(runTasks({ task: all[0] })).to.deep.equal([{ task: all[0], start: 0, output: "prediction" }]);
    expect(tasks.map(({ output, start }) => [output, start])).to.deep.equal([
      ["one", 0],
      ["two", 1],
      ["three", 3],
    ]);
  });

  it("the moments of each task are those of its own labelled rows, fold by fold", () => {
    const random = createRandom(3);
    const [n, p, q, foldCount] = [90, 5, 4, 3];
    const masks = ["1110", "1111", "0001", "1111", "1110"].map((bits) => Float32Array.from(bits, Number));
    const items = Array.from({ length: n }, (_, i) => ({ mask: masks[i % masks.length] }));
    const labels = labelGroups(items, tasks);
    expect(labels.groups).to.deep.equal([
      [false, false, true],
      [true, true, false],
      [true, true, true],
    ]);
    const rows = items.map((item) => ({
      item,
      fold: random.integer(foldCount),
      x: Float64Array.from({ length: p }, () => random.normal()),
      y: Float64Array.from({ length: q }, () => random.normal()),
    }));
    const sum = (chosen: typeof rows, start: number, width: number): Moments => {
      const accumulator = createMomentsAccumulator(p, width);
      for (const { x, y } of chosen) accumulator.add(x, y.slice(start, start + width), 1);
      return accumulator.moments();
    };
    const folds = labels.groups.flatMap((_, g) =>
      Array.from({ length: foldCount }, (__, k) =>
        sum(
          rows.filter(({ item, fold }) => labels.groupOf(item) === g && fold === k),
          0,
          q,
        ),
      ),
    );
    momentsByTask({ tap: "tap", folds }, { tasks, labels }).forEach((own, t) => {
      const { start, task: of } = tasks[t];
      expect(own.folds).to.have.length(foldCount);
      own.folds.forEach((fold, k) => {
        const known = rows.filter(({ item, fold: f }) => f === k && item.mask[start] === 1);
        const expected = sum(known, start, of.outputs);
        expect([fold.n, fold.p, fold.q]).to.deep.equal([known.length, p, of.outputs]);
        for (const name of ["sumX", "sumY", "xx", "xy", "yy"] as const) {
          expect(fold[name].length).to.equal(expected[name].length);
          fold[name].forEach((value, i) => {
            expect(value).to.be.closeTo(expected[name][i], 1e-9);
          });
        }
      });
    });
  });

  it("labels of a task: only of rows that have one, missing ones inside a row masked", () => {
    const items = [
      { target: Float32Array.of(1, 2, 3, 4), mask: Float32Array.of(1, 1, 0, 0) },
      { target: Float32Array.of(5, 6, 7, 8), mask: Float32Array.of(0, 0, 0, 1) },
      { target: Float32Array.of(9, 10, 11, 12) },
    ].map((item) => ({ ...item, file: "", split: "train" as const, bytes: 0, modifiedMs: 0 }));
    const of = (t: number): unknown => {
      const { at, targets, mask } = labelsOf({ items }, tasks[t], Uint32Array.of(2, 0, 1));
      return [Array.from(at), Array.from(targets), mask && Array.from(mask)];
    };
    expect(of(0)).to.deep.equal([[0, 1], [9, 1], undefined]);
    expect(of(1)).to.deep.equal([
      [0, 1],
      [10, 11, 2, 3],
      [1, 1, 1, 0],
    ]);
    expect(of(2)).to.deep.equal([[0, 2], [12, 8], undefined]);
    expect(Array.from(columnsFrom(Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8), tasks[1], 4))).to.deep.equal([
      2, 3, 6, 7,
    ]);
  });

  it("reads tasks with their data, and says what is wrong with a list", () => {
    expect(taskData("gender,age", "faces")).to.deep.equal([
      { task: "gender", data: "faces" },
      { task: "age", data: "faces" },
    ]);
    expect(taskData("age=~/faces", undefined)).to.deep.equal([
      { task: "age", data: join(homedir(), "faces") },
    ]);
    expect(taskData("gender=a=b, age", "faces")).to.deep.equal([
      { task: "gender", data: "a=b" },
      { task: "age", data: "faces" },
    ]);
    for (const [list, common, text] of [
      ["gender,age=x", undefined, '"gender" has no data'],
      ["gender,gender", "x", "every task only once"],
      ["", "x", "a task, for example gender"],
    ] as const) {
      expect(() => taskData(list, common))
        .to.throw(text)
        .and.satisfy((error: unknown) => isEtlError(error, "usage"));
    }
  });
});
