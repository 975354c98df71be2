/** What a page leaves out: words that do not fit its runs, sections that it has already, and numbers that say nothing. */
import { expect } from "chai";
import { smallLines } from "../../lib/report/client/small.ts";
import { packReportAssets } from "../../lib/report/pack.ts";
import { renderReport } from "../../lib/report/report.ts";
import { networksTable } from "../../lib/report/terminal.ts";
import { sweepCsv, sweepRows } from "../../lib/record/sweep.ts";
import { recordsByTask } from "../../lib/record/tasks.ts";
import type { RunRecord } from "../../lib/record/record.ts";
import { changed, plain, sampleFaces, visible, withGroups } from "./extras.ts";
import { sampleRecord, sampleRegression } from "./sample.ts";

const tiny = await packReportAssets("var Plotly = {};");

/** One trunk for gender and age: costs, layers and training are the same, answers and labels each task's own. */
function twoTasks(): RunRecord & Required<Pick<RunRecord, "others">> {
  const [gender, age] = [sampleRecord(), sampleRegression()];
  const models = age.models.map(({ test }) => ({ test }));
  return { ...gender, others: [{ task: age.task, dataset: age.dataset, curves: age.curves, models }] };
}

function trainedOf(record: RunRecord): RunRecord {
  const [model] = record.models;
  return {
    ...record,
    ...{ title: "light", curves: [], layers: [], gammaCosts: [], layerCosts: [] },
    models: [{ ...model, name: "mobilenet-v2", title: "MobileNetV2, width 0.5" }],
  };
}

describe("report: what a page leaves out", () => {
  it("a section that an earlier task has to the letter is a link to it, without its figures", () => {
    const page = renderReport(twoTasks(), tiny);
    const second = page.slice(page.indexOf('id="run2"'));
    expect(second).to.match(
      /<section id="run2-per-layer"[^>]*><h3[^>]*>Layer by layer<\/h3>\s*<p>The same to the letter as of <a href="#run1-per-layer">gender<\/a>, above\./,
    );
    expect(page).to.contain('data-figure="run1-kept"').and.not.to.contain('data-figure="run2-kept"');
    expect(page).not.to.contain('"run2-kept":');
    // What is the second task's own stays.
    expect(page).to.contain('data-figure="run2-labels"').and.to.contain('"run2-labels":');
    expect(plain(second)).to.match(/mean absolute error/i);
  });

  it("groups and faces by the first task's labels, in another task; the training is all tasks' own", async () => {
    const faces = await sampleFaces();
    const record = { ...withGroups(twoTasks()), faces };
    const page = renderReport(record, tiny);
    const [first, second] = [page.slice(0, page.indexOf('id="run2"')), page.slice(page.indexOf('id="run2"'))];
    expect(first).to.contain("Right answers by group").and.to.contain("data:image/webp");
    expect(second).not.to.contain("Right answers by group").and.not.to.contain("data:image/webp");
    expect(plain(first)).to.contain("Validation accuracy: mean over the tasks");
    expect(plain(first)).to.contain("The epoch with the best validation accuracy is kept");
    expect(second).to.match(/Training<\/h3>\s*<p>The same to the letter as of/);
    const { others } = twoTasks();
    const models = others[0].models.map(({ test }) => ({ test }));
    const [, age] = recordsByTask({ ...record, others: [{ ...others[0], models }] });
    expect(age.models.map(({ validation }) => validation)).to.deep.equal(age.models.map(() => undefined));
  });

  it("other widths are shown, however alike the rest is", () => {
    const page = renderReport([sampleRecord(0.1), sampleRecord(0.2)], tiny);
    expect(page).to.contain('data-figure="run1-kept"').and.to.contain('data-figure="run2-kept"');
  });

  it("the curves stand in the page once, as numbers: their small drawings are made from those", () => {
    const page = renderReport(sampleRecord(), tiny);
    const drawings = [...page.matchAll(/<label class="small"[\s\S]*?<\/label/g)].map(([text]) => text);
    expect(drawings).to.have.length(29);
    for (const text of drawings) {
      expect(text.length).to.be.below(800);
      expect(text).to.contain('<path class="train" />').and.to.contain('<path class="held" />');
    }
    const curve = { tap: "a", layer: "a", total: 4, chosen: 2, knee: 1 };
    const lines = smallLines([0, 1], { ...curve, filters: [0, 2, 4], train: [1, 0.5, 0] });
    expect(lines).to.deep.equal({ train: "M4 4L56 32L108 60" });
    const held = [1, 0.5, 0.5];
    const both = smallLines([0, 1], {
      ...{ ...curve, filters: [0, 2, 4], train: [1, 0.5, 0] },
      ...{ held, error: [0, 0.25, 0.25] },
    });
    expect(both.held).to.equal("M4 4L56 32L108 32");
    expect(both.error).to.equal("M4 4L56 18L108 18L108 46L56 46L4 4Z");
  });

  it("a number whose text is what a file needs is written once", () => {
    const page = renderReport(sampleRecord(), tiny);
    expect(page).not.to.match(/data-csv="([^"]+)"[^>]*>\1<\/t[dh]>/);
    expect(page).to.match(/<td data-csv="[^"]+">/);
  });

  it("words of pruning and of a baseline, where nothing was pruned", () => {
    const page = visible(renderReport([trainedOf(sampleRecord()), trainedOf(sampleRegression())], tiny));
    expect(page.replaceAll(/gamma0\.\d+/g, "")).not.to.match(/\bgamma\b/i);
    expect(page).not.to.match(/kept of baseline|change against the baseline/i);
    expect(page).to.contain("MACs are the multiply-and-add steps");
    const alone = visible(renderReport(trainedOf(sampleRegression()), tiny));
    expect(alone).not.to.match(/difference from the baseline/);
    const both = visible(renderReport([sampleRecord(0.1), sampleRecord(0.2)], tiny));
    expect(both)
      .to.match(/Gamma is the share/)
      .and.to.match(/Kept of baseline/);
  });

  it("a difference that is rounding alone, in every table", () => {
    const age = sampleRegression();
    const versusBaseline = {
      ...{ difference: 0, error: 0, gained: 0, lost: 0 },
      mae: { difference: 9.54e-7, error: 9e-7 },
    };
    const page = plain(renderReport(changed({ versusBaseline }, {}, age), tiny));
    expect(page).not.to.match(/0\.00000/);
    expect(page).to.contain("The mean absolute error did not change");
  });

  it("the minus of a nothing, and more digits than an error allows", () => {
    const record = sampleRecord();
    const curves = record.curves.map((curve, i) => ({ ...curve, stability: i === 0 ? -0.0007 : -0.25 }));
    const page = plain(renderReport({ ...record, curves }, tiny));
    expect(page).not.to.match(/[-−]0\.00(?!\d)/);
    expect(page).to.contain("−0.25");
    const versusBaseline = {
      ...{ difference: 0, error: 0.1, gained: 1, lost: 1 },
      mae: { difference: 1.472, error: 1.13 },
    };
    const age = plain(renderReport(changed({ versusBaseline }, {}, sampleRegression()), tiny));
    expect(age).to.contain("changed by +1.5 ± 1.1 years");
    expect(age).to.contain("Within 5 years").and.not.to.contain("5.00 years");
  });

  it("a deviation over seeds that one seed does not have: its test part says how sure it is", () => {
    const records = [sampleRecord(0.1), sampleRecord(0.2)];
    const seeded = (seed: number): RunRecord => {
      const record = sampleRecord(0.1, seed);
      const models = record.models.map((model) => ({
        ...model,
        test: { ...model.test, accuracy: 0.9 + seed / 100 },
      }));
      return { ...record, models, config: { ...record.config, seed } };
    };
    const page = plain(renderReport(records, tiny));
    expect(page).to.match(
      /gamma 0\.1: keeps 98\.6 % ± 0\.3 of its baseline’s accuracy .* one seed \(±: standard error of its test part\)/,
    );
    expect(page).to.contain("one seed: ± is the standard error of its test part; in brackets");
    const [head, ...lines] = sweepCsv(sweepRows(records)).trim().split("\n");
    const sd = head.split(",").flatMap((name, i) => (name.endsWith("_sd") ? [i] : []));
    for (const line of lines) expect(sd.map((i) => line.split(",")[i]).join("")).to.equal("");
    const seeds = sweepCsv(sweepRows([1, 2].map(seeded))).split("\n");
    expect(
      seeds.some((line) => Number(line.split(",")[head.split(",").indexOf("accuracy_sd")]) > 0),
    ).to.equal(true);
  });

  it("a change of times, where those are not reliable: the terminal says so, too", () => {
    const latency = { medianMs: 5, p95Ms: 6, runs: 50, threads: 1 };
    const of = (median: number): RunRecord =>
      changed({ latency }, { latency: { ...latency, copy: { median, low: median, high: median } } });
    const times = (record: RunRecord): string =>
      networksTable(record)
        .rows.map((row) => row.at(-1))
        .join("; ");
    expect(plain(renderReport(of(1.3), tiny))).not.to.contain("In brackets: the change, median");
    expect(times(of(1.3))).to.contain("5.00 ms, not reliable");
    expect(plain(renderReport(of(1), tiny))).to.contain("In brackets: the change, median");
    expect(times(of(1)))
      .to.contain("5.00 ms")
      .and.not.to.contain("not reliable");
  });

  it("the plural of one", () => {
    const record = sampleRecord();
    const dataset = {
      ...record.dataset,
      problemCount: 1,
      problems: [{ file: "a.jpg", problem: "not a picture" }],
    };
    const page = plain(renderReport({ ...record, dataset }, tiny)).replace(/\s+/g, " ");
    expect(page).to.contain("1 row (a picture or a label that could not be used) was left out.");
    const many = { ...dataset, problemCount: 40 };
    expect(plain(renderReport({ ...record, dataset: many }, tiny)).replace(/\s+/g, " ")).to.contain(
      "40 rows (a picture or a label that could not be used) were left out. The first 1 are listed; left-out.csv in the run’s folder has all.",
    );
  });
});
