import { expect } from "chai";
import type { Engine } from "../../lib/engine/engine.ts";
import { openEngine } from "../../lib/engine/open.ts";
import { quantile } from "../../lib/math/statistics.ts";
import { noiseFor, profileModels, summarise, timerOf } from "../../lib/evaluate/profile.ts";
import { tower } from "../support/tower.ts";

describe("evaluate/profile", () => {
  let engine: Engine;
  before(async () => {
    engine = await openEngine({ engine: "ort", threads: 1 });
  });
  after(() => engine.dispose());

  it("times networks side by side, per picture", async () => {
    const models = [
      { name: "wide", network: tower(64, 6) },
      { name: "narrow", network: tower(4, 2) },
    ];
    const measured = await profileModels(engine, models, { batch: 2 });
    expect([...measured.keys()]).to.deep.equal(["wide", "narrow"]);
    const [wide, narrow] = models.map(({ name }) => measured.get(name)!);
    expect([wide.runs, wide.threads, narrow.runs]).to.deep.equal([50, engine.threads, 50]);
    expect(narrow.medianMs).to.be.greaterThan(0);
    // About 600 times the work: holds on any machine, however busy.
    expect(wide.medianMs).to.be.greaterThan(narrow.medianMs);
    expect(wide.p95Ms).to.be.at.least(wide.medianMs);
  });

  it("compares with the baseline round by round, and times a copy of it to tell whether the machine was quiet", async () => {
    const models = [
      { name: "narrow", network: tower(4, 2) },
      { name: "baseline", network: tower(64, 6) },
    ];
    const measured = await profileModels(engine, models, { runs: 12, baseline: "baseline" });
    expect([...measured.keys()]).to.deep.equal(["narrow", "baseline"]);
    const [narrow, baseline] = models.map(({ name }) => measured.get(name)!);
    expect(narrow).to.not.have.any.keys("copy", "load");
    expect(narrow.ofBaseline?.median).to.be.within(0, 0.5);
    expect(baseline).to.not.have.property("ofBaseline");
    const { low = NaN, median = NaN, high = NaN } = baseline.copy ?? {};
    expect(low <= median && median <= high && low > 0).to.equal(true);
    expect(baseline.load).to.be.at.least(0);
  });

  it("times with one thread unless somebody says how many", async () => {
    const two = await openEngine({ engine: "ort", threads: 2 });
    try {
      expect(timerOf(two, 2)).to.equal(two);
      const timer = timerOf(two, undefined);
      const network = tower(4, 2);
      const [one] = (await profileModels(timer, [{ name: "narrow", network }], { runs: 6 })).values();
      expect(one.threads).to.equal(1);
      const kernels = await timer.kernels(network, noiseFor(network, 1), { runs: 2 });
      expect(kernels.length).to.be.at.least(1);
      expect([two.threads, timer.channelBlock]).to.deep.equal([2, two.channelBlock]);
    } finally {
      await two.dispose();
    }
  });

  it("refuses a number of runs that is none", async () => {
    const error: unknown = await profileModels(engine, [], { runs: 0 }).catch((e: unknown) => e);
    expect(error).to.have.property("message", "--runs: found 0, a whole number of at least 1 was needed");
  });

  it("median and percentile as NumPy gives them", () => {
    expect(quantile([1, 2, 3, 4], 0.5)).to.equal(2.5);
    const { p95Ms, ...rest } = summarise([4, 1, 3, 2, 10], 2);
    expect(rest).to.deep.equal({ medianMs: 3, runs: 5, threads: 2 });
    expect(p95Ms).to.be.closeTo(8.8, 1e-12);
  });
});
