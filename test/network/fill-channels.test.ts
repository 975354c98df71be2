import { expect } from "chai";
import { createRandom } from "../../lib/core/random.ts";
import { createBuilder } from "../../lib/network/builder.ts";
import { fillChannels } from "../../lib/network/fill-channels.ts";
import { float32, type Network, type Tensor } from "../../lib/network/network.ts";
import { padsAsConvolutions } from "../../lib/network/widen.ts";
import { patterns } from "../support/patterns.ts";
import { randomInputs, relativeDifference, run } from "../support/run.ts";

const random = createRandom(5).fork("fill");
const draw = (n: number): Float32Array => Float32Array.from({ length: n }, () => random.normal());
const noise = (...shape: number[]): Tensor => ({ shape, data: draw(shape.reduce((a, b) => a * b, 1)) });

const widthsOf = ({ nodes, parameters }: Network): Record<string, number> =>
  Object.fromEntries(
    nodes
      .filter(({ op }) => op === "Conv")
      .map(({ name, inputs }) => [name, parameters.get(inputs[1])?.shape[0] ?? 0]),
  );

async function isTheSame(filled: Network, given: Network): Promise<void> {
  const inputs = randomInputs(given, { batch: 2, seed: 3 });
  expect(relativeDifference(await run(filled, inputs), await run(given, inputs))).to.be.below(1e-6);
}

/** Everything through which channels are followed: sums, gates, slopes, norms, pools, shortcuts, and heads in a row. */
function many(): Network {
  const net = createBuilder("many");
  const image = net.input("image", ["batch", 3, 12, 12]);
  const a = net.conv(image, { name: "a", weights: noise(9, 3, 3, 3), bias: draw(9), pads: 1 });
  const norm = { scale: draw(9), bias: draw(9), mean: draw(9), variance: draw(9).map(Math.abs) };
  const slopes = net.pRelu(net.batchNorm(a, { name: "norm", ...norm }), draw(9), { name: "slopes" });
  const each = net.conv(slopes, { name: "each", weights: noise(9, 1, 3, 3), group: 9, pads: 1 });
  const pooled = net.globalAveragePool(each, { name: "mean" });
  const gate = net.sigmoid(net.conv(pooled, { name: "gate", weights: noise(9, 9, 1, 1), bias: draw(9) }));
  const sum = net.add(net.mul(each, gate, { name: "gated" }), slopes, { name: "sum" });
  const shift = net.parameter("shift", float32([9, 1, 1], draw(9)));
  const place = net.pad(net.add(sum, shift), [0, 0, 0, 0, 0, 0, 1, 1], { name: "place" });
  const half = net.maxPool(place, { name: "half", kernel: 2, strides: 2 });
  const b = net.conv(half, { name: "b", weights: noise(14, 9, 3, 3), pads: 1 });
  const wide = net.pad(half, [0, 0, 0, 0, 0, 5, 0, 0], { name: "wide" });
  const relu = net.relu(net.add(b, wide, { name: "second" }), { name: "relu" });
  const few = net.conv(relu, { name: "few", weights: noise(5, 14, 1, 1) });
  const places = net.gemm(net.flatten(relu, { name: "row" }), { name: "places", weights: noise(2, 14 * 36) });
  const features = net.flatten(net.globalAveragePool(relu), { name: "features" });
  const answer = net.matMul(features, net.parameter("matrix", float32([14, 3], draw(42))), {
    name: "answer",
  });
  return net.build([answer, places, few]);
}

describe("channels of zeros up to whole blocks", () => {
  it("change no output, and bring all widths but those of few channels to the multiple", async () => {
    const given = padsAsConvolutions(many());
    for (const [multiple, first, second] of [
      [4, 12, 16],
      [16, 16, 16],
    ]) {
      const filled = fillChannels(given, { multiple, least: 8 });
      const each = { a: first, each: first, gate: first };
      expect(widthsOf(filled)).to.deep.equal({ ...each, b: second, wide: second, few: 5 });
      expect(filled.parameters.get("places.weight")?.shape).to.deep.equal([2, second * 36]);
      await isTheSame(filled, given);
      expect(fillChannels(filled, { multiple, least: 8 })).to.equal(filled);
    }
  });

  it("stop where something reads channels that is not followed, at inputs and at outputs", async () => {
    const net = createBuilder("stops");
    const image = net.input("image", ["batch", 10, 6, 6]);
    const conv = (x: string, name: string, inputs: number): string =>
      net.conv(x, { name, weights: noise(10, inputs, 3, 3), pads: 1 });
    const joined = net.concat([conv(image, "left", 10), conv(image, "right", 10)], {
      name: "joined",
      axis: 1,
    });
    const inside = conv(joined, "inside", 20);
    const groups = net.conv(inside, { name: "groups", weights: noise(10, 5, 1, 1), group: 2 });
    const free = conv(groups, "free", 10);
    const given = net.build([conv(free, "last", 10)]);
    const filled = fillChannels(given, { multiple: 4, least: 8 });
    const odd = { left: 10, right: 10, inside: 10, groups: 10, last: 10 };
    expect(widthsOf(filled)).to.deep.equal({ ...odd, free: 12 });
    await isTheSame(filled, given);
  });

  it("change no output of any pattern that networks are made of", async () => {
    const filled = patterns.flatMap(({ title, network }) => {
      const wide = fillChannels(network, { multiple: 7, least: 2 });
      return wide === network ? [] : [{ title, network, wide }];
    });
    for (const { network, wide } of filled) await isTheSame(wide, network);
    expect(filled.map(({ title }) => title)).to.include.members([
      "a residual sum with a projection",
      "squeeze and excitation by convolutions, swish",
      "Flatten into a linear layer",
      "normalisations and slopes by channel",
    ]);
  });

  it("give a weight that two layers share to each its own", async () => {
    const net = createBuilder("shared");
    const image = net.input("image", ["batch", 3, 6, 6]);
    const a = net.conv(image, { name: "a", weights: noise(9, 3, 1, 1) });
    const shared = net.parameter("shared", float32([9, 9, 1, 1], draw(81)));
    const [one, two] = ["one", "two"].map((name) => net.node("Conv", [a, shared], { name }));
    const given = net.build([net.conv(one, { name: "b", weights: noise(2, 9, 1, 1) }), two]);
    const filled = fillChannels(given, { multiple: 4, least: 8 });
    expect(widthsOf(filled)).to.deep.equal({ a: 12, one: 12, two: 9, b: 2 });
    await isTheSame(filled, given);
  });

  it("are none where a function of 0 is not finite, or sizes are open", () => {
    const net = createBuilder("endless");
    const image = net.input("image", ["batch", 3, 6, 6]);
    const a = net.conv(image, { name: "a", weights: noise(9, 3, 1, 1) });
    const given = net.build([
      net.conv(net.node("Log", [a], { name: "log" }), { name: "b", weights: noise(2, 9, 1, 1) }),
    ]);
    expect(fillChannels(given, { multiple: 4, least: 8 })).to.equal(given);
    const open = many();
    const inputs = open.inputs.map((input) => ({ ...input, shape: ["batch", 3, "height", "width"] }));
    expect(fillChannels({ ...open, inputs }, { multiple: 4, least: 8 })).to.have.property("inputs", inputs);
  });
});
