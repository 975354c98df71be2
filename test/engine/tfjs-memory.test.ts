import { expect } from "chai";
import * as tf from "@tensorflow/tfjs-core";
import type { Tensors } from "../../lib/engine/engine.ts";
import { openBackend } from "../../lib/engine/tfjs/backend.ts";
import { createTfjsProgram } from "../../lib/engine/tfjs/program.ts";
import { createTfjsTrainer } from "../../lib/engine/tfjs/trainer.ts";
import { trainableParameters } from "../../lib/engine/training.ts";
import { inferShapes } from "../../lib/network/shapes/infer.ts";
import { patterns } from "../support/patterns.ts";
import { randomTensor } from "./conformance-check.ts";
import { cases } from "./conformance-cases.ts";
import { networkOf } from "./gradient-check.ts";

/** The engine's own code on the test's thread, where tfjs can be asked what it holds. */
describe("engine tfjs: memory", () => {
  before(() => openBackend());

  it("a program holds as many tensors after ten runs as after one, and none when it is disposed", async () => {
    for (const { title, network } of patterns) {
      const before = tf.memory().numTensors;
      const shapes = inferShapes(network, { batch: 2 });
      const inputs: Tensors = Object.fromEntries(
        network.inputs.map(({ name }) => [name, randomTensor(shapes.get(name) ?? [], name)]),
      );
      const program = createTfjsProgram(
        network,
        network.outputs.map(({ name }) => name),
      );
      await program.run(inputs);
      const { numTensors, numDataBuffers } = tf.memory();
      for (let i = 0; i < 9; i++) await program.run(inputs);
      expect([tf.memory().numTensors, tf.memory().numDataBuffers], title).to.deep.equal([
        numTensors,
        numDataBuffers,
      ]);
      await program.dispose();
      expect(tf.memory().numTensors, title).to.equal(before);
    }
  });

  it("a run that fails leaves nothing behind", async () => {
    const [{ network }] = patterns;
    const program = createTfjsProgram(
      { ...network, inputs: network.inputs.map((i) => ({ ...i, shape: ["a", "b", "c", "d"] })) },
      [network.outputs[0].name],
    );
    const before = tf.memory().numTensors;
    const wrong = { [network.inputs[0].name]: randomTensor([1, 5, 4, 4], "wrong") };
    let failed = false;
    await program.run(wrong).catch(() => (failed = true));
    expect(failed).to.equal(true);
    expect(tf.memory().numTensors).to.equal(before);
    await program.dispose();
  });

  it("a trainer holds as many tensors after five steps as after one, and none when it is disposed", async () => {
    for (const test of cases) {
      const network = networkOf(test);
      const before = tf.memory().numTensors;
      const names = new Set(Object.keys(test.parameters));
      const options = {
        losses: [{ kind: "squared", output: "y", target: "target", weight: 1 }],
        optimizer: { kind: "adamw" },
        clipNorm: 1,
      } as const;
      const trainable = trainableParameters(network, { ...options, trainable: (name) => names.has(name) });
      const trainer = createTfjsTrainer(network, { options, trainable, threads: 1 });
      const target = randomTensor(inferShapes(network).get("y") ?? [], test.title);
      const once = async (): Promise<void> => {
        await trainer.step({ target }, 0.01);
        await trainer.gradients({ target });
        await trainer.state();
      };
      await once();
      const { numTensors, numDataBuffers } = tf.memory();
      for (let i = 0; i < 4; i++) await once();
      expect([tf.memory().numTensors, tf.memory().numDataBuffers], test.title).to.deep.equal([
        numTensors,
        numDataBuffers,
      ]);
      await trainer.restore(await trainer.state());
      expect(tf.memory().numTensors, test.title).to.equal(numTensors);
      await trainer.dispose();
      expect(tf.memory().numTensors, test.title).to.equal(before);
    }
  });
});
