import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { expect } from "chai";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readModel } from "../../lib/backbones/read-model.ts";
import { isEtlError } from "../../lib/core/errors.ts";
import { createRandom } from "../../lib/core/random.ts";
import { readTfjs } from "../../lib/formats/tfjs/read.ts";
import { cutModel } from "../../lib/jobs/cut/cut.ts";
import { removed } from "../support/cutting.ts";
import { run } from "../support/run.ts";

const random = createRandom(11);
const numbers = (...shape: number[]): { shape: number[]; data: Float32Array } => ({
  shape,
  data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.normal()),
});

type Attr = Record<string, unknown>;
const s = (value: string): Attr => ({ s: Buffer.from(value).toString("base64") });
const list = (...values: number[]): Attr => ({ list: { i: values.map(String) } });
const window = (stride: number, padding: string): Record<string, Attr> => ({
  strides: list(1, stride, stride, 1),
  padding: s(padding),
  data_format: s("NHWC"),
});

const weights = {
  w1: numbers(3, 3, 3, 8),
  b1: numbers(8),
  wd: numbers(3, 3, 8, 1),
  gamma: numbers(8),
  beta: numbers(8),
  mean: numbers(8),
  variance: { shape: [8], data: Float32Array.of(1, 2, 3, 4, 1, 2, 3, 4) },
  alpha: numbers(1, 1, 8),
  w2: numbers(3, 3, 8, 12),
  b2: numbers(12),
  w3: numbers(24, 5),
  b3: numbers(5),
  w4: numbers(3 * 3 * 12, 2),
};
const integers: Record<string, number[]> = {
  pads: [0, 0, 1, 0, 0, 2, 0, 0],
  size: [6, 8],
  last: [3],
  places: [1, 2],
  rows: [-1, 108],
};

const nodes: [name: string, op: string, inputs: string, attr?: Record<string, Attr>][] = [
  ["pad", "Pad", "x pads"],
  ["c1", "Conv2D", "pad w1", window(2, "VALID")],
  ["a1", "BiasAdd", "c1 b1"],
  ["r1", "Relu6", "a1"],
  ["d1", "DepthwiseConv2dNative", "r1 wd", window(2, "SAME")],
  [
    "n1",
    "FusedBatchNormV3",
    "d1 gamma beta mean variance",
    { epsilon: { f: 0.001 }, is_training: { b: false } },
  ],
  // A PReLU, spelt out.
  ["up", "Relu", "n1"],
  ["minus", "Neg", "n1"],
  ["down", "Relu", "minus"],
  ["slope", "Neg", "alpha"],
  ["slopes", "Mul", "slope down"],
  ["p1", "AddV2", "up slopes"],
  [
    "f2",
    "_FusedConv2D",
    "p1 w2 b2",
    { ...window(1, "SAME"), fused_ops: { list: { s: ["BiasAdd", "Relu"].map((one) => s(one)["s"]) } } },
  ],
  ["big", "ResizeBilinear", "f2 size", { half_pixel_centers: { b: true } }],
  ["near", "ResizeNearestNeighbor", "f2 size", { half_pixel_centers: { b: false } }],
  ["both", "ConcatV2", "big near last"],
  ["pool", "Mean", "both places", { keep_dims: { b: false } }],
  ["m3", "MatMul", "pool w3"],
  ["a3", "BiasAdd", "m3 b3"],
  ["probabilities", "Softmax", "a3"],
  ["flat", "Reshape", "f2 rows"],
  ["vector", "MatMul", "flat w4"],
];

/** The model.json of the graph and its one shard. */
function written(): { model: Record<string, unknown>; shard: Uint8Array } {
  const floats = Object.entries(weights);
  const wholes = Object.entries(integers).map(([name, values]) => ({
    name,
    shape: name === "pads" ? [4, 2] : name === "last" ? [] : [values.length],
    data: Int32Array.from(values),
  }));
  const consts = [...floats.map(([name]) => name), ...wholes.map(({ name }) => name)];
  const bytes = [...floats.map(([, { data }]) => data), ...wholes.map(({ data }) => data)].map(
    (data) => new Uint8Array(data.buffer),
  );
  const model = {
    format: "graph-model",
    modelTopology: {
      node: [
        {
          name: "x",
          op: "Placeholder",
          attr: {
            dtype: { type: "DT_FLOAT" },
            shape: { shape: { dim: [-1, 10, 9, 3].map((size) => ({ size: String(size) })) } },
          },
        },
        ...consts.map((name) => ({ name, op: "Const", attr: {} })),
        ...nodes.map(([name, op, inputs, attr = {}]) => ({ name, op, input: inputs.split(" "), attr })),
      ],
    },
    signature: { outputs: { probabilities: { name: "probabilities:0" }, vector: { name: "vector:0" } } },
    weightsManifest: [
      {
        paths: ["g.bin"],
        weights: [
          ...floats.map(([name, { shape }]) => ({ name, shape, dtype: "float32" })),
          ...wholes.map(({ name, shape }) => ({ name, shape, dtype: "int32" })),
        ],
      },
    ],
  };
  return { model, shard: Buffer.concat(bytes) };
}

/** The same in TensorFlow.js's own operators. */
function expected(data: Float32Array, batch: number): { probabilities: Float32Array; vector: Float32Array } {
  return tf.tidy(() => {
    const w = Object.fromEntries(
      Object.entries(weights).map(([name, one]) => [name, tf.tensor(one.data, one.shape)]),
    );
    const x = tf.transpose(tf.tensor4d(data, [batch, 3, 10, 9]), [0, 2, 3, 1]);
    const padded = tf.pad(x, [
      [0, 0],
      [1, 0],
      [0, 2],
      [0, 0],
    ]);
    const c1 = tf.conv2d(padded, w["w1"] as tf.Tensor4D, 2, "valid");
    const r1 = tf.relu6(tf.add(c1, w["b1"]));
    const d1 = tf.depthwiseConv2d(r1 as tf.Tensor4D, w["wd"] as tf.Tensor4D, 2, "same");
    const n1 = tf.batchNorm(
      d1,
      w["mean"] as tf.Tensor1D,
      w["variance"] as tf.Tensor1D,
      w["beta"] as tf.Tensor1D,
      w["gamma"] as tf.Tensor1D,
      0.001,
    );
    const p1 = tf.prelu(n1, w["alpha"]);
    const f2 = tf.relu<tf.Tensor4D>(
      tf.add(tf.conv2d(p1 as tf.Tensor4D, w["w2"] as tf.Tensor4D, 1, "same"), w["b2"]),
    );
    const big = tf.image.resizeBilinear(f2, [6, 8], false, true);
    const near = tf.image.resizeNearestNeighbor(f2, [6, 8], false, false);
    const pool = tf.mean<tf.Tensor2D>(tf.concat([big, near], 3), [1, 2]);
    const probabilities = tf.softmax(tf.add(tf.matMul(pool, w["w3"] as tf.Tensor2D), w["b3"]));
    const vector = tf.matMul(tf.reshape(f2, [-1, 108]), w["w4"]);
    return {
      probabilities: probabilities.dataSync() as Float32Array,
      vector: vector.dataSync() as Float32Array,
    };
  });
}

describe("formats/tensorflow: graph models", function () {
  this.timeout(60_000);
  let root: string;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), "etl-graph-"));
    await tf.setBackend("cpu");
    const { model, shard } = written();
    await writeFile(join(root, "model.json"), JSON.stringify(model));
    await writeFile(join(root, "g.bin"), shard);
  });
  after(() => rm(root, { recursive: true, force: true }));

  it("computes what TensorFlow.js computes", async () => {
    const network = await readModel(join(root, "model.json"));
    expect(network.inputs[0].shape).to.deep.equal(["batch", 3, 10, 9]);
    expect(network.outputs.map(({ name, shape }) => [name, shape])).to.deep.equal([
      ["probabilities", ["batch", 5]],
      ["vector", ["batch", 2]],
    ]);
    const x = numbers(2, 3, 10, 9);
    const outputs = await run(network, { x });
    for (const [name, wanted] of Object.entries(expected(x.data, 2))) {
      const scale = Math.max(...wanted.map(Math.abs));
      expect(outputs[name].data.length).to.equal(wanted.length);
      outputs[name].data.forEach((value, i) =>
        expect(Math.abs(value - wanted[i]), `${name} ${i}`).to.be.below(2e-5 * scale),
      );
    }
  });

  it("is cut", async () => {
    const result = await cutModel({
      model: join(root, "model.json"),
      out: join(root, "out.onnx"),
      keep: 0.5,
      threads: 1,
    });
    expect(removed(result)).to.be.at.least(14);
    expect(result.difference).to.be.at.most(1e-5);
  });

  it("names the node that is not known, and what is missing", async () => {
    const read = (change: (model: ReturnType<typeof written>["model"]) => void): Promise<unknown> => {
      const { model, shard } = written();
      change(model);
      return readTfjs(model, { name: "m.json", read: () => Promise.resolve(shard) }).catch((e: unknown) => e);
    };
    const list = (model: Record<string, unknown>): { name: string; op: string; input: string[] }[] =>
      (model["modelTopology"] as { node: { name: string; op: string; input: string[] }[] }).node;
    const unknown = await read((model) => (list(model)[list(model).length - 1].op = "MatMull"));
    expect(isEtlError(unknown, "unsupported") && unknown.message).to.match(/node "vector" \(MatMull\)/);
    const circle = await read((model) => {
      const node = list(model).find(({ name }) => name === "pad");
      if (node) node.input = ["r1", "pads"];
    });
    expect(isEtlError(circle, "format") && circle.message).to.match(/a circle/);
  });

  it("damaged graphs are refused in words, whatever was changed", async function () {
    // `ETL_FUZZ=10000` for the long run.
    const runs = Number(process.env["ETL_FUZZ"] ?? 400);
    this.timeout(60_000 + runs * 100);
    const { model, shard } = written();
    const text = JSON.stringify(model);
    const words = ["null", "-1", '"x"', "[]", "{}", "1e300", "3"];
    for (let i = 0; i < runs; i++) {
      // Another value for one number or text of the file.
      const places = [...text.matchAll(/(?<=":)("[^"]*"|-?[\d.]+|\{\}|true|false)/g)];
      const place = places[random.integer(places.length)];
      const changed = `${text.slice(0, place.index)}${words[random.integer(words.length)]}${text.slice(place.index + place[0].length)}`;
      const error: unknown = await readTfjs(JSON.parse(changed), {
        name: "m.json",
        read: () => Promise.resolve(shard),
      }).catch((e: unknown) => e);
      if (error instanceof Error && !isEtlError(error)) throw new Error(`${changed}\n${String(error.stack)}`);
    }
  });
});
