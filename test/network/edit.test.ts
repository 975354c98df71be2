import { expect } from "chai";
import { createBuilder } from "../../lib/network/builder.ts";
import {
  dropDead,
  freeName,
  freshMark,
  freshNames,
  nodesFor,
  readCounts,
  withInput,
} from "../../lib/network/edit.ts";
import { float32, type Network } from "../../lib/network/network.ts";

/** relu(x) + relu(x) -> sum, beside a branch that ends nowhere. */
function branched(): Network {
  const b = createBuilder("branched");
  const x = b.input("x", ["batch", 2]);
  const relu = b.relu(x, { name: "relu" });
  b.add(relu, b.parameter("loose", float32([2], Float32Array.of(1, 2))), { name: "dead" });
  return b.build([b.add(relu, relu, { name: "sum" })]);
}

describe("network/edit", () => {
  it("gives names that are free: the label, or its next form", () => {
    expect(freeName("a", new Set(["b"]))).to.equal("a");
    expect(freeName("a", new Set(["a", "a_2"]))).to.equal("a_3");
    expect(freeName("a", new Set(["a"]), (n) => `a_cut${n - 1}`)).to.equal("a_cut1");
    const fresh = freshNames(branched());
    expect(["x", "relu", "loose", "new", "new"].map((label) => fresh(label))).to.deep.equal([
      "x_2",
      "relu_2",
      "loose_2",
      "new",
      "new_2",
    ]);
  });

  it("marks names with what no name contains", () => {
    expect(freshMark(branched(), "/int8")).to.equal("/int8");
    expect(freshMark(branched(), "re")).to.equal("re2");
  });

  it("counts every reading, also two by one node", () => {
    expect(readCounts(branched()).get("relu")).to.equal(3);
  });

  it("drops nodes and parameters that no output needs, and keeps what it is told to", () => {
    const network = branched();
    const alive = dropDead(network);
    expect(alive.nodes.map(({ name }) => name)).to.deep.equal(["relu", "sum"]);
    expect([...alive.parameters.keys()]).to.deep.equal([]);
    const kept = dropDead(network, network.nodes[1].outputs);
    expect(kept.nodes).to.have.length(3);
    expect([...kept.parameters.keys()]).to.deep.equal(["loose"]);
  });

  it("follows values through nodes in any order; outputs and inputs that are left out tie nothing", () => {
    const step = (inputs: string[], outputs: string[]) => ({ inputs, outputs });
    const [last, first, other] = [step(["b", ""], ["c"]), step(["a"], ["b"]), step(["a"], ["d", ""])];
    expect(nodesFor([last, first, other], ["c"])).to.deep.equal([last, first]);
  });

  it("sets an input behind those that are not given", () => {
    const [relu] = branched().nodes;
    expect(withInput(relu, 2, "z").inputs).to.deep.equal(["x", "", "z"]);
    expect(withInput(relu, 0, "z").inputs).to.deep.equal(["z"]);
  });
});
