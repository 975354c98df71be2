import { expect } from "chai";
import { createRandom } from "../../lib/core/random.ts";
import { openEngine } from "../../lib/engine/open.ts";
import { noiseFor } from "../../lib/evaluate/profile.ts";
import { createBuilder, type Builder } from "../../lib/network/builder.ts";
import type { Network, Tensor } from "../../lib/network/network.ts";
import { calibrate } from "../../lib/quantize/calibrate.ts";
import { hardGatesAsConvolutions } from "../../lib/quantize/gates.ts";
import { placesOf } from "../../lib/quantize/places.ts";
import { quantized } from "../../lib/quantize/rewrite.ts";
import { withoutTails } from "../../lib/quantize/tails.ts";
import { randomInputs, relativeDifference, rounding, run } from "../support/run.ts";

const random = createRandom(12).fork("gates");
const weights = (...shape: number[]): Tensor => ({
  shape,
  data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => 0.3 * random.normal()),
});

/** A layer, something behind it, another layer, and a head. */
function sample(middle: (net: Builder, x: string) => string, { width = 32, side = 16 } = {}): Network {
  const net = createBuilder("sample");
  const image = net.input("image", ["batch", 3, side, side]);
  const x = net.conv(image, { name: "first", weights: weights(width, 3, 3, 3), pads: 1 });
  const y = net.conv(middle(net, x), { name: "second", weights: weights(width, width, 1, 1) });
  return net.build([
    net.gemm(net.flatten(net.globalAveragePool(net.relu(y))), { name: "head", weights: weights(4, width) }),
  ]);
}

const countOf = ({ nodes }: Network, op: string): number => nodes.filter((node) => node.op === op).length;

describe("int8: hard sigmoids", function () {
  this.timeout(60_000);
  const gates = {
    "times its input": (net, x) => net.mul(x, net.hardSigmoid(x, { alpha: 1 / 6 })),
    "of another slope and offset": (net, x) => net.mul(x, net.hardSigmoid(x, { alpha: 0.3, beta: 0.7 })),
    HardSwish: (net, x) => net.hardSwish(x),
    "HardSwish twice": (net, x) =>
      net.hardSwish(net.conv(net.hardSwish(x), { weights: weights(32, 32, 1, 1) })),
    "of averages": (net, x) => {
      const gate = net.conv(net.globalAveragePool(x), { weights: weights(32, 32, 1, 1) });
      return net.mul(x, net.hardSigmoid(gate));
    },
  } satisfies Readonly<Record<string, (net: Builder, x: string) => string>>;
  for (const [what, middle] of Object.entries(gates))
    it(`${what}: the same function as a convolution, and on bytes a few per cent from it`, async () => {
      const network = sample(middle);
      const made = hardGatesAsConvolutions(network);
      expect(countOf(made, "HardSigmoid") + countOf(made, "HardSwish")).to.equal(0);
      expect(countOf(made, "Conv")).to.be.above(countOf(network, "Conv"));
      const inputs = randomInputs(network, { batch: 4, seed: 1 });
      const expected = await run(network, inputs);
      expect(relativeDifference(await run(made, inputs), expected)).to.be.below(rounding);
      const engine = await openEngine({ engine: "ort", threads: 1 });
      try {
        const places = placesOf(made);
        const bytes = quantized(made, places, {
          ...(await calibrate(engine, made, places, [inputs])),
          bits: 7,
        });
        const kernels = await engine.kernels(bytes, noiseFor(bytes, 1), { runs: 2 });
        const ops = kernels.map(({ op }) => op);
        expect(ops).to.include("QLinearMul");
        expect(ops).to.not.include("Clip");
        expect(ops.filter((op) => op === "QLinearConv")).to.have.length(countOf(made, "Conv"));
        expect(relativeDifference(await run(bytes, inputs), expected)).to.be.within(1e-4, 0.1);
      } finally {
        await engine.dispose();
      }
    });

  it("stay as they are where floats make what they read, or read what they make", () => {
    for (const middle of [
      (net: Builder, x: string) => net.tanh(net.hardSigmoid(x)),
      (net: Builder, x: string) => net.hardSwish(net.tanh(x)),
      (net: Builder, x: string) => net.hardSwish(net.hardSigmoid(net.tanh(x))),
    ]) {
      const network = sample(middle);
      expect(hardGatesAsConvolutions(network)).to.equal(network);
    }
    const plain = sample((net, x) => net.relu(x));
    expect(hardGatesAsConvolutions(plain)).to.equal(plain);
  });
});

describe("int8: channels that depthwise kernels compute one by one", () => {
  const widthOf = (network: Network): number | undefined =>
    network.parameters.get(network.nodes.find(({ name }) => name === "each")?.inputs[1] ?? "")?.shape[0];
  const depthwise = (width: number, layers = 0): Network =>
    sample(
      (net, x) => {
        let y = x;
        for (let i = 0; i < layers; i++)
          y = net.relu(net.conv(y, { weights: weights(width, width, 3, 3), pads: 1 }));
        y = net.conv(net.relu(y), { name: "each", weights: weights(width, 1, 3, 3), group: width, pads: 1 });
        for (let i = 0; i < layers; i++)
          y = net.add(y, net.relu(net.conv(y, { weights: weights(width, width, 3, 3), pads: 1 })));
        return net.relu(y);
      },
      { width },
    );

  it("are filled up to 16 by zeros: the same function", async () => {
    for (const [before, after] of [
      [24, 32],
      [58, 64],
      [48, 48],
    ]) {
      const network = depthwise(before);
      const made = withoutTails(network);
      expect(widthOf(made)).to.equal(after);
      const inputs = randomInputs(network, { batch: 2, seed: 2 });
      expect(relativeDifference(await run(made, inputs), await run(network, inputs))).to.be.below(rounding);
    }
  });

  it("stay where that makes other layers more expensive than it saves", () => {
    expect(widthOf(withoutTails(depthwise(24, 4)))).to.equal(24);
    const dense = sample((net, x) => net.relu(x), { width: 24 });
    expect(withoutTails(dense)).to.equal(dense);
  });
});
