/** Every kind of run as a page: nothing without a value in sight, every run named, and sentences that follow from the record. */
import { expect } from "chai";
import type { RunRecord } from "../../lib/record/record.ts";
import { packReportAssets } from "../../lib/report/pack.ts";
import { renderReport } from "../../lib/report/report.ts";
import { storyLead, storySentence } from "../../lib/report/sections/story.ts";
import { changed, empty, plain, said, visible } from "./extras.ts";
import {
  alone,
  attributes,
  diverged,
  int8,
  keepsAll,
  kinds,
  modelOf,
  onePicture,
  stored,
  trained,
  withGraph,
} from "./kinds.ts";
import { sampleRecord, sampleRegression } from "./sample.ts";

const tiny = await packReportAssets("var Plotly = {};");

describe("report: every kind of run", () => {
  for (const [kind, record] of Object.entries(kinds)) {
    it(`${kind}: shows nothing without a value, and names every run`, () => {
      const records = Array.isArray(record) ? record.map(stored) : stored(record);
      const page = renderReport(records, tiny);
      const text = visible(page);
      expect(
        empty.exec(text)?.[0],
        text.slice(Math.max(0, text.search(empty) - 120), text.search(empty) + 40),
      ).to.equal(undefined);
      expect(text).not.to.match(/±\s*0(\.0+)?(?![.\d])/);
      expect(text).not.to.match(/[-−]0(\.0+)?\s*(%|points)/);
      for (const each of [records].flat()) {
        if (each.title !== undefined) expect(text).to.contain(each.title);
        for (const { title } of each.models) expect(text).to.contain(title.split(/[,(]/)[0]);
      }
      const ids = [...page.matchAll(/\sid="([^"]+)"/g)].map(([, id]) => id);
      expect(new Set(ids).size).to.equal(ids.length);
    });
  }

  it("names no gamma as the choice of a run whose target was met without it", () => {
    const sample = sampleRecord(0.2);
    const record = { ...sample, config: { ...sample.config, allocate: "uniform" } };
    const headed = (page: string): string => plain(/<p class="byline">[\s\S]*?<\/p>/.exec(page)?.[0] ?? "");
    expect(headed(renderReport(sample, tiny))).to.contain("gamma 0.2");
    expect(headed(renderReport(record, tiny))).to.contain("equal shares of all layers");
    expect(headed(renderReport(record, tiny))).not.to.contain("gamma");
  });

  it("says of a network that diverged that it gives no numbers, not that it is right by 0", () => {
    const record = diverged();
    expect(plain(storySentence(record).text)).to.match(
      /gives no finite answers on 1,250 test faces \(its training diverged; the baseline: [^)]*years off\)/,
    );
    expect(said(record)).to.contain(
      "The answers of the pruned network are no finite numbers: the two cannot be compared",
    );
    expect(said(record)).not.to.match(/better one here|loss or a gain/);
  });

  it("says of attributes what their accuracy is a mean of", () => {
    expect(plain(storySentence(alone(attributes(), "pruned")).text)).to.contain(
      "gives 90 % ± 2 right answers, averaged over the attributes, on 100 test faces",
    );
  });

  it("tells a trained network of numbers by its error", () => {
    expect(plain(storySentence(trained(sampleRegression())).text)).to.match(
      /^MobileNetV2, width 0\.5 is off by 6\.10 years on average/,
    );
  });

  it("tells what the pruned network is in int8 beside the first sentence, and its time where that is clear", () => {
    const lead = (record: RunRecord): string => plain(storyLead(record, "Gender").text);
    expect(lead(int8(0.1))).to.match(
      /of the CPU time\. Gender: In int8: 87\.3 % ± 0\.9, with 0\.082 of the baseline’s size/,
    );
    expect(lead(sampleRecord())).not.to.contain("int8");
  });

  it("says what counts more in int8, where anything does", () => {
    const counted =
      "In int8, average pools, norms, hard sigmoids and rows or channels of zeros are computed by convolutions";
    const page = (record: RunRecord): string => plain(renderReport(record, tiny));
    const record = int8(0.004);
    const models = record.models.map((model) => {
      const { cost } = model;
      const total = { ...cost.total, macs: cost.total.macs + 1000 };
      return model.name === "pruned-int8" ? { ...model, cost: { ...cost, total } } : model;
    });
    expect(page({ ...record, models })).to.contain(counted);
    expect(page(record)).not.to.contain(counted);
  });

  it("compares int8 with floats, and says where bytes cost quality", () => {
    expect(said(int8(0.1))).to.match(
      /In int8, “Pruned \(ETL\)” takes 0\.25\d? of its file.*its accuracy differs by −10\.0 ± \d\.\d points, more than chance explains: bytes cost quality here/,
    );
    expect(said(int8(0.001))).to.match(/its accuracy differs by .*, within the uncertainty of this test set/);
  });

  it("compares int8 and controls with the pruned network face by face, where the record has that", () => {
    const lost = { difference: -0.01, error: 0.002, gained: 1, lost: 13 };
    expect(said(int8(0.01, lost))).to.contain(
      "its accuracy differs by −1.0 ± 0.2 points, more than chance explains: bytes cost quality here",
    );
    expect(said(int8(0.01))).to.match(/differs by −1\.0 ± 0\.\d points, within the uncertainty/);
    const same = { difference: 0, error: 0, gained: 0, lost: 0 };
    expect(said(int8(0, same))).to.contain("its accuracy is the same, face by face.");
    expect(said(kinds["a control compared row by row"] as RunRecord)).to.match(
      /accuracy of ETL minus that of the control is \+1\.4 ± 0\.4 points, ETL is better by more than chance explains/,
    );
    expect(said(sampleRecord())).to.match(
      /that of the control is \+1\.4 ± 0\.7 points, within its uncertainty/,
    );
  });

  it("tells the graph for onnxruntime by its time, whichever way it went", () => {
    expect(said(withGraph(0.5))).to.match(
      /“Pruned \(ETL\)” is there a second time, with the same function, as a graph for onnxruntime \(pruned-onnxruntime\.onnx\): an image takes [\d.]+ ms instead of [\d.]+ ms \(a share of 0\.50?\)/,
    );
    const restless = withGraph(0.5);
    const copy = { median: 0.7, low: 0.6, high: 0.8 };
    const models = restless.models.map((model) =>
      model.name === "baseline" && model.latency ? { ...model, latency: { ...model.latency, copy } } : model,
    );
    expect(said({ ...restless, models })).to.match(/how much faster it is cannot be told from this run\./);
    expect(said(withGraph(1.5))).to.match(/it was not faster at the end: [\d.]+ ms an image, the plain file/);
  });

  it("gives the right reason where nothing was cut", () => {
    const text = said(keepsAll());
    expect(text).to.contain("Hardly anything was cut (gamma 0)");
    expect(text).not.to.contain("in blocks");
  });

  it("says of one face, and of few runs, that they show nothing", () => {
    expect(said(onePicture())).to.contain("both networks gave the same answers on all 1 test face.");
    const share = { median: 0.5, low: 0.5, high: 0.5 };
    const latency = { medianMs: 5, p95Ms: 6, runs: 3, threads: 1 };
    const text = said(
      changed({ latency: { ...latency, ofBaseline: share } }, { latency: { ...latency, medianMs: 10 } }),
    );
    expect(text).to.contain("CPU times rest on 3 runs of each network, too few to say how sure they are");
  });

  it("does not call different wrong answers the same", () => {
    const record = changed({ versusBaseline: { difference: 0, error: 0, gained: 0, lost: 0 } });
    const emotion = { ...record, task: { ...record.task, kind: "categorical" as const } };
    expect(said(emotion)).to.contain("both networks are right and wrong on the same of all 1,250 test faces");
    expect(
      said({
        ...attributes(),
        models: changed({ versusBaseline: { difference: 0, error: 0, gained: 0, lost: 0 } }, {}, attributes())
          .models,
      }),
    ).to.contain("as many right answers on every single one of");
  });

  it("judges several answers a face by how much, not by how many faces", () => {
    const versusBaseline = { difference: -0.02, error: 0.004, gained: 60, lost: 20 };
    expect(said(changed({ versusBaseline }, {}, attributes()))).to.contain("pruning cost quality here");
  });

  it("needs more of a handful of faces than twice the standard error", () => {
    const age = sampleRegression();
    const of = (n: number): string =>
      said(
        changed(
          {
            test: { ...modelOf(age, "pruned").test, n },
            versusBaseline: {
              difference: 0,
              error: 0.1,
              gained: 1,
              lost: 1,
              mae: { difference: 2.5, error: 1 },
            },
          },
          {},
          age,
        ),
      );
    expect(of(4)).to.contain("does not show a loss or a gain");
    expect(of(400)).to.contain("pruning cost quality here");
  });

  it("judges controls and the probe of numbers by their error", () => {
    const age = sampleRegression();
    const models = age.models.map((model) => {
      const better = model.name === "random" || model.name === "probe";
      return better ? { ...model, test: { ...model.test, accuracy: 0.1, mae: 2, rmse: 2.5 } } : model;
    });
    const text = said({ ...age, models });
    expect(text).to.match(
      /mean absolute error of ETL minus that of the control is \+4\.35 ± [\d.]+ years, the control is better/,
    );
    expect(text).to.match(/the probe\): 2\.00 years off; fine-tuning all layers made it worse/);
  });

  it("speaks of a baseline that was not fine-tuned as of one", () => {
    const record = changed({}, { history: [], title: "Baseline (all filters, fine-tuned)" });
    const page = plain(renderReport(record, tiny));
    expect(page).to.contain("The baseline is the unpruned network, which was not fine-tuned.");
    expect(page).not.to.contain("all filters, fine-tuned");
  });

  it("keeps the worth of errors apart from that of accuracies, and less error is a gain", () => {
    const age = [1, 2, 3].map((seed) => ({
      ...sampleRegression(),
      config: { ...sampleRegression().config, seed },
    }));
    const gender = [1, 2].map((seed) => sampleRecord(0.1, seed));
    const page = plain(renderReport([...gender, ...age], tiny));
    expect(page).to.match(/Random filters, same shape: [−-]0\.750? years of mean absolute error/);
    expect(page).to.match(/Random filters, same shape: \+[\d.]+( ± [\d.]+)? points/);
  });

  it("takes the change of times from rounds in turns in comparisons, too, and none where they are not reliable", () => {
    const latency = { medianMs: 9, p95Ms: 9, runs: 60, threads: 1 };
    const range = (median: number) => ({ median, low: median - 0.01, high: median + 0.01 });
    const pair = (copy: number): RunRecord[] =>
      [0.1, 0.2].map((gamma) =>
        changed(
          { latency: { ...latency, ofBaseline: range(0.4) } },
          { latency: { ...latency, medianMs: 10, copy: range(copy) } },
          sampleRecord(gamma),
        ),
      );
    const table = (page: string): string =>
      plain(page.slice(page.indexOf('id="comparison"'), page.indexOf('id="runs"')));
    expect(table(renderReport(pair(1), tiny))).to.contain("9.00 ms (−60 %)");
    const doubtful = renderReport(pair(1.2), tiny);
    expect(table(doubtful)).to.contain("9.00 ms, not reliable");
    expect(plain(doubtful)).to.contain("no change where an identical copy of the baseline took another time");
  });
});
