import { expect } from "chai";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { ageGroupNames } from "../../../lib/data/age-groups.ts";
import { isEtlError } from "../../../lib/core/errors.ts";
import { silent, type Progress } from "../../../lib/core/progress.ts";
import type { RunRecord } from "../../../lib/record/record.ts";
import { comparedNetworks, timedTogether } from "../../../lib/jobs/many/compare.ts";
import { crossval, type CrossvalOptions, type CrossvalResult } from "../../../lib/jobs/train/crossval.ts";
import { train } from "../../../lib/jobs/train/train.ts";
import { readReportAssets } from "../../../lib/report/assets.ts";
import { renderReport } from "../../../lib/report/report.ts";
import { refused } from "../../support/refusal.ts";

describe("crossval and compare, on drawn faces", function () {
  this.timeout(120_000);
  let root: string;
  let shared: Pick<CrossvalOptions, "data" | "cacheDir" | "runs" | "epochs">;

  before(async () => {
    root = await mkdtemp(join(tmpdir(), "etl-crossval-"));
    shared = { data: "synthetic:80", cacheDir: join(root, "cache"), runs: 2, epochs: 0 };
  });
  after(() => rm(root, { recursive: true, force: true }));

  it("every picture is tested once; shared and separate networks stand in one table", async () => {
    const options: CrossvalOptions = {
      ...shared,
      archs: ["lmtcnn-1-1", "levi-hassner"],
      task: "age-group,gender",
      out: join(root, "folds"),
      folds: 2,
      size: 67,
    };
    const result = await crossval(options);
    expect(result.folds.map(({ test }) => test)).to.deep.equal([40, 40]);
    expect(result.folds.map(({ train: n, val }) => n + val)).to.deep.equal([40, 40]);
    const [shareds, separate] = result.rows;
    expect([shareds.networks, separate.networks]).to.deep.equal([1, 2]);
    expect(shareds.bytes).to.be.lessThan(separate.bytes / 4);
    for (const { tasks, frameMs } of result.rows) {
      expect(tasks.map(({ task }) => task)).to.deep.equal(["age-group", "gender"]);
      const [age, gender] = tasks;
      expect(age.top2?.mean).to.be.at.least(age.top1.mean);
      expect(gender).to.not.have.property("top2");
      expect(age.top1.mean).to.be.closeTo((age.top1.folds[0] + age.top1.folds[1]) / 2, 1e-12);
      expect(frameMs).to.be.greaterThan(0);
    }
    const labels: string[] = [];
    const progress: Progress = { ...silent, start: (label) => void labels.push(label) };
    const again = await crossval({ ...options, progress });
    expect(labels.filter((label) => label.includes("epoch"))).to.deep.equal([]);
    expect(again.rows.map(({ tasks }) => tasks)).to.deep.equal(result.rows.map(({ tasks }) => tasks));
  });

  it("a data set's own lists are the folds, of unequal sizes, the same pictures for every network", async () => {
    const data = join(root, "lists");
    const sizes = [30, 18, 12];
    const rows = sizes.flatMap((size, list) => Array.from({ length: size }, (_, i) => ({ list, i })));
    const lines = rows.map(({ list, i }, row) => {
      const group = ageGroupNames[row % ageGroupNames.length];
      const gender = i % 6 === 5 ? "" : row % 2 === 0 ? "f" : "m";
      return `${row}.png,p${list}-${i >> 1},list${list},${group},${gender}`;
    });
    await mkdir(data);
    await writeFile(join(data, "labels.csv"), ["file,person,fold,age_group,gender", ...lines, ""].join("\n"));
    for (const row of rows.keys()) {
      const background = { r: 4 * row, g: 200 - row, b: (37 * row) % 256 };
      const picture = sharp({ create: { width: 16, height: 16, channels: 3, background } });
      await picture.png().toFile(join(data, `${row}.png`));
    }
    const options: CrossvalOptions = {
      ...shared,
      data,
      archs: ["lmtcnn-1-1", "levi-hassner"],
      task: "age-group,gender",
      out: join(root, "by-lists"),
      size: 67,
    };
    const result = await crossval(options);
    expect(result.by).to.equal("lists");
    // 5, 3 and 2 of the lists' pictures have no gender, and no network sees them.
    expect(result.folds.map(({ test }) => test)).to.deep.equal([25, 15, 10]);
    for (const { train: n, val, test } of result.folds) expect(n + val + test).to.equal(50);
    for (const { tasks } of result.rows)
      expect(tasks.map(({ task }) => task)).to.deep.equal(["age-group", "gender"]);
    const error = await refused(
      crossval({
        ...options,
        folds: 5,
        by: "lists",
        out: join(root, "five"),
      }),
      "usage",
    );
    expect(error.message).to.contain("3 were needed: one a list");
    // A fold without pictures would be a test of nothing.
    const many = await refused(
      crossval({ ...options, folds: 60, by: "row", out: join(root, "60") }),
      "usage",
    );
    expect(many.message).to.match(/folds: 60 of \d+ pictures, at most one for each was needed/);
  });

  it("a fold whose training ended early is named with the reason", async () => {
    const out = join(root, "early");
    const small = { archs: ["mobilenet-v1"], width: 0.25, size: 32, task: "gender", folds: 2 };
    const { rows } = await crossval({
      ...shared,
      ...small,
      out,
      epochs: 1,
      batchSize: 8,
      learningRate: 1e30,
    });
    const [{ stopped = [] }] = rows;
    expect(stopped.map(({ task, fold }) => [task, fold])).to.deep.equal([
      ["gender", 1],
      ["gender", 2],
    ]);
    for (const { why } of stopped) expect(why).to.match(/the loss became .*: epoch 0 is kept/);
    const kept = JSON.parse(await readFile(join(out, "crossval.json"), "utf8")) as CrossvalResult;
    expect(kept.rows[0].stopped).to.deep.equal(stopped);
  });

  it("persons that nobody knows cannot be kept together", async () => {
    const error = await refused(
      crossval({
        ...shared,
        archs: ["lmtcnn-1-1"],
        task: "gender",
        out: join(root, "persons"),
        size: 67,
        by: "identity",
        data: "synthetic:80",
      }),
      "usage",
    );
    const known = isEtlError(error, "usage") && /--by identity: 0 persons/.test(error.message);
    expect(known, String(error)).to.equal(true);
  });

  it("compares trained networks on one page and marks the front", async () => {
    const folders = [32, 48].map((size) => join(root, `size-${size}`));
    for (const [i, size] of [32, 48].entries()) {
      const width = { arch: "mobilenet-v1", width: 0.25, size, task: "gender" };
      await train({ ...shared, ...width, out: folders[i] });
    }
    const records = await Promise.all(
      folders.map(async (run) => JSON.parse(await readFile(join(run, "record.json"), "utf8")) as RunRecord),
    );
    const timed = await timedTogether(folders, records, { threads: 1 });
    const networks = comparedNetworks(timed);
    expect(networks).to.have.length(2);
    expect(networks[0].macs).to.be.lessThan(networks[1].macs);
    expect(networks[0].front).to.equal(true);
    expect(networks[1].front).to.equal(networks[1].accuracy > networks[0].accuracy);
    expect(networks.every(({ cpuMs }) => (cpuMs ?? 0) > 0)).to.equal(true);
    const page = renderReport(timed, await readReportAssets());
    expect(page).to.contain("MobileNetV1, width 0.25, 48x48");
  });
});
