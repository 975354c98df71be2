import { expect } from "chai";
import { absentClasses, absentNotes, shownMetrics, undefinedBecause } from "../../lib/record/absent.ts";
import { comparedNetworks } from "../../lib/jobs/many/compare.ts";
import type { Metrics, RunRecord } from "../../lib/record/record.ts";
import { renderReport } from "../../lib/report/report.ts";
import { readReportAssets } from "../../lib/report/assets.ts";
import { sampleRecord } from "../report/sample.ts";

const whole: Metrics = {
  n: 4,
  accuracy: 0.75,
  accuracyError: 0.2,
  balancedAccuracy: 0.5,
  f1: 0.8,
  precision: 0.7,
  recall: 0.9,
};

/** A run whose test part has no picture of the first class. */
function withoutFirst(): RunRecord {
  const record = sampleRecord();
  const models = record.models.map((model) => ({
    ...model,
    test: {
      ...model.test,
      confusion: (model.test.confusion ?? []).map((row, c) => (c === 0 ? row.map(() => 0) : row)),
    },
  }));
  return { ...record, models };
}

describe("classes without a test picture", () => {
  it("are named, and means over classes are not shown", () => {
    const test = {
      ...whole,
      confusion: [
        [3, 1, 0],
        [0, 0, 0],
        [0, 0, 4],
      ],
    };
    expect(absentClasses(test, ["a", "b", "c"])).to.deep.equal(["b"]);
    expect(shownMetrics(test)).to.have.keys("n", "accuracy", "accuracyError", "confusion");
    const full = {
      ...whole,
      confusion: [
        [1, 1],
        [0, 2],
      ],
    };
    expect(shownMetrics(full)).to.equal(full);
  });

  it("of yes/no labels are those with one answer", () => {
    const output = (name: string, positives: number) => ({
      name,
      accuracy: 1,
      balancedAccuracy: 1,
      f1: 0,
      positives,
      n: 4,
    });
    const test = { ...whole, perOutput: [output("hat", 0), output("smile", 2), output("face", 4)] };
    expect(absentClasses(test, [])).to.deep.equal(["hat", "face"]);
    expect(shownMetrics(test).balancedAccuracy).to.equal(undefined);
  });

  it("make means undefined, and the sentence says why", () => {
    const why = (confusion: number[][], classes: string[]): string | undefined =>
      undefinedBecause(absentClasses({ ...whole, confusion }, classes), { ...whole, confusion }, classes);
    const [a, b, c] = ["a", "b", "c"];
    expect(
      why(
        [
          [2, 1],
          [0, 0],
        ],
        [a, b],
      ),
    ).to.match(/undefined as only one class is there \("a"\)/);
    expect(
      why(
        [
          [2, 1, 0],
          [0, 0, 0],
          [0, 1, 1],
        ],
        [a, b, c],
      ),
    ).to.match(/undefined as no picture of "b" is there/);
    expect(
      why(
        [
          [2, 1],
          [0, 1],
        ],
        [a, b],
      ),
    ).to.equal(undefined);
  });

  it("do not reach the comparison and the report, which say why", async () => {
    const record = withoutFirst();
    const [name] = record.task.classes;
    expect(comparedNetworks([record]).every((row) => row.balancedAccuracy === undefined)).to.equal(true);
    expect(comparedNetworks([sampleRecord()])[0].balancedAccuracy).to.be.a("number");
    expect(absentNotes([record]).join()).to.contain(`no picture of “${name}”`);
    const assets = await readReportAssets();
    expect(renderReport(record, assets))
      .to.contain(`no picture of “${name}”`)
      .and.not.contain("Balanced accuracy");
    expect(renderReport(sampleRecord(), assets))
      .to.contain("Balanced accuracy")
      .and.not.contain("no picture of “");
  });
});
