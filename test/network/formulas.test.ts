import { expect } from "chai";
import { buildMobilenetV1 } from "../../lib/backbones/nets/mobilenet-v1.ts";
import { buildResnet18 } from "../../lib/backbones/nets/resnet.ts";
import { buildShufflenetV2 } from "../../lib/backbones/nets/shufflenet-v2.ts";
import { costOf } from "../../lib/network/cost.ts";
import { convolutionCosts, separableCosts } from "../../lib/network/formulas.ts";

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
});
