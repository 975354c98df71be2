import { expect } from "chai";
import { createRandom } from "../../lib/core/random.ts";
import { createBuilder } from "../../lib/network/builder.ts";
import { analyseCoupling } from "../../lib/network/coupling/analyse.ts";
import type { Coupling } from "../../lib/network/coupling/types.ts";
import { float32, type Network, type Tensor } from "../../lib/network/network.ts";
import { widthGroups } from "../../lib/surgery/allocate.ts";
import { applySurgery } from "../../lib/surgery/apply.ts";
import { planKeeping } from "../../lib/surgery/plan.ts";
import { vanishable } from "../../lib/surgery/vanish.ts";
import { randomInputs, relativeDifference, rounding, run } from "../support/run.ts";

const random = createRandom(12).fork("vanish");
const draw = (...shape: number[]): Tensor => ({
  shape,
  data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => 0.3 * random.normal()),
});

/** A stem, a residual block, a linear layer; the branch as `body` makes it of 8 channels. */
function residual(body: (net: ReturnType<typeof createBuilder>, x: string) => string): Network {
  const net = createBuilder("residual");
  let x = net.input("image", ["batch", 3, 12, 12]);
  x = net.relu(net.conv(x, { name: "stem", weights: draw(8, 3, 3, 3), bias: draw(8).data, pads: 1 }));
  x = net.relu(net.add(body(net, x), x, { name: "sum" }));
  x = net.flatten(net.globalAveragePool(x));
  return net.build([net.gemm(x, { name: "head", weights: draw(4, 8), bias: draw(4).data })]);
}

const plain = (net: ReturnType<typeof createBuilder>, x: string): string => {
  const a = net.relu(net.conv(x, { name: "a", weights: draw(6, 8, 3, 3), bias: draw(6).data, pads: 1 }));
  return net.conv(a, { name: "b", weights: draw(8, 6, 3, 3), bias: draw(8).data, pads: 1 });
};

const inverted = (net: ReturnType<typeof createBuilder>, x: string): string => {
  const a = net.relu(net.conv(x, { name: "a", weights: draw(12, 8, 1, 1), bias: draw(12).data }));
  const options = { name: "middle", weights: draw(12, 1, 3, 3), bias: draw(12).data, pads: 1, group: 12 };
  return net.conv(net.relu(net.conv(a, options)), { name: "b", weights: draw(8, 12, 1, 1) });
};

/** Everything stays but what `layer` makes, and one channel of the stem. */
function without(coupling: Coupling, layer: string): Uint8Array {
  const keep = new Uint8Array(coupling.classes).fill(1);
  const made = (name: string): Int32Array =>
    coupling.layers.find((each) => each.name === name)?.outputs ?? Int32Array.of();
  for (const atom of made(layer)) keep[coupling.classOf[atom]] = 0;
  keep[coupling.classOf[made("stem")[3]]] = 0;
  return keep;
}

/** The network with the weights of some layers zero, and the fourth channel that leaves the stem. */
function silenced(network: Network, layers: readonly string[]): Network {
  const parameters = new Map(network.parameters);
  for (const { name, inputs } of network.nodes) {
    const weight = parameters.get(inputs[1]);
    if (weight === undefined) continue;
    const data = Float32Array.from(weight.data as Float32Array);
    const inner = weight.shape.slice(2).reduce((a, b) => a * b, 1);
    // The channel's own numbers are zero wherever they are made, so nobody reads them.
    if (layers.includes(name)) data.fill(0);
    else if (name === "a" || name === "head")
      for (let o = 0; o < weight.shape[0]; o++)
        data.fill(0, (o * weight.shape[1] + 3) * inner, (o * weight.shape[1] + 4) * inner);
    parameters.set(inputs[1], float32(weight.shape, data));
  }
  return { ...network, parameters };
}

describe("surgery: branches that vanish", () => {
  for (const [title, body, gone] of [
    ["two convolutions", plain, ["a", "b"]],
    ["an inverted residual with a depthwise convolution", inverted, ["a", "middle", "b"]],
  ] as const)
    it(`a residual branch becomes its constant: ${title}`, async () => {
      const network = residual(body);
      const coupling = analyseCoupling(network);
      const keep = without(coupling, "a");
      for (const [id, bit] of keep.entries())
        if (bit === 0 && id !== keep.indexOf(0)) expect(vanishable(network, coupling).has(id)).to.equal(true);
      const plan = planKeeping(network, coupling, keep);
      const row = plan.rows.find(({ name }) => name === "a");
      expect(row).to.include({ kept: 0, reason: "its branch vanishes, a constant stays in its place" });
      const cut = applySurgery(network, plan, coupling);
      const names = cut.nodes.map(({ name }) => name);
      for (const name of gone.slice(0, -1)) expect(names).not.to.include(name);
      expect(cut.nodes.some(({ op }) => op === "Add")).to.equal(false);
      expect(plan.after.macs).to.be.lessThan(0.45 * plan.before.macs);
      const inputs = randomInputs(network, { batch: 2, seed: 3 });
      const expected = await run(silenced(network, ["b"]), inputs);
      expect(relativeDifference(await run(cut, inputs), expected)).to.be.below(rounding);
    });

  it("of two branches into one sum only one may vanish; gates, ends and plain chains never do", () => {
    const two = residual((net, x) => {
      const side = (name: string): string => {
        const inner = net.relu(net.conv(x, { name: `${name}1`, weights: draw(6, 8, 1, 1) }));
        return net.conv(inner, { name: `${name}2`, weights: draw(8, 6, 1, 1) });
      };
      return net.add(side("p"), side("q"), { name: "both" });
    });
    const may = (network: Network): string[] => {
      const coupling = analyseCoupling(network);
      const classes = vanishable(network, coupling);
      return coupling.layers
        .filter(({ outputs }) => classes.has(coupling.classOf[outputs[0]]))
        .map(({ name }) => name);
    };
    expect(may(two)).to.deep.equal(["p1"]);
    const gated = residual((net, x) => {
      const a = net.relu(net.conv(x, { name: "a", weights: draw(6, 8, 1, 1) }));
      const few = net.conv(net.globalAveragePool(a), { name: "few", weights: draw(3, 6, 1, 1) });
      const gate = net.conv(net.relu(few), { name: "gate", weights: draw(6, 3, 1, 1) });
      return net.conv(net.node("Mul", [a, net.node("Sigmoid", [gate])]), {
        name: "b",
        weights: draw(8, 6, 1, 1),
      });
    });
    expect(may(gated)).to.deep.equal([]);
    expect(may(residual(plain))).to.deep.equal(["a"]);
  });

  it("a group may go to nothing only where it can vanish, whatever the least is", () => {
    const network = residual(plain);
    const coupling = analyseCoupling(network);
    const losses = coupling.layers
      .filter(({ name }) => name === "a" || name === "stem")
      .map(({ output, outputs }) => ({ tap: output, loss: new Float64Array(outputs.length + 1) }));
    const options = { roundTo: 2, minFilters: 4, scores: new Float64Array(coupling.classes), losses };
    const leasts = (more: object): number[] =>
      widthGroups(coupling, { ...options, ...more }).map(({ least }) => least);
    expect(leasts({})).to.deep.equal([2, 2]);
    expect(leasts({ mayVanish: vanishable(network, coupling) })).to.deep.equal([2, 0]);
  });
});
