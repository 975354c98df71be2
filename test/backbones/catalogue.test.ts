import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { networkFingerprint } from "../../lib/backbones/backbone.ts";
import { backboneEntries, backboneNames, loadBackbone } from "../../lib/backbones/catalogue.ts";
import { nets, trainableNets } from "../../lib/backbones/entries.ts";
import { trainableNames } from "../../lib/backbones/names.ts";
import { faceResnetPreprocessing } from "../../lib/backbones/nets/face-resnet.ts";
import { withHead } from "../../lib/backbones/head.ts";
import { initialise } from "../../lib/backbones/initialise.ts";
import { describe as describeNetwork } from "../../lib/backbones/metadata.ts";
import { buildResnet18 } from "../../lib/backbones/nets/resnet.ts";
import { writeOnnx } from "../../lib/formats/onnx/write.ts";
import { writeSafetensors } from "../../lib/formats/safetensors.ts";
import { costOf } from "../../lib/network/cost.ts";
import { createBuilder } from "../../lib/network/builder.ts";
import { producersOf, type Dim, type Network } from "../../lib/network/network.ts";
import { refused } from "../support/refusal.ts";

/** A convolution with batch norm and a classifier. */
function small(shape: readonly Dim[] = ["batch", 3, 16, 16]): Network {
  const net = createBuilder("small");
  const weights = { shape: [4, 3, 3, 3], data: Float32Array.from({ length: 108 }, (_, i) => Math.sin(i)) };
  const four = (value: number): Float32Array => new Float32Array(4).fill(value);
  let x = net.input("image", shape);
  x = net.conv(x, { name: "conv", weights });
  x = net.batchNorm(x, { name: "norm", scale: four(2), bias: four(1), mean: four(0), variance: four(1) });
  x = net.globalAveragePool(net.relu(x, { name: "relu" }), { name: "pool" });
  const head = { shape: [2, 4], data: new Float32Array(8).fill(0.5) };
  return net.build([net.gemm(net.flatten(x, { name: "flat" }), { name: "fc", weights: head })]);
}

describe("backbones/catalogue", () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "etl-backbones-"));
  });
  after(() => rm(folder, { recursive: true }));

  async function saved(name: string, network: Network): Promise<string> {
    const path = join(folder, name);
    await writeFile(path, writeOnnx(network));
    return path;
  }

  it("lists names once, the embedded default first", () => {
    expect(new Set(backboneNames()).size).to.equal(backboneNames().length);
    expect(backboneEntries()[0]).to.include({ name: "face-resnet", weights: "embedded", licence: "MIT" });
  });

  it("names for training those that it can build, in order", () => {
    expect(trainableNames).to.deep.equal(trainableNets.map(({ name }) => name));
  });

  it("says of each what it is for, and builds for training what it loads as a backbone", async () => {
    for (const net of nets) {
      const { name, use, training } = net;
      expect(use, name).to.match(/\w+ \w+/);
      if (training === undefined || name === "dmm-cnn") continue;
      const heads = [{ name: "prediction", outputs: 1 }];
      const trained = training.build({ heads, side: 224, dropout: 0 });
      const { network } = await net.load({ weights: "random" });
      const weights = ({ nodes }: Network): string[] =>
        nodes.flatMap(({ op, name: node }) => (op === "Conv" ? [node] : []));
      expect(weights(trained), name).to.deep.equal(weights(network));
    }
  });

  it("loads face-resnet with nothing to fetch, the same every time", async () => {
    const [first, again] = [await loadBackbone("face-resnet"), await loadBackbone("face-resnet")];
    expect(first.notes).to.deep.equal([]);
    expect(first.fingerprint)
      .to.match(/^[0-9a-f]{32}$/)
      .and.equal(again.fingerprint);
    expect(first.preprocessing).to.deep.equal(faceResnetPreprocessing);
    const made = producersOf(first.network);
    expect(made.has(first.features) && made.has(first.embedding!)).to.equal(true);
  });

  it("starts from nothing only when asked, and says so", async () => {
    const random = await loadBackbone("face-resnet", { weights: "random", seed: 3 });
    const pretrained = await loadBackbone("face-resnet");
    expect(random.notes).to.deep.equal(["face-resnet: random weights (seed 3), nothing is pretrained"]);
    expect(random.fingerprint).to.not.equal(pretrained.fingerprint);
    expect(costOf(random.network).total).to.deep.equal(costOf(pretrained.network).total);
    expect(await refused(loadBackbone("resnet18"))).to.include({
      kind: "usage",
      message: "--backbone resnet18: no weights, a file with --weights was needed",
    });
  });

  it("answers a wrong name with the nearest", async () => {
    expect(await refused(loadBackbone("face-resnt"))).to.include({
      kind: "usage",
      hint: 'did you mean "face-resnet"?',
    });
    expect((await refused(loadBackbone("model.pb"))).message).to.match(
      /found "model\.pb", one of face-resnet, .*\.onnx/,
    );
  });

  it("fills a named network from a safetensors file, classes as in the file", async () => {
    const path = join(folder, "r18.safetensors");
    const filled = initialise(buildResnet18({ classes: 5 }), 1);
    await writeFile(path, writeSafetensors(filled.parameters));
    const { network, source, notes } = await loadBackbone("resnet18", { weights: path });
    expect(network.outputs[0].shape).to.deep.equal(["batch", 5]);
    expect(network.parameters.get("fc.weight")).to.deep.equal(filled.parameters.get("fc.weight"));
    expect([source, notes]).to.deep.equal(["r18.safetensors", []]);
    expect(network.nodes.some(({ op }) => op === "BatchNormalization")).to.equal(false);
    expect(await refused(loadBackbone("resnet50", { weights: path }))).to.have.property("kind", "format");
  });

  it("takes its own files back: preprocessing, features and task from the metadata", async () => {
    const { network, preprocessing, features } = await loadBackbone("face-resnet");
    const headed = withHead(network, features, { outputs: 2 });
    const back = await loadBackbone(await saved("own.onnx", headed));
    expect(back).to.deep.include({ name: "own", preprocessing, features, notes: [] });
    expect(back.fingerprint).to.equal(networkFingerprint(headed));
  });

  it("says what it assumes of a file without metadata, and takes what the caller says", async () => {
    const path = await saved("plain.onnx", small());
    const plain = await loadBackbone(path);
    expect(plain).to.include({ features: "pool", name: "plain" });
    expect(plain.preprocessing).to.include({ width: 16, height: 16, color: "RGB" });
    expect(plain.notes).to.have.length(1);
    expect(plain.notes[0]).to.match(
      /does not say how its pictures are prepared: colour order RGB; mean 123\.675/,
    );
    expect(plain.network.nodes.map(({ op }) => op)).to.not.include("BatchNormalization");
    const said = { color: "BGR", mean: [1, 2, 3], scale: [1, 1, 1] } as const;
    const told = await loadBackbone(path, { preprocessing: said });
    expect(told.notes).to.deep.equal([]);
    expect(told.preprocessing).to.deep.include(said);
  });

  it("opens a file made for one picture, and asks for a size the file leaves open", async () => {
    const one = await loadBackbone(await saved("one.onnx", small([1, 3, 16, 16])));
    expect(one.network.inputs[0].shape).to.deep.equal(["batch", 3, 16, 16]);
    const fixed = small();
    const inputs = [{ ...fixed.inputs[0], shape: ["batch", 3, "h", "w"] }];
    const open = await saved("open.onnx", { ...fixed, inputs });
    expect((await refused(loadBackbone(open))).hint).to.match(/^say it with --size HEIGHTxWIDTH/);
    const sized = await loadBackbone(open, { preprocessing: { width: 20, height: 24 } });
    expect(sized.preprocessing).to.include({ width: 20, height: 24 });
    expect(sized.network.inputs[0].shape).to.deep.equal(["batch", 3, 24, 20]);
  });

  it("refuses what is no picture network, a wrong size, unknown features and weights beside a model", async () => {
    const vectors = createBuilder("vectors");
    const network = vectors.build([vectors.relu(vectors.input("x", ["batch", 16]))]);
    const none = await refused(loadBackbone(await saved("vectors.onnx", network)));
    expect(none).to.include({ kind: "unsupported" });
    expect(none.message).to.match(/inputs x \[batch, 16\], one input of pictures was needed/);
    const path = await saved("small.onnx", small());
    const size = await refused(loadBackbone(path, { preprocessing: { width: 32, height: 32 } }));
    expect(size.message).to.match(/pictures of 32x32 for an input of 16x16/);
    expect((await refused(loadBackbone(path, { features: "nose" }))).message).to.match(
      /--features: found "nose"/,
    );
    expect((await refused(loadBackbone(path, { weights: "w.h5" }))).message).to.match(
      /--weights: found "w\.h5"/,
    );
    expect(await refused(loadBackbone(join(folder, "none.onnx")))).to.have.property("kind", "io");
    const broken = describeNetwork(small(), {});
    const bad = await saved("bad.onnx", { ...broken, metadata: { "etl.preprocessing": '{"width":-1}' } });
    expect(await refused(loadBackbone(bad))).to.have.property("kind", "format");
  });
});
