import { expect } from "chai";
import { openEngine } from "../../lib/engine/open.ts";
import type { Engine } from "../../lib/engine/engine.ts";
import { inferShapes } from "../../lib/network/shapes/infer.ts";
import { float32, sizeOf } from "../../lib/network/network.ts";
import { blocks } from "./conformance-blocks.ts";
import { cases, residual } from "./conformance-cases.ts";
import { checkGradients, networkOf, node } from "./gradient-check.ts";

describe("engine ort: gradients against central differences", () => {
  let engine: Engine;
  before(async () => {
    engine = await openEngine({ engine: "ort", threads: 1 });
  });
  after(() => engine.dispose());

  for (const nodes of [
    [node("y", "MaxPool", ["x"], ["y"], { kernel_shape: [2, 2] })],
    [node("r", "Relu", ["x"]), node("y", "MaxPool", ["r"], ["y"], { kernel_shape: [2, 2] })],
  ]) {
    it(`MaxPool: of equal values in overlapping windows the first gets the gradient (${nodes.length} nodes)`, async () => {
      const x = float32([1, 1, 3, 3], new Float32Array(9).fill(4));
      const trainer = await engine.compileTraining(networkOf({ title: "ties", nodes, parameters: { x } }), {
        losses: [{ kind: "squared", output: "y", target: "target", weight: 1 }],
        optimizer: { kind: "sgd" },
      });
      const { gradients } = await trainer.gradients({ target: { shape: [1, 4], data: new Float32Array(4) } });
      expect([...gradients.x.data]).to.deep.equal([1, 1, 0, 1, 1, 0, 0, 0, 0]);
      await trainer.dispose();
    });
  }

  it("MaxPool behind a convolution: of equal values in overlapping windows the first gets the gradient", async () => {
    const channels = 5;
    const x = float32([1, channels, 3, 3], new Float32Array(9 * channels).fill(4));
    const w = float32([channels, 1, 1, 1], new Float32Array(channels).fill(1));
    const nodes = [
      node("c", "Conv", ["x", "w"], ["c"], { group: channels }),
      node("y", "MaxPool", ["c"], ["y"], { kernel_shape: [2, 2] }),
    ];
    const trainer = await engine.compileTraining(networkOf({ title: "ties", nodes, parameters: { x, w } }), {
      losses: [{ kind: "squared", output: "y", target: "target", weight: channels }],
      optimizer: { kind: "sgd" },
    });
    const target = { shape: [1, 4 * channels], data: new Float32Array(4 * channels) };
    const { gradients } = await trainer.gradients({ target });
    const share = Array.from(
      gradients.x.data,
      (value) => Math.round((1000 * value) / gradients.x.data[0]) / 1000,
    );
    expect(share).to.deep.equal(Array.from({ length: channels }, () => [1, 1, 0, 1, 1, 0, 0, 0, 0]).flat());
    await trainer.dispose();
  });

  for (const test of [...cases, ...blocks]) {
    it(test.title, async () => {
      const shape = inferShapes(networkOf(test)).get(test.output ?? "y") ?? [];
      await checkGradients(engine, test, sizeOf(shape));
    });
  }
});

describe("engine ort: a whole network's gradient", () => {
  it("agrees with central differences in every layer", async () => {
    const engine = await openEngine({ engine: "ort", threads: 2 });
    try {
      await checkGradients(engine, residual(), 9);
    } finally {
      await engine.dispose();
    }
  });
});
