import { expect } from "chai";
import { createBuilder, type Builder } from "../../lib/network/builder.ts";
import { isEtlError } from "../../lib/core/errors.ts";
import { inferShapes } from "../../lib/network/shapes/infer.ts";
import type { Tensor } from "../../lib/network/network.ts";

const weights = (...shape: number[]): Tensor => ({
  shape,
  data: new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(0.1),
});

/** A small network with a residual block and two outputs. */
function sample(b: Builder): string[] {
  const x = b.input("image", ["batch", 3, 15, 15]);
  const c = b.conv(x, {
    name: "conv1",
    weights: weights(4, 3, 3, 3),
    bias: new Float32Array(4),
    strides: 2,
    pads: 1,
  });
  const r = b.relu(c);
  const d = b.conv(r, { name: "depthwise", weights: weights(4, 1, 3, 3), group: 4, pads: [1, 1] });
  const sum = b.relu(b.add(r, d, { name: "shortcut" }));
  const pooled = b.maxPool(sum, { kernel: 3, strides: 2, ceil: true });
  const flat = b.flatten(b.globalAveragePool(pooled));
  return [b.gemm(flat, { name: "head", weights: weights(2, 4), bias: new Float32Array(2) }), pooled];
}

describe("network/builder", () => {
  it("names nodes, values and weights, and leaves the batch open", () => {
    const b = createBuilder("sample");
    const network = b.build(sample(b), { labels: "no,yes" });
    expect(network.nodes.map(({ name }) => name)).to.deep.equal([
      "conv1",
      "relu1",
      "depthwise",
      "shortcut",
      "relu2",
      "maxPool1",
      "globalAveragePool1",
      "flatten1",
      "head",
    ]);
    expect([...network.parameters.keys()]).to.deep.equal([
      "conv1.weight",
      "conv1.bias",
      "depthwise.weight",
      "head.weight",
      "head.bias",
    ]);
    expect(network.outputs.map(({ shape }) => shape)).to.deep.equal([
      ["batch", 2],
      ["batch", 4, 4, 4],
    ]);
    expect(network.metadata).to.deep.equal({ labels: "no,yes" });
    expect(inferShapes(network, { batch: 7 }).get("shortcut")).to.deep.equal([7, 4, 8, 8]);
  });

  it("builds every operator it offers", () => {
    const b = createBuilder("all", { opset: 18 });
    const x = b.input("x", ["batch", 4, 8, 8]);
    const ones = new Float32Array(4).fill(1);
    let y = b.batchNorm(x, { scale: ones, bias: ones, mean: ones, variance: ones });
    y = b.clip(y, { min: 0, max: 6 });
    y = b.swish(b.hardSwish(b.leakyRelu(b.pRelu(y, ones), 0.1)));
    y = b.hardSigmoid(b.softplus(b.tanh(b.sigmoid(b.identity(y)))));
    y = b.lrn(y, { size: 5, alpha: 1e-4, beta: 0.75, bias: 1 });
    y = b.pad(y, [0, 0, 1, 1, 0, 2, 0, 0]);
    y = b.slice(y, { axis: 2, start: 0, end: 8 });
    const [left = "", right = ""] = b.split(y, [2, 4]);
    y = b.concat([b.div(right, right), b.mul(b.sub(left, left), left)]);
    y = b.averagePool(b.dropout(y, 0.2), { kernel: 2, strides: 2, countPadding: true });
    y = b.convTranspose(y, { weights: weights(6, 5, 2, 2), strides: 2 });
    y = b.transpose(b.reshape(y, [0, 5, -1]), [0, 2, 1]);
    const z = b.softmax(b.matMul(y, b.parameter("projection", { type: "float32", ...weights(5, 3) })));
    const network = b.build([z, b.reduceMean(b.globalMaxPool(x), [2, 3], { keep: false })]);
    expect(network.outputs.map(({ shape }) => shape)).to.deep.equal([
      ["batch", 64, 3],
      ["batch", 4],
    ]);
  });

  const wrong: [string, (b: Builder) => unknown, RegExp][] = [
    ["a name used twice", (b) => b.relu(b.relu("x", { name: "a" }), { name: "a" }), /"a" is named twice/],
    ["an output nobody makes", (b) => b.build(["nothing"]), /output "nothing": made by nothing/],
    [
      "weights that do not fit",
      (b) => b.build([b.conv("x", { name: "c", weights: weights(4, 5, 3, 3) })]),
      /node "c" \(Conv\): weights \[4, 5, 3, 3\] in 1 groups on 3 channels/,
    ],
    ["a missing input", (b) => b.build([b.relu("y", { name: "r" })]), /node "r" \(Relu\)/],
  ];
  for (const [what, act, message] of wrong) {
    it(`refuses ${what}`, () => {
      const b = createBuilder("wrong");
      b.input("x", ["batch", 3, 8, 8]);
      expect(() => act(b))
        .to.throw(message)
        .and.to.satisfy(isEtlError);
    });
  }
});
