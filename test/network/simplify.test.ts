import { expect } from "chai";
import { createBuilder, int, ints } from "../../lib/network/builder.ts";
import { foldBatchNorm } from "../../lib/network/fold-batch-norm.ts";
import { float32, int64, integersOf, type Network } from "../../lib/network/network.ts";
import { simplify } from "../../lib/network/simplify.ts";
import { validateNetwork } from "../../lib/network/validate.ts";
import { difference, runOnnx, wave } from "../support/onnx-run.ts";

/** Channel shuffle with computed shapes, an Identity, a Dropout and a transposed weight, as exporters write them. */
function exported(): Network {
  const b = createBuilder("exported");
  const x = b.input("x", ["batch", 6, 4, 5]);
  const shape = b.node("Shape", [b.identity(x)], { name: "shape" });
  const entry = (name: string, i: number): string =>
    b.node("Gather", [shape, b.parameter(`${name}.index`, int64([i]))], {
      name,
      attributes: { axis: int(0) },
    });
  const two = b.parameter("two", int64([2]));
  const [n, c, h, w] = ["n", "c", "h", "w"].map((name, i) => entry(name, i)) as [
    string,
    string,
    string,
    string,
  ];
  const groups = b.concat([n, two, b.div(c, two), h, w], { axis: 0, name: "groups" });
  const split = b.transpose(b.node("Reshape", [x, groups], { name: "split" }), [0, 2, 1, 3, 4]);
  const back = b.node(
    "Reshape",
    [split, b.concat([n, b.parameter("-1", int64([-1])), h, w], { axis: 0, name: "back" })],
    {
      name: "join",
    },
  );
  const flat = b.flatten(b.globalAveragePool(b.dropout(back, 0.3)));
  const weight = b.transpose(b.parameter("w2", float32([3, 6], wave(3, 6).data)), [1, 0], { name: "wT" });
  return b.build([b.identity(b.matMul(flat, weight), { name: "result" }), b.identity(x, { name: "copy" })]);
}

describe("network/simplify", () => {
  it("folds shape arithmetic with the batch left open, and changes nothing else", async () => {
    const before = exported();
    const after = simplify(before);
    validateNetwork(after);
    expect(after.nodes.map(({ op }) => op)).to.deep.equal([
      "Reshape",
      "Transpose",
      "Reshape",
      "GlobalAveragePool",
      "Flatten",
      "MatMul",
      "Identity",
    ]);
    const targets = after.nodes
      .filter(({ op }) => op === "Reshape")
      .map((node) => integersOf(after, node.inputs[1]));
    expect(targets).to.deep.equal([
      [0, 2, 3, 4, 5],
      [0, -1, 4, 5],
    ]);
    expect(after.outputs).to.deep.equal(before.outputs);
    for (const batch of [1, 4]) {
      const x = wave(batch, 6, 4, 5);
      const [a, b] = [await runOnnx(before, { x }), await runOnnx(after, { x })];
      expect(difference(a["result"], b["result"])).to.equal(0);
      expect(difference(a["copy"], b["copy"])).to.equal(0);
    }
    expect(simplify(after)).to.deep.equal(after);
  });

  it("keeps a Dropout whose mask is used", () => {
    const b = createBuilder("kept");
    const x = b.input("x", ["batch", 4]);
    const [y = "", mask = ""] = b.nodeWithOutputs("Dropout", [x], 2);
    const network = b.build([b.relu(y), b.node("Not", [mask])]);
    expect(simplify(network).nodes.map(({ op }) => op)).to.deep.equal(["Dropout", "Relu", "Not"]);
  });
});

describe("network/fold-batch-norm", () => {
  const normal = (channels: number) => ({
    scale: wave(channels).data.map((v) => v + 1.5),
    bias: wave(channels).data,
    mean: wave(channels).data.map((v) => v / 2),
    variance: wave(channels).data.map((v) => v * v + 0.1),
  });

  function normalised(): Network {
    const b = createBuilder("bn");
    const x = b.input("x", ["batch", 4, 6, 6]);
    let y = b.batchNorm(b.conv(x, { weights: wave(6, 2, 3, 3), group: 2, name: "c1" }), {
      ...normal(6),
      name: "n1",
    });
    y = b.batchNorm(
      b.convTranspose(y, { weights: wave(6, 2, 2, 2), bias: wave(4).data, group: 2, name: "t" }),
      {
        ...normal(4),
        name: "n2",
      },
    );
    y = b.flatten(b.globalAveragePool(y));
    y = b.batchNorm(b.gemm(y, { weights: wave(5, 4), bias: wave(5).data }), normal(5));
    const plain = b.node("Gemm", [y, b.parameter("plain", float32([5, 3], wave(5, 3).data))]);
    return b.build([b.batchNorm(plain, { ...normal(3), name: "out" })]);
  }

  it("folds into Conv, ConvTranspose and Gemm of either orientation", async () => {
    const before = normalised();
    const after = foldBatchNorm(before);
    validateNetwork(after);
    expect(after.nodes.map(({ op }) => op)).to.not.include("BatchNormalization");
    const x = wave(2, 4, 6, 6);
    const [a, b] = [await runOnnx(before, { x }), await runOnnx(after, { x })];
    expect(difference(a["out"], b["out"])).to.be.below(1e-5);
    expect(before.nodes.filter(({ op }) => op === "BatchNormalization")).to.have.length(4);
  });

  it("leaves a norm alone where the layer's result has other readers, and shared weights unharmed", async () => {
    const b = createBuilder("shared");
    const x = b.input("x", ["batch", 3, 5, 5]);
    const w = b.parameter("w", float32([3, 3, 1, 1], wave(3, 3, 1, 1).data));
    const first = b.node("Conv", [x, w], { name: "first", attributes: { kernel_shape: ints([1, 1]) } });
    const second = b.node("Conv", [x, w], { name: "second", attributes: { kernel_shape: ints([1, 1]) } });
    const network = b.build([
      b.add(first, b.batchNorm(first, normal(3)), { name: "a" }),
      b.batchNorm(second, { ...normal(3), name: "b" }),
    ]);
    const after = foldBatchNorm(network);
    expect(after.nodes.map(({ op }) => op)).to.deep.equal(["Conv", "Conv", "BatchNormalization", "Add"]);
    const image = wave(1, 3, 5, 5);
    const [p, q] = [await runOnnx(network, { x: image }), await runOnnx(after, { x: image })];
    expect(difference(p["a"], q["a"])).to.be.below(1e-5);
    expect(difference(p["b"], q["b"])).to.be.below(1e-5);
  });
});
