import { expect } from "chai";
import { answerText } from "../../lib/evaluate/answer.ts";
import { refuseIdle } from "../../lib/formats/names.ts";
import type { SweepRow } from "../../lib/record/sweep.ts";
import { networksTable, sweepTable, worthTable } from "../../lib/report/terminal.ts";
import { refusal } from "../support/refusal.ts";
import { sampleRecord, sampleRegression } from "./sample.ts";

const spread = (mean: number, sd = 0): SweepRow["accuracy"] => ({ mean, sd, n: 2 }) as SweepRow["accuracy"];

const row: SweepRow = {
  ...{ task: "age", backbone: "face-resnet", variant: "", network: "pruned", title: "pruned", gamma: 0.1 },
  ...{ seeds: [0, 1], accuracy: spread(0.5, 0.01), validation: [undefined, undefined, undefined] },
  ...{ macs: 1.2e8, params: 3.4e6, bytes: 1e7, macsShare: 0.25, paramsShare: 0.5 },
};

describe("report: what a terminal says", () => {
  it("judges classes by accuracy, numbers by their error against the baseline's", () => {
    const classes = networksTable(sampleRecord());
    expect(classes.columns).to.deep.equal(["network", "accuracy", "MACs", "parameters", "file", "CPU time"]);
    expect(classes.rows.every((cells) => cells.length === classes.columns.length)).to.equal(true);
    const numbers = networksTable(sampleRegression());
    expect(numbers.columns.slice(1, 3)).to.deep.equal(["mean error", "against baseline"]);
    const [baseline, ...others] = numbers.rows;
    expect(baseline[2]).to.equal("-");
    expect(others.some((cells) => /^[+\-−]?\d/.test(cells[2]))).to.equal(true);
  });

  it("calls no form of a network fine-tuned that is not", () => {
    const record = sampleRecord();
    const [baseline, ...others] = record.models;
    const plain = { ...baseline, title: "Baseline (all filters, fine-tuned)", history: [] };
    const forms = ["int8", "onnxruntime"].map((form) => ({
      ...plain,
      name: `baseline-${form}`,
      title: `${plain.title}, ${form}`,
    }));
    const { rows } = networksTable({ ...record, models: [plain, ...others, ...forms] });
    expect(rows.map(([title]) => title).filter((title) => title.startsWith("Baseline"))).to.deep.equal([
      "Baseline (all filters)",
      "Baseline (all filters), int8",
      "Baseline (all filters), onnxruntime",
    ]);
  });

  it("gives a line of a sweep its quality in the task's own measure, and what is left of the baseline", () => {
    const variant = { ...row, variant: "zoom 0.1", kept: spread(0.98) };
    const error = { ...row, unit: "years", mae: spread(5.25, 0.1), errorShare: spread(1.1) };
    const { rows, columns } = sweepTable([{ ...row, network: "baseline" }, variant, error]);
    expect(columns).to.have.length(8);
    expect(rows[0].slice(2, 5)).to.deep.equal(["baseline", "50.0 % ± 1.0", "-"]);
    expect(rows[1].slice(2, 5)).to.deep.equal(["pruned, zoom 0.1", "50.0 % ± 1.0", "keeps 98.0 %"]);
    expect(rows[2][3]).to.equal("5.25 ± 0.10 years off");
    expect(rows[2][4]).to.match(/^error .*10/);
  });

  it("says what selection is worth, errors as errors", () => {
    const task = { task: "age", backbone: "b", dataset: "d", difference: -0.5, seeds: 2 };
    const { rows } = worthTable([
      { ...{ control: "l1", title: "L1", measure: "mae", unit: "years", difference: -0.5 }, tasks: [task] },
    ]);
    expect(rows[0][0]).to.equal("l1");
    expect(rows[0][1]).to.match(/0\.5.* years of error$/);
    expect(rows[0][3]).to.match(/^age .*0\.5/);
  });

  it("says an answer in a few words", () => {
    const answer = { outputs: [1.5] };
    expect(answerText({ ...answer, label: "female", probability: 0.982 })).to.equal("female (98.2 %)");
    expect(answerText({ ...answer, value: 31.2, unit: "years" })).to.equal("31.20 years");
    expect(answerText({ outputs: [0.5, 1] })).to.equal("0.500000 1.00000");
    expect(answerText({ outputs: [0, 0, 1, 1], unit: "crop" })).to.equal("2 points");
    expect(answerText({ outputs: [-1, -2, -1], label: "" })).to.equal("none of 3");
  });

  it("refuses an option of export that would change nothing, and no other", async () => {
    const idle = await refusal(() => {
      refuseIdle(["out", "precision"], "onnx", "a.onnx");
    }, "usage");
    expect(idle).to.include("--precision: a.onnx is written as onnx").and.include("one of web was needed");
    refuseIdle(["out", "model", "for", "size"], "onnx", "a.onnx");
  });
});
