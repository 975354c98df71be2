import { expect } from "chai";
import { createBuilder } from "../../../lib/network/builder.ts";
import { int64, type Attribute, type Network } from "../../../lib/network/network.ts";
import { openReshapes } from "../../../lib/network/open/batch.ts";
import { randomInputs, run } from "../../support/run.ts";
import { createRandom } from "../../../lib/core/random.ts";

const random = createRandom(4).fork("open batch");
const draw = (...shape: number[]): { shape: number[]; data: Float32Array } => ({
  shape,
  data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.normal()),
});

/** As exporters write it for one picture: a channel shuffle and an end by Reshape to [1, ...]. */
function fixed(end: readonly number[], attributes: Readonly<Record<string, Attribute>> = {}): Network {
  const net = createBuilder("fixed");
  let x = net.input("image", ["n", 3, 8, 8]);
  x = net.conv(x, { name: "a", weights: draw(6, 3, 3, 3) });
  const shape = (name: string, values: readonly number[]): string => net.parameter(name, int64(values));
  x = net.node("Reshape", [x, shape("apart", [1, 2, 3, 6, 6])], { name: "r1" });
  x = net.transpose(x, [0, 2, 1, 3, 4]);
  x = net.node("Reshape", [x, shape("together", [1, 6, 6, 6])], { name: "r2" });
  x = net.conv(x, { name: "b", weights: draw(5, 6, 6, 6) });
  return net.build([net.node("Reshape", [x, shape("flat", end)], { name: "r3", attributes })]);
}

describe("a batch that is fixed inside", () => {
  for (const [title, end, attributes] of [
    ["with all sizes", [1, 5], {}],
    ["with one left open", [1, -1], {}],
    ["where 0 is no copy", [1, 5], { allowzero: { type: "int", value: 1 } }],
  ] as const)
    it(`takes as many pictures as come: ${title}`, async () => {
      const network = fixed(end, attributes);
      const open = openReshapes(network);
      const three = randomInputs(network, { batch: 3, seed: 1 });
      const { image } = three;
      const found = Object.values(await run(open, three))[0];
      expect(found.shape).to.deep.equal([3, 5]);
      const size = image.data.length / 3;
      for (let i = 0; i < 3; i++) {
        const one = { shape: [1, 3, 8, 8], data: image.data.slice(i * size, (i + 1) * size) };
        const [expected] = Object.values(await run(network, { image: one }));
        expected.data.forEach((value, k) => expect(found.data[i * 5 + k]).to.be.closeTo(value, 1e-4));
      }
    });

  it("leaves what is not the batch, and what cannot be left open", () => {
    const net = createBuilder("other");
    const x = net.input("image", ["n", 3, 8, 8]);
    const mean = net.parameter("scale", { type: "float32", ...draw(3) });
    const shape = net.parameter("to", int64([1, 3, 1, 1]));
    const scale = net.node("Reshape", [mean, shape], { name: "of a weight" });
    const plain = net.build([net.node("Mul", [x, scale], { name: "m" })]);
    expect(openReshapes(plain)).to.equal(plain);
    const closed = fixed([1, -1], { allowzero: { type: "int", value: 1 } });
    expect(openReshapes(closed).nodes.find(({ name }) => name === "r3")?.inputs[1]).to.equal("flat");
  });
});
