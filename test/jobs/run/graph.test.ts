import { expect } from "chai";
import { createRandom } from "../../../lib/core/random.ts";
import { silent } from "../../../lib/core/progress.ts";
import { readOnnx } from "../../../lib/formats/onnx/read.ts";
import { writeOnnx } from "../../../lib/formats/onnx/write.ts";
import { breaksBlocks, graphFor } from "../../../lib/jobs/run/graph.ts";
import { createBuilder } from "../../../lib/network/builder.ts";
import type { Network, Tensor } from "../../../lib/network/network.ts";
import { randomInputs, relativeDifference, run } from "../../support/run.ts";

const random = createRandom(9).fork("graph");
const noise = (...shape: number[]): Tensor => ({
  shape,
  data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.normal()),
});

/** A batch norm, a PRelu and a shortcut that is padded with channels of zeros. */
function network(): Network {
  const net = createBuilder("forms");
  let x = net.input("image", ["batch", 3, 12, 12]);
  x = net.conv(x, { name: "a", weights: noise(16, 3, 3, 3), bias: noise(16).data, pads: 1 });
  x = net.pRelu(x, noise(16).data, { name: "slopes" });
  const wide = net.pad(x, [0, 0, 0, 0, 0, 16, 0, 0], { name: "widen" });
  const b = net.conv(x, { name: "b", weights: noise(32, 16, 3, 3), bias: noise(32).data, pads: 1 });
  return net.build([net.relu(net.add(b, wide, { name: "sum" }), { name: "relu" })]);
}

/** As a file of another program has it. */
function foreign(): Network {
  const read = readOnnx(writeOnnx(network(), { plainPads: true }), { name: "foreign.onnx" });
  return { ...read, ...(read.file && { file: { ...read.file, producer: ["pytorch", "2"] as const } }) };
}

describe("export: the graph", () => {
  it("portable is plain; for onnxruntime every form is compared and timed, and the one that is taken is said", async () => {
    const given = foreign();
    expect((await graphFor(given, "portable", {})).nodes.map(({ op }) => op)).to.include.members([
      "PRelu",
      "Pad",
    ]);
    const notes: string[] = [];
    const progress = { ...silent, note: (text: string) => void notes.push(text) };
    const fast = await graphFor(given, "onnxruntime", { threads: 1, progress });
    expect(notes).to.have.length(1);
    const forms = ["as it is", "PRelu as depthwise convolutions", "Pad of channels as convolutions"];
    for (const form of [...forms, "both as convolutions"])
      expect(notes[0]).to.match(new RegExp(`${form} [\\d.]+ ms`));
    const [, taken = ""] = /: (.+) is taken$/.exec(notes[0]) ?? [];
    const has = (op: string): boolean => fast.nodes.some((node) => node.op === op);
    expect(has("PRelu")).to.equal(!/PRelu|both/.test(taken));
    expect(has("Pad")).to.equal(!/Pad|both/.test(taken));
    const inputs = randomInputs(given, { batch: 2, seed: 3 });
    expect(relativeDifference(await run(fast, inputs), await run(given, inputs))).to.be.below(1e-5);
  });

  it("of this program's networks has no slow Pad whichever is taken", async () => {
    const notes: string[] = [];
    const progress = { ...silent, note: (text: string) => void notes.push(text) };
    const fast = await graphFor(network(), "onnxruntime", { threads: 1, progress });
    expect(notes.join()).to.match(/^as it is [\d.]+ ms, PRelu as depthwise convolutions [\d.]+ ms: /);
    expect(Buffer.from(writeOnnx(fast)).toString("latin1")).not.to.contain("Pad");
  });

  it("fills odd widths up to those that kernels compute at a time", async () => {
    const net = createBuilder("odd");
    let x = net.input("image", ["batch", 3, 24, 24]);
    for (const [i, width] of [17, 17, 4].entries()) {
      const weights = noise(width, i === 0 ? 3 : 17, 3, 3);
      x = net.relu(net.conv(x, { name: `c${i}`, weights, pads: 1 }), { name: `r${i}` });
    }
    const given = net.build([x]);
    expect(breaksBlocks(given)).to.equal(true);
    const notes: string[] = [];
    const progress = { ...silent, note: (text: string) => void notes.push(text) };
    const fast = await graphFor(given, "onnxruntime", { threads: 1, progress });
    expect(notes.join()).to.match(/^as it is [\d.]+ ms, channels of zeros up to multiples of 4 [\d.]+ ms/);
    const width = fast.parameters.get("c0.weight")?.shape[0];
    const [, multiple = "1"] = / of (\d+) is taken$/.exec(notes[0]) ?? [];
    expect(width).to.equal(Math.ceil(17 / Number(multiple)) * Number(multiple));
    const inputs = randomInputs(given, { batch: 2, seed: 3 });
    expect(relativeDifference(await run(fast, inputs), await run(given, inputs))).to.be.below(1e-5);
    expect(breaksBlocks(fast)).to.equal(width === 17);
  });

  it("a form that computes something else is left out, and said", async () => {
    const net = createBuilder("cancelling");
    const x = net.input("image", ["batch", 3, 8, 8]);
    // All values are far above zero: the steep slopes are never used, and cancel where they are written as a sum.
    const high = new Float32Array(4).fill(100);
    const a = net.conv(x, { name: "a", weights: noise(4, 3, 3, 3), bias: high, pads: 1 });
    const given = net.build([net.pRelu(a, new Float32Array(4).fill(1e8), { name: "slopes" })]);
    const notes: string[] = [];
    const progress = { ...silent, note: (text: string) => void notes.push(text) };
    const fast = await graphFor(given, "onnxruntime", { threads: 1, progress });
    expect(notes.join()).to.match(
      /^as it is [\d.]+ ms, PRelu as depthwise convolutions left out, "\w+" differs by [\d.]+e[+-]\d: as it is is taken$/,
    );
    expect(fast.nodes.map(({ op }) => op)).to.include("PRelu");
  });

  it("a file of open sizes stays as it is, and says what is missing", async () => {
    const given = foreign();
    const inputs = given.inputs.map((input) => ({ ...input, shape: ["batch", 3, "h", "w"] }));
    const notes: string[] = [];
    const progress = { ...silent, warn: (text: string) => void notes.push(text) };
    const open = await graphFor({ ...given, inputs }, "onnxruntime", { threads: 1, progress });
    expect(open.nodes.map(({ op }) => op)).to.include.members(["PRelu", "Pad"]);
    expect(notes.join()).to.match(/leaves sizes open.*--size/);
  });

  it("a network that has no other form is left as it is, and no engine is opened", async () => {
    const net = createBuilder("plain");
    const x = net.input("image", ["batch", 3, 8, 8]);
    const plain = net.build([net.conv(x, { name: "a", weights: noise(4, 3, 3, 3), bias: noise(4).data })]);
    const signal = AbortSignal.abort();
    expect((await graphFor(plain, "onnxruntime", { signal })).nodes).to.have.length(1);
  });
});
