import { expect } from "chai";
import fc from "fast-check";
import type { PageCurve } from "../../../lib/report/client/data.ts";
import { kneeAt } from "../../../lib/report/client/knee.ts";
import { sampleRecord } from "../sample.ts";
import { pageCurves } from "../../../lib/report/sections/curves.ts";

function curveOf(filters: readonly number[], train: readonly number[]): PageCurve {
  return { tap: "t", layer: "l", total: 10, filters, train, chosen: 0, knee: -1 };
}

describe("report/knee: equation 4 in the page", () => {
  const curve = curveOf([0, 1, 2, 4, 8], [1, 0.6, 0.3, 0.1, 0]);

  it("takes the fewest filters strictly within the limit", () => {
    expect(kneeAt(curve, "train", 0.31, 1)).to.equal(2);
    expect(kneeAt(curve, "train", 0.3, 1)).to.equal(3);
    expect(kneeAt(curve, "train", 1e-9, 1)).to.equal(4);
  });

  it("keeps everything at gamma 0, and the minimum elsewhere", () => {
    expect(kneeAt(curve, "train", 0, 1)).to.equal(-1);
    expect(kneeAt(curve, "train", 0.99, 3)).to.equal(3);
    expect(kneeAt(curve, "train", 0.99, 100)).to.equal(4);
  });

  it("takes the smaller error among equals, and copes with a flat curve", () => {
    expect(kneeAt(curveOf([0, 2, 2, 3], [1, 0.4, 0.3, 0]), "train", 0.5, 1)).to.equal(2);
    expect(kneeAt(curveOf([0, 2, 3], [0.5, 0.5, 0.5]), "train", 0.1, 1)).to.equal(1);
  });

  it("never keeps more at a larger gamma", () => {
    const set = pageCurves(sampleRecord(), "x");
    const gammas = fc.double({ min: 1e-6, max: 0.98, noNaN: true });
    fc.assert(
      fc.property(gammas, gammas, fc.nat(set.curves.length - 1), (a, b, i) => {
        const kept = [Math.min(a, b), Math.max(a, b)].map(
          (gamma) => set.curves[i].filters[kneeAt(set.curves[i], "heldout", gamma, 2)],
        );
        expect(kept[0]).to.be.at.least(kept[1]);
      }),
    );
  });
});
