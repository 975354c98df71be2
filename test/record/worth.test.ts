import { expect } from "chai";
import type { RunRecord } from "../../lib/record/record.ts";
import { worthOfSelection } from "../../lib/record/worth.ts";
import { sampleRecord } from "../report/sample.ts";

/** A run whose ETL network is ahead of each control by so many points. */
function run(
  task: string,
  place: { readonly seed: number; readonly gamma?: number; readonly scaling?: string },
  ahead: Readonly<Record<string, number>>,
): RunRecord {
  const { seed, gamma = 0.1, scaling = "none" } = place;
  const record = sampleRecord();
  const pruned = record.models.find(({ name }) => name === "pruned")!;
  const controls = Object.entries(ahead).map(([name, points]) => ({
    ...{ ...pruned, name, title: `Control: ${name}` },
    test: { ...pruned.test, accuracy: pruned.test.accuracy - points / 100 },
  }));
  return {
    ...record,
    gamma,
    task: { ...record.task, name: task },
    models: [
      ...record.models.filter(({ name }) => ["baseline", "probe", "pruned"].includes(name)),
      ...controls,
    ],
    config: { ...record.config, seed, scaling },
  };
}

describe("what the choice of filters is worth", () => {
  it("is the mean over tasks of the mean over seeds, with the standard error of the pooled deviation", () => {
    const [random, scratch, ...rest] = worthOfSelection([
      run("gender", { seed: 0 }, { random: 1, scratch: 30 }),
      run("gender", { seed: 1 }, { random: 3 }),
      run("age", { seed: 0 }, { random: -1 }),
      run("age", { seed: 1 }, { random: 1 }),
      run("age", { seed: 2 }, { random: 0 }),
    ]);
    expect(rest).to.deep.equal([]);
    expect(random.control).to.equal("random");
    expect(random.tasks.map(({ task, seeds }) => [task, seeds])).to.deep.equal([
      ["gender", 2],
      ["age", 3],
    ]);
    // gender: mean 2, squares 2; age: mean 0, squares 2; pooled variance 4/3 with 3 degrees of freedom
    expect(100 * random.difference).to.be.closeTo(1, 1e-10);
    expect(100 * (random.error ?? 0)).to.be.closeTo(Math.sqrt((4 / 3) * (1 / 2 + 1 / 3)) / 2, 1e-10);
    expect(100 * scratch.difference).to.be.closeTo(30, 1e-10);
    expect(scratch).to.not.have.property("error");
  });

  it("averages gammas of one seed, counts a run once and leaves variants out", () => {
    const [random] = worthOfSelection([
      run("gender", { seed: 0, gamma: 0.1 }, { random: 1 }),
      run("gender", { seed: 0, gamma: 0.1 }, { random: 1 }),
      run("gender", { seed: 0, gamma: 0.3 }, { random: 5 }),
      run("gender", { seed: 0, scaling: "paper" }, { random: -40 }),
    ]);
    expect(100 * random.difference).to.be.closeTo(3, 1e-10);
    expect(random.tasks[0].seeds).to.equal(1);
    expect(random).to.not.have.property("error");
  });

  it("is nothing without controls", () => {
    expect(worthOfSelection([run("gender", { seed: 0 }, {})])).to.deep.equal([]);
  });
});
