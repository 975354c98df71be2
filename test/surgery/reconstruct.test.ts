import { expect } from "chai";
import { Matrix, solve } from "ml-matrix";
import { createRandom } from "../../lib/core/random.ts";
import type { Network, Tensor } from "../../lib/network/network.ts";
import { withPooledTaps } from "../../lib/network/taps.ts";
import { applySurgery } from "../../lib/surgery/apply.ts";
import { planSurgery } from "../../lib/surgery/plan.ts";
import { predictFilters } from "../../lib/surgery/predict.ts";
import { reconstruct, statisticsOf, type TapStatistics } from "../../lib/surgery/reconstruct.ts";
import { patterns, pointwise, sketch, type Sketch } from "../support/patterns.ts";
import { randomInputs, relativeDifference, rounding, run } from "../support/run.ts";

/** Pooled statistics of taps over random inputs. */
async function measure(network: Network, taps: readonly string[]): Promise<Map<string, TapStatistics>> {
  const channels = (tap: string): number => shapes.get(tap)!;
  const shapes = new Map<string, number>();
  const inputs = randomInputs(network, { batch: 200, seed: 9 });
  const probe = withPooledTaps(
    network,
    taps.map((tap) => ({ tap, channels: 1 })),
  );
  const outputs = await run(probe.network, inputs);
  const found = new Map<string, TapStatistics>();
  for (const [tap, output] of probe.outputs) {
    shapes.set(tap, outputs[output].shape[1]);
    found.set(tap, statisticsOf(sums(outputs[output], channels(tap))));
  }
  return found;
}

function sums({ data, shape: [n] }: Tensor, p: number) {
  const sumX = new Float64Array(p);
  const xx = new Float64Array(p * p);
  for (let row = 0; row < n; row++) {
    for (let i = 0; i < p; i++) {
      sumX[i] += data[row * p + i];
      for (let j = 0; j < p; j++) xx[i * p + j] += data[row * p + i] * data[row * p + j];
    }
  }
  return {
    n,
    p,
    q: 0,
    sumX,
    sumY: new Float64Array(0),
    xx,
    xy: new Float64Array(0),
    yy: new Float64Array(0),
  };
}

/** A layer whose filters 4..7 are mixtures of its filters 0..3, bias included. */
function mixed(s: Sketch, x: string): string {
  const weights = s.random([8, 3, 3, 3]);
  const bias = s.random([8]).data;
  const mix = s.random([4, 4]).data;
  for (let r = 0; r < 4; r++) {
    for (let i = 0; i < 27; i++) {
      weights.data[(4 + r) * 27 + i] = [0, 1, 2, 3].reduce(
        (sum, k) => sum + mix[r * 4 + k] * weights.data[k * 27 + i],
        0,
      );
    }
    bias[4 + r] = 0.5 + [0, 1, 2, 3].reduce((sum, k) => sum + mix[r * 4 + k] * bias[k], 0);
  }
  return s.conv(x, { name: "mixed", weights, bias });
}

const first = new Map([["mixed", Uint32Array.of(0, 1, 2, 3)]]);

describe("reconstruct", () => {
  const heads: Record<string, (s: Sketch, x: string) => string> = {
    "a convolution": (s, x) =>
      s.conv(x, { name: "next", weights: s.random([5, 8, 3, 3]), bias: s.random([5]).data }),
    "a convolution without a bias": (s, x) => s.conv(x, { name: "next", weights: s.random([5, 8, 3, 3]) }),
    "a pool and a linear layer": (s, x) => s.dense(s.flatten(s.globalAveragePool(x)), "next", [8, 5]),
    "Flatten and a linear layer": (s, x) => s.dense(s.flatten(x), "next", [288, 5]),
    "Flatten of channels-last": (s, x) => s.dense(s.flatten(s.transpose(x, [0, 2, 3, 1])), "next", [288, 5]),
    "a product with a matrix": (s, x) =>
      s.matMul(s.flatten(s.averagePool(x, { kernel: 2, strides: 2 })), s.vector("w", [72, 5]), {
        name: "next",
      }),
  };
  for (const [title, head] of Object.entries(heads)) {
    it(`is exact for filters that are mixtures of kept ones: ${title}`, async () => {
      const s = sketch(title);
      const network = s.build([head(s, mixed(s, s.input("input", ["batch", 3, 8, 8])))]);
      const statistics = await measure(network, ["mixed"]);
      const plan = planSurgery(network, first);
      const { network: repaired, layers } = reconstruct(network, plan, statistics, { ridge: 1e-9 });
      const inputs = randomInputs(network, { batch: 4, seed: 10 });
      const whole = await run(network, inputs);
      expect(relativeDifference(await run(applySurgery(repaired, plan), inputs), whole)).to.be.at.most(1e-3);
      expect(relativeDifference(await run(applySurgery(network, plan), inputs), whole)).to.be.at.least(0.05);
      expect(layers[0].layer).to.equal("next");
      expect(layers[0].explained).to.be.closeTo(1, 1e-4);
    });
  }

  it("works within the groups of a convolution", async () => {
    const s = sketch("groups");
    // Channels 0, 1 | 2, 3 | ... are copies of each other: of each pair one may go.
    const weights = s.random([8, 3, 3, 3]);
    for (let i = 0; i < 8; i += 2) weights.data.copyWithin((i + 1) * 27, i * 27, (i + 1) * 27);
    const copies = s.conv(s.input("input", ["batch", 3, 8, 8]), { name: "copies", weights });
    const network = s.build([s.conv(copies, { name: "next", weights: s.random([6, 4, 3, 3]), group: 2 })]);
    const plan = planSurgery(network, new Map([["copies", Uint32Array.of(0, 2, 4, 6)]]));
    const { network: repaired } = reconstruct(network, plan, await measure(network, ["copies"]), {
      ridge: 1e-9,
    });
    const inputs = randomInputs(network, { batch: 4, seed: 11 });
    const difference = relativeDifference(
      await run(applySurgery(repaired, plan), inputs),
      await run(network, inputs),
    );
    expect(difference).to.be.at.most(1e-3);
  });

  it("brings a network nearer to the whole one than the bare cut does", async () => {
    const { network } = patterns.find(({ title }) => title === "inception branches")!;
    const taps = network.nodes
      .filter(({ op }) => op === "Relu" || op === "Concat")
      .map(({ outputs }) => outputs[0]);
    const plan = planSurgery(
      network,
      new Map([
        ["stem", Uint32Array.of(0, 1, 2, 5, 6)],
        ["q2", Uint32Array.of(0, 2, 3, 4, 6)],
      ]),
    );
    const { network: repaired } = reconstruct(network, plan, await measure(network, taps));
    const inputs = randomInputs(network, { batch: 8, seed: 12 });
    const whole = await run(network, inputs);
    const distance = async (other: Network): Promise<number> => {
      const { head } = await run(applySurgery(other, plan), inputs);
      return head.data.reduce((sum, value, i) => sum + (value - whole["head"].data[i]) ** 2, 0);
    };
    expect(await distance(repaired)).to.be.below(0.9 * (await distance(network)));
  });

  it("says where and why it did nothing", () => {
    const { network } = patterns.find(({ title }) => title.startsWith("depthwise"))!;
    const plan = planSurgery(network, new Map([["a", Uint32Array.of(0, 1)]]));
    const statistics = new Map([["relu1", { mean: new Float64Array(6), cov: new Float64Array(36) }]]);
    const { layers, network: same } = reconstruct(network, plan, statistics);
    expect(layers).to.deep.equal([
      { layer: "once", removed: 4, reason: "a depthwise convolution reads every channel by itself" },
      { layer: "twice", removed: 4, reason: "no moments of its input were harvested" },
      { layer: "head", removed: 8, reason: "no moments of its input were harvested" },
    ]);
    expect([...same.parameters]).to.deep.equal([...network.parameters]);
  });

  it("leaves a weight that two layers share alone, but not a shared bias", async () => {
    const s = sketch("shared");
    const x = mixed(s, s.input("input", ["batch", 3, 8, 8]));
    const [weight, bias] = [s.vector("shared", [5, 8, 1, 1]), s.vector("bias", [5])];
    const one = s.node("Conv", [x, weight], { name: "one" });
    const other = s.node("Conv", [s.relu(x), weight], { name: "other" });
    const third = s.node("Conv", [x, s.vector("own", [5, 8, 1, 1]), bias], { name: "third" });
    const fourth = s.node("Conv", [s.relu(x), s.vector("own2", [5, 8, 1, 1]), bias], { name: "fourth" });
    const heads = [one, other, third, fourth].map((value, i) => pointwise(s, value, `h${i}`, [5, 2]));
    const network = s.build(heads);
    const plan = planSurgery(network, first);
    const { network: repaired, layers } = reconstruct(network, plan, await measure(network, ["mixed"]), {
      ridge: 1e-9,
    });
    expect(layers[0].reason).to.equal("it shares its weight with another layer");
    const inputs = randomInputs(network, { batch: 4, seed: 13 });
    const bare = await run(applySurgery(network, plan), inputs);
    const folded = await run(applySurgery(repaired, plan), inputs);
    const whole = await run(network, inputs);
    expect(relativeDifference({ h2: folded["h2"] }, { h2: whole["h2"] })).to.be.at.most(1e-3);
    for (const name of ["h0", "h1", "h3"]) {
      expect(relativeDifference({ y: folded[name] }, { y: bare[name] }), name).to.be.at.most(rounding);
    }
  });
});

describe("predict", () => {
  it("solves the ridge normal equations", () => {
    const p = 6;
    const random = createRandom(1);
    const root = Matrix.from1DArray(
      9,
      p,
      Array.from({ length: 9 * p }, () => random.normal()),
    );
    const cov = root.transpose().mmul(root);
    const mean = Float64Array.from({ length: p }, () => random.normal());
    const keep = [1, 2, 5];
    const gone = [0, 3, 4];
    const found = predictFilters(
      { mean, cov: Float64Array.from(cov.to1DArray()) },
      { from: 0, to: p, stays: (channel) => keep.includes(channel), ridge: 0.1 },
    )!;
    const gram = cov.selection(keep, keep);
    const ridge = (0.1 * gram.trace()) / 3;
    const a = solve(Matrix.add(gram, Matrix.eye(3).mul(ridge)), cov.selection(keep, gone)).transpose();
    a.to1DArray().forEach((value, i) => expect(found.a[i]).to.be.closeTo(value, 1e-10));
    gone.forEach((channel, r) => {
      const predicted = keep.reduce((sum, kept, k) => sum + a.get(r, k) * mean[kept], 0);
      expect(found.c[r]).to.be.closeTo(mean[channel] - predicted, 1e-10);
    });
    const left = gone.map((channel, r) => {
      const row = a.getRowVector(r);
      const cross = row.mmul(cov.selection(keep, [channel])).get(0, 0);
      return cov.get(channel, channel) - 2 * cross + row.mmul(gram).mmul(row.transpose()).get(0, 0);
    });
    const variance = gone.reduce((sum, channel) => sum + cov.get(channel, channel), 0);
    expect(found.variance).to.be.closeTo(variance, 1e-10);
    expect(found.explained).to.be.closeTo(variance - left.reduce((sum, value) => sum + value), 1e-10);
  });

  it("gives dead kept channels zeros, and falls back to the mean where all are dead", () => {
    const cov = Float64Array.of(2, 0, 1, 0, 0, 0, 1, 0, 1);
    const mean = Float64Array.of(3, 5, 4);
    const partly = predictFilters(
      { mean, cov },
      { from: 0, to: 3, stays: (channel) => channel < 2, ridge: 1e-9 },
    )!;
    expect(partly.a[0]).to.be.closeTo(0.5, 1e-6);
    expect(partly.a[1]).to.equal(0);
    const dead = predictFilters(
      { mean, cov },
      { from: 0, to: 3, stays: (channel) => channel === 1, ridge: 1e-9 },
    )!;
    expect(Array.from(dead.a)).to.deep.equal([0, 0]);
    expect(Array.from(dead.c)).to.deep.equal([3, 4]);
    expect(dead.explained).to.equal(0);
  });
});
