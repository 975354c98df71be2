import { expect } from "chai";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { describe as describeModel } from "../../../lib/backbones/metadata.ts";
import { withHead } from "../../../lib/backbones/head.ts";
import { initialise } from "../../../lib/backbones/initialise.ts";
import type { Task } from "../../../lib/core/artifacts.ts";
import { isEtlError } from "../../../lib/core/errors.ts";
import { readBytes, readJson } from "../../../lib/core/files.ts";
import { silent, type Progress } from "../../../lib/core/progress.ts";
import { createRandom } from "../../../lib/core/random.ts";
import { openDataset } from "../../../lib/data/open.ts";
import { readOnnx } from "../../../lib/formats/onnx/read.ts";
import { writeOnnx } from "../../../lib/formats/onnx/write.ts";
import { cutModel } from "../../../lib/jobs/cut/cut.ts";
import { prune } from "../../../lib/jobs/prune/prune.ts";
import { evaluateModel } from "../../../lib/jobs/use/evaluate.ts";
import { predictImages } from "../../../lib/jobs/use/predict.ts";
import { profileFiles } from "../../../lib/jobs/use/profile.ts";
import { quantizeModel } from "../../../lib/jobs/use/quantize.ts";
import { createBuilder } from "../../../lib/network/builder.ts";
import { computesOnBytes } from "../../../lib/network/bytes.ts";
import type { Network } from "../../../lib/network/network.ts";
import type { RunRecord } from "../../../lib/record/record.ts";
import { smallBackbone } from "../../support/small-backbone.ts";

/** Wide enough that bytes pay on any machine. */
function wideBackbone(): ReturnType<typeof smallBackbone> {
  const net = createBuilder("wide");
  const empty = (...shape: number[]) => ({ shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)) });
  let x = net.input("image", ["batch", 3, 32, 32]);
  for (const [i, inputs] of [3, 64, 64].entries())
    x = net.relu(
      net.conv(x, {
        name: `conv${i}`,
        weights: empty(64, inputs, 3, 3),
        bias: new Float32Array(64),
        pads: 1,
      }),
      { name: `relu${i}` },
    );
  x = net.flatten(net.globalAveragePool(x, { name: "pool" }), { name: "flat" });
  const network = net.build([
    net.gemm(x, { name: "head", weights: empty(7, 64), bias: new Float32Array(7) }),
  ]);
  const preprocessing = {
    ...{ width: 32, height: 32, color: "RGB" as const },
    mean: [128, 128, 128] as const,
    scale: [1 / 64, 1 / 64, 1 / 64] as const,
  };
  return describeModel(initialise(network, 5), { preprocessing, features: "pool" });
}

describe("int8 from the outside", function () {
  this.timeout(120_000);
  let root: string;
  let photos: string;
  const path = (name: string): string => join(root, name);
  before(async () => {
    root = await mkdtemp(join(tmpdir(), "etl-quantize-"));
    photos = path("photos");
    await mkdir(photos);
    const random = createRandom(3).fork("photos");
    for (let i = 0; i < 24; i++) {
      const pixels = Buffer.from(
        Array.from({ length: 40 * 40 * 3 }, () => Math.floor(255 * random.uniform())),
      );
      await sharp(pixels, { raw: { width: 40, height: 40, channels: 3 } })
        .png()
        .toFile(join(photos, `${i}.png`));
    }
    await writeFile(path("wide.onnx"), writeOnnx(wideBackbone()));
    await writeFile(path("small.onnx"), writeOnnx(smallBackbone()));
  });
  after(() => rm(root, { recursive: true, force: true }));

  it("a model file and a folder of pictures: written in bytes, predicted with and profiled as any other", async () => {
    const out = path("wide-int8.onnx");
    const made = await quantizeModel(path("wide.onnx"), { data: photos, out, calibrate: 8, threads: 1 });
    expect([made.quantized, made.reason, made.layers]).to.deep.equal([true, undefined, 3]);
    expect(made.bytesAfter / made.bytesBefore).to.be.below(0.35);
    const network = readOnnx(await readBytes(out), { name: out });
    expect(computesOnBytes(network)).to.equal(true);
    const [float] = await predictImages(path("wide.onnx"), [join(photos, "0.png")]);
    const [int8] = await predictImages(out, [join(photos, "0.png")]);
    const scale = Math.max(...float.outputs.map(Math.abs));
    int8.outputs.forEach((y, k) => expect(Math.abs(y - float.outputs[k]) / scale).to.be.below(0.1));
    expect(int8.outputs).to.not.deep.equal(float.outputs);
    const [one, other] = await profileFiles([path("wide.onnx"), out], { runs: 2 });
    expect(other.cost.total.params).to.equal(one.cost.total.params);
    expect(other.cost.total.bytes).to.be.below(0.35 * one.cost.total.bytes);
  });

  it("says what the file takes where that is not what the model's file took", async () => {
    const out = path("behind-int8.onnx");
    const front = wideBackbone();
    const [image] = front.inputs;
    const turned: Network = {
      ...front,
      inputs: [{ ...image, shape: ["batch", 32, 32, 3] }],
      nodes: [
        {
          ...{ name: "turn", op: "Transpose", domain: "", inputs: [image.name], outputs: ["turned"] },
          attributes: { perm: { type: "ints", value: [0, 3, 1, 2] } },
        },
        ...front.nodes.map((node) => ({
          ...node,
          inputs: node.inputs.map((name) => (name === image.name ? "turned" : name)),
        })),
      ],
    };
    const said: string[] = [];
    const progress = { ...silent, note: (text: string) => void said.push(text) };
    for (const [name, network] of [
      ["behind.onnx", turned],
      ["wide.onnx", undefined],
    ] as const) {
      if (network !== undefined) await writeFile(path(name), writeOnnx(network));
      await quantizeModel(path(name), { data: photos, out, calibrate: 8, check: false, progress });
    }
    const taken = said.filter((text) => text.includes(" takes "));
    expect(taken).to.have.lengthOf(1);
    expect(taken[0]).to.match(
      /behind-int8\.onnx takes batchx3x32x32, where .*behind\.onnx takes batchx32x32x3/,
    );
  });

  it("where bytes do not pay, the file holds the float model, byte for byte", async () => {
    const net = createBuilder("tiny");
    const conv = (from: string, inputs: number, outputs: number) =>
      net.conv(from, {
        weights: { shape: [outputs, inputs, 1, 1], data: new Float32Array(inputs * outputs).fill(0.1) },
        strides: 2,
      });
    const x = conv(conv(net.input("image", ["batch", 3, 4, 4]), 3, 2), 2, 2);
    const preprocessing = { width: 4, height: 4, color: "RGB", mean: [0, 0, 0], scale: [1, 1, 1] } as const;
    await writeFile(path("tiny.onnx"), writeOnnx(describeModel(net.build([x]), { preprocessing })));
    const out = path("tiny-int8.onnx");
    const made = await quantizeModel(path("tiny.onnx"), { data: photos, out, calibrate: 8, threads: 1 });
    expect(made.quantized).to.equal(false);
    expect(made.reason).to.contain("not faster");
    expect(await readFile(out)).to.deep.equal(await readFile(path("tiny.onnx")));
    const forced = await quantizeModel(path("tiny.onnx"), { data: photos, out, calibrate: 8, check: false });
    expect(forced.quantized).to.equal(true);
  });

  it("a stop is heard while labelled pictures are decoded", async () => {
    const data = "synthetic:700";
    const { task } = await openDataset({ data, task: "gender", seed: 0 });
    await writeFile(path("gender.onnx"), writeOnnx(describeModel(wideBackbone(), { task })));
    const stop = new AbortController();
    let [decoded, total] = [0, 0];
    const progress: Progress = {
      ...silent,
      start: (_, of = 0) => (total = of),
      update: (done) => {
        decoded = done;
        stop.abort();
      },
    };
    const how = { data, out: path("gender-int8.onnx"), cacheDir: path("cache"), calibrate: 64, threads: 1 };
    const failed: unknown = await quantizeModel(path("gender.onnx"), {
      ...how,
      ...{ progress, signal: stop.signal },
    }).catch((error: unknown) => error);
    expect(isEtlError(failed, "interrupted"), String(failed)).to.equal(true);
    expect(total).to.be.above(64);
    expect(decoded).to.be.below(10);
  });

  it("prune --int8: both networks in bytes are rows beside the others, and stay what they were", async () => {
    const out = path("run");
    const options = {
      ...{ backbone: path("wide.onnx"), task: "gender", data: "synthetic:150", out, cacheDir: path("cache") },
      ...{
        valFraction: 0.5,
        gamma: 0.02,
        epochs: 1,
        baselineEpochs: 0,
        learningRates: [1e-3],
        batchSize: 8,
        runs: 3,
        seed: 3,
      },
      ...{ int8: true, int8Tolerance: 100, threads: 1 },
    };
    const record = await prune(options);
    const names = record.models.map(({ name }) => name);
    expect(names).to.include("baseline-int8");
    const [float, int8] = ["baseline", "baseline-int8"].map((name) =>
      record.models.find((one) => one.name === name),
    );
    expect(int8?.test.n).to.equal(float?.test.n);
    expect((int8?.fileBytes ?? 1) / (float?.fileBytes ?? 1)).to.be.below(0.4);
    expect(int8?.latency?.runs).to.equal(3);
    expect(int8?.versusBaseline).to.not.equal(undefined);
    expect(record.notes.join("\n")).to.contain("baseline in int8: 3 layers");
    const metrics = (await readJson(join(out, "metrics.json"))) as Pick<RunRecord, "models">;
    expect(metrics.models.map(({ name }) => name)).to.include("baseline-int8");
    const decided = await readFile(join(out, "baseline-int8.json"), "utf8");
    const file = join(out, "baseline-int8.onnx");
    const evaluated = await evaluateModel(file, {
      data: "synthetic:150",
      split: "test",
      cacheDir: path("cache"),
    });
    expect(evaluated.accuracy).to.equal(int8?.test.accuracy);
    const again = await prune(options);
    expect(again.models.map(({ name }) => name)).to.deep.equal(names);
    expect(await readFile(join(out, "baseline-int8.json"), "utf8")).to.equal(decided);
    // int8 is measured beside a run, it does not make another one
    const plain = Object.entries(options).filter(([name]) => !name.startsWith("int8"));
    const without = await prune(Object.fromEntries(plain) as unknown as typeof options);
    expect(without.models.map(({ name }) => name)).to.not.include("baseline-int8");

    // Labels decide where the model has a task.
    const labelled = await quantizeModel(join(out, "baseline.onnx"), {
      ...{
        data: "synthetic:600",
        out: path("again.onnx"),
        calibrate: 16,
        cacheDir: path("cache"),
        threads: 1,
      },
      int8Tolerance: 100,
    });
    expect(labelled.before.map(({ what, unit }) => [what, unit])).to.deep.equal([["gender", "%"]]);
    expect(labelled.quantized).to.equal(true);

    // In the data of its run, too: by the validation part that the run had.
    const own = await quantizeModel(out, {
      ...{ data: "synthetic:150", out: path("own.onnx"), calibrate: 16, cacheDir: path("cache"), threads: 1 },
      int8Tolerance: 100,
    });
    const { train, val } = record.dataset;
    expect(own.notes).to.deep.equal([
      `ranges of ${Math.min(16, train)} training pictures, judged by gender on ${val} others`,
    ]);
  });

  it("judges a network that answers yes or no with two classes by its labels", async () => {
    const task: Task = {
      ...{ name: "gender", kind: "categorical", columns: ["gender"], classes: ["female", "male"] },
      ...{ outputs: 2, scale: 1, mirror: "keep" },
    };
    // A head of zeros says "female" of everybody: right on about half.
    await writeFile(
      path("two.onnx"),
      writeOnnx(withHead(wideBackbone(), "pool", { outputs: task.outputs, task })),
    );
    const asked = { out: path("two-int8.onnx"), calibrate: 8, check: false, cacheDir: path("cache") };
    const { before: found, notes } = await quantizeModel(path("two.onnx"), {
      ...asked,
      data: "synthetic:600",
    });
    expect(found.map(({ what }) => what)).to.deep.equal(["gender"]);
    expect(found[0].value, notes.join("; ")).to.be.within(25, 75);
  });

  it("what computes on bytes is not pruned or quantised again, and nothing of it is cut; other engines say what they lack", async () => {
    const out = path("bytes.onnx");
    await quantizeModel(path("wide.onnx"), { data: photos, out, calibrate: 8, check: false });
    const said = async (work: Promise<unknown>): Promise<string> =>
      String(await work.catch((error: unknown) => error));
    for (const work of [
      () => quantizeModel(out, { data: photos, out: path("twice.onnx") }),
      () => prune({ backbone: out, task: "gender", data: "synthetic:60", out: path("no") }),
    ])
      expect(await said(work())).to.contain("computes on bytes (int8) already, a float network was needed");
    const cut = await cutModel({ model: out, out: path("cut.onnx"), keep: 0.5 });
    expect(cut.cut).to.equal(false);
    expect(cut.notes.join("\n")).to.contain("cut the float model that it was made from");
    const int8 = {
      task: "gender",
      data: "synthetic:60",
      out: path("no2"),
      backbone: path("small.onnx"),
      int8: true,
    };
    expect(await said(prune({ ...int8, engine: "tfjs", cacheDir: path("cache") }))).to.contain(
      "--int8: the engine tfjs",
    );
  });
});
