import { expect } from "chai";
import { cutAt, featuresOf, headOf, withHead, withHeads } from "../../lib/backbones/head.ts";
import { initialise } from "../../lib/backbones/initialise.ts";
import { describe as describeNetwork, preprocessingOf, outputTasksOf } from "../../lib/backbones/metadata.ts";
import type { Preprocessing, Task } from "../../lib/core/artifacts.ts";
import type { Engine } from "../../lib/engine/engine.ts";
import { openEngine } from "../../lib/engine/open.ts";
import { createBuilder } from "../../lib/network/builder.ts";
import type { Network, Tensor } from "../../lib/network/network.ts";

const preprocessing: Preprocessing = { width: 8, height: 8, color: "BGR", mean: [1, 2, 3], scale: [1, 1, 1] };
const task: Task = {
  name: "gender",
  kind: "binary",
  columns: ["Male"],
  classes: ["female", "male"],
  outputs: 1,
  scale: 1,
  mirror: "keep",
};

/** Two convolutions, a hidden linear layer and a classifier of seven. */
function classifier(): Network {
  const net = createBuilder("classifier");
  const filled = (...shape: number[]): Tensor => {
    const size = shape.reduce((a, b) => a * b, 1);
    return { shape, data: Float32Array.from({ length: size }, (_, i) => Math.sin(i + shape[0])) };
  };
  let x = net.input("image", ["batch", 3, 8, 8]);
  x = net.relu(net.conv(x, { name: "conv1", weights: filled(4, 3, 3, 3), pads: 1 }), { name: "relu1" });
  x = net.relu(net.conv(x, { name: "conv2", weights: filled(5, 4, 3, 3), pads: 1 }), { name: "relu2" });
  x = net.flatten(net.globalAveragePool(x, { name: "pool" }), { name: "flat" });
  x = net.relu(net.gemm(x, { name: "hidden", weights: filled(6, 5) }), { name: "hidden/relu" });
  x = net.gemm(x, { name: "logits", weights: filled(7, 6), bias: new Float32Array(7) });
  return describeNetwork(net.build([net.softmax(x, { name: "probabilities" })]), { preprocessing });
}

describe("backbones/head", () => {
  let engine: Engine;
  before(async () => {
    engine = await openEngine({ engine: "ort", threads: 1 });
  });
  after(() => engine.dispose());

  async function run(network: Network, output: string): Promise<Tensor> {
    const program = await engine.compile(network, { outputs: [output] });
    const data = Float32Array.from({ length: 2 * 3 * 64 }, (_, i) => Math.cos(i));
    const result = await program.run({ image: { shape: [2, 3, 8, 8], data } });
    await program.dispose();
    return result[output];
  }

  it("puts a linear head on pooled features and drops what nobody needs", async () => {
    const network = classifier();
    const weight = Float32Array.from({ length: 10 }, (_, i) => i - 4);
    const headed = withHead(network, "pool", { outputs: 2, weight, bias: Float32Array.of(0.5, -1) });
    expect(headed.outputs).to.deep.equal([{ name: "prediction", type: "float32", shape: ["batch", 2] }]);
    expect(headed.nodes.map(({ name }) => name))
      .to.include("prediction/flat")
      .and.not.include("hidden");
    expect([...headed.parameters.keys()]).to.not.include("logits.weight");
    const pool = await run(network, "flat");
    const { shape, data } = await run(headed, "prediction");
    expect(shape).to.deep.equal([2, 2]);
    for (let n = 0; n < 2; n++) {
      for (let k = 0; k < 2; k++) {
        let expected = [0.5, -1][k];
        for (let c = 0; c < 5; c++) expected += weight[k * 5 + c] * pool.data[n * 5 + c];
        expect(data[n * 2 + k]).to.be.closeTo(expected, 1e-4);
      }
    }
    expect(network.nodes.some(({ name }) => name === "hidden")).to.equal(true);
  });

  it("pools features that still have height and width, and takes flat ones as they are", async () => {
    const weight = new Float32Array(5).fill(1);
    const pooled = await run(withHead(classifier(), "pool", { outputs: 1, weight }), "prediction");
    const spatial = withHead(classifier(), "relu2", { outputs: 1, weight });
    expect(spatial.nodes.map(({ op }) => op)).to.include("GlobalAveragePool");
    expect(Array.from((await run(spatial, "prediction")).data)).to.deep.equal(Array.from(pooled.data));
    const flat = withHead(classifier(), "hidden/relu", { outputs: 3, name: "age" });
    expect(flat.nodes.at(-1)).to.include({ name: "age", op: "Gemm" });
    expect(Array.from((await run(flat, "age")).data)).to.deep.equal([0, 0, 0, 0, 0, 0]);
  });

  it("keeps the preprocessing, writes the task and forgets the old one", () => {
    const headed = withHead(classifier(), "pool", { outputs: 1, task });
    expect(preprocessingOf(headed)).to.deep.equal(preprocessing);
    expect(outputTasksOf(headed)).to.deep.equal([{ output: "prediction", task }]);
    expect(outputTasksOf(withHead(headed, "pool", { outputs: 1 }))).to.deep.equal([]);
  });

  it("several heads stand side by side on the same features, each with its task", async () => {
    const weight = Float32Array.of(1, 2, 3, 4, 5);
    const age: Task = { ...task, name: "age", kind: "regression", classes: [] };
    const both = withHeads(classifier(), "relu2", [
      { name: "gender", outputs: 1, weight, task },
      { name: "age", outputs: 1, weight: weight.map((w) => -2 * w), bias: Float32Array.of(1), task: age },
    ]);
    expect(both.nodes.filter(({ op }) => op === "GlobalAveragePool")).to.have.length(1);
    expect(outputTasksOf(both)).to.deep.equal([
      { output: "gender", task },
      { output: "age", task: age },
    ]);
    const [gender, years] = await Promise.all([run(both, "gender"), run(both, "age")]);
    gender.data.forEach((value, i) => {
      expect(years.data[i]).to.be.closeTo(1 - 2 * value, 1e-4);
    });
    const one = withHead(both, featuresOf(both), { outputs: 1, task });
    expect(one.outputs.map(({ name }) => name)).to.deep.equal(["prediction"]);
    expect(outputTasksOf(one)).to.deep.equal([{ output: "prediction", task }]);
    expect([...one.parameters.keys()]).to.not.include("age.weight");
  });

  it("can be replaced by another head any number of times", () => {
    const once = withHead(classifier(), "pool", { outputs: 4 });
    const twice = withHead(once, featuresOf(once), { outputs: 2 });
    expect(twice.parameters.get("prediction.weight")?.shape).to.deep.equal([2, 5]);
    expect(twice.nodes).to.have.length(once.nodes.length);
  });

  it("finds the head, also one of MatMul and Add", () => {
    const headed = withHead(classifier(), "pool", { outputs: 2 });
    expect(headOf(headed)).to.deep.equal({
      output: "prediction",
      input: "prediction/flat",
      weight: "prediction.weight",
      transposed: true,
      bias: "prediction.bias",
      nodes: ["prediction"],
    });
    const net = createBuilder("two");
    const x = net.input("x", ["batch", 3]);
    const weight = net.parameter("w", { type: "float32", shape: [3, 2], data: new Float32Array(6) });
    const bias = net.parameter("b", { type: "float32", shape: [2], data: new Float32Array(2) });
    const product = net.matMul(x, weight, { name: "product" });
    const head = headOf(net.build([net.add(product, bias, { name: "y" })]));
    expect(head).to.include({ output: "y", input: "x", weight: "w", bias: "b", transposed: false });
    expect(head?.nodes).to.deep.equal(["product", "y"]);
    expect(headOf(classifier())).to.equal(undefined);
  });

  it("finds features: before the last linear layer and its flattening, or as the metadata say", () => {
    expect(featuresOf(classifier())).to.equal("hidden/relu");
    expect(featuresOf(cutAt(classifier(), "hidden"))).to.equal("pool");
    expect(featuresOf(cutAt(classifier(), "relu2"))).to.equal("relu2");
    expect(featuresOf(describeNetwork(classifier(), { features: "pool" }))).to.equal("pool");
  });

  it("refuses features that are not there and weights that do not fit", () => {
    expect(() => withHead(classifier(), "pol", { outputs: 1 })).to.throw('classifier: no value "pol"');
    expect(() => withHead(classifier(), "pool", { outputs: 2, weight: new Float32Array(3) })).to.throw(
      'head "prediction" with 3 weights and 2 biases, 2 x 5 weights and 2 biases were needed',
    );
  });

  it("initialises with the variance of He, the same for the same seed", () => {
    const net = createBuilder("wide");
    const zeros = { shape: [64, 32, 3, 3], data: new Float32Array(64 * 32 * 9) };
    let x = net.input("image", ["batch", 32, 8, 8]);
    x = net.conv(x, { name: "conv", weights: zeros, bias: new Float32Array(64).fill(3), pads: 1 });
    const network = withHead(net.build([net.relu(x, { name: "relu" })]), "relu", { outputs: 8 });
    const [first, again, other] = [1, 1, 2].map((seed) => initialise(network, seed));
    const data = first.parameters.get("conv.weight")!.data as Float32Array;
    const variance = data.reduce((sum, value) => sum + value * value, 0) / data.length;
    expect(variance * (32 * 9)).to.be.closeTo(2, 0.1);
    expect(first.parameters.get("conv.bias")!.data).to.deep.equal(new Float32Array(64));
    expect(again.parameters).to.deep.equal(first.parameters);
    expect(other.parameters.get("conv.weight")!.data).to.not.deep.equal(data);
    expect(network.parameters.get("conv.weight")!.data).to.deep.equal(zeros.data);
  });
});
