import { expect } from "chai";
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import type { Progress } from "../../../lib/core/progress.ts";
import type { RunMetrics, RunRecord } from "../../../lib/record/record.ts";
import { silent } from "../../../lib/core/progress.ts";
import type { PruneOptions } from "../../../lib/jobs/prune/options.ts";
import { facesOfRun } from "../../../lib/jobs/prune/faces.ts";
import { openModel } from "../../../lib/jobs/run/model.ts";
import { prune, runPipeline } from "../../../lib/jobs/prune/prune.ts";
import { cutModel } from "../../../lib/jobs/cut/cut.ts";
import { drawFaces } from "../../../lib/jobs/use/draw.ts";
import { evaluateModel } from "../../../lib/jobs/use/evaluate.ts";
import { exportModel } from "../../../lib/jobs/use/export.ts";
import { predictImages } from "../../../lib/jobs/use/predict.ts";
import { quantizeModel } from "../../../lib/jobs/use/quantize.ts";
import { refused } from "../../support/refusal.ts";

describe("prune, end to end on drawn faces", function () {
  this.timeout(240_000);
  let root: string;
  let options: PruneOptions;
  let record: RunRecord;

  before(async () => {
    root = await mkdtemp(join(tmpdir(), "etl-prune-"));
    options = {
      task: "gender",
      data: "synthetic:160",
      out: join(root, "run"),
      cacheDir: join(root, "cache"),
      gamma: 0.3,
      epochs: 2,
      baselineEpochs: 1,
      learningRates: [1e-4],
      runs: 5,
      seed: 3,
    };
    record = await prune(options);
  });

  /** A copy of the finished run, for a test that changes it. */
  async function copied(name: string): Promise<PruneOptions> {
    const out = join(root, name);
    await cp(options.out, out, { recursive: true });
    return { ...options, out };
  }
  after(() => rm(root, { recursive: true, force: true }));

  it("leaves a smaller network, its measurements and a report", async () => {
    const metrics = JSON.parse(await readFile(join(options.out, "metrics.json"), "utf8")) as RunMetrics;
    expect(metrics.pruned.macs).to.be.lessThan(0.7 * metrics.baseline.macs);
    expect(metrics.pruned.params).to.be.lessThan(0.4 * metrics.baseline.params);
    expect(metrics.reduction.macs).to.be.closeTo(1 - metrics.pruned.macs / metrics.baseline.macs, 1e-12);
    expect(metrics.pruned.accuracy).to.be.greaterThan(0.6);
    expect(metrics.pruned.cpuMs).to.be.greaterThan(0);
    expect(record.models.map(({ name }) => name)).to.deep.equal(["baseline", "probe", "pruned"]);
    const stages = ["evaluate:baseline", "evaluate:probe", "evaluate:pruned", "profile"];
    const total = stages.reduce((sum, stage) => sum + (record.seconds[stage] ?? NaN), 0);
    expect(metrics.seconds.evaluate).to.be.closeTo(total, 1e-9);
    for (const file of [
      "run.json",
      "curves.json",
      "plan.json",
      "pruned.onnx",
      "baseline.onnx",
      "history/finetune.json",
      "report.html",
    ]) {
      expect(existsSync(join(options.out, file)), file).to.equal(true);
    }
    expect(
      (await readdir(options.out)).filter((name) => name.endsWith(".tmp") || name === "lock.json"),
    ).to.deep.equal([]);
  });

  it("does not do again what is done: a finished run that is asked for again changes no file", async () => {
    const files = async (): Promise<Record<string, string>> => {
      const names = (await readdir(options.out, { recursive: true, withFileTypes: true })).filter((entry) =>
        entry.isFile(),
      );
      return Object.fromEntries(
        await Promise.all(
          names.map(async ({ parentPath, name }) => {
            const { mtimeMs, size } = await stat(join(parentPath, name));
            return [name, `${size} ${mtimeMs}`] as const;
          }),
        ),
      );
    };
    const before = await files();
    const labels: string[] = [];
    const progress: Progress = { ...silent, start: (label) => void labels.push(label) };
    await prune({ ...options, progress });
    expect(labels.filter((label) => /harvest|training|epoch|refit/.test(label))).to.deep.equal([]);
    expect(await files()).to.deep.equal(before);
  });

  it("a plan at another gamma is a dry run: nothing of the finished run changes", async () => {
    const before = (await readdir(options.out)).toSorted();
    const networks = await readFile(join(options.out, "pruned.onnx"));
    const notes: string[] = [];
    const progress: Progress = { ...silent, note: (text) => void notes.push(text) };
    const { planned } = await runPipeline({ ...options, gamma: 0.7, progress }, "plan");
    expect(planned?.plan.after.macs).to.be.lessThan(record.gammaCosts?.[0].macs ?? 0);
    expect(notes.join()).to.contain("plan: only looked at");
    expect((await readdir(options.out)).toSorted()).to.deep.equal(before);
    expect(Buffer.compare(await readFile(join(options.out, "pruned.onnx")), networks)).to.equal(0);
  });

  it("puts pictures of people into the report where they are asked for, and nowhere else", async () => {
    const shown = await copied("shown");
    const read = (name: string): Promise<string> => readFile(join(shown.out, name), "utf8");
    expect(await read("report.html")).not.to.contain("data:image/webp");
    const warnings: string[] = [];
    const progress: Progress = { ...silent, warn: (text) => void warnings.push(text) };
    const record = await prune({ ...shown, withImages: true, progress });
    expect(warnings.join()).to.contain("pictures of people from synthetic faces");
    const pictures = (await read("report.html")).match(/data:image\/webp;base64,[\w+/=]+/g) ?? [];
    expect(pictures.length).to.be.within(6 * 12, 6 * 24);
    expect(await read("record.json")).not.to.contain("webp");
    const faces = await facesOfRun(shown.out, record, { progress: silent });
    expect(
      faces.flatMap(({ highest, lowest }) => [...highest, ...lowest]).map(({ webp }) => webp),
    ).to.have.length(pictures.length);
    for (const { tap, filter, highest, lowest } of faces) {
      expect(record.curves.find((curve) => curve.tap === tap)?.keep).to.include(filter);
      const responses = [...highest, ...lowest].map(({ response }) => response);
      expect(responses).to.deep.equal(responses.toSorted((a, b) => b - a));
      expect([responses[0] > 0.5, (responses.at(-1) ?? 0) < 0]).to.deep.equal([true, true]);
    }
    const columns = new Set(record.groups?.map(({ column }) => column));
    expect([...columns]).to.deep.equal(["age", "emotion", "valence", "yaw"]);
    const emotion = record.groups?.filter(({ column }) => column === "emotion") ?? [];
    const right = emotion.reduce((sum, { n, accuracy }) => sum + n * accuracy["pruned"], 0);
    const pruned = record.models.find(({ name }) => name === "pruned")?.test;
    expect(right / 40).to.be.closeTo(pruned?.accuracy ?? 0, 1e-9);
  });

  it("stopped in every stage and run again, it ends with the same accuracy and the same network", async () => {
    const reference = await readFile(join(options.out, "pruned.onnx"));
    const out = join(root, "stopped");
    const stops = ["harvest", "baseline, epoch 1", "refit", "pruned, epoch 1", "pruned, epoch 2", "evaluate"];
    for (const stop of stops) {
      const abort = new AbortController();
      let armed = false;
      const progress: Progress = {
        ...silent,
        start: (label) => void (armed = label.startsWith(stop)),
        update: () => {
          if (armed) abort.abort();
        },
      };
      await refused(prune({ ...options, out, progress, signal: abort.signal }), "interrupted");
    }
    const record = await prune({ ...options, out });
    expect(Buffer.compare(await readFile(join(out, "pruned.onnx")), reference)).to.equal(0);
    const metrics = JSON.parse(await readFile(join(options.out, "metrics.json"), "utf8")) as RunMetrics;
    expect(record.models.find(({ name }) => name === "pruned")?.test.accuracy).to.equal(
      metrics.pruned.accuracy,
    );
  });

  it("another gamma keeps the harvest and leaves nothing of the old plan", async () => {
    const labels: string[] = [];
    const progress: Progress = { ...silent, start: (label) => void labels.push(label) };
    const copy = await copied("another");
    const { out } = copy;
    const other = { ...copy, gamma: 0.6, epochs: 0, baselineEpochs: 1 };
    const outcome = await refused(prune(other), "usage");
    expect(outcome.message).to.contain("gamma 0.6 (it has 0.3)");
    const record = await prune({ ...other, progress, replace: true });
    expect(labels.filter((label) => label === "harvest").length).to.be.lessThan(3);
    expect(record.gamma).to.equal(0.6);
    const plan = JSON.parse(await readFile(join(out, "plan.json"), "utf8")) as { gamma: number };
    expect(plan.gamma).to.equal(0.6);
    const zoomed = await prune({ ...other, zoom: 0.3, replace: true });
    const lossOf = ({ models }: typeof record): number | undefined =>
      models.find(({ name }) => name === "baseline")?.history[1].trainLoss;
    expect(lossOf(zoomed)).to.be.a("number").and.not.equal(lossOf(record));
  });

  it("predicts with the run and evaluates it on labelled faces", async () => {
    const notes: string[] = [];
    const progress: Progress = {
      ...silent,
      note: (text) => void notes.push(text),
      warn: (text) => void notes.push(text),
    };
    const same = { data: "synthetic:160", cacheDir: join(root, "cache"), progress };
    const evaluation = await evaluateModel(options.out, same);
    expect(evaluation.split).to.equal("test");
    expect(notes.join("\n")).to.contain("not what it was trained on (--split all)");
    const everything = await evaluateModel(options.out, { ...same, split: "all" });
    expect(everything.n).to.equal(160);
    expect(notes.join("\n")).to.match(/\d+ of the 160 pictures are those it was trained on/);
    const model = await openModel(options.out);
    expect(model.crop).to.deep.equal(evaluation.crop);
    expect(model.task?.name).to.equal("gender");
    const metrics = JSON.parse(await readFile(join(options.out, "metrics.json"), "utf8")) as RunMetrics;
    expect(evaluation.n).to.equal(metrics.dataset.test);
    expect(evaluation.accuracy).to.equal(metrics.pruned.accuracy);
    const other = await refused(evaluateModel(options.out, { ...same, task: "age" }), "usage");
    expect(other.message).to.equal('--task: "age", one of gender was needed');
    const error = await refused(predictImages(options.out, [join(root, "missing.jpg")]), "data");
    expect(error.message).to.contain("missing.jpg");
    const picture = join(root, "face.png");
    await sharp({ create: { width: 40, height: 40, channels: 3, background: "#a87" } }).toFile(picture);
    const answers = await predictImages(options.out, [join(root, "missing.jpg"), picture], { progress });
    expect(answers.map(({ file }) => file)).to.deep.equal([picture]);
    expect(answers[0].warning).to.contain("trained on drawn faces");
    expect(notes.filter((text) => text.includes("missing.jpg"))).to.have.length(1);
  });

  it("a model taken out of its run counts the test part that the data give, and says why", async () => {
    const model = join(root, "taken", "model.onnx");
    await mkdir(join(root, "taken"));
    await cp(join(options.out, "pruned.onnx"), model);
    const warnings: string[] = [];
    const progress = { ...silent, warn: (text: string) => void warnings.push(text) };
    const same = { data: "synthetic:160", cacheDir: join(root, "cache"), progress };
    const evaluation = await evaluateModel(model, same);
    expect([evaluation.split, evaluation.n]).to.deep.equal(["test", record.dataset.test]);
    expect(warnings.join("\n")).to.match(
      /nothing says which of these pictures it learnt from: only the test part/,
    );
    warnings.length = 0;
    expect((await evaluateModel(model, { ...same, split: "all" })).n).to.equal(160);
    expect(warnings.join("\n")).to.contain("some of these pictures may be those it was trained on");
  });

  it("a network of drawn faces says so of photographs, also cut, in bytes, exported", async () => {
    const folder = join(root, "handed");
    const { folder: drawn } = await drawFaces(24, join(root, "drawn"));
    const file = (name: string): string => join(folder, name);
    await mkdir(folder);
    await exportModel(options.out, file("model.json"), { format: "tfjs" });
    await exportModel(options.out, file("out.onnx"), { format: "onnx" });
    await cutModel({ model: options.out, out: file("cut.onnx"), keep: 0.9 });
    await quantizeModel(options.out, { data: drawn, out: file("bytes.onnx"), check: false, calibrate: 8 });
    const [picture] = (await readdir(drawn)).filter((name) => name.endsWith(".png"));
    for (const name of ["model.json", "out.onnx", "cut.onnx", "bytes.onnx"]) {
      const [answer] = await predictImages(file(name), [join(drawn, picture)]);
      expect(answer.warning, name).to.contain("trained on drawn faces");
    }
  });

  it("asked for a sweep's folder, says that one of its runs is needed", async () => {
    await mkdir(join(root, "sweep"));
    await writeFile(join(root, "sweep/sweep.json"), "{}");
    const { hint } = await refused(openModel(join(root, "sweep")), "usage");
    expect(hint).to.equal("a sweep: name the folder of one of its runs, below it");
  });

  for (const [what, wrong, kind, text] of [
    ["an unknown task", { task: "gendre" }, "usage", "gendre"],
    ["gamma outside [0, 1)", { gamma: 1 }, "usage", "--gamma"],
    ["a shift of the whole picture", { shift: 1 }, "usage", "--shift"],
    ["a zoom below 0", { zoom: -0.1 }, "usage", "--zoom"],
    ["a missing column", { label: "Mail" }, "usage", "Mail"],
    ["a missing folder", { data: "/does/not/exist" }, undefined, "/does/not/exist"],
    ["an unknown backbone", { backbone: "face-resnt" }, "usage", "face-resnt"],
  ] as const) {
    it(`answers ${what} with what was found`, async () => {
      const error = await refused(prune({ ...options, out: join(root, "wrong"), ...wrong }), kind);
      expect(error.message).to.contain(text);
    });
  }
});
