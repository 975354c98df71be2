import { expect } from "chai";
import { EtlError } from "../../lib/core/errors.ts";
import { analyseCoupling } from "../../lib/network/coupling/analyse.ts";
import type { CoupledLayer } from "../../lib/network/coupling/types.ts";
import { selectByCriterion, type ScoreOptions } from "../../lib/surgery/criteria.ts";
import { planSurgery } from "../../lib/surgery/plan.ts";
import { smallBackbone } from "../support/small-backbone.ts";

describe("surgery: a criterion of one's own", () => {
  const network = smallBackbone();
  const coupling = analyseCoupling(network);

  /** Sum of absolute weights of one filter, written as a user would: axis 0 of a convolution runs over filters. */
  const l1 = (layer: CoupledLayer, filter: number): number => {
    const { data, shape } = network.parameters.get(layer.weight) ?? expect.fail(layer.weight);
    const [outer, inner] = [shape[layer.weightOutputAxis], data.length / shape[layer.weightOutputAxis]];
    let sum = 0;
    for (let i = 0; i < inner; i++) {
      const at = layer.weightOutputAxis === 0 ? filter * inner + i : i * outer + filter;
      sum += Math.abs(Number(data[at]));
    }
    return sum;
  };

  it("the L1 norm as a score selects what the built-in one does", () => {
    const built = selectByCriterion(network, coupling, { criterion: "l1", keep: 0.5, seed: 0 });
    expect(selectByCriterion(network, coupling, { score: l1, keep: 0.5 })).to.deep.equal(built);
  });

  it("keeps the filters of the larger score, in all layers that are tied", () => {
    const selection = selectByCriterion(network, coupling, { score: (_, filter) => -filter, keep: 0.5 });
    for (const { name, outputs } of coupling.layers) {
      if (
        new Set(outputs).size < outputs.length ||
        outputs.some((atom) => coupling.frozen.has(coupling.classOf[atom]))
      )
        continue;
      const half = Math.max(1, Math.round(outputs.length / 2));
      expect(Array.from(selection.get(name) ?? [])).to.deep.equal(Array.from({ length: half }, (_, i) => i));
    }
  });

  it("reaches a number or a share of MACs with as much as it allows", () => {
    const macs = (options: ScoreOptions): number =>
      planSurgery(network, selectByCriterion(network, coupling, options), { coupling }).after.macs;
    const before = macs({ score: l1, keep: 1 });
    const half = macs({ score: l1, targetMacs: 0.5 });
    expect(half).to.be.at.most(before / 2);
    expect(half).to.be.greaterThan(before / 4);
    expect(macs({ score: l1, targetMacs: Math.floor(before / 2) })).to.equal(half);
    expect(macs({ score: l1, targetMacs: 2 * before })).to.equal(before);
  });

  it("refuses what makes no sense, and says where", () => {
    const bad = (options: ScoreOptions, message: RegExp, kind = "usage"): void => {
      expect(() => selectByCriterion(network, coupling, options))
        .to.throw(EtlError, message)
        .with.property("kind", kind);
    };
    bad({ score: l1 }, /neither keep nor targetMacs/);
    bad({ score: l1, keep: 0.5, targetMacs: 0.5 }, /both keep and targetMacs/);
    bad({ score: l1, keep: 50 }, /keep is 50/);
    bad({ score: l1, targetMacs: -1 }, /targetMacs is -1/);
    bad({ score: l1, targetMacs: 1e-9 }, /are left where every layer keeps as little/, "unsupported");
    bad({ score: () => NaN, keep: 0.5 }, /NaN for filter 0 of \S+, a finite number/);
  });
});
