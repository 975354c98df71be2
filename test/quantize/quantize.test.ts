import { expect } from "chai";
import fc from "fast-check";
import { createRandom } from "../../lib/core/random.ts";
import type { Engine, Tensors } from "../../lib/engine/engine.ts";
import { openEngine } from "../../lib/engine/open.ts";
import { profileNetworks } from "../../lib/evaluate/profile.ts";
import { writeOnnx } from "../../lib/formats/onnx/write.ts";
import { createBuilder, type Builder } from "../../lib/network/builder.ts";
import { computesOnBytes } from "../../lib/network/bytes.ts";
import { costOf } from "../../lib/network/cost.ts";
import {
  float32,
  producersOf,
  type Network,
  type Parameter,
  type Tensor,
} from "../../lib/network/network.ts";
import { calibrate } from "../../lib/quantize/calibrate.ts";
import { inBytes } from "../../lib/quantize/in-bytes.ts";
import { placesOf } from "../../lib/quantize/places.ts";
import { outputQuality, type Quality } from "../../lib/quantize/quality.ts";
import { quantize, type QuantizeOptions } from "../../lib/quantize/quantize.ts";
import { quantized } from "../../lib/quantize/rewrite.ts";
import { entryLayers } from "../../lib/quantize/whole.ts";
import { biasShift, largestWeight, quantizerOf, quantizeWeights } from "../../lib/quantize/scales.ts";

const random = createRandom(7).fork("quantize");
const noise = (...shape: number[]): Tensor => ({
  shape,
  data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.normal()),
});
const weights = (...shape: number[]): Tensor => {
  const { data } = noise(...shape);
  const scale = Math.sqrt(2 / shape.slice(1).reduce((a, b) => a * b, 1));
  return { shape, data: data.map((x) => x * scale) };
};
const bias = (n: number): Float32Array => noise(n).data.map((x) => 0.1 * x);

/** A residual block, pools of both kinds, a shortcut that is padded to more channels, and a head. */
function sample(width: number, side: number, spoil: (w: Tensor) => Tensor = (w) => w): Network {
  const net = createBuilder("sample");
  let x = net.input("image", ["batch", 3, side, side]);
  const conv = (from: string, name: string, inputs: number, outputs: number): string =>
    net.conv(from, { name, weights: weights(outputs, inputs, 3, 3), bias: bias(outputs), pads: 1 });
  x = net.relu(conv(x, "first", 3, width), { name: "first/relu" });
  x = net.maxPool(x, { name: "half", kernel: 2, strides: 2 });
  const inner = net.relu(conv(x, "a", width, width), { name: "a/relu" });
  const out = net.conv(inner, {
    name: "b",
    weights: spoil(weights(width, width, 3, 3)),
    bias: bias(width),
    pads: 1,
  });
  x = net.relu(net.add(out, x, { name: "sum" }), { name: "sum/relu" });
  const short = net.averagePool(x, { name: "quarter", kernel: 2, strides: 2 });
  const wide = net.pad(short, [0, 0, 0, 0, 0, width, 0, 0], { name: "widen" });
  const down = net.conv(x, {
    name: "down",
    weights: weights(2 * width, width, 3, 3),
    bias: bias(2 * width),
    pads: 1,
    strides: 2,
  });
  x = net.relu(net.add(down, wide, { name: "sum2" }), { name: "sum2/relu" });
  x = net.flatten(net.globalAveragePool(x, { name: "pool" }), { name: "flat" });
  return net.build([net.gemm(x, { name: "head", weights: weights(5, 2 * width), bias: bias(5) })]);
}

describe("int8: scales", () => {
  const number = fc.double({ min: -1e3, max: 1e3, noNaN: true });

  it("bytes are at most half a step off inside the range, and 0 is exact", () => {
    fc.assert(
      fc.property(number, number, fc.double({ min: 0, max: 1, noNaN: true }), (a, b, share) => {
        const [low, high] = [Math.min(a, b, 0), Math.max(a, b, 0)];
        const { scale, zero } = quantizerOf({ low, high });
        const x = low + share * (high - low);
        const byte = Math.min(255, Math.max(0, Math.round(x / scale) + zero));
        expect(Number.isInteger(zero) && zero >= 0 && zero <= 255).to.equal(true);
        if (high - low > 1e-30) expect(Math.abs((byte - zero) * scale - x)).to.be.at.most(scale * 1.01);
      }),
    );
  });

  it("each output has its own step; no weight is further off than half of it, in 8 and in 7 bits", () => {
    const { data } = weights(8, 4, 3, 3);
    for (let i = 0; i < 36; i++) data[i] *= 100;
    for (const bits of [8, 7] as const) {
      const made = quantizeWeights(data, new Float64Array(8), { inputScale: 0.1, bits });
      data.forEach((w, i) => {
        const scale = made.scales[Math.floor(i / 36)];
        expect(Math.abs(made.data[i] * scale - w)).to.be.at.most(0.501 * scale);
        expect(Math.abs(made.data[i])).to.be.at.most(largestWeight[bits]);
      });
      expect(made.scales[0]).to.be.above(10 * made.scales[1]);
    }
    // A pair of products of unsigned and 7-bit numbers fits into 16 bits: CPUs without VNNI add pairs there.
    expect(2 * 255 * largestWeight[7]).to.be.below(2 ** 15);
  });

  it("a bias too large for its step makes the step larger, a channel of zeros divides by nothing", () => {
    const made = quantizeWeights(new Float32Array([1e-9, 0]), [1e3, 0], { inputScale: 1e-3, bits: 8 });
    expect(made.bias[0] * made.scales[0] * 1e-3).to.be.closeTo(1e3, 1e-3);
    expect(made.scales[1]).to.equal(1);
  });

  it("what rounding moves on average is known: groups, kernels", () => {
    const data = noise(4, 2, 3, 3).data;
    const made = quantizeWeights(data, new Float64Array(4), { inputScale: 1, bits: 7 });
    const means = [0.5, 1, -2, 3];
    const shift = biasShift(data, made, { means, group: 2, kernel: 9 });
    for (let o = 0; o < 4; o++) {
      let expected = 0;
      for (let i = 0; i < 2; i++)
        for (let k = 0; k < 9; k++) {
          const at = (o * 2 + i) * 9 + k;
          expected += (data[at] - made.data[at] * made.scales[o]) * means[(o < 2 ? 0 : 2) + i];
        }
      expect(shift[o]).to.be.closeTo(expected, 1e-9);
    }
  });
});

describe("int8: networks", function () {
  this.timeout(60_000);
  let engine: Engine;
  before(async () => {
    engine = await openEngine({ engine: "ort", threads: 1 });
  });
  after(() => engine.dispose());

  const run = async (network: Network, inputs: Tensors): Promise<Float32Array> => {
    const program = await engine.compile(network);
    const { [network.outputs[0].name]: output } = await program.run(inputs);
    await program.dispose();
    return output.data;
  };
  const judge = (images: Tensor, network: Network) => {
    let reference: Float32Array | undefined;
    return async (one: Network): Promise<Quality[]> => {
      const answers = await run(one, { image: images });
      reference ??= await run(network, { image: images });
      return [outputQuality(answers, reference, { width: 5 })];
    };
  };
  const make = (network: Network, images: Tensor, more: Partial<QuantizeOptions> = {}) =>
    quantize(engine, network, {
      batches: () => [{ image: images }],
      judge: judge(images, network),
      time: (networks) => profileNetworks(engine, networks, { runs: 20 }),
      ...more,
    });

  it("gives what the float network gives, within a few per cent, from a quarter of the bytes", async () => {
    const network = sample(64, 32);
    const images = noise(8, 3, 32, 32);
    const places = placesOf(network);
    const seen = await calibrate(engine, network, places, [{ image: images }]);
    expect(seen.pictures).to.equal(8);
    const float = await run(network, { image: images });
    for (const bits of [8, 7] as const) {
      const bytes = quantized(network, places, { ...seen, bits });
      const { value } = outputQuality(await run(bytes, { image: images }), float, { width: 5 });
      // Sums of products of eight bits overflow on CPUs without VNNI (docs/decisions.md): that is what seven bits are for.
      expect(value, `${bits} bits`).to.be.within(0.01, bits === 7 ? 12 : 25);
      expect(writeOnnx(bytes).length / writeOnnx(network).length).to.be.below(0.3);
    }
  });

  it("stores what is written between layers once, scales per output, and leaves the head in floats", () => {
    const network = sample(8, 16);
    const places = placesOf(network);
    expect(places.layers.map(({ name }) => name)).to.deep.equal(["first", "a", "b", "down"]);
    const values = [...places.values.keys()].sort();
    // In front of an activation nothing is stored; in front of a sum it is.
    for (const stored of ["image", "first/relu", "half", "b", "sum/relu", "quarter", "widen", "down"])
      expect(values).to.include(stored);
    for (const not of ["first", "a", "sum", "sum2", "pool", "flat"]) expect(values).to.not.include(not);
    expect(places.values.get("half")).to.equal("first/relu"); // the largest of some bytes is one of them
    expect(places.values.get("quarter")).to.equal("quarter");
    const ranges = new Map(values.map((name) => [name, { low: -1, high: 1 }]));
    const bytes = quantized(network, places, { ranges, bits: 8 });
    const makers = producersOf(bytes);
    const conv = bytes.nodes.find(({ name }) => name === "a");
    const reader = makers.get(conv?.inputs[1] ?? "");
    expect(reader?.op).to.equal("DequantizeLinear");
    const [weight, scale] = (reader?.inputs ?? []).map((name) => bytes.parameters.get(name));
    expect([weight?.type, scale?.shape]).to.deep.equal(["int8", [8]]);
    const own = makers.get(conv?.inputs[2] ?? "")?.inputs.map((name) => bytes.parameters.get(name));
    expect(own?.[0]?.type).to.equal("int32");
    const step = quantizerOf({ low: -1, high: 1 }).scale;
    const first = scale?.data[0];
    expect(own?.[1]?.data[0]).to.be.closeTo(Number(first) * step, 1e-9);
    expect(bytes.nodes.find(({ name }) => name === "head")?.inputs[1]).to.equal("head.weight");
  });

  it("leaves a last layer in floats where its answer is moved or squashed, not where it is averaged", () => {
    const layersOf = (end: (net: Builder, x: string) => string): string[] => {
      const net = createBuilder("ends");
      let x = net.input("image", ["batch", 3, 16, 16]);
      for (const [name, inputs] of [
        ["first", 3],
        ["last", 8],
      ] as const)
        x = net.relu(
          net.conv(x, { name, weights: weights(8, inputs, 3, 3), bias: bias(8), pads: 1, strides: 1 }),
        );
      return placesOf(net.build([end(net, x)])).layers.map(({ name }) => name);
    };
    expect(layersOf((net, x) => net.reshape(x, [0, 8, -1]))).to.deep.equal(["first"]);
    expect(layersOf((net, x) => net.softmax(net.flatten(net.transpose(x, [0, 2, 3, 1]))))).to.deep.equal([
      "first",
    ]);
    expect(layersOf((net, x) => net.flatten(net.globalAveragePool(x)))).to.deep.equal(["first", "last"]);
  });

  it("counts MACs and parameters as the float network does, and one byte for a weight", () => {
    const network = sample(16, 16);
    const places = placesOf(network);
    const ranges = new Map([...places.values.keys()].map((name) => [name, { low: -1, high: 1 }]));
    const bytes = quantized(network, places, { ranges, bits: 8 });
    const [before, after] = [costOf(network), costOf(bytes)];
    expect(after.total.macs).to.equal(before.total.macs);
    expect(after.total.params).to.equal(before.total.params);
    expect(after.head).to.deep.equal(before.head);
    expect(after.trunk.bytes / before.trunk.bytes).to.be.within(0.25, 0.4);
    // on whole numbers in floats as well: what its sums are divided by are scales
    const whole = inBytes(network, { whole: entryLayers(network, places), ranges, bits: 8 });
    expect(whole.network.nodes.some(({ op }) => op === "Div")).to.equal(true);
    const inFloats = costOf(whole.network);
    // the shortcut behind the layer in floats goes through a convolution that changes no byte: 16 channels to 16
    const again = whole.network.nodes.filter(({ op, name }) => op === "Conv" && name.endsWith(".again"));
    expect(again).to.have.length(1);
    expect(inFloats.total.params).to.equal(before.total.params + 16 * 16);
    expect(inFloats.total.macs).to.equal(before.total.macs + 16 * 16 * (8 * 8));
  });

  it("a wide network is made in bytes, with weights for any CPU", async () => {
    const network = sample(64, 48);
    const made = await make(network, noise(8, 3, 48, 48));
    expect(made.reason).to.equal(undefined);
    expect([made.bits, made.layers, made.inFloat]).to.deep.equal([7, 4, []]);
    expect(computesOnBytes(made.network ?? network)).to.equal(true);
    expect(made.latency?.after.medianMs).to.be.below(made.latency?.before.medianMs ?? 0);
    const eight = await make(network, noise(8, 3, 48, 48), { int8For: "this" });
    expect(eight.bits).to.equal(8);
  });

  it("a tiny network stays in floats, and says that bytes are no faster", async () => {
    const made = await make(sample(2, 4), noise(4, 3, 4, 4));
    expect(made.network).to.equal(undefined);
    expect(made.reason).to.match(/^int8 is not faster here: [\d.]+ ms, [\d.]+ ms in floats$/);
  });

  it("the layer that bytes spoil stays in floats, the others do not", async () => {
    // Its inputs' weights lie six powers of ten apart in one output: one step for both is none for the small ones, even with channels made alike.
    const spoil = ({ shape, data }: Tensor): Tensor => ({
      shape,
      data: data.map((w, i) => (Math.floor(i / 9) % 32 === 0 ? 1e6 * w : w)),
    });
    const net = sample(32, 32, spoil);
    // ... whose channel is never used: what is read from it is always 0.
    const silent = (name: string, values: number, value: number): Parameter => {
      const given = net.parameters.get(name);
      if (!(given?.data instanceof Float32Array)) throw new Error(`no ${name}`);
      return float32(
        given.shape,
        given.data.map((x, i) => (i < values ? value : x)),
      );
    };
    const parameters = new Map(net.parameters)
      .set("a.weight", silent("a.weight", 32 * 9, 0))
      .set("a.bias", silent("a.bias", 1, -1));
    const network = { ...net, parameters };
    const made = await make(network, noise(8, 3, 32, 32), { time: fast, int8For: "portable" });
    expect(made.reason).to.equal(undefined);
    expect(made.inFloat).to.deep.equal(["b"]);
    expect([made.layers, made.fasterInFloat]).to.deep.equal([3, ["first"]]);
  });

  it("fills odd widths up, as kernels for bytes take whole blocks; the float network is timed as it is", async () => {
    const [network, images] = [sample(9, 16), noise(4, 3, 16, 16)];
    const timed: Network[] = [];
    const time: QuantizeOptions["time"] = (networks) => {
      timed.push(...networks);
      return fast(networks);
    };
    const { network: bytes } = await make(network, images, { time });
    const widths = (of: Network): number[] =>
      of.nodes.flatMap(({ op, inputs }) => {
        if (op !== "Conv") return [];
        const made = of.nodes.find(({ outputs }) => outputs.includes(inputs[1]))?.inputs[0] ?? inputs[1];
        return of.parameters.get(made)?.shape[0] ?? [];
      });
    expect(widths(network)).to.include(9);
    expect(bytes && widths(bytes).every((width) => width % 8 === 0)).to.equal(true);
    expect(timed.slice(-2).map(widths)[0]).to.deep.equal(widths(network));
    const float = await run(network, { image: images });
    const { value } = outputQuality(await run(bytes ?? network, { image: images }), float, { width: 5 });
    expect(value).to.be.within(1e-3, 12);
  });

  it("fits the layer that answers to the answers in floats, and is nearer to them on other pictures", async () => {
    const network = sample(32, 32);
    const some = (count: number): Tensor => {
      const images = noise(count, 3, 32, 32);
      const gains = Array.from({ length: count }, () => 0.5 + random.uniform());
      return { ...images, data: images.data.map((x, i) => x * gains[Math.floor(i / 3072)]) };
    };
    const [own, others] = [some(128), some(64)];
    const made = await make(network, own, { int8For: "portable", check: false });
    expect(made.fitted).to.deep.equal(["head"]);
    const bytes = made.network ?? network;
    const parameters = new Map(bytes.parameters);
    for (const name of ["head.weight", "head.bias"]) {
      const given = network.parameters.get(name);
      if (given) parameters.set(name, given);
    }
    const float = await run(network, { image: others });
    const off = async (one: Network): Promise<number> =>
      outputQuality(await run(one, { image: others }), float, { width: 5 }).value;
    const [fitted, plain] = [await off(bytes), await off({ ...bytes, parameters })];
    expect(fitted / plain).to.be.within(0.1, 0.9);
    // so few say nothing
    const few = await make(network, some(16), { int8For: "portable", check: false });
    expect(few.fitted).to.deep.equal([]);
  });

  it("fits answers that have several rows a picture, on some of them", async () => {
    const net = createBuilder("places");
    let x = net.input("image", ["batch", 3, 32, 32]);
    for (const [i, inputs] of [3, 32].entries()) {
      const how = { name: `c${i}`, weights: weights(32, inputs, 3, 3), bias: bias(32), pads: 1, strides: 2 };
      x = net.relu(net.conv(x, how), { name: `c${i}/relu` });
    }
    const places = net.reshape(net.transpose(x, [0, 2, 3, 1], { name: "last" }), [-1, 32], { name: "rows" });
    const network = net.build([net.gemm(places, { name: "head", weights: weights(5, 32), bias: bias(5) })]);
    const made = await make(network, noise(32, 3, 32, 32), { int8For: "portable", check: false });
    expect(made.fitted).to.deep.equal(["head"]);
    expect(made.after?.[0].value).to.be.within(0.1, 5);
  });

  it("takes few bits where they cost nothing, many where only those do, and else few where many are no better", async () => {
    const [network, images] = [sample(8, 16), noise(4, 3, 16, 16)];
    const errors = async (few: number, many: number): Promise<unknown> => {
      const judge = ({ metadata }: Network): Promise<Quality[]> => {
        const text = Object.values(metadata).join();
        const value = text.includes('"weightBits":7') ? few : text.includes('"weightBits":8') ? many : 10;
        const better = "lower" as const;
        return Promise.resolve([
          { what: "pose", value, better, tolerance: 0.5, least: 0.1, unit: "degrees" },
        ]);
      };
      const { bits, reason } = await make(network, images, { judge, time: fast });
      return reason ?? bits;
    };
    expect(await errors(10.08, 10)).to.equal(7);
    expect(await errors(10.25, 10.05)).to.equal(8);
    expect(await errors(10.25, 10.2)).to.equal(7);
    expect(await errors(10.45, 10.3)).to.equal(8);
    expect(await errors(10.45, 10.6)).to.equal(7);
    expect(await errors(10.7, 10.4)).to.equal(8);
    expect(await errors(10.7, 10.6)).to.match(/costs too much/);
  });

  it("says so where no choice holds, and refuses a network in bytes", async () => {
    const network = sample(8, 16);
    const images = noise(4, 3, 16, 16);
    let calls = 0;
    const spoiled = await make(network, images, {
      judge: () =>
        Promise.resolve([
          { what: "gender", value: 90 - 10 * calls++, better: "higher", tolerance: 1, unit: "%" },
        ]),
    });
    expect(spoiled.network).to.equal(undefined);
    expect(spoiled.reason).to.match(/^int8 costs too much quality \(gender 90.00 -> /);
    const { network: bytes } = await make(network, images, { check: false });
    expect(bytes).to.not.equal(undefined);
    const again = await make(bytes ?? network, images).catch((error: unknown) => error);
    expect(String(again)).to.contain("computes on bytes (int8) already");
  });
});

/** Times do not matter here. */
const fast: QuantizeOptions["time"] = (networks) =>
  Promise.resolve(networks.map((_, i) => ({ medianMs: 2 - i, p95Ms: 2, runs: 1, threads: 1 })));
