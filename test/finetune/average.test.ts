import { expect } from "chai";
import { isEtlError } from "../../lib/core/errors.ts";
import { silent } from "../../lib/core/progress.ts";
import { createRandom } from "../../lib/core/random.ts";
import type { Engine, Tensors } from "../../lib/engine/engine.ts";
import { openEngine } from "../../lib/engine/open.ts";
import { averagedEpochs, meanWeights } from "../../lib/finetune/average.ts";
import { finetune } from "../../lib/finetune/finetune.ts";
import type { Checkpoint, FinetuneOptions, Validation } from "../../lib/finetune/options.ts";
import { createBuilder } from "../../lib/network/builder.ts";
import type { Network, Tensor } from "../../lib/network/network.ts";

const one = (...values: number[]): Tensor => ({ shape: [values.length], data: Float32Array.from(values) });

describe("weight averaging", () => {
  it("counts the epochs of the second half", () => {
    const counts = (epochs: number): number[] =>
      Array.from({ length: epochs + 1 }, (_, epoch) => averagedEpochs(epoch, epochs));
    expect(counts(1)).to.deep.equal([0, 1]);
    expect(counts(2)).to.deep.equal([0, 0, 1]);
    expect(counts(5)).to.deep.equal([0, 0, 0, 1, 2, 3]);
  });

  it("is the mean, epoch after epoch, and leaves earlier means alone", () => {
    const epochs = [one(1, 4), one(3, 0), one(8, 2)].map((w) => new Map([["w", w]]));
    const first = meanWeights(undefined, epochs[0], 1);
    const second = meanWeights(first, epochs[1], 2);
    const third = meanWeights(second, epochs[2], 3);
    expect([...(first.get("w")?.data ?? [])]).to.deep.equal([1, 4]);
    expect([...(second.get("w")?.data ?? [])]).to.deep.equal([2, 2]);
    expect([...(third.get("w")?.data ?? [])]).to.deep.equal([4, 2]);
  });

  describe("in a training run", () => {
    const linear = (): Network => {
      const net = createBuilder("linear");
      const x = net.input("x", ["n", 3]);
      const weights = { shape: [1, 3], data: new Float32Array(3) };
      return net.build([net.gemm(x, { name: "y", weights, bias: new Float32Array(1) })]);
    };
    let engine: Engine;
    before(async () => {
      engine = await openEngine({ engine: "ort", threads: 1 });
    });
    after(() => engine.dispose());

    const batch = (seed: number): Tensors => {
      const random = createRandom(seed);
      const x = Float32Array.from({ length: 24 }, () => random.normal());
      const y = Float32Array.from({ length: 8 }, (_, i) => x[3 * i] - 2 * x[3 * i + 1] + random.normal());
      return { x: { shape: [8, 3], data: x }, etl_target: { shape: [8, 1], data: y } };
    };
    /** Four epochs of three steps; `judge` sees what is validated, in turn. */
    const options = (judge: (network: Network) => Validation): FinetuneOptions => ({
      engine,
      losses: [{ kind: "squared", output: "y", target: "etl_target", weight: 1 }],
      // eslint-disable-next-line @typescript-eslint/require-await
      batches: async function* (epoch) {
        for (let step = 0; step < 3; step++) yield batch(10 * epoch + step);
      },
      stepsPerEpoch: 3,
      epochs: 4,
      learningRate: 0.05,
      validate: (network) => Promise.resolve(judge(network)),
      validationSize: 100,
      average: true,
    });
    const weightsOf = (network: Network): number[] =>
      [...network.parameters.values()].flatMap(({ data }) => Array.from(data as Float32Array));
    const calls = { falling: (n: number) => 10 - n, rising: (n: number) => n };

    it("keeps the mean where it is better, and says so", async () => {
      const seen: number[][] = [];
      const result = await finetune(
        linear(),
        options((network) => {
          seen.push(weightsOf(network));
          return { accuracy: 0.5, loss: calls.falling(seen.length) };
        }),
      );
      // epochs 0 to 3, epoch 4, and the mean of the last two
      expect(seen).to.have.length(6);
      const [, , , third, fourth, mean] = seen;
      mean.forEach((value, i) => expect(value).to.be.closeTo((third[i] + fourth[i]) / 2, 1e-6));
      expect(weightsOf(result.network)).to.deep.equal(mean);
      expect(result.history.map(({ averaged = false }) => averaged)).to.deep.equal([
        ...[false, false, false, false, true],
      ]);
    });

    it("keeps an epoch's own weights where they are better", async () => {
      const seen: number[][] = [];
      const result = await finetune(
        linear(),
        options((network) => {
          seen.push(weightsOf(network));
          return { accuracy: 0.5 + 0.1 * Math.min(seen.length, 5), loss: calls.rising(seen.length) };
        }),
      );
      expect(weightsOf(result.network)).to.deep.equal(seen[4]);
      expect(result.history.some(({ averaged }) => averaged === true)).to.equal(false);
    });

    it("keeps the best epoch where a later one diverges, and says at the epoch what to do", async () => {
      const seen: number[][] = [];
      const warnings: string[] = [];
      const result = await finetune(linear(), {
        ...options((network) => {
          seen.push(weightsOf(network));
          return { accuracy: 0.9, loss: seen.length > 3 ? Number.NaN : calls.falling(seen.length) };
        }),
        progress: { ...silent, warn: (text) => void warnings.push(text) },
      });
      expect(weightsOf(result.network)).to.deep.equal(seen[2]);
      expect(result.bestEpoch).to.equal(2);
      expect(result.history.map(({ valLoss }) => valLoss)).to.deep.equal([9, 8, 7, null, null]);
      expect(warnings[0]).to.match(/epoch 3: .*is NaN.*best epoch before it is kept, try a smaller learning/);
    });

    it("says which rates were tried where all of them diverge", async () => {
      const nothing = { accuracy: 0.9, loss: Number.NaN };
      const refused: unknown = await finetune(linear(), {
        ...options(() => nothing),
        learningRate: [0.1, 0.05],
      }).catch((error: unknown) => error);
      expect(isEtlError(refused, "engine") && refused.message).to.contain("every learning rate of 0.1, 0.05");
      expect(isEtlError(refused) && refused.hint).to.equal("try a smaller learning rate than 0.05");
    });

    it("goes on with the mean after a stop", async () => {
      const judge = (network: Network): Validation => ({
        accuracy: 0.5,
        loss: weightsOf(network).reduce((sum, w) => sum + w * w, 0),
      });
      const points: Checkpoint[] = [];
      const whole = await finetune(linear(), {
        ...options(judge),
        checkpoint: {
          load: () => Promise.resolve(undefined),
          save: (point) => Promise.resolve(void points.push({ ...point, history: [...point.history] })),
        },
      });
      const resumed = await finetune(linear(), {
        ...options(judge),
        checkpoint: { load: () => Promise.resolve(points.at(-1)), save: () => Promise.resolve() },
      });
      // nothing to keep at the start, and the last epoch is the result itself
      expect(points.map(({ history }) => history.length)).to.deep.equal([2, 3, 4]);
      expect(weightsOf(resumed.network)).to.deep.equal(weightsOf(whole.network));
      expect(resumed.history.map(({ valLoss }) => valLoss)).to.deep.equal(
        whole.history.map(({ valLoss }) => valLoss),
      );
    });
  });
});
