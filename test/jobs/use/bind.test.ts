import { expect } from "chai";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { saidSizes } from "../../../bin/options.ts";
import { loadBackbone } from "../../../lib/backbones/catalogue.ts";
import { describe as describeModel } from "../../../lib/backbones/metadata.ts";
import { readModel } from "../../../lib/backbones/read-model.ts";
import { writeOnnx } from "../../../lib/formats/onnx/write.ts";
import { cutModel } from "../../../lib/jobs/cut/cut.ts";
import { planModel } from "../../../lib/jobs/cut/plan.ts";
import { evaluateModel } from "../../../lib/jobs/use/evaluate.ts";
import { exportModel, exportWeights } from "../../../lib/jobs/use/export.ts";
import { predictImages } from "../../../lib/jobs/use/predict.ts";
import { profileFiles } from "../../../lib/jobs/use/profile.ts";
import { quantizeModel } from "../../../lib/jobs/use/quantize.ts";
import { silent } from "../../../lib/core/progress.ts";
import { createBuilder } from "../../../lib/network/builder.ts";
import { writeLike } from "../../../lib/formats/onnx/like.ts";
import { int64, type Dim } from "../../../lib/network/network.ts";
import { writePhotos } from "../../support/photos.ts";
import { refusal } from "../../support/refusal.ts";
import { conv, inHalf, int, networkOf, two, weights } from "../../support/strange.ts";

const task = {
  ...({ name: "gender", kind: "binary", columns: ["gender"], classes: ["male", "female"] } as const),
  ...({ outputs: 1, scale: 1, mirror: "keep" } as const),
};
const parameters = {
  ...{ w1: weights(16, 3, 3, 3), b1: weights(16), w2: weights(24, 16, 3, 3), b2: weights(24) },
  w4: weights(24 * 8 * 7, 1),
};
/** It fits together at few sizes: 24 channels of 8 x 7 places at 32 x 28. */
const network = (size: readonly [Dim, Dim]) =>
  describeModel(
    networkOf([...two, ["Flatten", "r2", "f"], ["Gemm", "f w4", "y"]], parameters, {
      x: ["n", 3, ...size],
      y: ["n", 1],
    }),
    { task },
  );

describe("jobs/use: sizes that a file leaves open", function () {
  this.timeout(300_000);
  let root: string;
  let open: string;
  let fixed: string;
  let photos: readonly string[];
  const bind = { high: 32, wide: 28 };
  before(async () => {
    root = await mkdtemp(join(tmpdir(), "etl-bind-"));
    [open, fixed] = ["open.onnx", "fixed.onnx"].map((name) => join(root, name));
    await writeFile(open, writeOnnx(network(["high", "wide"])));
    await writeFile(fixed, writeOnnx(network([32, 28])));
    photos = await writePhotos(root, 4);
  });
  after(() => rm(root, { recursive: true, force: true }));

  it("a batch that a file is fixed to is timed as it is, and said; a picture by itself has none", async () => {
    const make = async (name: string, shape: readonly Dim[]): Promise<string> => {
      const net = createBuilder(name);
      const x = net.input("image", shape);
      const rows = shape.length === 4 ? x : net.node("Unsqueeze", [x, net.parameter("axis", int64([0]))]);
      const file = join(root, `${name}.onnx`);
      await writeFile(
        file,
        writeOnnx(
          net.build([net.conv(rows, { weights: { shape: [4, 3, 3, 3], data: new Float32Array(108) } })]),
        ),
      );
      return file;
    };
    const [eight, open] = [await make("eight", [8, 3, 9, 9]), await make("any", ["batch", 3, 9, 9])];
    const notes: string[] = [];
    const how = {
      threads: 1,
      runs: 1,
      progress: { ...silent, note: (text: string) => void notes.push(text) },
    };
    const [{ batch, cost }] = await profileFiles([eight], how);
    const [one] = await profileFiles([open], how);
    expect([batch, cost.total.macs]).to.deep.equal([8, 8 * one.cost.total.macs]);
    expect(notes).to.deep.equal(["made for 8 pictures at a time: MACs are of all of them, times of one"]);
    expect(await refusal(profileFiles([eight, open], how))).to.contain(
      "made for a batch of 8, 1 were asked for",
    );
    const [alone] = await profileFiles([await make("alone", [3, 9, 9])], how);
    expect([alone.batch, alone.cost.total.macs]).to.deep.equal([1, one.cost.total.macs]);
  });

  it("are said by name on the command line, in one list or several", () => {
    expect(saidSizes({ bind: ["high=32,wide=28", " n = 1"], size: "32x28" })).to.deep.equal({
      size: [32, 28],
      bind: { ...bind, n: 1 },
    });
    for (const wrong of ["high", "high=0", "=3", "high=3.5"])
      expect(() => saidSizes({ bind: wrong })).to.throw(/--bind: ".*", NAME=NUMBER was needed/);
  });

  it("predict and evaluate answer as with a file that says them", async () => {
    const threads = 1;
    const said = await predictImages(open, photos, { threads, bind });
    const known = await predictImages(fixed, photos, { threads });
    expect(said.map(({ outputs }) => [...outputs])).to.deep.equal(known.map(({ outputs }) => [...outputs]));
    const data = { threads, data: "synthetic:40", cacheDir: join(root, "cache") };
    expect({ ...(await evaluateModel(open, { ...data, bind })), model: "" }).to.deep.equal({
      ...(await evaluateModel(fixed, data)),
      model: "",
    });
  });

  it("profile and plan count there", async () => {
    const [[said], [known]] = await Promise.all([
      profileFiles([open], { threads: 1, runs: 1, bind }),
      profileFiles([fixed], { threads: 1, runs: 1 }),
    ]);
    expect(said.cost.total).to.deep.equal(known.cost.total);
    expect((await planModel(open, { bind })).cost).to.deep.equal((await planModel(fixed)).cost);
  });

  it("export and quantize write files of these sizes", async () => {
    const [exported, int8] = ["exported.onnx", "int8.onnx"].map((name) => join(root, name));
    await exportModel(open, exported, { threads: 1, bind: { high: 32 } });
    expect((await readModel(exported)).inputs[0].shape).to.deep.equal(["n", 3, 32, "wide"]);
    for (const said of [{ bind }, { size: [32, 28] as const }]) {
      const made = await quantizeModel(open, {
        ...{ data: join(root, "photos"), out: int8, calibrate: 2, check: false, threads: 1, ...said },
      });
      expect(made.quantized).to.equal(true);
      expect((await readModel(int8)).inputs[0].shape.slice(1)).to.deep.equal([3, 32, 28]);
      expect(await predictImages(int8, photos, { threads: 1 })).to.have.length(photos.length);
    }
  });

  it("what follows from a size is computed when a file of that size is exported, in the file's own type", async () => {
    const computed = networkOf(
      [
        ["Shape", "x", "s"],
        ["Slice", "s two four", "hw"],
        ["Mod", "hw m32", "rest"],
        ["Sub", "m32 rest", "most"],
        ["Mod", "most m32", "miss"],
        ["Concat", "zeros miss", "pads", { axis: int(0) }],
        ["Pad", "x pads", "xp"],
        ["Conv", "xp w1 b1", "c1", conv(2)],
        ["Relu", "c1", "r1"],
        ["Conv", "r1 w2 b2", "c2", conv(2)],
        ["GlobalAveragePool", "c2", "g"],
        ["Flatten", "g", "f"],
        ["Gemm", "f w5", "y"],
      ],
      {
        ...{ ...parameters, w5: weights(24, 2), two: int64([2]), four: int64([4]), m32: int64([32]) },
        zeros: int64([0, 0, 0, 0, 0, 0]),
      },
      { x: ["n", 3, "high", "wide"], y: ["n", 2] },
    );
    const [file, out, half] = ["pads.onnx", "pads.tfjs", "half.onnx"].map((name) => join(root, name));
    await writeFile(file, writeOnnx(computed));
    const said = { size: [40, 37] as const };
    await exportModel(file, out, { format: "tfjs", threads: 1, ...said });
    expect((await readModel(join(out, "model.json"))).inputs[0].shape.slice(1)).to.deep.equal([3, 40, 37]);
    await writeFile(half, writeLike(inHalf(network(["high", "wide"]))).bytes);
    await exportModel(half, join(root, "sized.onnx"), { threads: 1, size: [32, 28] });
    const sized = await readModel(join(root, "sized.onnx"));
    expect(sized.inputs[0]).to.deep.include({ shape: ["n", 3, 32, 28], stored: "float16" });
  });

  it("the weights alone are written whatever the sizes are", async () => {
    const out = join(root, "weights.safetensors");
    expect((await exportWeights(open, out)).bytes).to.equal((await exportWeights(fixed, out)).bytes);
  });

  it("cut takes channels there, and leaves the file's dimensions open", async () => {
    const out = join(root, "cut.onnx");
    const cut = await cutModel({ model: open, out, keep: 0.5, threads: 1, bind: { ...bind, n: 3 } });
    expect(cut.layers.map(({ keptOutputs }) => keptOutputs.length)).to.deep.equal([8, 12, 1]);
    expect(cut.comparedAt?.[0]).to.equal("3x3x32x28");
    expect((await readModel(out)).inputs[0].shape).to.deep.equal(["n", 3, "high", "wide"]);
  });

  it("prune's backbone has them", async () => {
    const { preprocessing, network: trunk } = await loadBackbone(open, { bind });
    expect([preprocessing.height, preprocessing.width]).to.deep.equal([32, 28]);
    expect(trunk.inputs[0].shape.slice(1)).to.deep.equal([3, 32, 28]);
  });

  it("a name that no dimension has, a file that leaves none open and sizes that do not fit are said", async () => {
    const options = { threads: 1, runs: 1 };
    expect(await refusal(profileFiles([open], { ...options, bind: { hihg: 32 } }))).to.match(
      /--bind hihg=32: no input has an open dimension of that name \(x \[n, 3, high, wide\]\)/,
    );
    expect(await refusal(predictImages(fixed, photos, { threads: 1, bind: { wide: 28 } }))).to.match(
      /one of n was needed/,
    );
    expect(await refusal(loadBackbone("face-resnet", { bind: { wide: 28 } }))).to.match(
      /--bind wide: face-resnet leaves no size open/,
    );
    expect(await refusal(profileFiles([open], { ...options, bind: { high: 30, wide: 30 } }))).to.match(
      /--bind high=30,wide=30: .*sizes at which it fits together were needed/,
    );
    for (const said of [{ bind: { high: 30, wide: 30 } }, { size: [30, 30] as const }])
      expect(await refusal(predictImages(open, photos, { threads: 1, ...said }))).to.match(
        /Gemm.*pictures of 30x30 do not fit through, another size was needed/,
      );
  });
});
