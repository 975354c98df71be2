import { readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect } from "chai";
import { loadBackbone } from "../../lib/backbones/catalogue.ts";
import { buildDmmCnn, subjectiveAmong, subjectiveAttributes } from "../../lib/backbones/nets/dmm-cnn.ts";
import { buildEfficientnetB0 } from "../../lib/backbones/nets/efficientnet.ts";
import { buildLeviHassner } from "../../lib/backbones/nets/levi-hassner.ts";
import { architectureOf } from "../../lib/backbones/architecture.ts";
import { nets } from "../../lib/backbones/entries.ts";
import { buildLmtcnn } from "../../lib/backbones/nets/lmtcnn.ts";
import { buildMobilenetV1 } from "../../lib/backbones/nets/mobilenet-v1.ts";
import { buildMobilenetV2 } from "../../lib/backbones/nets/mobilenet-v2.ts";
import { buildShufflenetV2 } from "../../lib/backbones/nets/shufflenet-v2.ts";
import { assignWeights } from "../../lib/backbones/weights.ts";
import { CELEBA_ATTRIBUTES } from "../../lib/data/sources/celeba-attributes.ts";
import { costOf } from "../../lib/network/cost.ts";
import { foldBatchNorm } from "../../lib/network/fold-batch-norm.ts";
import { producersOf, type Network } from "../../lib/network/network.ts";
import { lightBuilds } from "../support/architectures.ts";
import { hashedWeights, noise } from "../support/hashed.ts";
import { run } from "../support/run.ts";

const folder = resolve(import.meta.dirname, "../../fixtures/light-networks");

interface Fixture {
  readonly network: string;
  readonly counts: { readonly side: number; readonly macs: number; readonly params: number };
  readonly side: number;
  readonly names: readonly (readonly [name: string, shape: readonly number[]])[];
  readonly shape: readonly [number, number];
  readonly outputs: readonly number[];
}

const macsAndParams = (network: Network): [number, number] => {
  const { macs, params } = costOf(network).total;
  return [macs, params];
};

/** All outputs of a run in one row per picture. */
function rowsOf(results: Awaited<ReturnType<typeof run>>, names: readonly string[], n: number): number[] {
  return Array.from({ length: n }).flatMap((_, i) =>
    names.flatMap((name) => {
      const { data } = results[name];
      return Array.from(data.subarray((i * data.length) / n, ((i + 1) * data.length) / n));
    }),
  );
}

describe("backbones: light networks", function () {
  this.timeout(60_000);

  describe("published counts", () => {
    const published: [title: string, build: () => Network, millions: number, params: number][] = [
      ["MobileNetV1 1.0 at 224: 569 M, 4.2 M", () => buildMobilenetV1(), 569, 4.2],
      ["MobileNetV1 0.75: 325 M, 2.6 M", () => buildMobilenetV1({ width: 0.75 }), 325, 2.6],
      ["MobileNetV1 0.5: 149 M, 1.3 M", () => buildMobilenetV1({ width: 0.5 }), 149, 1.3],
      ["MobileNetV1 0.25: 41 M, 0.5 M", () => buildMobilenetV1({ width: 0.25 }), 41, 0.5],
      ["MobileNetV1 at 192: 418 M", () => buildMobilenetV1({ side: 192 }), 418, 4.2],
      ["MobileNetV1 at 160: 290 M", () => buildMobilenetV1({ side: 160 }), 290, 4.2],
      ["MobileNetV1 at 128: 186 M", () => buildMobilenetV1({ side: 128 }), 186, 4.2],
      ["MobileNetV2 1.0: 300 M, 3.5 M", () => buildMobilenetV2(), 300, 3.5],
      ["ShuffleNetV2 x1: 146 M, 2.3 M", () => buildShufflenetV2(), 146, 2.3],
      ["ShuffleNetV2 x0.5: 41 M, 1.4 M", () => buildShufflenetV2({ width: 0.5 }), 41, 1.4],
      ["EfficientNet-B0: 390 M, 5.3 M", () => buildEfficientnetB0(), 390, 5.3],
    ];
    for (const [title, build, millions, params] of published) {
      it(title, () => {
        const { total } = costOf(build());
        expect(total.macs / 1e6).to.be.closeTo(millions, 0.015 * millions);
        expect(total.params / 1e6).to.be.closeTo(params, 0.05);
      });
    }

    it("age and gender: the sizes of the LMTCNN paper's Table 4, two networks for Levi-Hassner", () => {
      const bytes = (network: Network): number => costOf(network).total.bytes / 1e6;
      const pair = bytes(buildLeviHassner()) + bytes(buildLeviHassner({ classes: 2 }));
      const [one, two] = [bytes(buildLmtcnn()), bytes(buildLmtcnn({ widths: [2, 1] }))];
      expect([pair, one, two].map((size) => Math.floor(10 * size) / 10)).to.deep.equal([70.8, 8.7, 30]);
    });

    it("DMM-CNN: about 360 MB, 28,672 features for the subjective attributes", () => {
      const network = buildDmmCnn();
      expect(costOf(network).total.bytes / 1e6).to.be.closeTo(360, 10);
      expect(network.parameters.get("subjective.0.weight")?.shape).to.deep.equal([2048, 28_672]);
      expect(network.outputs.map(({ shape }) => shape[1])).to.deep.equal([40, 144]);
    });
  });

  it("18 of CelebA's 40 attributes are subjective, 22 objective", () => {
    expect(subjectiveAttributes).to.have.length(18);
    expect(subjectiveAmong(CELEBA_ATTRIBUTES)).to.have.length(18);
  });

  describe("against PyTorch", () => {
    for (const file of readdirSync(folder)) {
      it(`${file}: the same counts, names and outputs`, async () => {
        const fixture = JSON.parse(readFileSync(resolve(folder, file), "utf8")) as Fixture;
        const { counts, names, side, shape, outputs } = fixture;
        const [full, small] = lightBuilds[fixture.network];
        expect(macsAndParams(full())).to.deep.equal([counts.macs, counts.params]);
        const network = assignWeights(small(side), hashedWeights(names), file);
        const input = { image: { shape: [2, 3, side, side], data: noise("image", 6 * side * side) } };
        for (const variant of [network, foldBatchNorm(network)]) {
          const results = await run(variant, input);
          const found = rowsOf(
            results,
            variant.outputs.map(({ name }) => name),
            shape[0],
          );
          const scale = Math.max(...outputs.map(Math.abs));
          expect(found).to.have.length(outputs.length);
          const worst = Math.max(...found.map((value, i) => Math.abs(value - outputs[i])));
          expect(worst / scale).to.be.below(1e-4);
        }
      });
    }
  });

  it("forty heads: a dropout of 0.2 and one neuron each in place of one layer, the same counts", () => {
    const { build, recipe } = architectureOf("mobilenet-v2");
    const options = { heads: [{ name: "prediction", outputs: 40 }], side: 32, dropout: recipe.dropout };
    const [one, each] = (["one", "each"] as const).map((headKind) => build({ ...options, headKind }));
    expect(macsAndParams(each)).to.deep.equal(macsAndParams(one));
    const count = (network: Network, op: string): number =>
      network.nodes.filter((node) => node.op === op).length;
    expect([one, each].map((network) => [count(network, "Dropout"), count(network, "Gemm")])).to.deep.equal([
      [1, 1],
      [40, 40],
    ]);
    const shares = [...each.parameters].filter(([name]) => name.endsWith("dropout.ratio"));
    expect(shares.map(([, { data }]) => Number(data[0]).toFixed(2))).to.deep.equal(Array(40).fill("0.20"));
  });

  it("every one is a backbone that can start from nothing", async () => {
    const small = nets.filter(({ name, training }) => training !== undefined && name !== "dmm-cnn");
    for (const facts of small) {
      const { network, features, embedding, preprocessing, notes } = await loadBackbone(facts.name, {
        weights: "random",
      });
      const made = producersOf(network);
      expect(
        [features, embedding ?? ""].every((value) => made.has(value)),
        facts.name,
      ).to.equal(true);
      expect(preprocessing.width).to.equal(facts.preprocessing.width);
      expect(notes).to.have.length(1);
    }
  });
});
