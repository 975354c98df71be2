import { expect } from "chai";
import { costOf } from "../../lib/network/cost.ts";
import { createBuilder } from "../../lib/network/builder.ts";
import { float32 } from "../../lib/network/network.ts";
import { wave } from "../support/onnx-run.ts";

const norm = (channels: number) => {
  const { data } = wave(channels);
  return { scale: data, bias: data, mean: data, variance: data.map((v) => v * v + 1) };
};

describe("network/cost", () => {
  it("counts the layers of the paper's equations by hand", () => {
    const b = createBuilder("counted");
    const x = b.input("x", ["batch", 3, 10, 8]);
    let y = b.conv(x, { name: "full", weights: wave(6, 3, 3, 3), bias: wave(6).data, strides: 2, pads: 1 });
    y = b.batchNorm(y, { ...norm(6), name: "norm" });
    y = b.clip(y, { min: 0, max: 6 });
    y = b.conv(y, { name: "depthwise", weights: wave(6, 1, 3, 3), group: 6, pads: 1 });
    y = b.pRelu(y, wave(6).data, { name: "slopes" });
    y = b.convTranspose(y, { name: "up", weights: wave(6, 2, 2, 2), strides: 2, group: 2 });
    y = b.flatten(b.maxPool(y, { kernel: 2, strides: 2 }));
    y = b.gemm(y, { name: "fc", weights: wave(5, 80), bias: wave(5).data });
    y = b.matMul(y, b.parameter("w", float32([5, 7], wave(5, 7).data)), { name: "product" });
    const { layers, total, trunk, head } = costOf(b.build([y]));
    expect(
      layers.map(({ name, macs, params, output, part }) => [name, macs, params, output, part]),
    ).to.deep.equal([
      ["full", 6 * 3 * 9 * 5 * 4, 6 * 27 + 6, [1, 6, 5, 4], "trunk"],
      ["norm", 0, 12, [1, 6, 5, 4], "trunk"],
      ["depthwise", 6 * 9 * 5 * 4, 54, [1, 6, 5, 4], "trunk"],
      ["slopes", 0, 6, [1, 6, 5, 4], "trunk"],
      ["up", 6 * 5 * 4 * 2 * 4, 48, [1, 4, 10, 8], "trunk"],
      ["fc", 400, 405, [1, 5], "head"],
      ["product", 35, 35, [1, 7], "head"],
    ]);
    expect(layers[1]?.bytes).to.equal(4 * 24);
    expect(head).to.deep.equal({ macs: 435, params: 440, bytes: 1760 });
    expect(total).to.deep.equal({
      macs: trunk.macs + 435,
      params: trunk.params + 440,
      bytes: trunk.bytes + 1760,
    });
  });

  it("leaves gates in the trunk, and puts a classifier written as convolutions into the head", () => {
    const b = createBuilder("gates");
    const x = b.input("x", ["batch", 4, 6, 6]);
    const gate = b.conv(b.globalAveragePool(x), { name: "gate", weights: wave(4, 4, 1, 1) });
    const y = b.mul(x, b.sigmoid(gate));
    const fc6 = b.conv(y, { name: "fc6", weights: wave(8, 4, 6, 6) });
    const fc7 = b.conv(b.relu(fc6), { name: "fc7", weights: wave(3, 8, 1, 1) });
    const { layers } = costOf(b.build([b.flatten(fc7)]));
    expect(layers.map(({ name, part }) => `${name} ${part}`)).to.deep.equal([
      "gate trunk",
      "fc6 head",
      "fc7 head",
    ]);
  });

  it("has no head where the last convolution still sees a map, and counts shared weights once", () => {
    const b = createBuilder("shared");
    const x = b.input("x", ["batch", 3, 6, 6]);
    const w = b.parameter("w", float32([3, 3, 1, 1], wave(3, 3, 1, 1).data));
    const y = b.node("Conv", [b.node("Conv", [x, w]), w]);
    const { head, total } = costOf(b.build([b.flatten(b.globalAveragePool(y))]));
    expect(head).to.deep.equal({ macs: 0, params: 0, bytes: 0 });
    expect(total).to.deep.equal({ macs: 2 * 9 * 36, params: 9, bytes: 36 });
  });
});
