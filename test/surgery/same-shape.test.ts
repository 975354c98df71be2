import { expect } from "chai";
import fc from "fast-check";
import { analyseCoupling } from "../../lib/network/coupling/analyse.ts";
import { planSurgery } from "../../lib/surgery/plan.ts";
import { selectByCriterion } from "../../lib/surgery/criteria.ts";
import { tiedScores, selectSameShape } from "../../lib/surgery/same-shape.ts";
import { patterns } from "../support/patterns.ts";

describe("controls of a plan's shape", () => {
  it("keep as many channels as the plan in every layer, at the same cost, for every pattern", () => {
    fc.assert(
      fc.property(
        fc.nat(patterns.length - 1),
        fc.integer(),
        fc.double({ min: 0.5, max: 0.9, noNaN: true }),
        (index, seed, keep) => {
          const pattern = patterns[index];
          const { network } = pattern;
          const coupling = analyseCoupling(network);
          const plan = planSurgery(
            network,
            selectByCriterion(network, coupling, { criterion: "random", keep, seed }),
            { coupling },
          );
          const score = Float64Array.from({ length: coupling.classes }, (_, i) => Math.sin(seed + i * 7.1));
          const other = planSurgery(network, selectSameShape(coupling, plan.keep, score), { coupling });
          expect(
            other.rows.map(({ kept }) => kept),
            pattern.title,
          ).to.deep.equal(plan.rows.map(({ kept }) => kept));
          expect(other.after.macs).to.equal(plan.after.macs);
          // Two layers may share one stored parameter only where they keep the same positions of it.
          const read = coupling.uses.map(({ parameter }) => parameter);
          if (new Set(read).size === read.length) expect(other.after).to.deep.equal(plan.after);
        },
      ),
      { numRuns: 60 },
    );
  });

  it("take the channels with the highest scores; a class has the highest of all its taps", () => {
    const { network } = patterns.find(({ title }) => title === "a residual sum with a projection")!;
    const coupling = analyseCoupling(network);
    const plan = planSurgery(
      network,
      new Map([
        ["a", Uint32Array.of(0, 1, 2)],
        ["b2", Uint32Array.of(0)],
      ]),
      { coupling },
    );
    const valueOf = (layer: string): string => coupling.layers.find(({ name }) => name === layer)!.output;
    const score = tiedScores(
      coupling,
      new Map([
        [valueOf("a"), [0, 0.1, 0, 0, 0.2, 0, 0, 0]],
        [valueOf("b2"), [0, 0, 0, 0, 0, 0, 0, 0.9]],
      ]),
    );
    expect(Array.from(selectSameShape(coupling, plan.keep, score).get("a")!)).to.deep.equal([1, 4, 7]);
  });
});
