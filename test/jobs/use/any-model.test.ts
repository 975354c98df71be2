import { expect } from "chai";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadModelFile, readModel } from "../../../lib/backbones/read-model.ts";
import { writeModel } from "../../../lib/backbones/write-model.ts";
import { isEtlError } from "../../../lib/core/errors.ts";
import { writeOnnx } from "../../../lib/formats/onnx/write.ts";
import { cutModel } from "../../../lib/jobs/cut/cut.ts";
import { openNetwork, settled } from "../../../lib/jobs/run/model.ts";
import { exportModel } from "../../../lib/jobs/use/export.ts";
import { profileFiles } from "../../../lib/jobs/use/profile.ts";
import type { Dim, Network } from "../../../lib/network/network.ts";
import { channelsFirst, fromColour } from "../../../lib/network/picture-input.ts";
import { removed } from "../../support/cutting.ts";
import { randomInputs, relativeDifference, run } from "../../support/run.ts";
import { conv, ints, networkOf, two, weights, type Given } from "../../support/strange.ts";

const head: readonly Given[] = [
  ["GlobalAveragePool", "r2", "g"],
  ["Flatten", "g", "f"],
  ["Gemm", "f w4", "y"],
];
const parametersFor = (channels: number): Record<string, ReturnType<typeof weights>> => ({
  w1: weights(16, channels, 3, 3),
  b1: weights(16),
  w2: weights(24, 16, 3, 3),
  b2: weights(24),
  w4: weights(24, 7),
});
const pictures = (channels: number, size: readonly Dim[], batch: Dim = "n"): Network =>
  networkOf([...two, ...head], parametersFor(channels), { x: [batch, channels, ...size], y: [batch, 7] });

/** As exports of TensorFlow begin. */
const last = networkOf(
  [
    ["Transpose", "x", "t", { perm: ints(0, 3, 1, 2) }],
    ["Conv", "t w1 b1", "c1", conv(2)],
    ...two.slice(1),
    ...head,
  ],
  parametersFor(3),
  { x: ["n", 24, 32, 3], y: ["n", 7] },
);

describe("jobs/use: whatever cut accepts", function () {
  this.timeout(60_000);
  let root: string;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), "etl-any-"));
  });
  after(() => rm(root, { recursive: true, force: true }));

  async function put(network: Network, name: string): Promise<string> {
    const path = join(root, name);
    await writeFile(path, writeOnnx(network));
    return path;
  }

  it("a network of grey pictures takes RGB, mixed as image libraries do", async () => {
    const network = pictures(1, [20, 24]);
    const { x } = randomInputs(fromColour(network), { batch: 2, seed: 1 });
    const area = 20 * 24;
    const grey = Float32Array.from({ length: 2 * area }, (_, i) => {
      const [n, place] = [Math.floor(i / area), i % area];
      const at = (c: number): number => x.data[(n * 3 + c) * area + place];
      return 0.299 * at(0) + 0.587 * at(1) + 0.114 * at(2);
    });
    const expected = await run(network, { x: { shape: [2, 1, 20, 24], data: grey } });
    expect(relativeDifference(await run(fromColour(network), { x }), expected)).to.be.at.most(1e-6);
    const backbone = await loadModelFile(await put(network, "grey.onnx"));
    expect(backbone.network.inputs[0].shape).to.deep.equal(["n", 3, 20, 24]);
    expect(backbone.preprocessing.mean).to.deep.equal([0, 0, 0]);
    expect(backbone.notes.join("\n")).to.match(/takes grey pictures.*\n.*values of 0 to 1/);
  });

  it("a network with the channels behind is turned, and its first Transpose goes", async () => {
    const turned = channelsFirst(last);
    expect(turned.inputs[0].shape).to.deep.equal(["n", 3, 24, 32]);
    expect(turned.nodes.map(({ op }) => op)).to.not.include("Transpose");
    const { x } = randomInputs(turned, { batch: 2, seed: 1 });
    const behind = Float32Array.from({ length: x.data.length }, (_, i) => {
      const [n, place, c] = [Math.floor(i / (3 * 768)), Math.floor(i / 3) % 768, i % 3];
      return x.data[(n * 3 + c) * 768 + place];
    });
    const expected = await run(last, { x: { shape: [2, 24, 32, 3], data: behind } });
    expect(relativeDifference(await run(turned, { x }), expected)).to.be.at.most(1e-6);
    const backbone = await loadModelFile(await put(last, "last.onnx"));
    expect(backbone.preprocessing).to.include({ height: 24, width: 32 });
  });

  it("exported as ONNX it takes what its file took, and for browsers it is turned", async () => {
    const [file, out] = [await put(last, "behind.onnx"), join(root, "behind-out.onnx")];
    await exportModel(file, out);
    const written = await readModel(out);
    expect(written.inputs).to.deep.equal(last.inputs);
    const inputs = randomInputs(last, { batch: 2, seed: 1 });
    expect(relativeDifference(await run(written, inputs), await run(last, inputs))).to.be.at.most(1e-6);
    await exportModel(file, join(root, "behind"), { format: "tfjs" });
    const web = await readModel(join(root, "behind", "model.json"));
    expect(web.inputs[0].shape.slice(1)).to.deep.equal([3, 24, 32]);
  });

  it("profile counts and times networks of any inputs", async () => {
    const several = networkOf(
      [
        ["Concat", "x z", "c", { axis: { type: "int", value: 1 } }],
        ["Gemm", "c w", "y"],
      ],
      { w: weights(24, 5) },
      { x: ["n", 16], y: ["n", 5] },
    );
    const twoInputs = {
      ...several,
      inputs: [...several.inputs, { name: "z", type: "float32", shape: ["n", 8] } as const],
    };
    const files = [
      await put(twoInputs, "several.onnx"),
      await put(pictures(1, ["h", "w"]), "open.onnx"),
      await put(pictures(3, [24, 24], 1), "one.onnx"),
      await put(last, "last.onnx"),
    ];
    const said: string[] = [];
    const progress = {
      start: () => undefined,
      update: () => undefined,
      finish: () => undefined,
      warn: () => undefined,
    };
    const profiles = await profileFiles(files, {
      runs: 3,
      threads: 1,
      size: [40, 56],
      progress: { ...progress, note: (text) => void said.push(text) },
    });
    const [dense, open] = profiles.map(({ cost }) => cost.total.macs);
    expect(dense).to.equal(24 * 5);
    expect(open).to.equal(20 * 28 * 16 * 9 + 10 * 14 * 24 * 16 * 9 + 24 * 7);
    expect(said.join("\n")).to.contain("h, w: open in the file, 40 x 56 is assumed");
    const error: unknown = await profileFiles([files[2]], { runs: 3, batch: 4 }).catch((e: unknown) => e);
    expect(isEtlError(error, "usage") && error.message).to.match(/made for a batch of 1, 4 were asked for/);
  });

  it("a small grey network goes from its file to a cut to a browser's model, and stays the same", async () => {
    const [model, out] = [await put(pictures(1, [48, 48]), "emotion.onnx"), join(root, "small.onnx")];
    const result = await cutModel({ model, out, keep: 0.5, threads: 1 });
    expect(removed(result)).to.equal(20);
    const { network } = await openNetwork(out);
    const { file } = await writeModel(network, join(root, "web"), "tfjs");
    const again = (await openNetwork(file)).network;
    const inputs = randomInputs(network, { batch: 2, seed: 4 });
    const [a, b] = [await run(again, inputs), await run(network, inputs)].map((all) => Object.values(all)[0]);
    expect(relativeDifference({ y: a }, { y: b })).to.be.at.most(1e-6);
    const open = await openNetwork(await put(pictures(1, ["h", "w"]), "open.onnx"));
    const error: unknown = await writeModel(open.network, join(root, "never"), "tfjs").catch(
      (e: unknown) => e,
    );
    expect(isEtlError(error, "unsupported") && error.hint).to.contain("--size HEIGHTxWIDTH");
    await writeModel(settled(open, { size: [32, 40] }).network, join(root, "sized"), "tfjs");
  });

  it("pictures in bytes are refused with a sentence where they would be fed as numbers", async () => {
    const float = pictures(3, [24, 24]);
    const [image] = float.inputs;
    const cast = { name: "cast", op: "Cast", domain: "", inputs: [image.name], outputs: ["as-float"] };
    const bytes: Network = {
      ...float,
      inputs: [{ ...image, type: "uint8" }],
      nodes: [
        { ...cast, attributes: { to: { type: "int", value: 1 } } },
        ...float.nodes.map((node) => ({
          ...node,
          inputs: node.inputs.map((name) => (name === image.name ? "as-float" : name)),
        })),
      ],
    };
    const error: unknown = await loadModelFile(await put(bytes, "bytes.onnx")).catch((e: unknown) => e);
    expect(isEtlError(error, "unsupported") && error.message).to.contain(
      "input x of uint8, pictures in float32",
    );
  });

  it("double precision is profiled, and predicted with, in single", async () => {
    const network = pictures(3, [24, 24]);
    const double: Network = {
      ...network,
      inputs: network.inputs.map((one) => ({ ...one, type: "float64" })),
      outputs: network.outputs.map((one) => ({ ...one, type: "float64" })),
      parameters: new Map(
        [...network.parameters].map(([name, one]) => [
          name,
          { ...one, type: "float64", data: Float64Array.from(one.data as Float32Array) },
        ]),
      ),
    };
    const file = await put(double, "double.onnx");
    const [{ latency }] = await profileFiles([file], { runs: 2, threads: 1 });
    expect(latency.runs).to.equal(2);
    const backbone = await loadModelFile(file);
    expect(backbone.notes[0]).to.contain("double precision");
    const inputs = randomInputs(network, { batch: 2, seed: 5 });
    const expected = await run(network, inputs);
    expect(relativeDifference(await run(backbone.network, inputs), expected)).to.be.at.most(1e-6);
  });
});
