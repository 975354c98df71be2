import { expect } from "chai";
import { createRandom } from "../../lib/core/random.ts";
import type { Engine, Tensors } from "../../lib/engine/engine.ts";
import { openEngine } from "../../lib/engine/open.ts";
import { createBuilder } from "../../lib/network/builder.ts";
import type { Network, Tensor } from "../../lib/network/network.ts";
import { calibrate } from "../../lib/quantize/calibrate.ts";
import { answersTo, outputDistance } from "../../lib/quantize/distance.ts";
import { equalised } from "../../lib/quantize/equalise.ts";
import { placesOf } from "../../lib/quantize/places.ts";
import { prepare } from "../../lib/quantize/prepare.ts";
import { createDistance, outputQuality } from "../../lib/quantize/quality.ts";
import { chooseRanges } from "../../lib/quantize/ranges.ts";
import { quantized } from "../../lib/quantize/rewrite.ts";
import { quantizerOf } from "../../lib/quantize/scales.ts";

const random = createRandom(11).fork("ranges");
const noise = (...shape: number[]): Tensor => ({
  shape,
  data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.normal()),
});

/** One convolution that hands its input on, and a head: what the picture holds is what is stored. */
function identity(): Network {
  const net = createBuilder("identity");
  const x = net.input("image", ["batch", 1, 32, 32]);
  const same = net.conv(x, { name: "same", weights: { shape: [1, 1, 1, 1], data: Float32Array.of(1) } });
  const pooled = net.flatten(net.globalAveragePool(same, { name: "pool" }), { name: "flat" });
  return net.build([net.gemm(pooled, { name: "head", weights: noise(2, 1) })]);
}

/** Depthwise and grouped convolutions behind channels of very different size. */
function uneven(): Network {
  const net = createBuilder("uneven");
  const x = net.input("image", ["batch", 3, 12, 12]);
  const first = noise(8, 3, 3, 3);
  first.data.forEach((_, i) => {
    first.data[i] *= 10 ** (Math.floor(i / 27) / 2 - 2);
  });
  const depth = noise(8, 1, 3, 3);
  depth.data.forEach((_, i) => {
    depth.data[i] *= 10 ** (2 - Math.floor(i / 9) / 2);
  });
  let y = net.relu(net.conv(x, { name: "first", weights: first, pads: 1 }), {
    name: "relu",
  });
  y = net.maxPool(y, { name: "pool", kernel: 2, strides: 2 });
  y = net.relu(net.conv(y, { name: "depth", weights: depth, bias: noise(8).data, pads: 1, group: 8 }), {
    name: "relu2",
  });
  const mixed = noise(6, 4, 3, 3);
  y = net.relu(net.conv(y, { name: "groups", weights: mixed, bias: noise(6).data, pads: 1, group: 2 }), {
    name: "relu3",
  });
  y = net.relu(net.conv(y, { name: "last", weights: noise(8, 6, 1, 1), bias: noise(8).data }), {
    name: "relu4",
  });
  y = net.flatten(net.globalAveragePool(y, { name: "gap" }), { name: "flat" });
  return net.build([net.gemm(y, { name: "head", weights: noise(5, 8) })]);
}

describe("int8: ranges", () => {
  let engine: Engine;
  before(async () => {
    engine = await openEngine({ threads: 1 });
  });
  after(() => engine.dispose());

  const run = async (network: Network, inputs: Tensors): Promise<Record<string, Tensor>> => {
    const program = await engine.compile(network);
    try {
      return await program.run(inputs);
    } finally {
      await program.dispose();
    }
  };

  it("each rule does what its name says, as computed here one number at a time", async () => {
    const network = identity();
    const data = noise(4, 1, 32, 32).data;
    data[17] = 60; // one value far outside
    const pictures = [{ image: { shape: [2, 1, 32, 32], data: data.slice(0, 2048) } }];
    pictures.push({ image: { shape: [2, 1, 32, 32], data: data.slice(2048) } });
    const seen = await calibrate(engine, network, placesOf(network), pictures);
    const ranges = await chooseRanges(engine, network, seen, pictures);
    const whole = seen.ranges.get("image");
    expect(whole?.high).to.equal(60);
    const tried = [1, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3].map((share) => ({
      low: share * (whole?.low ?? 0),
      high: share * 60,
    }));
    const error = ({ low, high }: { low: number; high: number }): number => {
      const { scale, zero } = quantizerOf({ low, high });
      return data.reduce((sum, x) => {
        const byte = Math.min(255, Math.max(0, Math.round(x / scale) + zero));
        return sum + (x - scale * (byte - zero)) ** 2;
      }, 0);
    };
    const outside = ({ low, high }: { low: number; high: number }): number =>
      data.filter((x) => x < low || x > high).length / data.length;
    const best = tried.reduce((a, b) => (error(b) < error(a) ? b : a));
    expect(ranges.squares.get("image")?.high).to.be.closeTo(best.high, 1e-6);
    const narrow = tried.findLast((one) => outside(one) <= 1e-4);
    expect(ranges.percentile.get("image")?.high).to.be.closeTo(narrow?.high ?? 0, 1e-6);
    expect(ranges.extremes).to.equal(seen.ranges);
    // one number in 4,096 is more than a ten-thousandth: nothing may be cut off
    expect(narrow?.high).to.equal(60);
  });

  it("channels made alike: the same function, and maps whose channels have one size", async () => {
    const network = uneven();
    const pictures = { image: noise(6, 3, 12, 12) };
    const alike = await equalised(engine, network, [pictures]);
    if (alike === undefined) throw new Error("nothing to make alike");
    const [[expected], [found]] = [await run(network, pictures), await run(alike, pictures)].map((each) =>
      Object.values(each),
    );
    const scale = expected.data.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    expected.data.forEach((x, i) => {
      expect(found.data[i]).to.be.closeTo(x, 1e-5 * scale);
    });
    const peaks = async (one: Network): Promise<number> => {
      const program = await engine.compile(one, { outputs: ["pool"] });
      const { data } = (await program.run(pictures)).pool;
      await program.dispose();
      const own = new Float64Array(8);
      data.forEach((x, i) => {
        const channel = Math.floor(i / 36) % 8;
        own[channel] = Math.max(own[channel], x);
      });
      return Math.max(...own) / Math.min(...own);
    };
    expect(await peaks(network)).to.be.above(100);
    expect(await peaks(alike)).to.be.closeTo(1, 1e-4); // a depthwise layer follows: all alike
  });

  it("channels are made alike through a PRelu, not through the sum with a constant", async () => {
    const net = createBuilder("slopes");
    const first = noise(8, 3, 3, 3);
    first.data.forEach((_, i) => {
      first.data[i] *= 10 ** (Math.floor(i / 27) / 2 - 2);
    });
    let y = net.conv(net.input("image", ["batch", 3, 12, 12]), { name: "first", weights: first, pads: 1 });
    y = net.pRelu(
      y,
      noise(8).data.map((x) => 0.2 * x),
      { name: "slopes" },
    );
    const network = net.build([net.conv(y, { name: "depth", weights: noise(8, 1, 3, 3), group: 8 })]);
    const pictures = { image: noise(6, 3, 12, 12) };
    const alike = await equalised(engine, network, [pictures]);
    if (alike === undefined) throw new Error("nothing to make alike");
    expect(alike.parameters.get("first.weight")).to.not.deep.equal(network.parameters.get("first.weight"));
    const [[expected], [found]] = [await run(network, pictures), await run(alike, pictures)].map((each) =>
      Object.values(each),
    );
    const scale = expected.data.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    expected.data.forEach((x, i) => {
      expect(found.data[i]).to.be.closeTo(x, 1e-5 * scale);
    });
    const nodes = network.nodes.map((node) => (node.op === "PRelu" ? { ...node, op: "Add" } : node));
    expect(await equalised(engine, { ...network, nodes }, [pictures])).to.equal(undefined);
  });

  it("what moves the outputs least is taken, and is better by far where channels differ", async () => {
    const network = uneven();
    const pictures = [{ image: noise(8, 3, 12, 12) }];
    const found = await prepare(engine, network, { batches: () => pictures, bits: 8 });
    expect(found.isEqualised).to.equal(true);
    const places = placesOf(network);
    const plain = await calibrate(engine, network, places, pictures);
    const bytes = quantized(network, places, { ...plain, bits: 8 });
    const distance = await outputDistance(engine, bytes, await answersTo(engine, network, pictures));
    expect(found.distance).to.be.below(0.5 * distance);
  });

  it("a network whose layers share weights, or are read twice, is left as it is", async () => {
    const net = createBuilder("twice");
    const x = net.input("image", ["batch", 4, 6, 6]);
    const weights = noise(4, 4, 1, 1);
    const a = net.conv(x, { name: "a", weights });
    const b = net.conv(net.relu(a, { name: "relu" }), { name: "b", weights: noise(4, 4, 1, 1) });
    const sum = net.add(a, b, { name: "sum" });
    const network = net.build([
      net.gemm(net.flatten(net.globalAveragePool(sum, { name: "gap" }), { name: "flat" }), {
        name: "head",
        weights: noise(2, 4),
      }),
    ]);
    expect(await equalised(engine, network, [{ image: noise(1, 4, 6, 6) }])).to.equal(undefined);
  });

  it("distance in parts is that of the whole", () => {
    const [answers, reference] = [noise(30, 3).data, noise(30, 3).data.map((x) => 5 + x)];
    const parts = createDistance(3);
    for (let at = 0; at < 90; at += 18)
      parts.add(answers.subarray(at, at + 18), reference.subarray(at, at + 18));
    expect(parts.percent()).to.equal(outputQuality(answers, reference, { width: 3 }).value);
    let [error, spread] = [0, 0];
    for (let k = 0; k < 3; k++) {
      const own = reference.filter((_, i) => i % 3 === k);
      const mean = own.reduce((a, b) => a + b, 0) / 30;
      spread += own.reduce((sum, x) => sum + (x - mean) ** 2, 0);
    }
    answers.forEach((x, i) => {
      error += (x - reference[i]) ** 2;
    });
    expect(parts.percent()).to.be.closeTo(100 * Math.sqrt(error / spread), 1e-3);
  });
});
