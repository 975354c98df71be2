import { expect } from "chai";
import { createRandom } from "../../lib/core/random.ts";
import { analyseCoupling } from "../../lib/network/coupling/analyse.ts";
import { applySurgery } from "../../lib/surgery/apply.ts";
import { keepAllPlan, planSurgery } from "../../lib/surgery/plan.ts";
import { maskNetwork } from "../support/mask.ts";
import { patterns } from "../support/patterns.ts";
import { randomInputs, relativeDifference, run } from "../support/run.ts";

describe("surgery: pruned network = masked network", () => {
  for (const { title, network, frozen } of patterns) {
    it(title, async () => {
      const coupling = analyseCoupling(network);
      const inputs = randomInputs(network, { batch: 2, seed: 1 });
      expect(applySurgery(network, keepAllPlan(network))).to.equal(network);
      for (const seed of [0, 1, 2]) {
        const random = createRandom(seed);
        const selection = new Map(
          coupling.layers.map(({ name, outputs }) => {
            const shuffled = random.shuffle(Array.from(outputs.keys()));
            const wanted = shuffled.slice(0, Math.ceil(outputs.length / 2));
            return [name, Uint32Array.from(wanted).sort()];
          }),
        );
        const plan = planSurgery(network, selection, { groupSelect: "last", coupling });
        const cut = applySurgery(network, plan);
        const difference = relativeDifference(
          await run(cut, inputs),
          await run(maskNetwork(network, plan), inputs),
        );
        expect(difference, `seed ${seed}`).to.be.at.most(1e-5);
        for (const { name, keptOutputs, totalOutputs, reason } of plan.layers) {
          if (keptOutputs.length === totalOutputs) expect(reason, name).to.be.a("string");
          const expected = frozen[name] ?? /^network output/;
          const coupled = coupling.layers.find((layer) => layer.name === name);
          const fixed =
            coupled?.outputs.every((atom) => coupling.frozen.has(coupling.classOf[atom])) === true;
          if (fixed) expect(reason, name).to.match(expected);
          else expect(frozen, `${name} should be frozen`).not.to.have.property(name);
          if (!fixed) expect(keptOutputs.length, name).to.be.below(totalOutputs);
        }
        if (Object.keys(frozen).length === 0) {
          expect(plan.after.macs).to.be.below(0.85 * plan.before.macs);
          expect(plan.after.params).to.be.below(0.85 * plan.before.params);
        }
      }
    });
  }
});
