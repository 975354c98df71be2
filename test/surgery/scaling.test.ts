import { expect } from "chai";
import type { Knee } from "../../lib/core/artifacts.ts";
import { createRandom } from "../../lib/core/random.ts";
import type { Network } from "../../lib/network/network.ts";
import { findTaps } from "../../lib/network/taps.ts";
import { applySurgery } from "../../lib/surgery/apply.ts";
import { planSurgery } from "../../lib/surgery/plan.ts";
import { scaleFilters } from "../../lib/surgery/scaling.ts";
import { patterns, sketch } from "../support/patterns.ts";
import { randomInputs, relativeDifference, run } from "../support/run.ts";

const networkOf = (title: string): Network => patterns.find((pattern) => pattern.title === title)!.network;
const numbers = (network: Network, name: string): number[] =>
  Array.from(network.parameters.get(name)!.data as Float32Array);

/** A knee at every tap that keeps half of the channels, with coefficients of both signs between 0.01 and 10. */
function randomKnees(network: Network, { q }: { readonly q: number }): Knee[] {
  const random = createRandom(network.name);
  return findTaps(network)
    .filter(({ tap }) => !network.outputs.some(({ name }) => name === tap))
    .map(({ tap, channels }) => {
      const all = random.shuffle(Array.from({ length: channels }, (_, i) => i));
      const keep = Uint32Array.from(all.slice(0, Math.ceil(channels / 2))).sort();
      const beta = Float64Array.from(
        { length: keep.length * q },
        () => 10 ** (3 * random.uniform() - 2) * (random.uniform() < 0.5 ? -1 : 1),
      );
      return { tap, index: 0, keep, beta, q };
    });
}

/** Taps where compensated scaling is refused, beside those behind an output. */
const refusals: Readonly<Record<string, RegExp>> = {
  "squeeze and excitation by convolutions, swish": /Sigmoid .* is not positively homogeneous/,
  "a dense block, normalisation first": /BatchNormalization .* normalises them with its own statistics/,
  "a gate that is spread over the map first": /Sigmoid/,
  "a spatial gate with one channel": /Sigmoid/,
  "Max, Min and Where over branches": /Greater/,
  "a weight that two layers share": /shares its weight with another layer/,
  "normalisations and slopes by channel":
    /InstanceNormalization .* normalises them|Clip .* is not positively homogeneous/,
  "local response normalisation and softmax over the channels":
    /(LRN|Softmax) .* is not positively homogeneous/,
  "an operator whose channels are not followed": /CumSum sums is not positively homogeneous/,
  "a product of two computed values": /./,
  "a ConvNeXt block: channels-last, layer normalisation, linear layers, layer scale": /LayerNormalization/,
};

describe("scaling: compensated", () => {
  for (const { title, network } of patterns) {
    it(`changes no output: ${title}`, async () => {
      const knees = randomKnees(network, { q: 1 });
      const { network: scaled, refused } = scaleFilters(network, knees, { scaling: "compensated" });
      const inputs = randomInputs(network, { batch: 2, seed: 4 });
      expect(relativeDifference(await run(scaled, inputs), await run(network, inputs))).to.be.at.most(1e-4);
      for (const { reason } of refused) expect(reason).to.match(refusals[title] ?? /^never$/);
    });
  }

  it("equals `none` after the cut, too, and did change the weights", async () => {
    const network = networkOf("a residual sum with a projection");
    const knees = randomKnees(network, { q: 1 });
    const plan = planSurgery(network, new Map(knees.map(({ tap, keep }) => [tap, keep])));
    const { network: scaled, refused } = scaleFilters(network, knees, { scaling: "compensated" });
    expect(refused).to.deep.equal([]);
    expect(numbers(scaled, "b1.weight")).not.to.deep.equal(numbers(network, "b1.weight"));
    const inputs = randomInputs(network, { batch: 2, seed: 5 });
    const [one, other] = [
      await run(applySurgery(scaled, plan), inputs),
      await run(applySurgery(network, plan), inputs),
    ];
    expect(relativeDifference(one, other)).to.be.at.most(1e-4);
  });

  it("scales a chain by |beta| over its mean, and divides the next layer's inputs by it", () => {
    const network = networkOf("a chain");
    const knee = { tap: "relu1", keep: Uint32Array.of(0, 3), beta: Float64Array.of(-1, 3), q: 1 };
    const { network: scaled } = scaleFilters(network, [knee], { scaling: "compensated" });
    const factor = [0.5, 1, 1, 1.5, 1, 1, 1, 1];
    numbers(network, "a.weight").forEach((w, i) => {
      expect(numbers(scaled, "a.weight")[i]).to.be.closeTo(w * factor[Math.floor(i / 27)], 1e-6);
    });
    numbers(network, "b.weight").forEach((w, i) => {
      expect(numbers(scaled, "b.weight")[i]).to.be.closeTo(w / factor[Math.floor(i / 9) % 8], 1e-6);
    });
  });
});

describe("scaling: paper", () => {
  it("is W' = beta W to the letter, sign included, the bias as it is; or with the bias", () => {
    const network = networkOf("a chain");
    const knee = { tap: "relu1", keep: Uint32Array.of(1, 6), beta: Float64Array.of(-0.25, 2), q: 1 };
    const { network: letter } = scaleFilters(network, [knee], { scaling: "paper" });
    const { network: scaled, notes } = scaleFilters(network, [knee], { scaling: "paper-bias" });
    const factor = [1, -0.25, 1, 1, 1, 1, 2, 1];
    const expected = (name: string, size: number) =>
      numbers(network, name).map((w, i) => Math.fround(w * factor[Math.floor(i / size)]));
    expect(numbers(scaled, "a.weight")).to.deep.equal(expected("a.weight", 27));
    expect(numbers(scaled, "a.bias")).to.deep.equal(expected("a.bias", 1));
    expect(numbers(scaled, "b.weight")).to.deep.equal(numbers(network, "b.weight"));
    expect(numbers(letter, "a.weight")).to.deep.equal(expected("a.weight", 27));
    for (const name of ["a.bias", "b.weight", "b.bias"])
      expect(numbers(letter, name), name).to.deep.equal(numbers(network, name));
    expect(notes).to.deep.equal([]);
  });

  it("takes the norm of the row with several outputs, and says so", () => {
    const network = networkOf("a chain");
    const knee = { tap: "relu1", keep: Uint32Array.of(2), beta: Float64Array.of(-3, 4), q: 2 };
    const { network: scaled, notes } = scaleFilters(network, [knee], { scaling: "paper-bias" });
    expect(numbers(scaled, "a.bias")[2]).to.equal(Math.fround(5 * numbers(network, "a.bias")[2]));
    expect(notes[0]).to.match(/norm of their row/);
  });

  it("scales the affine of the normalisation, in both branches of a sum", () => {
    const network = networkOf("a residual sum with a projection");
    const tap = findTaps(network).find(({ layers }) => layers.includes("c"))!.tap;
    const knee = { tap, keep: Uint32Array.of(4), beta: Float64Array.of(-2), q: 1 };
    const { network: scaled } = scaleFilters(network, [knee], { scaling: "paper-bias" });
    for (const name of ["c.bias", "down.bias"]) {
      expect(numbers(scaled, name)[4]).to.equal(-2 * numbers(network, name)[4]);
    }
    const s = sketch("normed");
    const x = s.relu(s.norm(s.layer(s.input("input", ["batch", 3, 8, 8]), "a", [3, 4]), 4));
    const normed = s.build([s.layer(x, "head", [4, 2])]);
    const half = { tap: x, keep: Uint32Array.of(1), beta: Float64Array.of(0.5), q: 1 };
    const letter = scaleFilters(normed, [half], { scaling: "paper" }).network;
    const filter = numbers(normed, "a.weight").map((w, i) => (Math.floor(i / 27) === 1 ? 0.5 * w : w));
    expect(numbers(letter, "a.weight")).to.deep.equal(filter);
    const result = scaleFilters(normed, [half], { scaling: "paper-bias" }).network;
    expect(numbers(result, "a.weight")).to.deep.equal(numbers(normed, "a.weight"));
    for (const part of ["scale", "bias"]) {
      const name = `batchNormalization1.${part}`;
      expect(numbers(result, name)[1]).to.equal(0.5 * numbers(normed, name)[1]);
      expect(numbers(letter, name)).to.deep.equal(numbers(normed, name));
    }
  });

  it("leaves the network alone with `none`", () => {
    const network = networkOf("a chain");
    expect(scaleFilters(network, randomKnees(network, { q: 1 }), { scaling: "none" }).network).to.equal(
      network,
    );
  });
});
