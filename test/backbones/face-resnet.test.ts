import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { expect } from "chai";
import {
  buildFaceResnet,
  faceResnetManifest,
  faceResnetPreprocessing,
  loadFaceResnet,
} from "../../lib/backbones/nets/face-resnet.ts";
import { preprocessingOf } from "../../lib/backbones/metadata.ts";
import { WHOLE } from "../../lib/data/dataset.ts";
import { decodeImage } from "../../lib/data/images/decode.ts";
import { normalise } from "../../lib/data/images/normalise.ts";
import type { Engine } from "../../lib/engine/engine.ts";
import { openEngine } from "../../lib/engine/open.ts";
import { cosineSimilarity } from "../../lib/evaluate/verify.ts";
import { readTfjsWeights } from "../../lib/formats/tfjs/weights.ts";
import { costOf } from "../../lib/network/cost.ts";
import { sizeOf, type Network, type Tensor } from "../../lib/network/network.ts";
import { inferShapes } from "../../lib/network/shapes/infer.ts";
import { runFaceApi } from "../support/run-face-api.ts";

const samples = dirname(createRequire(import.meta.url).resolve("@vladmandic/face-api/demo/sample1.jpg"));

describe("backbones/face-resnet", () => {
  let network: Network;
  let engine: Engine;
  before(async () => {
    network = await loadFaceResnet();
    engine = await openEngine({ engine: "ort" });
  });
  after(() => engine.dispose());

  /** Runs the network on one grey picture and returns all values named. */
  async function run(outputs: readonly string[], n = 1): Promise<Record<string, Tensor>> {
    const program = await engine.compile(network, { outputs });
    const image = { shape: [n, 3, 150, 150], data: new Float32Array(n * 3 * 150 * 150).fill(0.1) };
    const result = await program.run({ image });
    await program.dispose();
    return result;
  }

  it("has 29 convolutions, 5.6 million parameters and 270.8 million MACs", () => {
    const convs = network.nodes.filter(({ op }) => op === "Conv");
    expect(convs).to.have.length(29);
    const floats = [...network.parameters.values()].filter(({ type }) => type === "float32");
    const params = floats.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
    expect(params).to.equal(5_607_488);
    const shapes = inferShapes(network);
    const macs = convs.map(({ inputs, outputs: [name] }) => {
      const { shape } = network.parameters.get(inputs[1])!;
      return sizeOf(shape) * sizeOf(shapes.get(name)!.slice(2));
    });
    expect(macs.reduce((sum, value) => sum + value, 0) + 256 * 128).to.equal(270_854_144);
    expect(costOf(network).total).to.include({ macs: 270_854_144, params: 5_607_488 });
  });

  it("takes any batch, and gives features before the descriptor", async () => {
    const { features, descriptor } = await run(["features", "descriptor"], 3);
    expect(features.shape).to.deep.equal([3, 256, 1, 1]);
    expect(descriptor.shape).to.deep.equal([3, 128]);
    expect(preprocessingOf(network)).to.deep.equal(faceResnetPreprocessing);
  });

  it("has zeros in the padded row and column of the last two halving blocks", async () => {
    const names = ["conv256_down/pad", "conv256_down_out/pad"];
    const values = await run(names);
    expect(names.map((name) => values[name].shape)).to.deep.equal([
      [1, 256, 4, 4],
      [1, 256, 2, 2],
    ]);
    for (const name of names) {
      const { shape, data } = values[name];
      const side = shape[3];
      const border = Array.from(data).filter((_, i) => {
        const [row, column] = [Math.floor(i / side) % side, i % side];
        return row === side - 1 || column === side - 1;
      });
      expect(border.every((value) => value === 0)).to.equal(true);
      expect(data.some((value) => value !== 0)).to.equal(true);
    }
  });

  it("gives the descriptors of face-api on its sample pictures", async () => {
    const program = await engine.compile(network);
    const pictures = ["sample1.jpg", "sample4.jpg", "sample6.jpg"];
    const pixels = await Promise.all(
      pictures.map((name) => decodeImage(join(samples, name), WHOLE, { width: 150, height: 150 })),
    );
    const expected = await runFaceApi<number[]>("describe", pixels);
    for (const [i, picture] of pixels.entries()) {
      const data = normalise(picture, faceResnetPreprocessing);
      const { descriptor } = await program.run({ image: { shape: [1, 3, 150, 150], data } });
      expect(expected[i]).to.have.length(128);
      expect(cosineSimilarity(descriptor.data, expected[i])).to.be.greaterThan(0.999_999);
      const difference = descriptor.data.map((value, k) => Math.abs(value - expected[i][k]));
      expect(Math.max(...difference)).to.be.lessThan(1e-5);
    }
    expect(cosineSimilarity(expected[0], expected[1])).to.be.lessThan(0.9999);
    await program.dispose();
  });

  it("names the weight that is missing or has another shape", async () => {
    const weights = await readTfjsWeights(faceResnetManifest());
    const fc = weights.get("fc")!;
    weights.set("fc", { ...fc, shape: [128, 256] });
    expect(() => buildFaceResnet(weights, "m.json")).to.throw(
      'm.json: weight "fc" is float32 [128, 256], float32 [256, 128] was needed',
    );
    weights.delete("conv64_1/conv2/scale/weights");
    expect(() => buildFaceResnet(weights, "m.json")).to.throw(
      'm.json: no weight "conv64_1/conv2/scale/weights", float32 [64] was needed',
    );
  });
});
