import { expect } from "chai";
import { int } from "../../lib/network/builder.ts";
import { analyseCoupling } from "../../lib/network/coupling/analyse.ts";
import { int64, type Network } from "../../lib/network/network.ts";
import { applySurgery } from "../../lib/surgery/apply.ts";
import { planSurgery } from "../../lib/surgery/plan.ts";
import { maskNetwork } from "../support/mask.ts";
import { shuffle, sketch, type Sketch } from "../support/patterns.ts";
import { randomInputs, relativeDifference, run } from "../support/run.ts";

/** A picture, `body`, and a layer in four channels that reads what it makes. */
function network(title: string, body: (s: Sketch, x: string) => string): Network {
  const s = sketch(title);
  return s.build([s.layer(body(s, s.input("image", ["batch", 3, 8, 8])), "head", [8, 4])]);
}

const cases: { readonly op: string; readonly network: Network; readonly layer: string }[] = [
  {
    op: "Pad",
    layer: "b",
    network: network("a trunk that loses all channels it was widened by", (s, x) => {
      const a = s.relu(s.layer(x, "a", [3, 4]));
      return s.relu(s.add(s.layer(a, "b", [4, 8]), s.pad(a, [0, 0, 0, 0, 0, 4, 0, 0])));
    }),
  },
  {
    op: "Slice",
    layer: "a",
    network: network("a slice of what is left", (s, x) => {
      const a = s.slice(s.layer(x, "a", [3, 8]), { axis: 1, start: 0, end: 5 });
      return s.layer(a, "b", [5, 8]);
    }),
  },
  {
    op: "Gather",
    layer: "a",
    network: network("channels taken in order where the others go", (s, x) => {
      const indices = s.parameter("indices", int64([0, 1, 2, 3, 7, 6, 5, 4]));
      return s.node("Gather", [s.layer(x, "a", [3, 8]), indices], { attributes: { axis: int(1) } });
    }),
  },
  {
    op: "Gather",
    layer: "a",
    network: network("a shuffle of which one group is left", (s, x) =>
      shuffle(s, s.layer(x, "a", [3, 8]), [2, 8]),
    ),
  },
];

describe("surgery: what would have no effect any more goes", () => {
  for (const { op, network, layer } of cases) {
    it(network.name, async () => {
      const coupling = analyseCoupling(network);
      const inputs = randomInputs(network, { batch: 2, seed: 3 });
      for (const { kept, left } of [
        { kept: [0, 2, 5, 6], left: 1 },
        { kept: [0, 1, 2, 3], left: 0 },
      ]) {
        const plan = planSurgery(network, new Map([[layer, Uint32Array.from(kept)]]), { coupling });
        const cut = applySurgery(network, plan);
        const nodes = cut.nodes.filter((node) => node.op === op || node.op === "Identity");
        expect(nodes, kept.join()).to.have.lengthOf(left);
        const masked = await run(maskNetwork(network, plan), inputs);
        expect(relativeDifference(await run(cut, inputs), masked), kept.join()).to.be.at.most(1e-5);
      }
    });
  }
});
