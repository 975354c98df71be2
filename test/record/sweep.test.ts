import { expect } from "chai";
import type { RunRecord } from "../../lib/record/record.ts";
import { sweepCsv, sweepRows, variantsOf } from "../../lib/record/sweep.ts";
import { sampleRecord } from "../report/sample.ts";

function run(
  gamma: number,
  seed: number,
  accuracy: number,
  config: Record<string, string | boolean> = {},
): RunRecord {
  const record = sampleRecord();
  const models = record.models.map((model) =>
    model.name === "pruned" ? { ...model, test: { ...model.test, accuracy } } : model,
  );
  return { ...record, gamma, models, config: { ...record.config, seed, scaling: "none", ...config } };
}

describe("rows of a sweep", () => {
  it("hold mean and deviation over seeds, and shares of the baseline", () => {
    const rows = sweepRows([run(0.1, 0, 0.96), run(0.1, 1, 0.98), run(0.3, 0, 0.9)]);
    const row = rows.find(({ network, gamma }) => network === "pruned" && gamma === 0.1)!;
    expect(row.seeds).to.deep.equal([0, 1]);
    expect(row.accuracy.mean).to.be.closeTo(0.97, 1e-12);
    expect(row.accuracy.sd).to.be.closeTo(Math.SQRT2 / 100, 1e-12);
    const baseline = rows.find(({ network }) => network === "baseline")!;
    expect(row.kept.mean).to.be.closeTo(0.97 / baseline.accuracy.mean, 1e-12);
    expect(row.macsShare).to.be.closeTo(row.macs / baseline.macs, 1e-12);
    expect(baseline).to.not.have.property("gamma");
    expect(baseline.seeds).to.deep.equal([0, 1]);
  });

  it("keep variants apart by the options that differ from most runs", () => {
    const runs = [run(0.1, 0, 0.96), run(0.1, 1, 0.96), run(0.1, 0, 0.9, { scaling: "paper" })];
    expect(variantsOf(runs)).to.deep.equal(["", "", "scaling paper"]);
    const pruned = sweepRows(runs).filter(({ network }) => network === "pruned");
    expect(pruned.map(({ variant, seeds }) => [variant, seeds.length])).to.deep.equal([
      ["", 2],
      ["scaling paper", 1],
    ]);
  });

  it("become CSV with one line each and quoted commas", () => {
    const rows = sweepRows([
      run(0.1, 0, 0.96),
      run(0.1, 1, 0.96),
      run(0.1, 0, 0.9, { scaling: "paper", refit: false }),
    ]);
    const lines = sweepCsv(rows).trimEnd().split("\n");
    expect(lines).to.have.length(rows.length + 1);
    expect(lines.some((line) => line.includes('"scaling paper, refit false"'))).to.equal(true);
  });
});
