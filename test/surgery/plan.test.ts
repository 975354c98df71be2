import { expect } from "chai";
import fc from "fast-check";
import { isEtlError } from "../../lib/core/errors.ts";
import { analyseCoupling } from "../../lib/network/coupling/analyse.ts";
import { costOf } from "../../lib/network/cost.ts";
import type { Network } from "../../lib/network/network.ts";
import { applySurgery } from "../../lib/surgery/apply.ts";
import { selectByCriterion } from "../../lib/surgery/criteria.ts";
import { planSurgery, type Plan } from "../../lib/surgery/plan.ts";
import { patterns } from "../support/patterns.ts";
import { randomInputs, relativeDifference, rounding, run } from "../support/run.ts";

const networkOf = (title: string): Network => patterns.find((pattern) => pattern.title === title)!.network;
const residual = networkOf("a residual sum with a projection");
const select = (entries: Record<string, number[]>): Map<string, Uint32Array> =>
  new Map(Object.entries(entries).map(([name, keep]) => [name, Uint32Array.from(keep)]));
const kept = (plan: Plan, name: string): number[] =>
  Array.from(plan.layers.find((layer) => layer.name === name)!.keptOutputs);

describe("planSurgery", () => {
  it("unites what the taps of a class want", () => {
    const plan = planSurgery(residual, select({ a: [0, 1], b2: [1, 5] }));
    expect(kept(plan, "a")).to.deep.equal([0, 1, 5]);
    expect(kept(plan, "b2")).to.deep.equal([0, 1, 5]);
  });

  it("listens to the deepest tap with `last`", () => {
    const plan = planSurgery(residual, select({ b2: [1, 5], a: [0, 1] }), { groupSelect: "last" });
    expect(kept(plan, "a")).to.deep.equal([1, 5]);
  });

  it("lists kept inputs beside kept outputs, ascending", () => {
    const plan = planSurgery(residual, select({ a: [6, 2], b1: [4, 3] }));
    const b1 = plan.layers.find(({ name }) => name === "b1")!;
    expect(Array.from(b1.keptInputs)).to.deep.equal([2, 6]);
    expect(Array.from(b1.keptOutputs)).to.deep.equal([3, 4]);
    expect([b1.totalInputs, b1.totalOutputs, b1.op]).to.deep.equal([8, 6, "Conv"]);
    expect(Array.from(plan.layers.find(({ name }) => name === "b2")!.keptInputs)).to.deep.equal([3, 4]);
  });

  it("takes taps by the name of their value", () => {
    const tap = residual.nodes.find(({ op, inputs }) => op === "Relu" && inputs[0].startsWith("add"))!
      .outputs[0];
    expect(kept(planSurgery(residual, select({ [tap]: [3] })), "b2")).to.deep.equal([3]);
  });

  it("keeps at least minFilters of every layer, the best of the rest first", () => {
    const scores = new Map([["b1", [0, 5, 1, 9, 2, 3]]]);
    expect(kept(planSurgery(residual, select({ b1: [0] }), { minFilters: 3, scores }), "b1")).to.deep.equal([
      0, 1, 3,
    ]);
    expect(kept(planSurgery(residual, select({ b1: [2] }), { minFilters: 3 }), "b1")).to.deep.equal([
      0, 1, 2,
    ]);
    expect(kept(planSurgery(residual, select({ b1: [] })), "b1")).to.deep.equal([0]);
  });

  it("gives a tap as many channels of a grouped convolution as it asked for, most wanted positions first", () => {
    const network = networkOf("groups");
    const plan = planSurgery(network, select({ b: [0, 1, 6, 8, 14, 17] }));
    // Position 0 of three groups is wanted twice (0, 6), position 2 twice (8, 14), 1 and 5 once.
    expect(kept(plan, "b")).to.deep.equal([0, 2, 6, 8, 12, 14]);
    const scores = new Map([["b", Array.from({ length: 18 }, (_, i) => i)]]);
    expect(kept(planSurgery(network, select({ b: [0, 1, 5] }), { scores }), "b")).to.deep.equal([5, 11, 17]);
  });

  it("never empties the branch of a split", () => {
    const network = networkOf("split, one half transformed, concatenated");
    const plan = planSurgery(network, select({ stem: [0, 1] }));
    expect(kept(plan, "stem")).to.deep.equal([0, 1, 4]);
  });

  it("rounds up to multiples, never down, and says so where all stay", () => {
    const plan = planSurgery(residual, select({ a: [0, 1, 2, 3, 4], b1: [1, 2, 3, 4, 5] }), { roundTo: 4 });
    expect(kept(plan, "a").length).to.equal(8);
    expect(kept(plan, "b1").length).to.equal(6);
    expect(plan.layers.find(({ name }) => name === "b1")!.reason).to.match(/rounded up to a multiple of 4/);
  });

  it("rounds to the nearest multiple in the order of the scores: ties up, at least one, whole stays whole", () => {
    const scores = new Map([["a", [9, 8, 7, 6, 5, 4, 3, 2]]]);
    const width = (wanted: number): number[] => {
      const selection = select({ a: Array.from({ length: wanted }, (_, i) => i) });
      return kept(planSurgery(residual, selection, { roundTo: 4, rounding: "nearest", scores }), "a");
    };
    expect(width(1)).to.deep.equal([0, 1, 2, 3]);
    expect(width(5)).to.deep.equal([0, 1, 2, 3]);
    expect(width(6)).to.deep.equal([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(width(8)).to.have.length(8);
    const plan = planSurgery(residual, select({ a: [3, 4, 5, 6, 7] }), {
      ...{ roundTo: 4, rounding: "nearest", scores },
    });
    expect(kept(plan, "a"), "the lowest score leaves").to.deep.equal([3, 4, 5, 6]);
    expect(plan.rounding).to.deep.equal({ multiple: 4, added: 0, taken: 1 });
  });

  it("keeps on request", () => {
    const plan = planSurgery(residual, select({ b1: [1] }), { frozen: ["b1"] });
    expect(kept(plan, "b1").length).to.equal(6);
    expect(plan.rows.find(({ name }) => name === "b1")!.reason).to.match(/b1 is kept whole on request/);
  });

  it("gives every whole layer a reason", () => {
    const plan = planSurgery(residual, select({ b1: [0, 1, 2, 3, 4, 5] }));
    expect(plan.layers.map(({ name, reason }) => [name, reason])).to.deep.equal([
      ["a", "no tap speaks for its channels"],
      ["b1", "every channel was chosen"],
      ["b2", "no tap speaks for its channels"],
      ["down", "no tap speaks for its channels"],
      ["c", "no tap speaks for its channels"],
      ["head", "network output head"],
    ]);
  });

  it("refuses unknown names, channels that do not exist, and senseless minima", () => {
    const failing = [
      () => planSurgery(residual, select({ b3: [0] })),
      () => planSurgery(residual, select({ b1: [6] })),
      () => planSurgery(residual, select({}), { minFilters: 0 }),
      () => planSurgery(residual, select({}), { roundTo: 1.5 }),
    ];
    for (const call of failing)
      expect(call)
        .to.throw()
        .that.satisfies((error: unknown) => isEtlError(error, "usage"));
  });

  it("predicts the cost of the cut network exactly", () => {
    for (const { network, title } of patterns) {
      const coupling = analyseCoupling(network);
      const selection = selectByCriterion(network, coupling, { criterion: "l1", keep: 0.5, seed: 1 });
      const plan = planSurgery(network, selection, { coupling });
      expect(plan.after, title).to.deep.equal(costOf(applySurgery(network, plan)).total);
      expect(plan.before, title).to.deep.equal(costOf(network).total);
    }
  });

  it("costs less, the less is kept", () => {
    for (const { network, title } of patterns) {
      const coupling = analyseCoupling(network);
      const costs = [0.2, 0.4, 0.6, 0.8, 1].map((keep) => {
        const selection = selectByCriterion(network, coupling, { criterion: "random", keep, seed: 3 });
        return planSurgery(network, selection, { coupling }).after;
      });
      for (let i = 1; i < costs.length; i++) {
        expect(costs[i].macs, title).to.be.at.least(costs[i - 1].macs);
        expect(costs[i].params, title).to.be.at.least(costs[i - 1].params);
      }
    }
  });

  it("keeps all where all is wanted, whatever the rounding", () => {
    fc.assert(
      fc.property(fc.constantFrom(...patterns), fc.integer({ min: 1, max: 9 }), ({ network }, roundTo) => {
        const coupling = analyseCoupling(network);
        const selection = selectByCriterion(network, coupling, { criterion: "l2", keep: 1, seed: 0 });
        const plan = planSurgery(network, selection, { coupling, roundTo, minFilters: roundTo });
        return applySurgery(network, plan) === network;
      }),
    );
  });
});

describe("selectByCriterion", () => {
  it("keeps the filters with the largest norm of the whole class", () => {
    const coupling = analyseCoupling(residual);
    const norms = new Float64Array(8);
    for (const name of ["a.weight", "b2.weight"]) {
      const { data, shape } = residual.parameters.get(name)!;
      const size = data.length / shape[0];
      for (let i = 0; i < data.length; i++) norms[Math.floor(i / size)] += Math.abs(Number(data[i]));
    }
    const expected = Array.from(norms.keys())
      .sort((a, b) => norms[b] - norms[a])
      .slice(0, 4)
      .sort();
    const selection = selectByCriterion(residual, coupling, { criterion: "l1", keep: 0.5, seed: 0 });
    expect(Array.from(selection.get("a")!)).to.deep.equal(expected);
    expect(Array.from(selection.get("b2")!)).to.deep.equal(expected);
  });

  it("gives the same random choice for the same seed, another for another", () => {
    const coupling = analyseCoupling(residual);
    const choose = (seed: number) =>
      JSON.stringify([...selectByCriterion(residual, coupling, { criterion: "random", keep: 0.5, seed })]);
    expect(choose(1)).to.equal(choose(1));
    expect(choose(1)).not.to.equal(choose(2));
  });

  it("changes nothing by removing filters whose weights are zero", async () => {
    // The norm of the chain's first layer: four filters zero, biases too.
    const network = networkOf("a chain");
    const parameters = new Map(network.parameters);
    for (const name of ["a.weight", "a.bias"]) {
      const { data, shape, type } = network.parameters.get(name)!;
      const size = data.length / 8;
      const zeroed = Float32Array.from(data as Float32Array, (v, i) =>
        Math.floor(i / size) % 2 === 0 ? v : 0,
      );
      parameters.set(name, { type, shape, data: zeroed });
    }
    const zeroed = { ...network, parameters };
    const coupling = analyseCoupling(zeroed);
    const selection = selectByCriterion(zeroed, coupling, { criterion: "l2", keep: 0.5, seed: 0 });
    const plan = planSurgery(zeroed, selection, { coupling });
    expect(kept(plan, "a")).to.deep.equal([0, 2, 4, 6]);
    const inputs = randomInputs(zeroed, { batch: 3, seed: 2 });
    const difference = relativeDifference(
      await run(applySurgery(zeroed, plan), inputs),
      await run(zeroed, inputs),
    );
    expect(difference).to.be.at.most(rounding);
  });
});
