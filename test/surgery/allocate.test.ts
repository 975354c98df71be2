import { expect } from "chai";
import { createRandom } from "../../lib/core/random.ts";
import { analyseCoupling } from "../../lib/network/coupling/analyse.ts";
import {
  keepBlocks,
  knapsackWidths,
  refillWidths,
  uniformWidths,
  widthGroups,
  type WidthGroup,
} from "../../lib/surgery/allocate.ts";
import { blocksOf } from "../../lib/surgery/choose.ts";
import { planKeeping } from "../../lib/surgery/plan.ts";
import { smallBackbone } from "../support/small-backbone.ts";

/** Groups of `most` blocks whose losses grow faster the more has left, as curves of errors do. */
function convexGroups(seed: number, most: readonly number[]): WidthGroup[] {
  const random = createRandom(seed);
  return most.map((count) => {
    const gains = Array.from({ length: count }, () => random.uniform()).sort((a, b) => b - a);
    const loss = new Float64Array(count + 1);
    for (let b = count - 1; b >= 0; b--) loss[b] = loss[b + 1] + gains[b];
    return { classes: [], unit: 1, least: 1, most: count, loss };
  });
}

const lossOf = (groups: readonly WidthGroup[], blocks: readonly number[]): number =>
  blocks.reduce((sum, count, g) => sum + groups[g].loss[count], 0);

/** All widths there are. */
function everyWidth(groups: readonly WidthGroup[]): number[][] {
  return groups.reduce<number[][]>(
    (all, { least, most }) =>
      all.flatMap((widths) => Array.from({ length: most - least + 1 }, (_, i) => [...widths, least + i])),
    [[]],
  );
}

describe("surgery: widths for a budget", () => {
  it("the knapsack's steps lose the least of all widths that cost as much, where costs add up", () => {
    for (let seed = 0; seed < 5; seed++) {
      const groups = convexGroups(seed, [4, 3, 5, 2]);
      const random = createRandom(`costs ${seed}`);
      const prices = groups.map(() => 1 + random.uniform());
      const cost = (blocks: readonly number[]): number =>
        blocks.reduce((sum, count, g) => sum + prices[g] * count, 0);
      for (const step of knapsackWidths(groups, cost)) {
        const limit = cost(step) + 1e-9;
        const rivals = everyWidth(groups).filter((blocks) => cost(blocks) <= limit);
        const best = Math.min(...rivals.map((blocks) => lossOf(groups, blocks)));
        expect(lossOf(groups, step)).to.be.closeTo(best, 1e-9);
      }
    }
  });

  it("takes the same blocks as looking at every group in every step, where widths are multiplied", () => {
    const groups = convexGroups(7, [6, 5, 6, 4]);
    const cost = (blocks: readonly number[]): number =>
      blocks.reduce((sum, count, g) => sum + count * (blocks[g + 1] ?? 1), 0);
    let looked = 0;
    const steps = knapsackWidths(groups, (blocks) => {
      looked += 1;
      return cost(blocks);
    });
    const blocks = groups.map(({ most }) => most);
    const expected = [[...blocks]];
    for (;;) {
      const ratios = groups.map(({ least, loss }, g) => {
        if (blocks[g] === least) return Infinity;
        const without = blocks.map((count, other) => (other === g ? count - 1 : count));
        return (loss[blocks[g] - 1] - loss[blocks[g]]) / (cost(blocks) - cost(without));
      });
      const next = ratios.indexOf(Math.min(...ratios));
      if (ratios[next] === Infinity) break;
      blocks[next] -= 1;
      expected.push([...blocks]);
    }
    expect(steps).to.deep.equal(expected);
    expect(looked).to.be.lessThan(groups.length * steps.length);
  });

  it("puts back the blocks that left last, as far as they fit", () => {
    const steps = [
      [3, 3],
      [3, 2],
      [2, 2],
      [2, 1],
      [1, 1],
    ];
    const cost = ([a, b]: readonly number[]): number => 5 * a + b;
    // what left last costs too much to come back, what left before does not
    expect(refillWidths(steps, 4, (blocks) => cost(blocks) <= 8)).to.deep.equal([1, 3]);
    expect(refillWidths(steps, 4, () => false)).to.deep.equal([1, 1]);
    expect(refillWidths(steps, 0, () => true)).to.deep.equal([3, 3]);
  });

  it("equal shares fall from all to the least, no group far from the others", () => {
    const groups = convexGroups(1, [4, 8, 16]);
    const steps = uniformWidths(groups);
    expect(steps[0]).to.deep.equal([4, 8, 16]);
    expect(steps.at(-1)).to.deep.equal([1, 1, 1]);
    for (const [i, step] of steps.entries()) {
      const shares = step.map((count, g) => count / groups[g].most);
      expect(Math.max(...shares) - Math.min(...shares)).to.be.at.most(1 / 4);
      if (i > 0) step.forEach((count, g) => expect(count).to.be.at.most(steps[i - 1][g]));
    }
  });

  it("groups of a network keep their best classes, the others stay whole", () => {
    const network = smallBackbone();
    const coupling = analyseCoupling(network);
    const [heard] = blocksOf(coupling).filter(
      ({ classes }) => classes.length > 4 && classes.every((id) => !coupling.frozen.has(id)),
    );
    const layer = coupling.layers.find(({ name }) => name === heard.layers[0]) ?? expect.fail("no layer");
    const total = layer.outputs.length;
    const loss = Float64Array.from({ length: total + 1 }, (_, n) => 1 - n / total);
    const scores = Float64Array.from({ length: coupling.classes }, (_, id) => -id);
    const options = { roundTo: 2, minFilters: 3, scores, losses: [{ tap: layer.output, loss }] };
    const groups = widthGroups(coupling, options);
    expect(groups).to.have.length(1);
    const [{ classes, unit, least, most, loss: lost }] = groups;
    expect([unit, least, most * unit]).to.deep.equal([2, 2, total]);
    expect(Array.from(lost)).to.deep.equal(
      Array.from({ length: most + 1 }, (_, b) => loss[Math.min(total, 2 * b)]),
    );
    const plan = planKeeping(network, coupling, keepBlocks(coupling, groups, [2]));
    for (const { name, keptOutputs, totalOutputs } of plan.layers) {
      const own = heard.layers.includes(name);
      expect(keptOutputs.length, name).to.equal(own ? 4 : totalOutputs);
    }
    expect(classes.slice(0, 4)).to.deep.equal([...heard.classes].sort((a, b) => a - b).slice(0, 4));
  });
});
