import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { buildDmmCnn } from "../../../lib/backbones/nets/dmm-cnn.ts";
import { loadFaceResnet } from "../../../lib/backbones/nets/face-resnet.ts";
import { readTfjs } from "../../../lib/formats/tfjs/read.ts";
import { writeTfjs } from "../../../lib/formats/tfjs/write.ts";
import { writeModel } from "../../../lib/backbones/write-model.ts";
import { architectures } from "../../../lib/backbones/architecture.ts";
import { loadBackbone } from "../../../lib/backbones/catalogue.ts";
import { createRandom } from "../../../lib/core/random.ts";
import { isEtlError } from "../../../lib/core/errors.ts";
import { int64, type Network } from "../../../lib/network/network.ts";
import { pointwise, sketch, type Sketch } from "../../support/patterns.ts";
import { randomInputs, relativeDifference, run } from "../../support/run.ts";
import { openTfjs, runTfjs } from "./run.ts";

function drawn(title: string, draw: (s: Sketch, x: string) => string | string[], size = 9): Network {
  const s = sketch(title);
  const made = draw(s, s.input("image/in", ["batch", 3, size, size]));
  return s.build(typeof made === "string" ? [made] : made, { "etl.title": title });
}

const cases: readonly Network[] = [
  drawn("convolutions of all paddings", (s, x) => {
    const a = s.relu(s.layer(x, "/features/0/Conv", [3, 6]));
    const b = s.leakyRelu(s.layer(a, "strided", [6, 6], { strides: 2 }), 0.1);
    const c = s.layer(b, "uneven", [6, 4], { pads: [0, 1, 2, 1] });
    return s.sigmoid(s.layer(c, "dilated", [4, 5], { pads: 2, dilations: 2 }));
  }),
  drawn("depthwise with a multiplier, relu6, hard swish", (s, x) => {
    const deep = s.random([6, 1, 3, 3]);
    const a = s.clip(s.conv(x, { name: "deep", weights: deep, group: 3, pads: 1 }), { min: 0, max: 6 });
    return s.hardSwish(s.norm(pointwise(s, a, "point", [6, 4]), 4));
  }),
  drawn(
    "pools",
    (s, x) => {
      const a = s.relu(s.layer(x, "a", [3, 4]));
      const b = s.maxPool(a, { kernel: 3, strides: 2, pads: 1 });
      const c = s.maxPool(s.layer(b, "c", [4, 4]), { kernel: 2, strides: 2, ceil: true, pads: 0 });
      const d = s.averagePool(a, { kernel: 3, strides: 1, pads: 1 });
      const e = s.averagePool(a, { kernel: 3, strides: 2, pads: 1, countPadding: true });
      return [c, d, e];
    },
    10,
  ),
  drawn("local response normalisation", (s, x) => {
    const a = s.relu(s.layer(x, "a", [3, 8]));
    const b = s.lrn(a, { name: "five", size: 5, alpha: 2, beta: 0.75, bias: 1.5 });
    return s.lrn(s.layer(b, "b", [8, 6]), { name: "three", size: 3, alpha: 1, beta: 0.5, bias: 1 });
  }),
  drawn("flatten into a matrix", (s, x) => {
    const a = s.maxPool(s.relu(s.layer(x, "a", [3, 5])), { kernel: 2, strides: 2 });
    const flat = s.relu(s.dropout(s.flatten(a), 0.5));
    return s.softmax(s.dense(s.tanh(s.dense(flat, "fc1", [80, 7])), "fc2", [7, 4]));
  }),
  drawn("flatten as an output", (s, x) => s.flatten(s.layer(x, "a", [3, 2]))),
  drawn("residual with widened channels and rows", (s, x) => {
    const a = s.relu(s.layer(x, "a", [3, 4]));
    const main = s.layer(a, "b", [4, 6], { strides: 2, pads: 0 });
    const short = s.pad(s.averagePool(a, { kernel: 2, strides: 2 }), [0, 0, 0, 0, 0, 2, 0, 0]);
    const sum = s.add(s.pad(main, [0, 0, 0, 0, 0, 0, 0, 0]), short);
    return s.pad(s.relu(sum), [0, 1, 0, 0, 0, 0, 1, 1]);
  }),
  drawn("squeeze and excitation", (s, x) => {
    const a = s.relu(s.layer(x, "a", [3, 6]));
    const gate = s.relu(pointwise(s, s.globalAveragePool(a), "down", [6, 2]));
    const scaled = s.mul(a, s.hardSigmoid(pointwise(s, gate, "up", [2, 6]), { alpha: 1 / 6, beta: 0.5 }));
    const mean = s.reduceMean(scaled, [2, 3], { keep: false });
    return [s.dense(mean, "fc", [6, 3]), s.globalAveragePool(scaled), s.globalMaxPool(a)];
  }),
  drawn("branches, slices and constants", (s, x) => {
    const a = s.layer(x, "a", [3, 6]);
    const [b, c] = s.split(a, [2, 4]);
    const joined = s.concat([s.pRelu(c, s.random([4]).data), b, s.node("Elu", [b])]);
    const scaled = s.mul(s.add(joined, s.vector("shift", [8, 1, 1])), s.vector("gain", [1, 8, 1, 1]));
    const cut = s.slice(scaled, { axis: 3, start: 1, end: -1 });
    return s.concat([cut, s.slice(cut, { axis: 1, start: 2, end: 5 })]);
  }),
  drawn("a channel shuffle of three groups of two", (s, x) => {
    const a = s.relu(s.layer(x, "a", [3, 6]));
    const turned = s.transpose(s.reshape(a, [0, 3, 2, 9, 9]), [0, 2, 1, 3, 4]);
    return s.layer(s.reshape(turned, [0, 6, 9, 9]), "b", [6, 2]);
  }),
  drawn("channels and numbers in another order", (s, x) => {
    const order = s.parameter("order", int64([3, 0, -2, 3]));
    const along = { attributes: { axis: { type: "int", value: 1 } } } as const;
    const a = s.node("Gather", [s.relu(s.layer(x, "a", [3, 5])), order], along);
    const vector = s.dense(s.reduceMean(a, [2, 3], { keep: false }), "fc", [4, 6]);
    return [a, s.node("Gather", [vector, order], along)];
  }),
  drawn("a matrix and the sum behind it", (s, x) => {
    const pooled = s.globalAveragePool(s.relu(s.layer(x, "a", [3, 6])));
    const flat = s.reshape(pooled, [0, -1]);
    const w = s.vector("w", [6, 5]);
    return s.add(s.matMul(flat, w), s.vector("b", [5]));
  }),
];

const readBack = async (files: ReadonlyMap<string, Uint8Array>, strip = false): Promise<Network> => {
  const model = JSON.parse(new TextDecoder().decode(files.get("model.json"))) as Record<string, unknown>;
  if (strip) model["userDefinedMetadata"] = undefined;
  return readTfjs(model, {
    name: "model.json",
    read: (name) => Promise.resolve(files.get(name) ?? new Uint8Array()),
  });
};

describe("formats/tfjs", () => {
  for (const network of cases) {
    it(`${network.name}: tfjs computes the same, both ways back do too`, async () => {
      const files = writeTfjs(network);
      const inputs = randomInputs(network, { batch: 2, seed: 5 });
      const expected = await run(network, inputs);
      expect(relativeDifference(await runTfjs(files, network, inputs), expected)).to.be.below(1e-5);
      expect(await readBack(files)).to.deep.equal(network);
      const converted = await readBack(files, true);
      const fed = Object.fromEntries(
        network.inputs.map(({ name }, i) => [converted.inputs[i].name, inputs[name]]),
      );
      const found = await run(converted, fed);
      const named = Object.fromEntries(
        network.outputs.map(({ name }, i) => [name, found[converted.outputs[i].name]]),
      );
      expect(relativeDifference(named, expected)).to.be.below(1e-5);
    });
  }

  for (const { name, build, overSampling } of architectures) {
    it(`${name}: every layer of it can leave`, () => {
      const heads = [{ name: "prediction", outputs: 3 }];
      const side = overSampling === undefined ? 64 : 112;
      const network =
        name === "dmm-cnn"
          ? buildDmmCnn({ classes: 3, subjective: [1], points: 2, depth: 18, side: 72 })
          : build({ heads, side, dropout: 0.2 });
      expect([...writeTfjs(network).keys()].includes("layers.js")).to.equal(overSampling !== undefined);
    });
  }

  it("face-resnet: tfjs gives the same descriptor; files come back as the same network", async function () {
    this.timeout(120_000);
    const network = await loadFaceResnet();
    const files = writeTfjs(network);
    const random = createRandom("face");
    const data = Float32Array.from({ length: 3 * 150 * 150 }, () => random.uniform() - 0.5);
    const inputs = { image: { shape: [1, 3, 150, 150], data } };
    const expected = await run(network, inputs);
    expect(relativeDifference(await runTfjs(files, network, inputs), expected)).to.be.below(1e-4);
    const model = await openTfjs(files);
    const facts = model.getUserDefinedMetadata() as Record<string, unknown>;
    expect(facts["etl.preprocessing"]).to.equal(network.metadata["etl.preprocessing"]);
    model.dispose();
    const folder = await mkdtemp(join(tmpdir(), "etl-tfjs-out-"));
    try {
      const written = await writeModel(network, join(folder, "web"), "tfjs");
      expect((await readdir(join(folder, "web"))).toSorted()).to.deep.equal([
        ...Array.from({ length: 6 }, (_, i) => `group1-shard${i + 1}of6.bin`),
        "model.json",
      ]);
      const back = await loadBackbone(written.file);
      expect(back.notes).to.deep.equal([]);
      expect(back.network.nodes).to.deep.equal(network.nodes);
      expect(back.network.parameters).to.deep.equal(network.parameters);
      const wrong: unknown = await writeModel(network, join(folder, "x.json"), "onnx").catch(
        (e: unknown) => e,
      );
      expect(isEtlError(wrong, "usage") && wrong.message).to.contain("a name ending in .onnx was needed");
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it("takes weights that were trained further, and sets the graph aside where layers have changed", async () => {
    const [network] = cases;
    const files = writeTfjs(network);
    const shard = Uint8Array.from(files.get("group1-shard1of1.bin") ?? []);
    new DataView(shard.buffer).setFloat32(0, 7, true);
    const trained = await readBack(new Map(files).set("group1-shard1of1.bin", shard));
    expect(trained.parameters.get("/features/0/Conv.weight")?.data[0]).to.equal(7);
    const text = new TextDecoder().decode(files.get("model.json"));
    const changed = text.replace(/"class_name":"ReLU"/, '"class_name":"Softmax"');
    const other = await readBack(new Map(files).set("model.json", Buffer.from(changed)));
    expect(other.nodes.map(({ op }) => op)).to.include("Softmax");
  });

  const refused: [title: string, draw: (s: Sketch, x: string) => string, says: string][] = [
    [
      "a grouped convolution",
      (s, x) => s.layer(s.layer(x, "a", [3, 4]), "grouped", [4, 4], { group: 2 }),
      'node "grouped" (Conv): 2 groups of 2 channels, one group, or one channel in each, was needed for tfjs',
    ],
    [
      "a padded pool over numbers below zero",
      (s, x) => s.maxPool(s.layer(x, "a", [3, 4]), { name: "pool", kernel: 2, strides: 2, pads: 1 }),
      'node "pool" (MaxPool): pads',
    ],
    [
      "channels read as groups that stay apart",
      (s, x) => s.reshape(x, [0, 3, 3, 3, 9], { name: "shuffle" }),
      'node "shuffle" (Reshape): [1, 3, 9, 9] to [1, 3, 3, 3, 9]',
    ],
    [
      "an operator without a layer",
      (s, x) => s.transpose(x, [0, 1, 3, 2], { name: "turned" }),
      'node "turned" (Transpose): no stock layer of tfjs does this',
    ],
  ];
  for (const [title, draw, says] of refused) {
    it(`refuses ${title}, with the node and the reason`, () => {
      expect(() => writeTfjs(drawn(title, draw)))
        .to.throw(Error, says)
        .with.property("kind", "unsupported");
    });
  }

  it("refuses a graph model without nodes", async () => {
    const graph = { format: "graph-model", modelTopology: { node: [] }, weightsManifest: [] };
    const failure: unknown = await readTfjs(graph, {
      name: "g/model.json",
      read: () => Promise.resolve(new Uint8Array()),
    }).catch((error: unknown) => error);
    expect(isEtlError(failure, "format") && failure.message).to.equal(
      "g/model.json: no nodes, a graph model was needed",
    );
  });
});
