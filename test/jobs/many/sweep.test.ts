import { expect } from "chai";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silent, type Progress } from "../../../lib/core/progress.ts";
import { sweep, type SweepOptions } from "../../../lib/jobs/many/sweep.ts";
import { refused } from "../../support/refusal.ts";

describe("sweep: many runs from one harvest", function () {
  this.timeout(240_000);
  let root: string;
  let options: SweepOptions;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), "etl-sweep-"));
    options = {
      tasks: [{ task: "gender", data: "synthetic:60" }],
      gammas: [0.5],
      controls: ["l1", "scratch"],
      refit: false,
      distill: 0,
      variants: [{ scaling: "paper" }],
      out: join(root, "sweep"),
      cacheDir: join(root, "cache"),
      epochs: 1,
      baselineEpochs: 0,
      learningRates: [1e-4],
      runs: 2,
    };
  });
  after(() => rm(root, { recursive: true, force: true }));

  it("harvests once, and leaves a run folder for every point, rows, CSV and a report", async () => {
    const labels: string[] = [];
    const progress: Progress = { ...silent, start: (label) => void labels.push(label) };
    const { runs, rows } = await sweep({ ...options, progress });
    expect(runs).to.deep.equal(["gender/seed-0/gamma-0.5", "gender/seed-0/gamma-0.5-scaling-paper"]);
    expect(labels.filter((label) => label === "LASSO paths").length).to.be.lessThan(5);
    const names = rows.map(({ network, variant, gamma }) => [network, variant, gamma]);
    expect(names).to.deep.include(["l1", "", 0.5]);
    expect(names).to.deep.include(["pruned", "scaling paper", 0.5]);
    const macs = (network: string): number =>
      rows.find((row) => row.network === network && row.gamma === 0.5)!.macs;
    expect(macs("l1")).to.equal(macs("pruned"));
    expect(macs("scratch")).to.equal(macs("pruned"));
    for (const file of ["sweep.json", "sweep.csv", "report.html"])
      expect(existsSync(join(options.out, file)), file).to.equal(true);
    const page = await readFile(join(options.out, "report.html"), "utf8");
    expect(page).to.contain("Accuracy and cost by task and gamma");
  });

  it("does not run finished points again", async () => {
    const labels: string[] = [];
    const notes: string[] = [];
    const progress: Progress = {
      ...silent,
      start: (label) => void labels.push(label),
      note: (text) => void notes.push(text),
    };
    const { rows } = await sweep({ ...options, progress });
    expect(labels).to.deep.equal([]);
    expect(notes.filter((note) => note.includes("kept"))).to.have.length(2);
    expect(rows.length).to.be.greaterThan(4);
  });

  it("refuses other options for finished runs, and a record beside them that cannot be read, before anything runs", async () => {
    const labels: string[] = [];
    const progress: Progress = { ...silent, start: (label) => void labels.push(label) };
    const other = await refused(sweep({ ...options, gammas: [0.4, 0.5], epochs: 2, progress }));
    expect([other.kind, other.message]).to.deep.equal([
      "usage",
      `${options.out}: 2 of 4 runs are finished with other options (gender/seed-0/gamma-0.5: epochs 2 (it has 1)), a folder of its own was needed`,
    ]);
    const path = join(options.out, "gender", "seed-0", "gamma-0.5", "record.json");
    const record = await readFile(path);
    await writeFile(path, record.subarray(0, record.length >> 1));
    const damaged = await refused(sweep({ ...options, gammas: [0.4], progress }));
    await writeFile(path, record);
    expect(damaged.message).to.contain("record.json");
    expect(labels).to.deep.equal([]);
  });

  it("refuses a gamma given twice before anything runs", async () => {
    await refused(sweep({ ...options, gammas: [0.1, 0.1] }), "usage");
  });
});
