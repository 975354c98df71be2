import { expect } from "chai";
import type { RunRecord } from "../../lib/record/record.ts";
import { shortVariant, sweepCsv, sweepRows, variantsOf } from "../../lib/record/sweep.ts";
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
    expect(row.kept?.mean).to.be.closeTo(0.97 / baseline.accuracy.mean, 1e-12);
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

  /** A network that was trained as it is: no curves, no layers, no baseline, options of its own. */
  function light(title: string): RunRecord {
    const record = sampleRecord();
    const [first] = record.models;
    const models = [
      { ...first, name: "mobilenet-v1", title: "MobileNetV1", test: { ...first.test, accuracy: 0.9 } },
    ];
    const config = { command: "train", arch: "mobilenet-v1", seed: 0, epochs: 4 };
    return { ...record, title, gamma: 0, curves: [], layers: [], models, config };
  }

  it("take a light network for what it is: no gamma, no share of a baseline it does not have, no option it does not know", () => {
    const runs = [run(0.1, 0, 0.96), run(0.1, 1, 0.97), light("light")];
    const rows = sweepRows(runs);
    const own = rows.find(({ network }) => network === "mobilenet-v1")!;
    expect(own).to.not.have.any.keys("gamma", "kept", "macsShare", "cpuShare");
    expect(rows.map(({ variant }) => variant).join()).to.not.match(/undefined|scaling/);
    expect(sweepCsv(rows)).to.not.match(/undefined|NaN/);
  });

  it("count a run that was put in twice once, and never drop one that differs", () => {
    const again = { ...run(0.1, 0, 0.9), title: "b" };
    const rows = sweepRows([run(0.1, 0, 0.96), run(0.1, 0, 0.96), again]);
    const pruned = rows.filter(({ network }) => network === "pruned");
    expect(pruned.map(({ variant, accuracy }) => [variant, accuracy.mean])).to.deep.equal([
      ["", 0.96],
      ["run b", 0.9],
    ]);
  });

  it("never average over data sets, and say what tells them apart", () => {
    const other = run(0.1, 1, 0.7);
    const runs = [
      run(0.1, 0, 0.96),
      run(0.1, 2, 0.96),
      { ...other, dataset: { ...other.dataset, name: "other" } },
    ];
    const pruned = sweepRows(runs).filter(({ network }) => network === "pruned");
    expect(pruned.map(({ variant, seeds }) => [variant, seeds])).to.deep.equal([
      ["", [0, 2]],
      ["data set other", [1]],
    ]);
  });

  it("say a variant of many options shortly: the first three, and how many more", () => {
    expect(shortVariant("a 1, b 2, c 3, d 4")).to.equal("a 1, b 2, c 3, d 4");
    expect(shortVariant("a 1, b 2, c 3, d 4, e 5")).to.equal("a 1, b 2, c 3 and 2 more options");
    expect(shortVariant("")).to.equal("");
  });

  it("compare times with the baseline of the same runs alone", () => {
    const timed = (record: RunRecord, baseline: number, pruned: number): RunRecord => ({
      ...record,
      models: record.models.map((model) => {
        const medianMs = model.name === "baseline" ? baseline : pruned;
        return { ...model, latency: { medianMs, p95Ms: medianMs, runs: 10, threads: 1 } };
      }),
    });
    const rows = sweepRows([timed(run(0.1, 0, 0.96), 10, 5), timed(run(0.3, 0, 0.9), 20, 8)]);
    const row = rows.find(({ network, gamma }) => network === "pruned" && gamma === 0.3)!;
    expect([row.cpuMs, row.cpuBaselineMs, row.cpuShare]).to.deep.equal([8, 20, 0.4]);
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
