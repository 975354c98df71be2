import { expect } from "chai";
import { createRandom } from "../../lib/core/random.ts";
import { openEngine } from "../../lib/engine/open.ts";
import { noiseFor } from "../../lib/evaluate/profile.ts";
import { createBuilder, type Builder } from "../../lib/network/builder.ts";
import { float32, type Network, type Tensor } from "../../lib/network/network.ts";
import { calibrate } from "../../lib/quantize/calibrate.ts";
import { byChannelAsConvolutions } from "../../lib/quantize/by-channel.ts";
import { placesOf } from "../../lib/quantize/places.ts";
import { outputQuality } from "../../lib/quantize/quality.ts";
import { quantize } from "../../lib/quantize/quantize.ts";
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

/** A number for each channel, or one for all, as exports write it. */
const numbers = (net: Builder, label: string, shape: number[], value?: number): string =>
  net.parameter(label, float32(shape, value === undefined ? weights(...shape).data : Float32Array.of(value)));

describe("int8: what treats each channel by itself", function () {
  this.timeout(60_000);
  const gates = {
    "a hard sigmoid times its input": (net, x) => net.mul(x, net.hardSigmoid(x, { alpha: 1 / 6 })),
    "a hard sigmoid of another slope and offset": (net, x) =>
      net.mul(x, net.hardSigmoid(x, { alpha: 0.3, beta: 0.7 })),
    HardSwish: (net, x) => net.hardSwish(x),
    "HardSwish twice": (net, x) =>
      net.hardSwish(net.conv(net.hardSwish(x), { weights: weights(32, 32, 1, 1) })),
    "a hard sigmoid of averages": (net, x) => {
      const gate = net.conv(net.globalAveragePool(x), { weights: weights(32, 32, 1, 1) });
      return net.mul(x, net.hardSigmoid(gate));
    },
    "a norm of a sum": (net, x) => {
      const sum = net.add(x, net.conv(x, { weights: weights(32, 32, 1, 1) }));
      const draw = (): Float32Array => weights(32).data;
      const variance = draw().map((value) => value * value + 0.1);
      return net.relu(net.batchNorm(sum, { scale: draw(), bias: draw(), mean: draw(), variance }));
    },
    "HardSwish, written out": (net, x) => {
      const line = net.add(x, numbers(net, "three", [1], 3));
      const [low, high] = [numbers(net, "low", [], 0), numbers(net, "high", [], 6)];
      const cut = net.node("Clip", [line, low, high]);
      return net.node("Div", [net.mul(x, cut), numbers(net, "six", [], 6)]);
    },
    "scales and shifts": (net, x) => {
      const scaled = net.mul(numbers(net, "scale", [1, 32, 1, 1]), x);
      const from = net.node("Sub", [numbers(net, "one", [1], 1), scaled]);
      const less = net.node("Sub", [from, numbers(net, "less", [32, 1, 1])]);
      return net.relu(less);
    },
  } satisfies Readonly<Record<string, (net: Builder, x: string) => string>>;
  const own = /^(HardSigmoid|HardSwish|BatchNormalization|Sub|Div)$/;
  for (const [what, middle] of Object.entries(gates))
    it(`${what}: the same function as a convolution, and on bytes a few per cent from it`, async () => {
      const network = sample(middle);
      const made = byChannelAsConvolutions(network);
      expect(made.nodes.filter(({ op }) => own.test(op))).to.have.length(0);
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
        for (const op of ["Clip", "Mul", "Add"]) expect(ops).to.not.include(op);
        expect(ops.filter((op) => op === "QLinearConv")).to.have.length(countOf(made, "Conv"));
        expect(relativeDifference(await run(bytes, inputs), expected)).to.be.within(1e-4, 0.1);
      } finally {
        await engine.dispose();
      }
    });

  it("a norm of channels that lie far apart goes back to floats, and what is put together in front of it", async () => {
    const draw = (): Float32Array => weights(64).data;
    const variance = Float32Array.from({ length: 64 }, (_, i) => (i < 32 ? 1 : 1e8));
    const network = sample((net, x) => {
      const large = weights(32, 32, 1, 1);
      const far = net.conv(x, { weights: { ...large, data: large.data.map((value) => 1e4 * value) } });
      const both = net.concat([net.conv(x, { weights: weights(32, 32, 1, 1) }), far], { axis: 1 });
      const norm = { scale: variance.map(() => 1), bias: draw(), mean: variance.map(() => 0), variance };
      const normed = net.relu(net.batchNorm(both, { name: "norm", ...norm }));
      return net.conv(normed, { name: "behind", weights: weights(32, 64, 1, 1) });
    });
    const inputs = randomInputs(network, { batch: 16, seed: 1 });
    const engine = await openEngine({ engine: "ort", threads: 1 });
    try {
      const answersOf = async (of: Network): Promise<Float32Array> =>
        Object.values(await run(of, inputs))[0].data;
      const answers = await answersOf(network);
      const quick = { medianMs: 1, p95Ms: 1, runs: 1, threads: 1 };
      const made = await quantize(engine, network, {
        batches: () => [inputs],
        judge: async (judged) => [
          outputQuality(await answersOf(judged), answers, { width: 4, tolerance: 10 }),
        ],
        time: (networks) => Promise.resolve(networks.map((_, i) => ({ ...quick, medianMs: 2 - i }))),
        int8For: "portable",
      });
      expect(made.inFloat).to.deep.equal(["norm"]);
      const concat = made.network?.nodes.find(({ op }) => op === "Concat");
      const readers = made.network?.nodes.filter(({ inputs: [x] }) => x === concat?.outputs[0]);
      expect(readers?.map(({ op }) => op)).to.deep.equal(["Conv"]);
    } finally {
      await engine.dispose();
    }
  });

  it("stay as they are where floats make what they read, or read what they make", () => {
    for (const middle of [
      (net: Builder, x: string) => net.tanh(net.hardSigmoid(x)),
      (net: Builder, x: string) => net.hardSwish(net.tanh(x)),
      (net: Builder, x: string) => net.hardSwish(net.hardSigmoid(net.tanh(x))),
      // other numbers than one for each channel
      (net: Builder, x: string) => net.mul(x, numbers(net, "places", [16, 1])),
      (net: Builder, x: string) => net.node("Div", [numbers(net, "one", [], 1), x]),
      (net: Builder, x: string) => net.node("Div", [x, numbers(net, "none", [], 0)]),
    ]) {
      const network = sample(middle);
      expect(byChannelAsConvolutions(network)).to.equal(network);
    }
    const plain = sample((net, x) => net.relu(x));
    expect(byChannelAsConvolutions(plain)).to.equal(plain);
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
