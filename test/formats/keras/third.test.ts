import { expect } from "chai";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readModel } from "../../../lib/backbones/read-model.ts";
import { isEtlError } from "../../../lib/core/errors.ts";
import { parseKerasModel } from "../../../lib/formats/keras/config.ts";
import { networkFromKeras } from "../../../lib/formats/keras/model.ts";
import { readZip } from "../../../lib/formats/keras/zip.ts";
import { float32 } from "../../../lib/network/network.ts";
import { run } from "../../support/run.ts";
import { refusal } from "../../support/refusal.ts";
import { zipOf } from "../../support/zip.ts";
import { modelOf, random, tensor, thirdWeights, type Written } from "./written.ts";

async function outputOf(
  side: number,
  channels: number,
  layers: readonly Written[],
): Promise<{ x: Float32Array; y: Float32Array; shape: readonly number[] }> {
  const { config, weights } = modelOf(side, channels, layers);
  const parsed = parseKerasModel({ model_config: config, keras_version: "3.15.1" }, "test");
  const network = networkFromKeras(parsed, weights, { where: "test" });
  const x = tensor(1, channels, side, side);
  const outputs = await run(network, { in: { shape: x.shape, data: x.data as Float32Array } });
  const [{ data, shape }] = Object.values(outputs);
  return { x: x.data as Float32Array, y: data, shape };
}

const near = (actual: Float32Array, expected: ArrayLike<number>): void => {
  expect(actual.length).to.equal(expected.length);
  const scale = Math.max(...Array.from(expected, Math.abs));
  actual.forEach((value, i) =>
    expect(Math.abs(value - expected[i]), `number ${i}`).to.be.below(2e-6 * scale),
  );
};

describe("formats/keras: layers around the usual ones", () => {
  it("Normalization, as adapted and as said", async () => {
    const [mean, variance] = [
      float32([3], Float32Array.of(1, -2, 3)),
      float32([3], Float32Array.of(4, 0.25, 0)),
    ];
    const expected = (x: Float32Array): Float32Array =>
      x.map((value, i) => {
        const c = Math.floor(i / 16);
        return (value - [1, -2, 3][c]) / Math.max(Math.sqrt([4, 0.25, 0][c]), 1e-7);
      });
    const adapted = await outputOf(4, 3, [
      { kind: "Normalization", config: { axis: [-1] }, weights: { mean, variance } },
    ]);
    near(adapted.y, expected(adapted.x));
    const said = await outputOf(4, 3, [
      { kind: "Normalization", config: { axis: -1, mean: [[[[1, -2, 3]]]], variance: [4, 0.25, 0] } },
    ]);
    near(said.y, expected(said.x));
  });

  it("UpSampling2D, nearest and bilinear", async () => {
    const nearest = await outputOf(3, 2, [
      { kind: "UpSampling2D", config: { size: [2, 3], interpolation: "nearest" } },
    ]);
    expect(nearest.shape).to.deep.equal([1, 2, 6, 9]);
    const at = (x: Float32Array, c: number, row: number, column: number): number =>
      x[c * 9 + row * 3 + column];
    near(
      nearest.y,
      Array.from({ length: 108 }, (_, i) =>
        at(nearest.x, Math.floor(i / 54), Math.floor((Math.floor(i / 9) % 6) / 2), Math.floor((i % 9) / 3)),
      ),
    );
    const bilinear = await outputOf(3, 1, [
      { kind: "UpSampling2D", config: { size: 2, interpolation: "bilinear" } },
    ]);
    const clamp = (v: number): number => Math.min(Math.max(v, 0), 2);
    near(
      bilinear.y,
      Array.from({ length: 36 }, (_, i) => {
        const [row, column] = [Math.floor(i / 6), i % 6].map((k) => (k + 0.5) / 2 - 0.5);
        const [r, c] = [Math.floor(row), Math.floor(column)];
        const [u, v] = [row - r, column - c];
        const p = (a: number, b: number): number => at(bilinear.x, 0, clamp(a), clamp(b));
        return (
          (1 - u) * ((1 - v) * p(r, c) + v * p(r, c + 1)) + u * ((1 - v) * p(r + 1, c) + v * p(r + 1, c + 1))
        );
      }),
    );
  });

  for (const [size, stride, padding] of [
    [3, 2, "same"],
    [3, 2, "valid"],
    [2, 3, "same"],
    [4, 2, "same"],
    [5, 1, "valid"],
  ] as const) {
    it(`Conv2DTranspose ${size}x${size}, stride ${stride}, ${padding}, is the gradient of the convolution`, async () => {
      const [inputs, outputs, side] = [2, 3, 4];
      const kernel = tensor(size, size, outputs, inputs);
      const bias = tensor(outputs);
      const config = { strides: [stride, stride], padding, use_bias: true, activation: "linear" };
      const { x, y, shape } = await outputOf(side, inputs, [
        { kind: "Conv2DTranspose", config, weights: { kernel, bias } },
      ]);
      const out = padding === "same" ? side * stride : (side - 1) * stride + Math.max(size, stride);
      expect(shape).to.deep.equal([1, outputs, out, out]);
      // Every input spreads its kernel; `same` cuts the smaller half off in front.
      const front = padding === "same" ? Math.floor(Math.max(size - stride, 0) / 2) : 0;
      const expected = new Float64Array(outputs * out * out);
      for (let o = 0; o < outputs; o++) {
        for (let i = 0; i < out * out; i++) expected[o * out * out + i] = Number(bias.data[o]);
        for (let c = 0; c < inputs; c++)
          for (let r = 0; r < side; r++)
            for (let q = 0; q < side; q++)
              for (let a = 0; a < size; a++)
                for (let b = 0; b < size; b++) {
                  const [row, column] = [r * stride + a - front, q * stride + b - front];
                  if (row < 0 || column < 0 || row >= out || column >= out) continue;
                  const w = Number(kernel.data[((a * size + b) * outputs + o) * inputs + c]);
                  expected[(o * out + row) * out + column] += w * x[(c * side + r) * side + q];
                }
      }
      near(y, expected);
    });
  }

  it("LayerNormalization over the channels of each place", async () => {
    const [gamma, beta] = [tensor(5), tensor(5)];
    const { x, y } = await outputOf(2, 5, [
      { kind: "LayerNormalization", config: { axis: -1, epsilon: 0.001 }, weights: { gamma, beta } },
    ]);
    const expected = x.map((value, i) => {
      const [c, place] = [Math.floor(i / 4), i % 4];
      const all = Array.from({ length: 5 }, (_, k) => x[k * 4 + place]);
      const mean = all.reduce((a, b) => a + b, 0) / 5;
      const variance = all.reduce((a, b) => a + (b - mean) ** 2, 0) / 5;
      return ((value - mean) / Math.sqrt(variance + 0.001)) * Number(gamma.data[c]) + Number(beta.data[c]);
    });
    near(y, expected);
  });

  it("random changes of pictures are nothing, operators on tensors are what they say", async () => {
    const { x, y } = await outputOf(3, 2, [
      { kind: "RandomFlip" },
      { kind: "RandomRotation" },
      { kind: "Add", args: ["x", 3] },
      { kind: "Multiply", args: [0.5, "x"] },
      { kind: "Subtract", args: [1, "x"] },
      { kind: "TrueDivide", args: ["x", 4] },
    ]);
    near(
      y,
      x.map((value) => (1 - (value + 3) * 0.5) / 4),
    );
  });
});

describe("formats/keras: pictures of open size", function () {
  this.timeout(20_000);

  it("`same` with a stride pads as TensorFlow does at every size", async () => {
    const layers: Written[] = [
      {
        kind: "Conv2D",
        config: { kernel_size: [3, 3], strides: [2, 2], padding: "same" },
        weights: { kernel: tensor(3, 3, 1, 4), bias: tensor(4) },
      },
      { kind: "MaxPooling2D", config: { pool_size: [3, 3], strides: [2, 2], padding: "same" } },
    ];
    const convert = (side: number | null): ReturnType<typeof networkFromKeras> => {
      const { config, weights } = modelOf(side, 1, layers);
      return networkFromKeras(parseKerasModel({ model_config: config }, "test"), weights, { where: "test" });
    };
    const open = convert(null);
    expect(open.inputs[0].shape).to.deep.equal(["batch", 1, "height", "width"]);
    for (const side of [5, 6, 7, 8, 9]) {
      const x = { in: { shape: [1, 1, side, side], data: tensor(side, side).data as Float32Array } };
      const [[a], [b]] = [await run(open, x), await run(convert(side), x)].map((all) => Object.values(all));
      expect(a).to.deep.equal(b);
    }
  });
});

const network: readonly Written[] = [
  { kind: "Rescaling", config: { scale: 0.5, offset: -1 } },
  {
    kind: "Conv2D",
    config: { filters: 4, kernel_size: [3, 3], padding: "same", use_bias: false },
    weights: { kernel: tensor(3, 3, 1, 4) },
  },
  {
    kind: "BatchNormalization",
    weights: {
      gamma: tensor(4),
      beta: tensor(4),
      moving_mean: tensor(4),
      moving_variance: float32([4], Float32Array.of(1, 2, 3, 4)),
    },
  },
  {
    kind: "SeparableConv2D",
    config: { kernel_size: [3, 3] },
    weights: { depthwise_kernel: tensor(3, 3, 4, 1), pointwise_kernel: tensor(1, 1, 4, 6), bias: tensor(6) },
  },
  { kind: "PReLU", config: { shared_axes: [1, 2] }, weights: { alpha: tensor(1, 1, 6) } },
  {
    kind: "Conv2D",
    config: { kernel_size: [1, 1] },
    weights: { kernel: tensor(1, 1, 6, 5), bias: tensor(5) },
  },
  { kind: "GlobalAveragePooling2D" },
  { kind: "Dense", weights: { kernel: tensor(5, 3), bias: tensor(3) } },
];

describe("formats/keras: the files of Keras 3", function () {
  this.timeout(20_000);
  const text = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
  const { config, weights } = modelOf(8, 1, network);
  let root: string;
  let stored: Uint8Array;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), "etl-third-"));
    stored = await thirdWeights(network);
  });
  after(() => rm(root, { recursive: true, force: true }));

  const archive = (deflated = false): Uint8Array =>
    zipOf(
      {
        "metadata.json": text({ keras_version: "3.15.1" }),
        "config.json": text(config),
        "model.weights.h5": stored,
      },
      deflated,
    );

  async function same(path: string): Promise<void> {
    const parsed = parseKerasModel({ model_config: config, keras_version: "3.15.1" }, "test");
    const expected = networkFromKeras(parsed, weights, { where: "test" });
    const found = await readModel(path);
    const x = { in: { shape: [2, 1, 8, 8], data: tensor(2, 1, 8, 8).data as Float32Array } };
    const [a, b] = [await run(found, x), await run(expected, x)];
    expect(Object.keys(a)).to.deep.equal(Object.keys(b));
    for (const name of Object.keys(a)) expect(a[name].data).to.deep.equal(b[name].data);
  }

  it("reads a .keras archive, stored or deflated", async () => {
    for (const deflated of [false, true]) {
      const path = join(root, `model-${String(deflated)}.keras`);
      await writeFile(path, archive(deflated));
      await same(path);
    }
  });

  it("reads layers as .json with their weights beside them", async () => {
    await writeFile(join(root, "emotion.json"), text(config));
    expect(await refusal(readModel(join(root, "emotion.json")))).to.match(
      /0 \.h5 files beside it.*emotion\.weights\.h5/,
    );
    await writeFile(join(root, "emotion.weights.h5"), stored);
    await same(join(root, "emotion.json"));
    expect(await refusal(readModel(join(root, "emotion.weights.h5")))).to.contain("weights without a model");
  });

  it("says what is wrong with an archive, whatever is cut off or changed", async () => {
    const whole = archive();
    for (let length = 0; length < whole.length; length += 997)
      expect(() => readZip(whole.subarray(0, length), ["config.json"], "m.keras")).to.throw(/m\.keras: /);
    for (let i = 0; i < 2000; i++) {
      const bytes = Uint8Array.from(archive(i % 2 === 1));
      for (let k = 0; k < 3; k++) bytes[random.integer(bytes.length)] = random.integer(256);
      try {
        const files = readZip(bytes, ["config.json", "model.weights.h5"], "m.keras");
        expect(Buffer.compare(files.get("model.weights.h5") ?? bytes, stored)).to.equal(0);
      } catch (error) {
        if (!isEtlError(error)) throw error;
      }
    }
    await writeFile(join(root, "bad.keras"), zipOf({ "config.json": text(config) }));
    expect(await refusal(readModel(join(root, "bad.keras")))).to.match(/no "metadata\.json" inside/);
  });

  it("says an input shape in words, whatever stands in it", async () => {
    const strange = JSON.parse(
      JSON.stringify(config).replace("[null,8,8,1]", '[null,8,{"toString":null},1]'),
    ) as object;
    const files = { "metadata.json": text({}), "config.json": text(strange), "model.weights.h5": stored };
    await writeFile(join(root, "strange.keras"), zipOf(files));
    expect(await refusal(readModel(join(root, "strange.keras")))).to.match(
      /input shape \[null, 8, an object, 1\]/,
    );
  });

  it("names a TensorFlow Lite file", async () => {
    await writeFile(join(root, "m.tflite"), "TFL3");
    expect(await refusal(readModel(join(root, "m.tflite")))).to.match(/a TensorFlow Lite model.*tf2onnx/);
  });
});
