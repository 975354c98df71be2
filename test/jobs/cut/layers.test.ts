/** Layers models (Keras, TensorFlow.js) that leave height and width open, from their files to a cut that is right at every size. */
import { expect } from "chai";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readModel } from "../../../lib/backbones/read-model.ts";
import { sizeOf } from "../../../lib/network/network.ts";
import { cutModel } from "../../../lib/jobs/cut/cut.ts";
import { differenceAt, removed } from "../../support/cutting.ts";
import { rounding } from "../../support/run.ts";
import { modelOf, tensor, thirdWeights, type Written } from "../../formats/keras/written.ts";

const convolution = (filters: number, inputs: number): Written => ({
  kind: "Conv2D",
  config: { filters, kernel_size: [3, 3], padding: "same", activation: "relu" },
  weights: { kernel: tensor(3, 3, inputs, filters), bias: tensor(filters) },
});
const layers: readonly Written[] = [
  convolution(8, 3),
  convolution(12, 8),
  { kind: "GlobalAveragePooling2D" },
  { kind: "Dense", config: { units: 3 }, weights: { kernel: tensor(12, 3), bias: tensor(3) } },
];

describe("cut: layers models of open size", function () {
  this.timeout(300_000);
  let root: string;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), "etl-layers-"));
  });
  after(() => rm(root, { recursive: true, force: true }));

  /** The layers as .json with their weights beside them, and as a model of TensorFlow.js. */
  async function put(kind: "keras" | "tfjs"): Promise<string> {
    const { config, weights } = modelOf(null, 3, layers);
    const path = join(root, kind, "model.json");
    await mkdir(join(root, kind));
    if (kind === "keras") {
      await writeFile(join(root, kind, "model.weights.h5"), await thirdWeights(layers));
      await writeFile(path, JSON.stringify(config));
      return path;
    }
    const all = [...weights].flatMap(([layer, own]) =>
      [...own].map(([name, one]) => ({ name: `${layer}/${name}`, one })),
    );
    const floats = all.flatMap(({ one }) => Array.from(one.data as Float32Array));
    await writeFile(join(root, kind, "w.bin"), new Uint8Array(Float32Array.from(floats).buffer));
    const manifest = all.map(({ name, one }) => ({ name, shape: one.shape, dtype: "float32" }));
    expect(floats).to.have.length(all.reduce((sum, { one }) => sum + sizeOf(one.shape), 0));
    await writeFile(
      path,
      JSON.stringify({
        format: "layers-model",
        modelTopology: { keras_version: "3.0.0", model_config: config },
        weightsManifest: [{ paths: ["w.bin"], weights: manifest }],
      }),
    );
    return path;
  }

  for (const kind of ["keras", "tfjs"] as const) {
    it(`${kind}: half of the channels go, and the rest is right at every size`, async () => {
      const [model, out] = [await put(kind), join(root, `${kind}.onnx`)];
      const result = await cutModel({ model, out, keep: 0.5, threads: 1 });
      expect(removed(result)).to.equal(4 + 6);
      expect(result.comparedAt).to.deep.equal(["2x3x224x224", "1x3x157x211"]);
      const [original, small] = [await readModel(model), await readModel(out)];
      expect(small.inputs[0].shape).to.deep.equal(original.inputs[0].shape);
      for (const [batch, height, width] of [
        [1, 41, 67],
        [3, 30, 23],
      ])
        expect(await differenceAt({ result, original, small }, [batch, 3, height, width])).to.be.at.most(
          rounding,
        );
    });
  }
});
