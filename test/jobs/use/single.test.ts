import { expect } from "chai";
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { describe as describeModel } from "../../../lib/backbones/metadata.ts";
import { loadModelFile, readModel } from "../../../lib/backbones/read-model.ts";
import { writeModel } from "../../../lib/backbones/write-model.ts";
import { isEtlError } from "../../../lib/core/errors.ts";
import { silent } from "../../../lib/core/progress.ts";
import { writeOnnx } from "../../../lib/formats/onnx/write.ts";
import { writeLike } from "../../../lib/formats/onnx/like.ts";
import { evaluateModel } from "../../../lib/jobs/use/evaluate.ts";
import { predictFiles, predictImages } from "../../../lib/jobs/use/predict.ts";
import { quantizeModel } from "../../../lib/jobs/use/quantize.ts";
import { foldBatchNorm } from "../../../lib/network/fold-batch-norm.ts";
import { float32, int64, type Dim, type Network } from "../../../lib/network/network.ts";
import { writePhotos } from "../../support/photos.ts";
import { refusal } from "../../support/refusal.ts";
import { inHalf, int, networkOf, two, weights } from "../../support/strange.ts";

const shared = {
  w1: weights(16, 3, 3, 3),
  b1: weights(16),
  w2: weights(24, 16, 3, 3),
  b2: weights(24),
  w4: weights(26, 1),
};
const task = {
  ...({ name: "gender", kind: "binary", columns: ["gender"], classes: ["male", "female"] } as const),
  ...({ outputs: 1, scale: 1, mirror: "keep" } as const),
};
/** The row of another picture that stands beside each one: a network with one such row takes one picture, whatever its file says. */
const network = (single: boolean, batch: Dim, size: readonly Dim[]): Network =>
  describeModel(
    networkOf(
      [
        ...two,
        ["GlobalAveragePool", "r2", "g"],
        ["Reshape", "g t", "f"],
        ...(single
          ? ([["Concat", "f beside", "f2", { axis: int(1) }]] as const)
          : ([["Pad", "f pads", "f2"]] as const)),
        ["Gemm", "f2 w4", "y"],
      ],
      {
        ...shared,
        ...(single ? { beside: float32([1, 2], new Float32Array(2)) } : { pads: int64([0, 0, 0, 2]) }),
        t: int64([-1, 24]),
      },
      { x: [batch, 3, ...size], y: [batch, 1] },
    ),
    { task },
  );

describe("jobs/use: files that are made for one picture a run", function () {
  this.timeout(300_000);
  let root: string;
  let photos: readonly string[];
  before(async () => {
    root = await mkdtemp(join(tmpdir(), "etl-single-"));
    photos = await writePhotos(root, 5);
  });
  after(() => rm(root, { recursive: true, force: true }));

  const put = async (one: Network, name: string): Promise<string> => {
    const path = join(root, name);
    await writeFile(path, writeOnnx(one));
    return path;
  };

  const sized = { threads: 1, size: [32, 32] as const };

  it("predict gives them one at a time; what needs batches says so", async () => {
    const expected = await predictImages(
      await put(network(false, "n", ["h", "w"]), "free.onnx"),
      photos,
      sized,
    );
    for (const [name, batch] of [
      ["fixed.onnx", 1],
      ["open-outside.onnx", "n"],
    ] as const) {
      const file = await put(network(true, batch, ["h", "w"]), name);
      const said = await predictImages(file, photos, sized);
      expect(said.length).to.equal(photos.length);
      said.forEach(({ outputs }, i) => {
        const [number] = expected[i].outputs;
        expect(outputs[0]).to.be.closeTo(number, 1e-5 * Math.abs(number));
      });
      expect(await refusal(loadModelFile(file, { preprocessing: { height: 32, width: 32 } }))).to.match(
        /made for batches of 1, a free batch size was needed/,
      );
    }
  });

  it("evaluate gives them one at a time", async () => {
    const options = { ...sized, data: "synthetic:40", cacheDir: join(root, "cache") };
    const [free, single] = await Promise.all(
      [false, true].map((one) => put(network(one, "n", ["h", "w"]), `evaluated-${one}.onnx`)),
    );
    const expected = await evaluateModel(free, options);
    expect({ ...(await evaluateModel(single, options)), model: "" }).to.deep.equal({
      ...expected,
      model: "",
    });
  });

  it("quantize reads its ranges from one at a time", async () => {
    const file = await put(network(true, "n", [32, 32]), "sized.onnx");
    const out = join(root, "int8.onnx");
    const made = await quantizeModel(file, {
      ...{ data: join(root, "photos"), out, calibrate: 3, check: false, threads: 1 },
    });
    expect(made.quantized).to.equal(true);
    expect((await predictImages(out, photos, { threads: 1 })).length).to.equal(photos.length);
  });

  it("pictures that cannot be read are left out and named, however many stand together", async () => {
    const file = await put(network(false, "n", [32, 32]), "some.onnx");
    const folder = join(root, "mixed");
    await mkdir(folder);
    const broken = Array.from({ length: 33 }, (_, i) => join(folder, `broken${i}.jpg`));
    for (const path of broken) await writeFile(path, "<html>");
    const warnings: string[] = [];
    const progress = { ...silent, warn: (text: string) => void warnings.push(text) };
    const { predictions, leftOut } = await predictFiles(file, [...broken, photos[0], photos[1]], {
      ...sized,
      progress,
    });
    expect(predictions.map((one) => one.file)).to.deep.equal([photos[0], photos[1]]);
    expect(leftOut.map((one) => one.file)).to.deep.equal(broken);
    expect(leftOut[0].problem).to.match(/^cannot be decoded/);
    expect(warnings).to.include(`left out: ${broken[0]}: ${leftOut[0].problem}`);
    const none: unknown = await predictFiles(file, broken, sized).catch((e: unknown) => e);
    expect(isEtlError(none, "data") && none.message).to.match(
      /^\S+broken0\.jpg: cannot be decoded \([^)]*\), a picture was needed$/,
    );
    expect(isEtlError(none) && none.hint).to.contain("the first of 33 pictures");

    // One picture a run: a broken one is a batch of its own.
    for (const path of photos) await cp(path, join(folder, basename(path)));
    const single = await put(network(true, "n", [32, 32]), "some-single.onnx");
    const out = join(root, "some-int8.onnx");
    const how = { data: folder, out, calibrate: 19, check: false, threads: 1 };
    warnings.length = 0;
    expect((await quantizeModel(single, { ...how, progress })).quantized).to.equal(true);
    expect(warnings.filter((text) => text.includes("broken7.jpg: cannot be decoded"))).to.have.length(1);
  });

  it("a file in half precision stays in half precision when it is exported", async () => {
    const small = inHalf(network(false, "n", [32, 32]));
    const path = join(root, "half.onnx");
    await writeFile(path, writeLike(small).bytes);
    const { file } = await writeModel(foldBatchNorm(await readModel(path)), join(root, "again.onnx"));
    const again = await readModel(file);
    expect(again.inputs[0].stored).to.equal("float16");
    expect(again.parameters.get("w2")?.stored).to.equal("float16");
  });
});
