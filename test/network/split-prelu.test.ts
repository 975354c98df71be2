import { expect } from "chai";
import { createRandom } from "../../lib/core/random.ts";
import { createBuilder } from "../../lib/network/builder.ts";
import { splitPRelu } from "../../lib/network/split-prelu.ts";
import { randomInputs, relativeDifference, run } from "../support/run.ts";

describe("PRelu as depthwise convolutions", () => {
  const random = createRandom(2).fork("prelu");
  const draw = (n: number): Float32Array => Float32Array.from({ length: n }, () => random.normal());

  it("computes the same, for a slope a channel and for one in all; nothing else changes", async () => {
    const net = createBuilder("prelus");
    let x = net.input("image", ["batch", 3, 9, 7]);
    x = net.conv(x, { name: "c", weights: { shape: [6, 3, 3, 3], data: draw(162) } });
    x = net.pRelu(x, draw(6), { name: "each" });
    x = net.pRelu(x, draw(1), { name: "all" });
    const slope = net.parameter("slope", { type: "float32", shape: [1], data: draw(1) });
    const flat = net.node("PRelu", [net.flatten(x), slope], { name: "flat" });
    const network = net.build([x, flat]);
    const split = splitPRelu(network);
    expect(split.nodes.filter(({ op }) => op === "PRelu").map(({ name }) => name)).to.deep.equal(["flat"]);
    expect(split.parameters.has("each.slope")).to.equal(false);
    const inputs = randomInputs(network, { batch: 2, seed: 3 });
    const [expected, found] = [await run(network, inputs), await run(split, inputs)];
    expect(relativeDifference(found, expected)).to.be.below(1e-6);
    expect(splitPRelu(split)).to.deep.equal(split);
  });
});
