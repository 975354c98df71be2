import { expect } from "chai";
import { isEtlError } from "../../lib/core/errors.ts";
import { createRandom } from "../../lib/core/random.ts";
import type { Engine, StepResult, Tensors, TrainingOptions } from "../../lib/engine/engine.ts";
import { openEngine } from "../../lib/engine/open.ts";
import { planOptimizer } from "../../lib/gradients/optimizers.ts";
import { createHalves, type Halves } from "../../lib/engine/ort/halves.ts";
import { createTrainingState } from "../../lib/engine/ort/training/state.ts";
import { trainableParameters } from "../../lib/engine/training.ts";
import { createBuilder } from "../../lib/network/builder.ts";
import type { Network, Tensor } from "../../lib/network/network.ts";

function random(shape: readonly number[], seed: number): Tensor {
  const source = createRandom(seed);
  const size = shape.reduce((product, dim) => product * dim, 1);
  const spread = Math.sqrt(2 / Math.max(1, size / shape[0]));
  return { shape, data: Float32Array.from({ length: size }, () => source.normal() * spread) };
}

/** 12 million multiplications a row: convolutions 3 -> 32 -> 32, a shortcut, mean, linear 32 -> 2. */
function net({ side = 64, dropout = false } = {}): Network {
  const b = createBuilder("halves");
  const bias = new Float32Array(32);
  const first = b.relu(
    b.conv(b.input("x", ["n", 3, side, side]), { weights: random([32, 3, 3, 3], 1), bias }),
  );
  const second = b.conv(first, { weights: random([32, 32, 3, 3], 2), bias, strides: 2, pads: 1 });
  const sum = b.relu(b.add(second, b.maxPool(first, { kernel: 2, strides: 2 })));
  const pooled = b.flatten(b.globalAveragePool(sum), { name: "features" });
  const kept = dropout ? b.node("Dropout", [pooled], { name: "drop" }) : pooled;
  return b.build([b.gemm(kept, { name: "y", weights: random([2, 32], 3), bias: new Float32Array(2) })]);
}

const drawn = new Map<string, Tensors>();

/** Labels, of which every third is unknown, and features to be distilled. */
function batch(n: number, seed = 7): Tensors {
  const key = `${n} ${seed}`;
  const inputs = drawn.get(key) ?? draw(n, seed);
  drawn.set(key, inputs);
  return inputs;
}

function draw(n: number, seed: number): Tensors {
  const label = Float32Array.from({ length: n * 2 }, (_, i) => ((i * i) % 5 > 2 ? 1 : 0));
  const known = Float32Array.from({ length: n * 2 }, (_, i) => (i % 3 === 0 ? 0 : 1));
  return {
    x: random([n, 3, 64, 64], seed),
    label: { shape: [n, 2], data: label },
    known: { shape: [n, 2], data: known },
    lesson: random([n, 32], seed + 1),
  };
}

const options: TrainingOptions = {
  losses: [
    { kind: "sigmoid-cross-entropy", output: "y", target: "label", mask: "known", weight: 1 },
    { kind: "squared", output: "features", target: "lesson", weight: 0.3 },
  ],
  optimizer: { kind: "sgd", momentum: 0.9 },
  clipNorm: 1,
};

async function halvesOf(
  network: Network,
  threads: number,
  trainable?: (name: string) => boolean,
): Promise<Halves | undefined> {
  const names = trainableParameters(network, { ...options, ...(trainable && { trainable }) });
  const setup = { options, trainable: names, threads };
  const plan = planOptimizer(options.optimizer);
  const state = createTrainingState(network, setup, { plan, block: 0 });
  const halves = createHalves({ network, setup, plan, block: 0, state });
  await halves?.dispose();
  return halves;
}

describe("engine/ort/halves", () => {
  const engines: Engine[] = [];
  before(async () => {
    for (const threads of [1, 2, 3]) engines.push(await openEngine({ engine: "ort", threads }));
  });
  after(async () => {
    for (const engine of engines) await engine.dispose();
  });

  it("takes batches that are worth it, of networks that can be halved", async () => {
    const halves = await halvesOf(net(), 2);
    expect([44, 43, 16].map((n) => halves?.takes(batch(n)))).to.deep.equal([true, true, false]);
    expect(halves?.takes({ ...batch(44), label: random([22, 4], 1) }), "rows differ").to.equal(false);
    expect(await halvesOf(net(), 1), "one thread").to.equal(undefined);
    expect(await halvesOf(net({ side: 16 }), 2), "too small").to.equal(undefined);
    expect(await halvesOf(net({ dropout: true }), 2), "drawn for the whole batch").to.equal(undefined);
  });

  it("leaves batch normalisation of the batch whole, and halves a frozen one", async () => {
    const b = createBuilder("normed");
    const ones = new Float32Array(32).fill(1);
    const x = b.conv(b.input("x", ["n", 3, 128, 128]), { weights: random([32, 3, 3, 3], 1), name: "c" });
    const normed = b.batchNorm(x, { name: "bn", scale: ones, bias: ones, mean: ones, variance: ones });
    const features = b.flatten(b.globalAveragePool(normed), { name: "features" });
    const network = b.build([b.gemm(features, { name: "y", weights: random([2, 32], 3) })]);
    expect(await halvesOf(network, 2)).to.equal(undefined);
    expect(await halvesOf(network, 2, (name) => !name.startsWith("bn"))).to.not.equal(undefined);
  });

  for (const n of [44, 45])
    it(`trains as the whole batch does, ${n} rows`, async () => {
      const seen: { results: StepResult[]; parameters: Map<string, Tensor> }[] = [];
      for (const engine of engines) {
        const trainer = await engine.compileTraining(net(), options);
        const results: StepResult[] = [];
        for (let i = 0; i < 4; i++) {
          results.push(await trainer.step(batch(n, 10 * i), { learningRate: 0.05 }));
        }
        seen.push({ results, parameters: await trainer.parameters() });
        await trainer.dispose();
      }
      const [whole, ...halved] = seen;
      for (const { results, parameters } of halved) {
        for (const [i, result] of results.entries()) {
          const expected = whole.results[i];
          expect(result.loss).to.be.closeTo(expected.loss, 2e-6 * expected.loss);
          expect(result.gradientNorm).to.be.closeTo(expected.gradientNorm, 2e-5 * expected.gradientNorm);
          result.terms.forEach((term, k) =>
            expect(term).to.be.closeTo(expected.terms[k], 2e-6 * Math.abs(expected.terms[k]) + 1e-7),
          );
        }
        for (const [name, { data }] of whole.parameters) {
          const own = parameters.get(name)?.data ?? new Float32Array();
          data.forEach((value, i) => expect(own[i], `${name} ${i}`).to.be.closeTo(value, 2e-6));
        }
      }
    });

  it("gives the same again, from a saved state too, also between batches that are taken whole", async () => {
    const sizes = [44, 3, 44, 46];
    const run = async (from: number, state?: Awaited<ReturnType<typeof snapshot>>) => {
      const trainer = await engines[1].compileTraining(net(), options);
      if (state !== undefined) await trainer.restore(state);
      for (const [i, n] of sizes.entries()) {
        if (i >= from) await trainer.step(batch(n, i), { learningRate: 0.05 });
      }
      const parameters = await trainer.parameters();
      await trainer.dispose();
      return [...parameters.values()].map(({ data }) => Array.from(data));
    };
    const snapshot = async (steps: number) => {
      const trainer = await engines[1].compileTraining(net(), options);
      for (const [i, n] of sizes.slice(0, steps).entries()) {
        await trainer.step(batch(n, i), { learningRate: 0.05 });
      }
      const state = await trainer.state();
      await trainer.dispose();
      return state;
    };
    const whole = await run(0);
    expect(await run(0)).to.deep.equal(whole);
    expect(await run(2, await snapshot(2))).to.deep.equal(whole);
  });

  it("refuses targets of another size, and goes on after it", async () => {
    const trainer = await engines[1].compileTraining(net(), options);
    await trainer.step(batch(44), { learningRate: 0.05 });
    const wrong = { ...batch(44), lesson: random([44, 31], 1) };
    let refusal: unknown;
    await trainer.step(wrong, { learningRate: 0.05 }).catch((error: unknown) => (refusal = error));
    expect(isEtlError(refusal, "usage") && refusal.message).to.equal(
      "lesson: 1364 values, 1408 for the shape [44, 32] were needed",
    );
    expect((await trainer.step(batch(44), { learningRate: 0.05 })).loss).to.be.a("number");
    await trainer.dispose();
  });
});
