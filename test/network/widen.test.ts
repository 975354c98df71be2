import { expect } from "chai";
import { createRandom } from "../../lib/core/random.ts";
import { createBuilder } from "../../lib/network/builder.ts";
import { padsAsConvolutions } from "../../lib/network/widen.ts";
import { randomInputs, relativeDifference, run } from "../support/run.ts";

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
});
