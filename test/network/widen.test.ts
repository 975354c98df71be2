import { expect } from "chai";
import { createRandom } from "../../lib/core/random.ts";
import { createBuilder } from "../../lib/network/builder.ts";
import { writeLike } from "../../lib/formats/onnx/like.ts";
import { readOnnx } from "../../lib/formats/onnx/read.ts";
import { writeOnnx } from "../../lib/formats/onnx/write.ts";
import { float32, type Network } from "../../lib/network/network.ts";
import { convolutionsAsPads, padsAsConvolutions } from "../../lib/network/widen.ts";
import { randomInputs, relativeDifference, run } from "../support/run.ts";

const namesOf = ({ nodes }: Network, op: string): string[] =>
  nodes.filter((node) => node.op === op).map(({ name }) => name);

describe("channels of zeros as convolutions", () => {
  const random = createRandom(2).fork("widen");
  const draw = (n: number): Float32Array => Float32Array.from({ length: n }, () => random.normal());

  it("computes the same, in front, behind and around; other pads stay", async () => {
    const net = createBuilder("pads");
    const image = net.input("image", ["batch", 3, 9, 7]);
    const x = net.conv(image, { name: "c", weights: { shape: [6, 3, 3, 3], data: draw(162) } });
    const behind = net.pad(x, [0, 0, 0, 0, 0, 4, 0, 0], { name: "behind" });
    const around = net.pad(behind, [0, 2, 1, 2, 0, 1, 3, 0], { name: "around" });
    const place = net.pad(x, [0, 0, 1, 1, 0, 0, 1, 1], { name: "place" });
    const less = net.pad(x, [0, -1, 0, 0, 0, 2, 0, 0], { name: "less" });
    const network = net.build([around, place, less]);
    const wide = padsAsConvolutions(network);
    expect(wide.nodes.filter(({ op }) => op === "Pad").map(({ name }) => name)).to.deep.equal([
      "place",
      "less",
    ]);
    const inputs = randomInputs(network, { batch: 2, seed: 3 });
    const [expected, found] = [await run(network, inputs), await run(wide, inputs)];
    expect(relativeDifference(found, expected)).to.equal(0);
    expect(padsAsConvolutions(wide)).to.deep.equal(wide);
  });

  it("does so around maps that are added, where depthwise kernels are quick", async () => {
    const net = createBuilder("sums");
    const x = net.input("x", ["batch", 8, 5, 5]);
    const few = net.input("few", ["batch", 6, 5, 5]);
    const place = [0, 0, 0, 1, 0, 0, 1, 1];
    const added = net.pad(x, place, { name: "added" });
    const pooled = net.pad(x, place, { name: "pooled" });
    const odd = net.pad(few, place, { name: "odd" });
    const network = net.build([
      net.add(added, added, { name: "sum" }),
      net.maxPool(pooled, { name: "pool", kernel: 2 }),
      net.add(odd, odd, { name: "odd-sum" }),
    ]);
    const wide = padsAsConvolutions(network);
    expect(namesOf(wide, "Pad")).to.deep.equal(["pooled", "odd"]);
    expect(wide.parameters.has("added.pads")).to.equal(false);
    const inputs = randomInputs(network, { batch: 2, seed: 3 });
    expect(relativeDifference(await run(wide, inputs), await run(network, inputs))).to.equal(0);
    expect(convolutionsAsPads(wide)).to.deep.equal(network);
  });

  it("leaves a Pad that is quicker", () => {
    const wider = (side: number): Network => {
      const net = createBuilder("wide");
      const x = net.input("x", ["batch", 64, side, side]);
      return net.build([net.pad(x, [0, 0, 0, 0, 0, 64, 0, 0], { name: "widen" })]);
    };
    expect(namesOf(padsAsConvolutions(wider(11)), "Conv")).to.deep.equal(["widen"]);
    expect(namesOf(padsAsConvolutions(wider(12)), "Conv")).to.deep.equal([]);
  });

  it("takes no layer for a Pad that has other weights, a bias or a step", () => {
    const net = createBuilder("layers");
    const x = net.input("x", ["batch", 2, 4, 4]);
    const one = net.input("one", ["batch", 1, 4, 4]);
    // As a Pad is written, with nothing but what makes it none.
    const bare = (
      from: string,
      name: string,
      width: number,
      data: readonly number[],
      bias?: string,
    ): string => {
      const shape = [width, data.length / width, 1, 1];
      const weight = net.parameter(`${name}.weight`, float32(shape, Float32Array.from(data)));
      const attributes = { kernel_shape: { type: "ints", value: [1, 1] } } as const;
      return net.node("Conv", [from, weight, ...(bias === undefined ? [] : [bias])], { name, attributes });
    };
    const identity = [1, 0, 0, 1, 0, 0];
    const step = { shape: [3, 2, 1, 1], data: Float32Array.from(identity) };
    const zeros = net.parameter("zeros", float32([3], new Float32Array(3)));
    const network = net.build([
      bare(x, "other", 3, [1, 0, 0, 1, 0, 0.5]),
      bare(x, "mixed", 3, [0, 1, 1, 0, 0, 0]),
      bare(x, "square", 2, [1, 0, 0, 1]),
      bare(x, "bias", 3, identity, zeros),
      net.conv(x, { name: "step", weights: step, strides: 2 }),
      bare(one, "dead", 3, [0, 0, 0]),
    ]);
    expect(convolutionsAsPads(network)).to.equal(network);
    const padded = { ...network, nodes: [...network.nodes] };
    padded.nodes[3] = { ...padded.nodes[3], inputs: padded.nodes[3].inputs.slice(0, 2) };
    expect(namesOf(convolutionsAsPads(padded), "Pad"), "without its bias it is one").to.deep.equal(["bias"]);
  });

  it("is in files of this program alone, which are read back as what they were", () => {
    const net = createBuilder("file");
    const x = net.input("x", ["batch", 8, 4, 4]);
    const network = net.build([net.pad(x, [0, 2, 1, 0, 0, 3, 0, 1], { name: "widen" })]);
    const plain = readOnnx(writeOnnx(network, { plainPads: true }), { name: "plain.onnx" });
    const written = writeOnnx(network);
    const { file, ...again } = readOnnx(written, { name: "own.onnx" });
    expect({ ...again, metadata: network.metadata }).to.deep.equal(network);
    const text = Buffer.from(written).toString("latin1");
    expect([text.includes("Conv"), text.includes("Pad")]).to.deep.equal([true, false]);
    expect(writeLike({ ...again, ...(file && { file }) }).bytes).to.deep.equal(written);
    const foreign = { ...plain, ...(file && { file: { ...file, producer: ["pytorch", "2"] as const } }) };
    for (const bytes of [writeOnnx(foreign), writeLike(foreign).bytes])
      expect(Buffer.from(bytes).toString("latin1").includes("Conv")).to.equal(false);
  });
});
