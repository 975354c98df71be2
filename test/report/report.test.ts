import { expect } from "chai";
import { createHash } from "node:crypto";
import { gunzipSync } from "node:zlib";
import { isEtlError } from "../../lib/core/errors.ts";
import type { RunRecord } from "../../lib/record/record.ts";
import { readReportAssets } from "../../lib/report/assets.ts";
import { base93, packReportAssets, type ReportAssets } from "../../lib/report/pack.ts";
import { foldData, unfoldData, type FoldedData } from "../../lib/report/client/data.ts";
import { fromBase93 } from "../../lib/report/client/main.ts";
import { pageCurves } from "../../lib/report/sections/curves.ts";
import { csvText, toCsv } from "../../lib/report/client/page.ts";
import { clientScript, unqualified } from "../../lib/report/client/script.ts";
import { calibrationError } from "../../lib/report/sections/calibration.ts";
import { formatCount } from "../../lib/report/format.ts";
import { renderReport } from "../../lib/report/report.ts";
import { findings } from "../../lib/report/sections/findings.ts";
import { storySentence } from "../../lib/report/sections/story.ts";
import { changed, plain, said, sampleFaces, sampleResponse, withGroups } from "./extras.ts";
import { hostile, hostileRecord, sampleRecord, sampleRegression } from "./sample.ts";

describe("report: one HTML file from run records", () => {
  let assets: ReportAssets;
  let tiny: ReportAssets;
  before(async () => {
    tiny = await packReportAssets("var Plotly = {};");
    assets = await readReportAssets();
  });

  it("tells the story in one sentence with its uncertainty", () => {
    expect(plain(storySentence(sampleRecord()).text)).to.match(
      /^The pruned network keeps 98\.6 % ± 0\.3 of the baseline’s accuracy \(97\.3 % against 98\.6 % on 1,250 test faces\) with 0\.22 of the MACs, 0\.082 of the parameters and 0\.28 of the CPU time\.$/,
    );
  });

  it("does not claim what was not measured", () => {
    const record = sampleRecord();
    const without = (name: string): RunRecord => ({
      ...record,
      models: record.models.filter((model) => model.name !== name),
    });
    expect(plain(storySentence(without("baseline")).text)).to.contain("No baseline was trained");
    expect(plain(storySentence(without("pruned")).text)).to.match(/^Baseline .* is right on 98\.6 %/);
    const untimed = record.models.map((model) => {
      const copy: { -readonly [K in keyof typeof model]: (typeof model)[K] } = { ...model };
      delete copy.latency;
      return copy;
    });
    expect(plain(storySentence({ ...record, models: untimed }).text)).to.match(
      /of the MACs and 0\.082 of the parameters\.$/,
    );
    expect(() =>
      renderReport({ ...record, models: [], curves: [], layers: [], seconds: {} }, tiny),
    ).not.to.throw();
  });

  it("says plainly when a control is as good", () => {
    const record = sampleRecord();
    const pruned = record.models.find((model) => model.name === "pruned");
    const models = record.models.map((model) =>
      model.name === "random" && pruned ? { ...model, test: pruned.test } : model,
    );
    const text = findings({ ...record, models }).map((item) => plain(item.text));
    expect(text.join(" ")).to.contain("this run alone does not show that the choice of filters matters");
  });

  it("is the same file every time, under 2.2 MB, with Plotly once", () => {
    const page = renderReport(sampleRecord(), assets);
    expect(renderReport(sampleRecord(), assets) === page).to.equal(true);
    expect(Buffer.byteLength(page)).to.be.below(2.2e6);
    expect(page.match(/id="plotly"/g)).to.have.length(1);
    const packed = /id="plotly">([^<]*)</.exec(page)?.[1] ?? "";
    const source = gunzipSync(fromBase93(packed)).toString();
    expect(source).to.contain("plotly.js v");
    expect(page).to.contain(`sha256-${createHash("sha256").update(source).digest("base64")}`);
    expect(page.match(/<script/g)).to.have.length.at.least(3);
    expect(renderReport(sampleRecord(), tiny)).not.to.match(/(?:src|href)="?(?:https?:)?\/\//);
  });

  it("bytes survive the letters of the page, at every length", () => {
    for (let length = 0; length < 40; length++) {
      const bytes = Uint8Array.from({ length }, (_, i) => (i * 83 + length * 17) % 256);
      const all = [bytes, bytes.map(() => 255), bytes.map(() => 0)];
      for (const one of all) {
        expect(base93(one)).to.match(/^[!-;=-~]*$/);
        expect(fromBase93(base93(one))).to.deep.equal(one);
      }
    }
  });

  it("curves survive their short form in the page, to five digits of the largest error", () => {
    const { curves } = pageCurves(sampleRecord(), "run");
    const data = { figures: {}, curves: [pageCurves(sampleRecord(), "run")] };
    const written = JSON.stringify(foldData(data));
    expect(written.length).to.be.below(0.75 * JSON.stringify(data).length);
    const again = unfoldData(JSON.parse(written) as FoldedData).curves[0].curves;
    again.forEach((curve, i) => {
      const { train, error = [], ...rest } = curves[i];
      expect([curve.tap, curve.total, curve.chosen, curve.knee, curve.filters]).to.deep.equal([
        ...[rest.tap, rest.total, rest.chosen, rest.knee, rest.filters],
      ]);
      const most = Math.max(...train);
      train.forEach((value, k) => expect(curve.train[k]).to.be.closeTo(value, 5e-5 * most));
      error.forEach((value, k) => expect(curve.error?.[k]).to.be.closeTo(value, 5e-3 * Math.max(...error)));
    });
  });

  for (const [runs, limit] of [
    [20, 2.2e6],
    [100, 2.5e6],
  ])
    it(`stays under ${limit / 1e6} MB with ${runs} runs, and says what it left out`, () => {
      const files = [{ name: "report.html", what: "", href: "last/report.html" }];
      const records = Array.from({ length: runs }, (_, i) => ({
        ...sampleRecord(0.001 * (i + 1), 1 + (i % 3)),
        ...(i === runs - 1 && { links: { files, repeat: "" } }),
      }));
      const page = renderReport(records, assets);
      expect(Buffer.byteLength(page)).to.be.below(limit);
      expect(/the sections of\s+\d+\s+runs are not repeated here/.test(page)).to.equal(true);
      expect(page.match(/<tr class="strong">/g)).to.have.length.at.least(runs);
      expect(page).to.match(/; <a href="last\/report\.html">[^<]+<\/a>\./);
      if (runs === 20) expect(page, "the sections of some runs").to.contain('id="run1-curves"');
    });

  it("draws the curves of a shared harvest once", () => {
    const page = renderReport([sampleRecord(0.01), sampleRecord(0.1), sampleRegression()], tiny);
    expect(page.match(/type="range"/g)).to.have.length(2);
    expect(page).to.contain('The curves are those <a href="#run1-curves">');
  });

  it("says where runs of one task were tested on other pictures, and is silent where they were not", () => {
    const record = sampleRecord(0.01);
    const models = record.models.map((model) => ({ ...model, test: { ...model.test, n: 535 } }));
    const [{ test }] = record.models;
    const warned = plain(renderReport([record, { ...record, title: "fewer", models }], tiny));
    expect(warned).to.contain("Not all runs were tested on the same pictures");
    expect(warned).to.contain(`gender: 535 and ${plain(formatCount(test.n))} of them`);
    expect(renderReport([record, sampleRecord(0.1)], tiny)).not.to.contain("Not all runs were tested");
  });

  it("says what the choice of filters is worth wherever runs have controls", () => {
    const [gender, age] = [sampleRecord(), sampleRegression()];
    const heading = "What the choice of filters is worth";
    for (const records of [
      [gender, age],
      [gender, sampleRecord(0.01)],
    ])
      expect(renderReport(records, tiny).split(heading)).to.have.length(2);
    const without = (record: RunRecord): RunRecord => ({
      ...record,
      models: record.models.filter(({ name }) => ["baseline", "probe", "pruned"].includes(name)),
    });
    expect(renderReport([without(gender), without(age)], tiny)).not.to.contain(heading);
  });

  it("escapes every name", () => {
    const page = renderReport([hostileRecord(), hostileRecord()], tiny);
    expect(page).not.to.contain(hostile);
    expect(page).not.to.match(/<img|<svg onload|<script>globalThis/);
    expect(page).to.contain("&lt;img src=x onerror=");
  });

  it("has one heading of the first level, captions for all tables and labels for all figures", async () => {
    const whole = {
      ...withGroups(sampleRegression()),
      responses: [sampleResponse],
      faces: await sampleFaces(),
    };
    const page = renderReport(whole, tiny);
    expect(page.match(/<h1/g)).to.have.length(1);
    expect(page.match(/<caption/g)?.length).to.equal(page.match(/<table/g)?.length);
    expect(page.match(/role="img"\s+aria-label="[^"]{20,}/g)?.length).to.equal(
      page.match(/data-figure=/g)?.length,
    );
    const ids = [...page.matchAll(/\sid="([^"]+)"/g)].map((match) => match[1]);
    expect(new Set(ids).size).to.equal(ids.length);
    for (const match of page.matchAll(/href="#([^"]+)"/g)) expect(ids).to.include(match[1]);
  });

  it("tells a regression in its own unit", () => {
    const page = plain(renderReport(sampleRegression(), tiny));
    expect(page).to.contain("The share within 5 years stands among the scores below");
    expect(page).to.match(/Within 5 years test accuracy, standard error Mean absolute error, years/);
    expect(page).to.match(
      /The pruned network is off by 6\.35 years on average \(mean absolute error on [\d,]+ test faces; the baseline: 6\.10 years off\)/,
    );
    expect(page).to.match(/The mean absolute error changed by \+0\.[23]\d* ± [\d.]+ years \(\+4\.\d %\)/);
  });

  it("does not call equal answers a gain, and prints no error of nothing", () => {
    const perfect = { ...sampleRecord().models[0].test, n: 40, accuracy: 1, accuracyError: 0 };
    const record = changed(
      { test: perfect, versusBaseline: { difference: 0, error: 0, gained: 0, lost: 0 } },
      { test: perfect },
    );
    const text = said(record);
    expect(text).to.contain(
      "Accuracy did not change: both networks gave the same answers on all 40 test faces",
    );
    expect(text).not.to.match(/better one here|gained more/);
    const page = plain(renderReport(record, tiny));
    expect(page).not.to.match(/± 0(\.0+)?(?![.\d])/);
    expect(page).to.contain("100 % (91 to 100)");
  });

  it("says of a change only what an exact test of the faces that differ allows", () => {
    const versus = (gained: number, lost: number): string =>
      said(
        changed({
          versusBaseline: {
            difference: (gained - lost) / 1250,
            error: Math.sqrt(gained + lost) / 1250,
            gained,
            lost,
          },
        }),
      );
    expect(versus(3, 0)).to.contain("does not show a loss or a gain");
    expect(versus(6, 0)).to.contain("the pruned network is the better one here");
    expect(versus(2, 30)).to.contain("pruning cost quality here");
    expect(versus(14, 20)).to.contain("does not show a loss or a gain");
  });

  it("judges numbers by their mean error, whatever the share within the tolerance does", () => {
    const age = sampleRegression();
    const [test, reference] = ["pruned", "baseline"].map(
      (name) => age.models.find((m) => m.name === name)!.test,
    );
    const record = changed(
      {
        test: { ...test, accuracy: reference.accuracy, mae: 29.7 },
        versusBaseline: {
          difference: 0,
          error: 0.03,
          gained: 5,
          lost: 5,
          mae: { difference: 15.3, error: 0.9 },
        },
      },
      { test: { ...reference, mae: 14.4 } },
      age,
    );
    const text = said(record);
    expect(text).to.match(
      /The mean absolute error changed by \+15\.3 ± 0\.9 years \(\+106 %\), more than chance explains: pruning cost/,
    );
    expect(text).not.to.contain("does not show a loss or a gain");
    expect(plain(renderReport(record, tiny))).to.match(
      /Mean absolute error\s*29\.7 years\s*baseline 14\.4 years/,
    );
  });

  it("says where training helped nothing, and concludes nothing from it", () => {
    const history = [0, 1].map((epoch) => ({
      ...{ epoch, valLoss: 0.2 + epoch, valAccuracy: 0.9 - epoch / 5, learningRate: 1e-4, seconds: 1 },
    }));
    const record = changed({ bestEpoch: 0, history }, { bestEpoch: 0, history });
    expect(said(record)).to.match(/was not fine-tuned: no epoch was better.*smaller learning rate/);
    expect(said(record)).to.contain(
      "fine-tuning all layers did not help: no epoch was better than the start",
    );
    expect(said(record)).not.to.contain("already held");
    const page = plain(renderReport(record, tiny));
    expect(page).to.contain("Pruned (ETL); not fine-tuned: no epoch was better");
  });

  it("says that a network is not faster, with the way out", () => {
    const latency = sampleRecord().models[0].latency!;
    const record = changed({ latency }, { latency });
    expect(said(record)).to.match(
      /The pruned network is not faster here: 1\.00 of the CPU time with 0\.22 of the MACs.*--round-to auto/,
    );
  });

  it("shares of attributes are shares of faces, not of yes-labels", () => {
    const record = sampleRecord();
    const labels = ["Male", "Smiling", "Hat"].map((label, i) => ({
      label,
      train: [300, 450, 60][i],
      test: 40,
    }));
    const task = { ...record.task, kind: "multi-label" as const, name: "attributes" };
    const page = plain(
      renderReport({ ...record, task, dataset: { ...record.dataset, train: 750, test: 100, labels } }, tiny),
    );
    expect(page).to.match(/Male\s*300\s*40\.0 %\s*40\s*40\.0 %/);
    expect(page).to.match(/Hat\s*60\s*8\.0 %/);
  });

  it("tells a run of several tasks task by task on one page", () => {
    const [gender, age] = [sampleRecord(), sampleRegression()];
    const models = age.models.map(({ test }) => ({ test }));
    const other = { task: age.task, dataset: age.dataset, curves: age.curves, models };
    const record: RunRecord = { ...gender, others: [other] };
    const html = renderReport(record, tiny);
    const page = plain(html);
    expect(page).to.contain("Gender, age: what one trunk cost and saved");
    expect(page).to.match(/Gender: The pruned network keeps 98\.6 %/);
    expect(page).to.match(/Age: The pruned network is off by 6\.35 years on average/);
    expect(html.match(/<tr class="strong">/g)).to.have.length.at.least(4);
    const ids = [...html.matchAll(/\sid="([^"]+)"/g)].map((match) => match[1]);
    expect(new Set(ids).size).to.equal(ids.length);
    expect(() => renderReport([record, gender], tiny)).not.to.throw();
  });

  it("names the case when there is no run", () => {
    expect(() => renderReport([], tiny))
      .to.throw()
      .and.satisfy((error: unknown) => isEtlError(error, "usage"));
  });

  it("writes CSV that reads back, and text that is no formula", () => {
    expect(
      toCsv([
        ["a", 'say "b", c'],
        ["1", "x\ny"],
      ]),
    ).to.equal('a,"say ""b"", c"\r\n1,"x\ny"\r\n');
    expect(csvText("=1+1")).to.equal("'=1+1");
    expect(csvText("-0.25")).to.equal("-0.25");
    expect(csvText("-rm")).to.equal("'-rm");
  });

  it("puts functions of several files side by side, however they were compiled", () => {
    expect(unqualified("(0, import_knee.kneeAt)(a) + (0,b_1.other)()", ["kneeAt"])).to.equal(
      "kneeAt(a) + (0,b_1.other)()",
    );
    expect(clientScript()).not.to.match(/\(0,\s*[\w$]+\.\w+\)\(|\bimport_\w/);
  });

  it("weights calibration bins by their faces", () => {
    const metrics = {
      n: 4,
      accuracy: 1,
      accuracyError: 0,
      calibration: [
        { confidence: 0.9, accuracy: 1, n: 3 },
        { confidence: 0.6, accuracy: 0.5, n: 1 },
        { confidence: 0.5, accuracy: 0, n: 0 },
      ],
    };
    expect(calibrationError(metrics)).to.be.closeTo(0.1, 1e-12);
    expect(calibrationError({ n: 4, accuracy: 1, accuracyError: 0 })).to.equal(undefined);
  });
});
