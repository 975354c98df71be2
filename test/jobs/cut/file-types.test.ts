import { expect } from "chai";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as ort from "onnxruntime-node";
import { readModel } from "../../../lib/backbones/read-model.ts";
import { writeLike } from "../../../lib/formats/onnx/like.ts";
import { halfToFloat, nearestHalf } from "../../../lib/network/half.ts";
import { maskedNetwork } from "../../../lib/jobs/cut/check.ts";
import { cutModel, type CutResult } from "../../../lib/jobs/cut/cut.ts";
import {
  float32,
  int64,
  type Attribute,
  type FileFacts,
  type Half,
  type Network,
  type Parameter,
} from "../../../lib/network/network.ts";
import { asSingle } from "../../../lib/network/single.ts";
import { removed } from "../../support/cutting.ts";
import { randomInputs, relativeDifference, rounding, run } from "../../support/run.ts";
import { conv, int, ints, networkOf, string, two, weights } from "../../support/strange.ts";

const facts: FileFacts = {
  opset: 17,
  irVersion: 8,
  domains: {},
  producer: ["pytorch", "2.1.0"],
  domain: "org.example",
  modelVersion: 7,
  docs: ["a classifier", "its graph"],
};

const classifier: Network = {
  ...networkOf(
    [...two, ["GlobalAveragePool", "r2", "g"], ["Flatten", "g", "f"], ["Gemm", "f w4", "y"]],
    {
      w1: weights(32, 3, 3, 3),
      b1: weights(32),
      w2: weights(48, 32, 3, 3),
      b2: weights(48),
      w4: weights(48, 5),
    },
    { x: ["n", 3, 24, 24], y: ["n", 5] },
  ),
  metadata: { labels: "a,b,c,d,e" },
  file: facts,
};

/** All of it in half precision. */
function halved(network: Network, stored: Half): Network {
  const half = <T extends Pick<Parameter, "type">>(one: T): T =>
    one.type === "float32" ? { ...one, stored } : one;
  return {
    ...network,
    inputs: network.inputs.map(half),
    outputs: network.outputs.map(half),
    parameters: new Map([...network.parameters].map(([name, one]) => [name, half(one)])),
  };
}

describe("cut: a file comes out as it went in", function () {
  this.timeout(60_000);
  let root: string;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), "etl-types-"));
  });
  after(() => rm(root, { recursive: true, force: true }));

  async function cut(
    network: Network,
    keep = 0.5,
  ): Promise<{ result: CutResult; original: Network; small: Network; bytes: Uint8Array }> {
    const [model, out] = [join(root, "model.onnx"), join(root, "out.onnx")];
    await writeFile(model, writeLike(network).bytes);
    const result = await cutModel({ model, out, keep, threads: 1 });
    return {
      result,
      original: await readModel(model),
      small: await readModel(out),
      bytes: await readFile(out),
    };
  }

  /** Runs bytes on numbers of their own type. */
  async function runTyped(
    bytes: Uint8Array,
    { type, data, shape }: { type: "float16" | "float64"; data: Uint16Array | Float64Array; shape: number[] },
  ): Promise<number[]> {
    const session = await ort.InferenceSession.create(bytes, { logSeverityLevel: 3 });
    const { y } = await session.run({ x: new ort.Tensor(type, data as Uint16Array, shape) });
    expect(y.type).to.equal(type);
    const numbers = Array.from(y.data as Float32Array, Number);
    if (type === "float64") return numbers;
    const raw = y.data as Float32Array;
    const bits = new Uint16Array(raw.buffer, raw.byteOffset, raw.length);
    return Array.from(bits, halfToFloat);
  }

  it("float16 stays float16: weights, inputs, outputs, and the bytes say so", async () => {
    const { result, original, small, bytes } = await cut(halved(classifier, "float16"), 0.8);
    expect(removed(result)).to.equal(16);
    expect([small.inputs[0].stored, small.outputs[0].stored]).to.deep.equal(["float16", "float16"]);
    for (const [name, { stored }] of small.parameters) expect(stored, name).to.equal("float16");
    expect(result.before.fileBytes).to.equal((await readFile(join(root, "model.onnx"))).length);
    expect(result.after.fileBytes / result.before.fileBytes).to.be.within(0.6, 0.7);
    expect(result.after.bytes).to.equal(
      2 * [...small.parameters.values()].reduce((n, { data }) => n + data.length, 0),
    );
    // 0x3800 to 0x3c00: halves between 0.5 and 1.
    const data = Uint16Array.from({ length: 3 * 24 * 24 }, (_, i) => 0x3800 + ((37 * i) % 1024));
    const found = await runTyped(bytes, { type: "float16", data, shape: [1, 3, 24, 24] });
    const x = { shape: [1, 3, 24, 24], data: Float32Array.from(data, halfToFloat) };
    const { y } = await run(maskedNetwork(original, result.layers), { x });
    const scale = Math.max(...y.data.map(Math.abs));
    found.forEach((value, i) => expect(Math.abs(value - y.data[i]) / scale).to.be.at.most(4e-3));
  });

  it("bfloat16 stays bfloat16", async () => {
    const { result, small } = await cut(halved(classifier, "bfloat16"));
    expect(removed(result)).to.equal(40);
    expect(small.inputs[0].stored).to.equal("bfloat16");
    for (const [name, { stored }] of small.parameters) expect(stored, name).to.equal("bfloat16");
  });

  it("half precision inside, between casts, stays between them", async () => {
    const inner = networkOf(
      [
        ["Cast", "x", "xh", { to: { type: "int", value: 1, stored: "float16" } }],
        ["Conv", "xh w1 b1", "c1", conv(2)],
        ["Clip", "c1 low high", "r1"],
        ["Transpose", "v2", "w2", { perm: ints(1, 0, 2, 3) }],
        ["Conv", "r1 w2 b2", "c2", conv(2)],
        ["GlobalAveragePool", "c2", "g"],
        ["Flatten", "g", "f"],
        ["Cast", "f", "ff", { to: int(1) }],
        ["Gemm", "ff w4", "y"],
      ],
      {
        low: float32([], Float32Array.of(0)),
        high: float32([], Float32Array.of(6)),
        ...Object.fromEntries(
          Object.entries({
            w1: weights(16, 3, 3, 3),
            b1: weights(16),
            v2: weights(16, 24, 3, 3),
            b2: weights(24),
          }).map(([name, one]): [string, Parameter] => [name, { ...one, stored: "float16" }]),
        ),
        w4: weights(24, 5),
      },
      { x: ["n", 3, 24, 24], y: ["n", 5] },
    );
    const { result, original, small, bytes } = await cut({ ...inner, file: facts });
    expect(removed(result)).to.equal(20);
    expect(small.inputs[0].stored).to.equal(undefined);
    const stored = Object.fromEntries([...small.parameters].map(([name, one]) => [name, one.stored]));
    expect(stored).to.include({ w1: "float16", w2: "float16", b2: "float16", low: "float16", w4: undefined });
    const inputs = randomInputs(original, { batch: 2, seed: 3 });
    const session = await ort.InferenceSession.create(bytes, { logSeverityLevel: 3 });
    const { y } = await session.run({ x: new ort.Tensor("float32", inputs["x"].data, [2, 3, 24, 24]) });
    const expected = await run(maskedNetwork(original, result.layers), inputs);
    const found = { y: { shape: [...y.dims], data: y.data as Float32Array } };
    expect(relativeDifference(found, expected)).to.be.at.most(4e-3);
  });

  it("weights that the file rounds to half precision and back are rounded", async () => {
    const half: Attribute = { type: "int", value: 1, stored: "float16" };
    const network = networkOf(
      [
        ["Conv", "x w1 b1", "c1", conv()],
        ["Cast", "w2", "narrow", { to: half }],
        ["Cast", "narrow", "again", { to: int(1) }],
        ["Conv", "c1 again", "y"],
      ],
      { w1: weights(16, 3, 3, 3), b1: weights(16), w2: weights(5, 16, 1, 1) },
      { x: ["n", 3, 8, 8], y: ["n", 5, 8, 8] },
    );
    const { result, small } = await cut({ ...network, file: facts });
    expect(removed(result)).to.equal(8);
    const weight = [...small.parameters.values()].find(({ shape }) => shape.join() === "5,8,1,1");
    for (const value of weight?.data as Float32Array) expect(nearestHalf(value, "float16")).to.equal(value);
  });

  it("double precision stays double", async () => {
    const double = (one: Parameter): Parameter => ({
      ...one,
      type: "float64",
      data: Float64Array.from(one.data as Float32Array, (value) => value + 1e-10),
    });
    const network: Network = {
      ...classifier,
      inputs: classifier.inputs.map((one) => ({ ...one, type: "float64" })),
      outputs: classifier.outputs.map((one) => ({ ...one, type: "float64" })),
      parameters: new Map([...classifier.parameters].map(([name, one]) => [name, double(one)])),
    };
    const { result, original, small } = await cut(network);
    expect(removed(result)).to.equal(40);
    expect(result.difference).to.be.at.most(rounding);
    expect([small.inputs[0].type, small.outputs[0].type]).to.deep.equal(["float64", "float64"]);
    const whole = Array.from(original.parameters.get("b1")?.data as Float64Array);
    for (const value of small.parameters.get("b1")?.data as Float64Array) expect(whole).to.include(value);
    expect(asSingle(small).parameters.get("b1")?.type).to.equal("float32");
  });

  it("keeps operator set, IR version, producer, documentation and metadata", async () => {
    const { small } = await cut({ ...classifier, file: { ...facts, opset: 14, irVersion: 7 } });
    expect(small.file).to.deep.equal({ ...facts, opset: 14, irVersion: 7 });
    expect(small.metadata).to.include({ labels: "a,b,c,d,e" });
  });

  for (const [opset, irVersion] of [
    [7, 3],
    [8, 3],
    [9, 4],
    [10, 5],
    [11, 6],
    [12, 7],
    [13, 7],
    [15, 8],
    [18, 8],
  ]) {
    it(`keeps operator set ${opset}, in whose words every node is written`, async () => {
      const nearest = {
        mode: string("nearest"),
        nearest_mode: string("floor"),
        coordinate_transformation_mode: string("asymmetric"),
      };
      const network = networkOf(
        [
          ["Pad", "x pads", "p"],
          ["Conv", "p w1 b1", "c1", { strides: ints(2, 2) }],
          ["BatchNormalization", "c1 s b m v", "n1"],
          ["Clip", "n1 low high", "r1"],
          ["Resize", "r1 - scales", "u1", nearest],
          ["Slice", "u1 one minus axes", "s1"],
          ["Conv", "s1 w2 b2", "c2", conv(2)],
          ["Dropout", "c2 ratio", "d2"],
          ["ReduceMean", "d2", "g", { axes: ints(2, 3), keepdims: int(1) }],
          ["Squeeze", "g sides", "f"],
          ["Gemm", "f w4 b4", "z"],
          ["Softmax", "z", "y", { axis: int(-1) }],
        ],
        {
          w1: weights(16, 3, 3, 3),
          b1: weights(16),
          w2: weights(24, 16, 3, 3),
          b2: weights(24),
          w4: weights(24, 5),
          b4: weights(5),
          s: float32([16], new Float32Array(16).fill(1.5)),
          b: weights(16),
          m: weights(16),
          v: float32([16], new Float32Array(16).fill(0.5)),
          pads: int64([0, 0, 1, 1, 0, 0, 1, 1]),
          low: float32([], Float32Array.of(0)),
          high: float32([], Float32Array.of(6)),
          ratio: float32([], Float32Array.of(0.25)),
          scales: float32([4], Float32Array.of(1, 1, 2, 2)),
          one: int64([1, 1]),
          minus: int64([-1, -1]),
          axes: int64([2, 3]),
          sides: int64([2, 3]),
        },
        { x: ["n", 3, 24, 24], y: ["n", 5] },
      );
      const { nodes } = network;
      const sums =
        opset >= 18
          ? nodes.map((node) =>
              node.op === "ReduceMean"
                ? { ...node, inputs: [node.inputs[0], "sides"], attributes: { keepdims: int(1) } }
                : node,
            )
          : nodes;
      const { result, original, small, bytes } = await cut({
        ...network,
        nodes: sums,
        opset: Math.max(17, opset),
        file: { ...facts, opset, irVersion },
      });
      expect(removed(result)).to.equal(20);
      expect(small.file).to.include({ opset, irVersion });
      const inputs = randomInputs(original, { batch: 2, seed: 3 });
      const session = await ort.InferenceSession.create(bytes, { logSeverityLevel: 3 });
      const { y } = await session.run({ x: new ort.Tensor("float32", inputs["x"].data, [2, 3, 24, 24]) });
      const expected = await run(maskedNetwork(original, result.layers), inputs);
      expect(
        relativeDifference({ y: { shape: [...y.dims], data: y.data as Float32Array } }, expected),
      ).to.be.at.most(rounding);
    });
  }

  it("says why a file needs a newer operator set", () => {
    const network = networkOf(
      [
        [
          "Resize",
          "x - scales",
          "y",
          { mode: string("linear"), coordinate_transformation_mode: string("half_pixel") },
        ],
      ],
      { scales: float32([4], Float32Array.of(1, 1, 2, 2)) },
      { x: ["n", 3, 8, 8], y: ["n", 3, 16, 16] },
    );
    const { notes } = writeLike({ ...network, file: { ...facts, opset: 10, irVersion: 5 } });
    expect(notes).to.deep.equal([
      'the file has operator set 17, the original 10: node "Resize_y" (Resize) has no form in that',
    ]);
  });
});
