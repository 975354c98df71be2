import { expect } from "chai";
import { packReportAssets } from "../../lib/report/pack.ts";
import { depthFigure } from "../../lib/report/client/figures.ts";
import { errorRange } from "../../lib/report/client/knee.ts";
import { lossFigure } from "../../lib/report/plots.ts";
import { renderReport } from "../../lib/report/report.ts";
import { formatShareOf } from "../../lib/report/format.ts";
import { pageCurves } from "../../lib/report/sections/curves.ts";
import { errorDifference } from "../../lib/report/sections/judge.ts";
import type { Latency, RunRecord } from "../../lib/record/record.ts";
import { changed, plain, said } from "./extras.ts";
import { sampleRecord, sampleRegression } from "./sample.ts";

const tiny = await packReportAssets("var Plotly = {};");
const latency = (medianMs: number, more: Partial<Latency> = {}): Latency => ({
  ...{ medianMs, p95Ms: medianMs, runs: 50, threads: 1 },
  ...more,
});
const range = (median: number, spread = 0.01) => ({ median, low: median - spread, high: median + spread });

describe("report: what is said of times", () => {
  it("takes the share from rounds in turns, not from two medians", () => {
    const record = changed(
      { latency: latency(5.2, { ofBaseline: range(0.4) }) },
      { latency: latency(10, { copy: range(1.01), load: 0.2 }) },
    );
    const page = plain(renderReport(record, tiny));
    expect(page).to.match(/and 0\.400? of the CPU time\./);
    expect(said(record)).not.to.match(/not faster|not reliable/);
  });

  it("says that a network is not faster where the range holds one", () => {
    const record = changed(
      { latency: latency(9, { ofBaseline: range(0.95, 0.08) }) },
      { latency: latency(10, { copy: range(1) }) },
    );
    expect(said(record)).to.match(/not faster here: 0\.950? of the CPU time \(0\.870? to 1\.03\)/);
    // Then no other sentence claims a change.
    const page = plain(renderReport(record, tiny));
    expect(page).to.match(/no clear change: 9\.00? ms instead of 10\.0 ms/);
    expect(page).to.not.match(/parameters and 0\.950? of the CPU/);
    const several = plain(renderReport([record, record], tiny));
    expect(several).to.match(/9\.00? ms \(no clear change\)/);
  });

  it("claims nothing of times where two copies of one network differ by more than a twentieth", () => {
    const record = changed(
      { latency: latency(5, { ofBaseline: range(0.4) }) },
      { latency: latency(10, { copy: range(1.23), load: 7.4 }) },
    );
    expect(said(record)).to.match(
      /times of this run are not reliable: an identical copy of the baseline took 123 % of its time, at a load of 7\.4/,
    );
    const page = plain(renderReport(record, tiny));
    expect(page).to.match(/not reliable: 5\.00? ms instead of 10\.0 ms/);
    expect(page).not.to.match(/0\.400? of the CPU time/);
  });
});

describe("report: what is said of the training", () => {
  it("says where baseline and pruned network were not trained alike", () => {
    const epochs = (n: number) =>
      Array.from({ length: n + 1 }, (_, epoch) => ({
        ...{
          epoch,
          valLoss: 1 / (epoch + 1),
          valAccuracy: 0.9,
          learningRate: 1e-4,
          seconds: 1,
          trainLoss: 1,
        },
      }));
    const alike = changed({ history: epochs(4), bestEpoch: 4 }, { history: epochs(4), bestEpoch: 4 });
    const plainly = { ...alike, config: { ...alike.config, distill: 0, distillOutputs: 0 } };
    expect(said(plainly)).not.to.contain("was not trained as the baseline was");
    const longer = changed({ history: epochs(8), bestEpoch: 8 }, { history: epochs(2), bestEpoch: 2 });
    const record: RunRecord = { ...longer, config: { ...longer.config, distill: 1 } };
    expect(said(record)).to.match(
      /not trained as the baseline was: 8 epochs against 2 epochs of the baseline, and it also learnt from the full network/,
    );
    const axes = lossFigure(record).data.map(({ name, yaxis }) => [name, yaxis]);
    expect(axes.filter(([, axis]) => axis === "y2").map(([name]) => name)).to.include(
      "Pruned (ETL), training",
    );
    expect(axes.filter(([name]) => String(name).startsWith("Baseline"))).to.not.deep.include([
      "Baseline, training",
      "y2",
    ]);
    expect(lossFigure(record).layout).to.have.property("yaxis2");
    expect(lossFigure(plainly).layout).not.to.have.property("yaxis2");
  });

  it("draws the labels' part of a training loss beside validation, and apart what is learnt from the full network", () => {
    const terms = { labels: 0.2, features: 0.7, outputs: 0.1 };
    const models = sampleRecord().models.map((model) => ({
      ...model,
      history: model.history.map((epoch) =>
        epoch.epoch === 0 || model.name === "baseline"
          ? epoch
          : { ...epoch, trainLoss: 1, trainTerms: terms },
      ),
    }));
    const sample = { ...sampleRecord(), models };
    const record = { ...sample, config: { ...sample.config, distill: 16, distillOutputs: 4 } };
    const drawn = lossFigure(record).data.filter(({ name }) => String(name).startsWith("Pruned (ETL), "));
    expect(drawn.map(({ name, yaxis, y }) => [name, yaxis, (y as number[])[0]])).to.deep.equal([
      ["Pruned (ETL), training, labels", undefined, 0.2],
      ["Pruned (ETL), distance of features", "y2", 0.7],
      ["Pruned (ETL), distance of outputs", "y2", 0.1],
    ]);
    expect(plain(renderReport(record, tiny)))
      .to.contain("dashed, the distance of its features")
      .and.not.contain("holds those terms");
  });

  it("says that a lower loss decided where the kept epoch is not the most accurate, and that losses do of several numbers", () => {
    const sample = sampleRecord();
    const history = [0.97, 0.971, 0.969].map((valAccuracy, epoch) => ({
      ...{ epoch, valAccuracy, valLoss: 0.3 - 0.1 * epoch, learningRate: 1e-4, seconds: 1 },
    }));
    const page = (bestEpoch: number): string =>
      plain(renderReport(changed({ history, bestEpoch }, { history, bestEpoch }, sample), tiny));
    expect(page(1)).to.contain("best validation accuracy is kept (ringed); the test part");
    expect(page(2)).to.contain("nearer than half a standard error the one with the lower loss");
    const age = sampleRegression();
    const other = { ...age, others: [{ task: age.task, dataset: age.dataset, curves: [], models: [] }] };
    expect(plain(renderReport({ ...age, others: other.others }, tiny))).to.contain(
      "smallest validation loss",
    );
  });

  it("says by what the epoch of a regression was chosen", () => {
    const page = plain(renderReport(sampleRegression(), tiny));
    expect(page).to.contain("The epoch with the smallest validation loss is kept");
    expect(plain(renderReport(sampleRecord(), tiny))).to.contain(
      "The epoch with the best validation accuracy",
    );
  });
});

describe("report: what is said of curves and data", () => {
  it("says what held-out error would keep where the knees were found on training rows", () => {
    const record = sampleRecord();
    expect(said(record)).not.to.contain("On held-out folds the knees would keep");
    const same = { ...record, config: { ...record.config, rmse: "train" } };
    expect(said(same), "both keep as many").not.to.contain("On held-out folds the knees would keep");
    const curves = record.curves.map((curve) => ({ ...curve, kneeFilters: curve.total }));
    const shared = { ...same.config, allocate: "uniform" };
    expect(said({ ...same, curves, config: shared }), "no knees decide").not.to.contain("On held-out folds");
    expect(said({ ...same, curves })).to.match(
      /On held-out folds the knees would keep [\d,]+ of [\d,]+ filters; found on the training rows they keep [\d,]+\./,
    );
  });

  it("draws where the information sits from held-out error, and no tap that interpolates sets the scale", () => {
    const record = sampleRecord();
    const [first, ...rest] = record.curves;
    const interpolating = { ...first, trainRmse: first.trainRmse.map((rmse, i) => rmse * (1 - i / 100)) };
    const set = pageCurves(
      { ...record, curves: [interpolating, ...rest], config: { ...record.config, rmse: "train" } },
      "x",
    );
    const [best] = depthFigure(
      set,
      record.gamma,
      set.curves.map(({ tap }) => tap),
    ).data;
    const held = first.heldOutRmse ?? [];
    const explained = 1 - (Math.min(...held) / Math.max(...held)) ** 2;
    expect((best["y"] as number[])[0]).to.be.closeTo(explained, 1e-3);
    expect(errorRange(set)).to.deep.equal(errorRange(pageCurves(record, "x")));
  });

  it("keeps lines of the log out of the findings, and shows them with the data", () => {
    const record = {
      ...sampleRecord(),
      notes: ["layout: CelebA", "split: as given", "Only 40 test pictures."],
    };
    const page = plain(renderReport(record, tiny));
    const [before, behind] = [page.indexOf("How they were read"), page.indexOf("layout: CelebA")];
    expect(behind).to.be.greaterThan(before);
    expect(page.split("layout: CelebA")).to.have.length(2);
    expect(page.indexOf("Only 40 test pictures.")).to.be.lessThan(before);
  });

  it("names a label by its column where the task's name does not say it", () => {
    const record = sampleRecord();
    const task = { ...record.task, name: "binary", columns: ["Smiling"], classes: ["no", "yes"] };
    expect(renderReport({ ...record, task }, tiny)).to.match(/<title>Smiling: what pruning cost and saved/);
  });
});

describe("report: what the number of faces can carry", () => {
  it("says where always giving the commonest answer would be right as often", () => {
    const record = sampleRecord();
    const models = record.models.map((model) => {
      const test = {
        ...model.test,
        n: 60,
        accuracy: 0.5,
        accuracyError: 0.06,
        confusion: [
          [1, 39],
          [0, 20],
        ],
      };
      return model.name === "pruned" ? { ...model, test } : model;
    });
    expect(said({ ...record, models })).to.match(
      /Always answering “[^”]+” would be right on 67\s%: .* is no better than that/,
    );
    expect(said(record)).to.not.contain("Always answering");
  });

  it("no more decimals than that, and no rounding of floats as a difference", () => {
    expect(formatShareOf(5 / 38, 38)).to.match(/^13\s%$/u);
    expect(formatShareOf(0.976, 1250)).to.match(/^97\.6\s%$/u);
    expect(formatShareOf(1, 12)).to.match(/^100\s%$/u);
    const record = sampleRegression();
    const [baseline] = record.models;
    const twin = {
      ...baseline,
      name: "probe",
      versusBaseline: { difference: 0, error: 0, mae: { difference: 9.5e-7, error: 9e-7 } },
    };
    expect(errorDifference(twin, baseline)).to.include({ value: 0, error: 0, sure: false });
  });

  it("does not call training faces a part that was cut from them", () => {
    const record = sampleRecord();
    const without = { ...record, dataset: { ...record.dataset, val: 0 } };
    const page = plain(renderReport(without, tiny));
    expect(page).to.contain("On the training faces themselves, as none were kept for validation");
    expect(page).to.not.match(/On 0 faces|, 0 to choose/);
  });
});
