import { expect } from "chai";
import { createRandom } from "../../lib/core/random.ts";
import type { Engine } from "../../lib/engine/engine.ts";
import { openEngine } from "../../lib/engine/open.ts";
import { noiseFor } from "../../lib/evaluate/profile.ts";
import { createBuilder, type Builder } from "../../lib/network/builder.ts";
import type { Network, Tensor } from "../../lib/network/network.ts";
import { calibrate } from "../../lib/quantize/calibrate.ts";
import { inBytes } from "../../lib/quantize/in-bytes.ts";
import { placesOf } from "../../lib/quantize/places.ts";
import { poolsAsConvolutions } from "../../lib/quantize/pools.ts";
import { quantized } from "../../lib/quantize/rewrite.ts";
import { entryLayers } from "../../lib/quantize/whole.ts";
import { randomInputs, relativeDifference, rounding, run } from "../support/run.ts";

const random = createRandom(11).fork("kernels");
const weights = (...shape: number[]): Tensor => ({
  shape,
  data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => 0.2 * random.normal()),
});

type Middle = (net: Builder, x: string) => string;

/** Two convolutions, something between them, and a head. */
function sample(middle: Middle, side = 16, width = 32): Network {
  const net = createBuilder("sample");
  let x = net.input("image", ["batch", 3, side, side]);
  x = net.relu(net.conv(x, { name: "first", weights: weights(width, 3, 3, 3), pads: 1 }), { name: "relu" });
  x = middle(net, x);
  x = net.relu(net.conv(x, { name: "second", weights: weights(width, width, 3, 3), pads: 1 }));
  x = net.averagePool(x, { name: "last", kernel: 2, strides: 2 });
  return net.build([
    net.gemm(net.flatten(net.globalAveragePool(x)), { name: "head", weights: weights(4, width) }),
  ]);
}

const averages = {
  "2 x 2 in steps of 2": { kernel: 2, strides: 2 },
  "3 x 3 in steps of 2, the last places left out": { kernel: 3, strides: 2 },
  "with borders of zeros that count": { kernel: 3, pads: 1, countPadding: true },
  "with borders that do not count": { kernel: 3, pads: 1 },
  "rounded up at the end": { kernel: 3, strides: 2, ceil: true },
} as const;

describe("int8: average pools", () => {
  for (const [what, options] of Object.entries(averages))
    it(`${what}: the same function; a convolution only where every window has as many places`, async () => {
      const network = sample((net, x) => net.averagePool(x, { name: "pool", ...options }));
      const made = poolsAsConvolutions(network);
      const ops = made.nodes.filter(({ name }) => name === "pool").map(({ op }) => op);
      const isUniform = "countPadding" in options || !("pads" in options || "ceil" in options);
      expect(ops).to.deep.equal([isUniform ? "Conv" : "AveragePool"]);
      const inputs = randomInputs(network, { batch: 2, seed: 1 });
      expect(relativeDifference(await run(made, inputs), await run(network, inputs))).to.be.below(rounding);
      // what averages the answer's features is nothing for bytes
      expect(made.nodes.find(({ name }) => name === "last")?.op).to.equal("AveragePool");
    });

  it("have weights in bytes that are one number: the average is exact", () => {
    const made = poolsAsConvolutions(sample((net, x) => net.averagePool(x, { name: "pool", kernel: 3 })));
    const places = placesOf(made);
    const ranges = new Map([...places.values.keys()].map((name) => [name, { low: 0, high: 1 }]));
    const bytes = quantized(made, places, { ranges, bits: 7 });
    const [weight, scale] = [...bytes.parameters].flatMap(([name, { data }]) =>
      /^pool.*\.ws?$/.test(name) ? [data] : [],
    );
    expect(new Set(Array.from(weight, Number))).to.deep.equal(new Set([63]));
    expect(Number(scale[0]) * 63).to.be.closeTo(1 / 9, 1e-8);
  });
});

describe("int8: gates and activations", function () {
  this.timeout(60_000);
  let engine: Engine;
  before(async () => {
    engine = await openEngine({ engine: "ort", threads: 1 });
  });
  after(() => engine.dispose());

  const middles: Readonly<Record<string, Middle>> = {
    "QLinearSigmoid, QLinearMul": (net, x) => {
      const own = net.conv(x, { weights: weights(32, 32, 1, 1) });
      return net.mul(own, net.sigmoid(own));
    },
    "QLinearGlobalAveragePool, QLinearMul": (net, x) => {
      const gate = net.conv(net.globalAveragePool(x), { weights: weights(32, 32, 1, 1) });
      return net.mul(x, net.sigmoid(gate));
    },
    QLinearLeakyRelu: (net, x) => {
      const own = net.conv(x, { weights: weights(32, 32, 1, 1) });
      return net.node("LeakyRelu", [own], { attributes: { alpha: { type: "float", value: 0.2 } } });
    },
  };
  for (const [kernels, middle] of Object.entries(middles))
    it(`${kernels}: on bytes, a few per cent from floats`, async () => {
      const network = sample(middle);
      const places = placesOf(network);
      const inputs = randomInputs(network, { batch: 4, seed: 3 });
      const seen = await calibrate(engine, network, places, [inputs]);
      const bytes = quantized(network, places, { ...seen, bits: 7 });
      const found = await engine.kernels(bytes, noiseFor(bytes, 1), { runs: 2 });
      expect(found.map(({ op }) => op)).to.include.members(kernels.split(", "));
      const difference = relativeDifference(await run(bytes, inputs), await run(network, inputs));
      expect(difference).to.be.within(1e-4, 0.1);
    });

  it("a product with another shape than a map's or its channels' stays in floats", () => {
    const network = sample((net, x) => {
      const row = net.averagePool(net.conv(x, { weights: weights(32, 32, 1, 1) }), { kernel: [16, 1] });
      return net.mul(x, row);
    });
    expect([...placesOf(network).nodes].map(({ op }) => op)).to.not.include("Mul");
  });
});

describe("int8: the layer that reads the picture", () => {
  it("is each that no other layer is before, whatever else is; none where no layer would be left", () => {
    const entries = (network: Network): string[] => entryLayers(network, placesOf(network));
    expect(entries(sample((net, x) => net.maxPool(x, { kernel: 2 })))).to.deep.equal(["first"]);
    const net = createBuilder("two");
    const x = net.transpose(net.input("image", ["batch", 16, 16, 3]), [0, 3, 1, 2]);
    const branch = (name: string): string => net.relu(net.conv(x, { name, weights: weights(8, 3, 3, 3) }));
    const both = net.add(branch("left"), branch("right"));
    const inner = net.relu(net.conv(both, { name: "inner", weights: weights(8, 8, 3, 3) }));
    const answer = (from: string): string =>
      net.gemm(net.flatten(net.globalAveragePool(from)), { weights: weights(2, 8) });
    expect(entries(net.build([answer(inner)]))).to.deep.equal(["left", "right"]);
    const one = createBuilder("one");
    const y = one.relu(
      one.conv(one.input("image", ["batch", 3, 16, 16]), { name: "only", weights: weights(8, 3, 3, 3) }),
    );
    expect(
      entries(one.build([one.gemm(one.flatten(one.globalAveragePool(y)), { weights: weights(2, 8) })])),
    ).to.deep.equal([]);
  });

  it("stays in bytes where floats could not hold its sums", () => {
    const wide = createBuilder("wide");
    const x = wide.input("image", ["batch", 64, 8, 8]);
    const inner = wide.relu(wide.conv(x, { name: "first", weights: weights(8, 64, 3, 3) }));
    const last = wide.relu(wide.conv(inner, { name: "second", weights: weights(8, 8, 3, 3) }));
    const network = wide.build([
      wide.gemm(wide.flatten(wide.globalAveragePool(last)), { weights: weights(2, 8) }),
    ]);
    const places = placesOf(network);
    expect(places.layers.map(({ name }) => name)).to.deep.equal(["first", "second"]);
    expect(entryLayers(network, places)).to.deep.equal([]);
  });

  describe("in floats", function () {
    this.timeout(60_000);
    let engine: Engine;
    before(async () => {
      engine = await openEngine({ engine: "ort", threads: 1 });
    });
    after(() => engine.dispose());

    for (const [what, middle] of Object.entries({
      "behind Relu and pool": (net, x) => net.maxPool(x, { kernel: 2, strides: 2 }),
      "in front of an average": (net, x) => net.averagePool(x, { kernel: 2, strides: 2 }),
      "before two readers": (net, x) => net.add(x, net.conv(x, { weights: weights(32, 32, 1, 1) })),
      "before a Sigmoid": (net, x) => net.mul(x, net.sigmoid(x)),
    } satisfies Readonly<Record<string, Middle>>))
      it(`counts on whole numbers: every byte is the same, unless an average or gate follows in floats: ${what}`, async () => {
        const isExact = !/average|Sigmoid/.test(what);
        const network = sample(middle, 32);
        const inputs = randomInputs(network, { batch: 4, seed: 4 });
        const seen = await calibrate(engine, network, placesOf(network), [inputs]);
        for (const bits of [7, 8] as const) {
          const [all, counted] = [[], ["first"]].map((whole) => inBytes(network, { whole, ...seen, bits }));
          expect(counted.layers).to.have.members(all.layers);
          const kernels = await engine.kernels(counted.network, noiseFor(network, 1), { runs: 2 });
          expect(kernels.filter(({ op }) => op === "Conv")).to.have.length(1);
          const [found, expected] = [await run(counted.network, inputs), await run(all.network, inputs)];
          // without VNNI products of 8 bits saturate: there is nothing to compare with
          if (bits === 7 && isExact) expect(found).to.deep.equal(expected);
          if (bits === 7) expect(relativeDifference(found, expected)).to.be.below(0.02);
          const float = await run(network, inputs);
          expect(relativeDifference(found, float)).to.be.below(0.3);
        }
      });

    it("has its pool in floats, too, as the kernel for bytes is many times slower there; no byte changes by that", async () => {
      const network = sample((net, x) => net.maxPool(x, { name: "pool", kernel: 2, strides: 2 }), 32);
      const places = placesOf(network, new Set(["first"]));
      const inputs = randomInputs(network, { batch: 4, seed: 2 });
      const seen = await calibrate(engine, network, places, [inputs]);
      const bytes = quantized(network, places, { ...seen, bits: 7 });
      const clips = bytes.nodes.filter(({ op }) => op === "Clip");
      expect(clips.map((node) => node.inputs[0])).to.deep.equal(["pool"]);
      const kernels = await engine.kernels(bytes, noiseFor(bytes, 1), { runs: 2 });
      const pool = kernels.find(({ op }) => op.includes("MaxPool"));
      expect(pool?.op).to.equal("MaxPool");
      if (engine.channelBlock > 1) expect(pool?.form).to.equal("blocked");
      // without the Clip
      const open = bytes.nodes
        .filter(({ op }) => op !== "Clip")
        .map((node) => ({
          ...node,
          inputs: node.inputs.map((name) => (name === clips[0].outputs[0] ? "pool" : name)),
        }));
      expect(await run({ ...bytes, nodes: open }, inputs)).to.deep.equal(await run(bytes, inputs));
    });
  });
});
