import { expect } from "chai";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { writeSafetensors } from "../../../lib/formats/safetensors.ts";
import { buildMobilenetV1 } from "../../../lib/backbones/nets/mobilenet-v1.ts";
import { architectures } from "../../../lib/backbones/architecture.ts";
import { writeWeights } from "../../../lib/backbones/write-model.ts";
import { initialise } from "../../../lib/backbones/initialise.ts";
import { readBytes } from "../../../lib/core/files.ts";
import { silent, type Progress } from "../../../lib/core/progress.ts";
import type { RunRecord } from "../../../lib/record/record.ts";
import { readOnnx } from "../../../lib/formats/onnx/read.ts";
import { openModel } from "../../../lib/jobs/run/model.ts";
import { exportModel, type ModelDescription } from "../../../lib/jobs/use/export.ts";
import { evaluateModel } from "../../../lib/jobs/use/evaluate.ts";
import { predictImages } from "../../../lib/jobs/use/predict.ts";
import { comparedNetworks } from "../../../lib/jobs/many/compare.ts";
import { readReportAssets } from "../../../lib/report/assets.ts";
import { renderReport } from "../../../lib/report/report.ts";
import { train } from "../../../lib/jobs/train/train.ts";
import { smallTraining } from "../../support/small-training.ts";
import type { TrainOptions } from "../../../lib/jobs/train/options.ts";
import { refused } from "../../support/refusal.ts";

describe("train, on drawn faces", function () {
  this.timeout(120_000);
  let root: string;
  let options: TrainOptions;

  before(async () => {
    root = await mkdtemp(join(tmpdir(), "etl-train-"));
    options = {
      ...smallTraining(root),
      thresholdRate: 0.2,
      positiveWeight: true,
    };
  });
  after(() => rm(root, { recursive: true, force: true }));

  /** Of a network that stays as it begins: without what speaks of training alone. */
  const still = (): TrainOptions => ({
    ...options,
    ...{ epochs: 0, positiveWeight: false, lossWeights: "equal", thresholds: "fixed", thresholdRate: 0.01 },
  });

  const evaluated = async (run: string, data = "synthetic:100"): Promise<number> =>
    (await evaluateModel(run, { data, split: "test", cacheDir: join(root, "cache") })).accuracy;

  it("leaves a model that measures as it was measured, its thresholds in it", async () => {
    const result = await train(options);
    expect(result).to.deep.include({ arch: "mobilenet-v1", task: "gender", others: [] });
    expect(result.trained.macs).to.be.within(5e5, 2e6);
    expect(result.trained.cpuMs).to.be.greaterThan(0);
    expect(await evaluated(options.out)).to.equal(result.trained.accuracy);
    const history = JSON.parse(await readFile(join(options.out, "history.json"), "utf8")) as {
      trained: {
        history: unknown[];
        states: { losses: number[]; thresholds: number[]; weights: number[] }[];
      };
    };
    expect(history.trained.history).to.have.length(3);
    const { states } = history.trained;
    const decided = states[result.bestEpoch].thresholds[0] !== 0;
    expect(result.atZero !== undefined).to.equal(decided);
    expect(states.map(({ thresholds }) => thresholds[0] !== 0)).to.include(true);
    expect(states[0].weights).to.deep.equal([1]);
    const losses = states.map(({ losses: [loss] }) => loss);
    for (const epoch of [1, 2]) {
      // DMM-CNN, eq. 4, from one epoch to the next.
      const change = Math.abs(losses[epoch] - losses[epoch - 1]) / losses[epoch - 1];
      expect(states[epoch].weights[0]).to.be.closeTo(change, 1e-12);
    }
    const record = JSON.parse(await readFile(join(options.out, "record.json"), "utf8")) as RunRecord;
    expect(record.models.map(({ name }) => name)).to.deep.equal(["mobilenet-v1"]);
    expect(await readFile(join(options.out, "report.html"), "utf8")).to.contain(
      "MobileNetV1, width 0.25, 32x32",
    );
    expect((await openModel(options.out)).task?.name).to.equal("gender");
  });

  it("stopped in every stage and run again, it ends with the same network", async () => {
    const out = join(root, "stopped");
    for (const stop of ["mobilenet-v1, epoch 2", "evaluate"]) {
      const abort = new AbortController();
      const progress: Progress = {
        ...silent,
        start: (label) => {
          if (label.startsWith(stop)) abort.abort();
        },
      };
      await refused(train({ ...options, out, progress, signal: abort.signal }), "interrupted");
    }
    await train({ ...options, out });
    const [again, once] = await Promise.all(
      [out, options.out].map(async (run) => readFile(join(run, "model.onnx"))),
    );
    expect(Buffer.compare(again, once)).to.equal(0);
  });

  it("its own data are judged in the parts that it had, also where they were cut anew", async () => {
    const out = join(root, "anew");
    const result = await train({ ...options, out, split: "5:2:3", epochs: 1 });
    const own = { data: options.data, cacheDir: join(root, "cache") };
    const evaluation = await evaluateModel(out, own);
    expect(evaluation).to.include({ split: "test", n: result.dataset.test });
    expect(evaluation.accuracy).to.equal(result.trained.accuracy);
    const all = await evaluateModel(out, { ...own, split: "all" });
    const { train: trained, val, test } = result.dataset;
    expect(all.n).to.equal(trained + val + test);
  });

  it("numbers are learned in units of their spread and come out in years", async () => {
    const out = join(root, "age");
    const wide = { ...options, out, arch: "shufflenet-v2", width: 0.5, task: "age" } as const;
    const result = await train({
      ...wide,
      thresholds: "fixed",
      thresholdRate: 0.01,
      lossWeights: "equal",
      positiveWeight: false,
    });
    expect(await evaluated(out)).to.equal(result.trained.accuracy);
  });

  it("several tasks share one network, judged on ten parts of each picture", async () => {
    const out = join(root, "joint");
    const { data } = options;
    const result = await train({
      arch: "lmtcnn-1-1",
      task: "age-group,gender",
      out,
      size: 67,
      epochs: 1,
      data,
      cacheDir: join(root, "cache"),
      runs: 2,
    });
    expect(result.task).to.equal("age-group");
    expect(result.others.map(({ task }) => task)).to.deep.equal(["gender"]);
    const { network, tasks } = await openModel(out);
    expect(network.outputs.map(({ name, shape }) => [name, shape[1]])).to.deep.equal([
      ["age-group", 8],
      ["gender", 2],
    ]);
    expect(tasks.map(({ output, task }) => [output, task.name])).to.deep.equal([
      ["age-group", "age-group"],
      ["gender", "gender"],
    ]);
    // The run's own data hold years: they are the model's groups here as in training.
    const evaluation = await evaluateModel(out, { data: options.data, cacheDir: join(root, "cache") });
    expect(evaluation).to.include({ task: "age-group", split: "test", n: result.dataset.test });
    expect(evaluation.others?.map(({ task, n }) => [task, n])).to.deep.equal([
      ["gender", result.dataset.test],
    ]);
    // As in the run, a picture is asked about in ten parts: of the folder, and of the model that was handed on.
    const judged = (found: typeof evaluation): number[] =>
      [found, ...(found.others ?? [])].map(({ accuracy }) => accuracy);
    const measured = [result.trained.accuracy, ...result.others.map(({ test }) => test.accuracy)];
    expect(judged(evaluation)).to.deep.equal(measured);
    const handed = { data: options.data, cacheDir: join(root, "cache"), split: "test" } as const;
    await exportModel(out, join(root, "handed.onnx"));
    expect(judged(await evaluateModel(join(root, "handed.onnx"), handed))).to.deep.equal(measured);
    await exportModel(out, join(root, "handed/model.json"));
    const { parts } = await openModel(join(root, "handed"));
    expect(parts).to.deep.equal({ side: 76, mirrored: true });
    const told = JSON.parse(await readFile(join(root, "handed.json"), "utf8")) as ModelDescription;
    expect(told.parts).to.include(parts);
    const record = JSON.parse(await readFile(join(out, "record.json"), "utf8")) as RunRecord;
    expect(record.others?.map(({ task }) => task.name)).to.deep.equal(["gender"]);
    const [compared, other] = comparedNetworks([record]);
    expect([compared.task, other.task]).to.deep.equal(["age-group", "gender"]);
    const page = renderReport(record, await readReportAssets());
    expect(page).to.contain("one network trained");
  });

  it("--crop center is remembered, not the box that it was in the training pictures", async () => {
    const out = join(root, "middle");
    await train({ ...still(), out, crop: "center", runs: 1 });
    expect((await openModel(out)).crop).to.equal("center");
    // Twice as wide as high, its left half dark: all of it looks otherwise than its middle.
    const wide = join(root, "wide.png");
    const pixels = Uint8Array.from({ length: 64 * 32 * 3 }, (_, i) => (i % 192 < 96 ? 0 : (7 * i) % 256));
    await sharp(pixels, { raw: { width: 64, height: 32, channels: 3 } }).toFile(wide);
    const [own, middle, whole] = await Promise.all(
      [undefined, "center" as const, [0, 0, 1, 1] as const].map(async (crop) => {
        const [{ outputs }] = await predictImages(out, [wide], { crop });
        return outputs;
      }),
    );
    expect(own).to.deep.equal(middle);
    expect(own).not.to.deep.equal(whole);
    // A model that was taken out of its run is asked about the same data by the box that it learnt.
    const [boxed, alone] = [join(root, "boxed"), join(root, "alone.onnx")];
    const crop = [0.1, 0.2, 0.8, 0.9] as const;
    const { trained } = await train({ ...still(), out: boxed, crop, runs: 1 });
    await exportModel(boxed, alone);
    const handed = { data: options.data, cacheDir: join(root, "cache"), split: "test" } as const;
    const { accuracy, crop: used } = await evaluateModel(alone, handed);
    expect({ accuracy, used }).to.deep.equal({ accuracy: trained.accuracy, used: crop });
  });

  for (const { name } of architectures) {
    it(`${name} leaves a model for its task`, async () => {
      const out = join(root, `arch-${name}`);
      const size = name === "dmm-cnn" ? 96 : name.startsWith("l") ? 112 : 32;
      const epochs = name === "dmm-cnn" || name.startsWith("resnet") ? 0 : 1;
      // Numbers come out in years even of a network whose last layer is none that could be scaled.
      const task = name === "dmm-cnn" ? "age" : "gender";
      const own = { arch: name, task, data: "synthetic:60", cacheDir: join(root, "cache"), out };
      const { trained } = await train({ ...own, size, epochs, batchSize: 8, runs: 1 });
      if (task === "age") expect(await evaluated(out, own.data)).to.equal(trained.accuracy);
      const { network } = await openModel(out);
      const outputs = network.outputs.map((output) => [output.name, output.shape[1]]);
      expect(outputs).to.deep.equal([["prediction", name.startsWith("l") ? 2 : 1]]);
    });
  }

  it("the trunk's weights can come from a file", async () => {
    const other = initialise(buildMobilenetV1({ width: 0.25, classes: 7 }), 9);
    const path = join(root, "trunk.safetensors");
    await writeFile(path, writeSafetensors(other.parameters));
    const out = join(root, "weights");
    await train({ ...still(), out, weights: path });
    const network = readOnnx(await readBytes(join(out, "model.onnx")), { name: "model" });
    const stem = network.parameters.get("conv_stem.weight");
    expect(stem?.data).to.deep.equal(other.parameters.get("conv_stem.weight")?.data);
    // A run starts another: by its folder with the head of the same task, by its exported weights without.
    const run = readOnnx(await readBytes(join(options.out, "model.onnx")), { name: "run" });
    const file = join(root, "run.safetensors");
    await writeWeights(run, file);
    for (const [weights, headGoesOn] of [
      [options.out, true],
      [join(options.out, "model.onnx"), true],
      [file, false],
    ] as const) {
      await train({ ...still(), out, weights, replace: true });
      const begun = readOnnx(await readBytes(join(out, "model.onnx")), { name: "begun" });
      for (const name of ["conv_stem.weight", "bn1.mean", "prediction.weight"]) {
        const same = [begun, run].map(({ parameters }) =>
          Array.from(parameters.get(name)?.data ?? [], Number),
        );
        const expected = headGoesOn || name !== "prediction.weight";
        expect(
          same[0].every((value, i) => value === same[1][i]),
          `${weights} ${name}`,
        ).to.equal(expected);
      }
    }
    await refused(
      train({
        ...options,
        out: join(root, "no"),
        width: 0.5,
        weights: path,
      }),
      "format",
    );
  });

  for (const [what, wrong, text] of [
    ["an unknown architecture", { arch: "mobilenet-v3" }, "mobilenet-v3"],
    [
      "a width that it does not have",
      { arch: "shufflenet-v2", width: 0.3, size: 32 },
      "one of 0.5, 1, 1.5, 2",
    ],
    ["yes/no options on numbers", { task: "age" }, "positive-weight"],
    ["several tasks where only one is answered", { task: "gender,age" }, "one was needed"],
    ["a split that is none", { split: "7:2" }, "three positive numbers"],
  ] as const) {
    it(`answers ${what} with what was found`, async () => {
      const error = await refused(train({ ...options, out: join(root, "wrong"), ...wrong }), "usage");
      expect(error.message).to.contain(text);
    });
  }
});
