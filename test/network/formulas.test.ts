import { expect } from "chai";
import type { Backbone } from "../../lib/backbones/backbone.ts";
import { buildMobilenetV1 } from "../../lib/backbones/nets/mobilenet-v1.ts";
import { buildResnet18 } from "../../lib/backbones/nets/resnet.ts";
import { buildShufflenetV2 } from "../../lib/backbones/nets/shufflenet-v2.ts";
import { buildVgg16, vggfacePreprocessing } from "../../lib/backbones/nets/vggface.ts";
import { trunkOf } from "../../lib/backbones/trunk.ts";
import { planRows } from "../../lib/jobs/cut/plan.ts";
import { analyseCoupling } from "../../lib/network/coupling/analyse.ts";
import { costOf } from "../../lib/network/cost.ts";
import { convolutionCosts, paperCost, separableCosts } from "../../lib/network/formulas.ts";
import type { Network } from "../../lib/network/network.ts";
import { applySurgery } from "../../lib/surgery/apply.ts";
import { planSurgery } from "../../lib/surgery/plan.ts";
import { tableOneRow } from "../support/table-one.ts";

/** A small VGG as a backbone. */
function smallBackbone(network: Network): Backbone {
  const facts = { title: "", preprocessing: vggfacePreprocessing, source: "", licence: "", fingerprint: "" };
  return { ...facts, name: "small", network, features: "fc7/relu", notes: [] };
}

describe("network/formulas", () => {
  it("add up to the cost of the convolutions", () => {
    for (const network of [
      buildMobilenetV1({ side: 64 }),
      buildShufflenetV2({ side: 64 }),
      buildResnet18({ side: 64 }),
    ]) {
      const layers = new Map(costOf(network).layers.map(({ name, macs }) => [name, macs]));
      for (const { name, macs } of convolutionCosts(network)) expect(macs, name).to.equal(layers.get(name));
    }
  });

  it("MobileNetV1: 13 separable convolutions, each 1 / N + 1 / D_K^2 of the standard one (eq. 7)", () => {
    const separable = separableCosts(buildMobilenetV1());
    expect(separable).to.have.length(13);
    const outputs = [64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024];
    separable.forEach(({ share }, i) => {
      expect(share).to.be.closeTo(1 / outputs[i] + 1 / 9, 1e-12);
    });
    // "Over 8 times" fewer operations than the standard convolutions, of all thirteen together.
    const sum = (of: (cost: (typeof separable)[number]) => number): number =>
      separable.reduce((all, cost) => all + of(cost), 0);
    expect(sum(({ standardMacs }) => standardMacs) / sum(({ macs }) => macs)).to.be.within(8, 9);
    // The paper's first block by hand: 3 * 3 * 32 * 112 * 112 + 32 * 64 * 112 * 112.
    expect(separable[0].macs).to.equal(3_612_672 + 25_690_112);
  });

  it("tells the kinds apart", () => {
    const kinds = convolutionCosts(buildMobilenetV1()).slice(0, 3);
    expect(kinds.map(({ kind, formula }) => [kind, formula])).to.deep.equal([
      ["standard", "D_K D_K M N D_F D_F"],
      ["depthwise", "D_K D_K M D_F D_F"],
      ["pointwise", "M N D_F D_F"],
    ]);
    expect(separableCosts(buildResnet18())).to.deep.equal([]);
  });

  it("VGGFace in the accounting of ETL's Table 1: 7.38E+11 operations, 5.80E+08 bytes whole", () => {
    const network = buildVgg16();
    expect(paperCost(network).flops.toExponential(2)).to.equal("7.38e+11");
    expect(paperCost(network).weights).to.equal(14_710_464);
    expect(costOf(network).total.bytes.toExponential(2)).to.equal("5.80e+8");
    // What is really computed: 15.5 G multiplications.
    expect(costOf(network).total.macs / 1e9).to.be.closeTo(15.48, 0.01);
    // The table's four pruned networks, FLOPS and size: of the convolutions alone.
    for (const [flops, size] of [
      [3.26e11, 2.59e7],
      [2.06e11, 1.64e7],
      [4.25e11, 3.39e7],
      [4.16e11, 3.32e7],
    ])
      expect(((flops / (224 * 224)) * 4) / size).to.be.closeTo(1, 0.005);
  });

  it("a head right behind VGGFace's convolutions leaves these alone", () => {
    const network = buildVgg16({ side: 32, widths: { filters: [4, 4, 4, 4, 8], linear: 16 }, classes: 5 });
    const backbone = smallBackbone(network);
    const trunk = trunkOf(backbone, { place: "task", outputs: 3 });
    const { layers } = costOf(trunk.network);
    expect(layers.map(({ name }) => name).slice(-2)).to.deep.equal(["conv5_3", "prediction"]);
    expect(layers.at(-1)?.params).to.equal(3 * 8 + 3);
    expect(trunk.notes[0]).to.match(
      /^fc6, fc7, fc8 leave \(.* MB\): heads read the averages of conv5_3\/relu$/,
    );
    expect(trunkOf(backbone, { outputs: 3 })).to.equal(backbone);
  });

  it("rows of Table 1 from a plan are those of the cut network, the true ones beside the paper's", () => {
    const network = buildVgg16({ side: 32, widths: { filters: [4, 6, 8, 8, 8], linear: 16 }, classes: 5 });
    const backbone = smallBackbone(network);
    const trunk = trunkOf(backbone, { place: "task", outputs: 1 });
    const keep = new Map([
      ["conv1_2/relu", Uint32Array.of(0, 2)],
      ["conv3_1/relu", Uint32Array.of(1, 4, 5)],
      ["conv5_3/relu", Uint32Array.of(0, 1, 2, 3, 7)],
    ]);
    const plan = planSurgery(trunk.network, keep, { coupling: analyseCoupling(trunk.network) });
    const row = tableOneRow({ layers: planRows(plan.layers), after: plan.after }, 32);
    const cut = applySurgery(trunk.network, plan);
    const { flops, bytes } = paperCost(cut);
    const { total } = costOf(cut);
    expect(row).to.deep.include({ paperFlops: flops, paperBytes: bytes });
    expect(row).to.deep.include({ macs: total.macs, bytes: total.bytes });
    expect(row.filters).to.deep.equal([92 - 2 - 5 - 3, 92]);
  });
});
