import { expect } from "chai";
import { analyseCoupling } from "../../lib/network/coupling/analyse.ts";
import { explain } from "../../lib/network/coupling/explain.ts";
import type { Coupling } from "../../lib/network/coupling/types.ts";
import { isEtlError } from "../../lib/core/errors.ts";
import { patterns, pointwise, sketch } from "../support/patterns.ts";

/** Classes of a layer's outputs, numbered from 0 within the answer. */
function classesOf(coupling: Coupling, ...names: readonly string[]): number[][] {
  const seen = new Map<number, number>();
  return names.map((name) =>
    Array.from(coupling.layers.find((layer) => layer.name === name)!.outputs, (atom) => {
      const id = coupling.classOf[atom];
      if (!seen.has(id)) seen.set(id, seen.size);
      return seen.get(id)!;
    }),
  );
}

const networkOf = (title: string) => patterns.find((pattern) => pattern.title === title)!.network;

describe("coupling", () => {
  it("ties the summands of a residual sum channel by channel", () => {
    const coupling = analyseCoupling(networkOf("a residual sum with a projection"));
    const [a, b1, b2, down, c] = classesOf(coupling, "a", "b1", "b2", "down", "c");
    expect(b2).to.deep.equal(a);
    expect(c).to.deep.equal(down);
    expect(b1.some((id) => a.includes(id))).to.equal(false);
    expect(coupling.groups.map(({ layers }) => layers.join())).to.include.members(["a,b2", "down,c", "b1"]);
  });

  it("ties padded zeros to their partners only", () => {
    const coupling = analyseCoupling(networkOf("a zero-padded shortcut behind a pool"));
    const [a, b2] = classesOf(coupling, "a", "b2");
    expect(b2.slice(0, 6)).to.deep.equal(a);
    expect(b2.slice(6)).to.deep.equal([6, 7, 8, 9]);
  });

  it("ties a depthwise convolution's outputs to their input", () => {
    const coupling = analyseCoupling(networkOf("depthwise, with one and with two outputs per input"));
    const [a, once, twice] = classesOf(coupling, "a", "once", "twice");
    expect(once).to.deep.equal(a);
    expect(twice).to.deep.equal(a.flatMap((id) => [id, id]));
  });

  it("ties the same position of all groups", () => {
    const coupling = analyseCoupling(networkOf("groups"));
    const [a, b, c] = classesOf(coupling, "a", "b", "c");
    expect(a).to.deep.equal([0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3]);
    expect(new Set(b).size).to.equal(6);
    expect(c).to.deep.equal(b);
  });

  it("follows a channel shuffle", () => {
    const coupling = analyseCoupling(networkOf("a channel shuffle"));
    const [a, b] = classesOf(coupling, "a", "b");
    expect(a).to.deep.equal([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    expect(b).to.deep.equal([0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]);
  });

  it("repeats channels over the pixels of a Flatten", () => {
    const coupling = analyseCoupling(networkOf("Flatten into a linear layer"));
    const [a, fc] = ["a", "fc1"].map((name) => coupling.layers.find((layer) => layer.name === name)!);
    expect(Array.from(fc.inputs)).to.deep.equal(
      Array.from(a.outputs).flatMap((atom) => Array.from({ length: 16 }, () => atom)),
    );
  });

  it("leaves an unknown operator's inputs whole and names it", () => {
    const s = sketch("unknown");
    const a = s.layer(s.input("input", ["batch", 3, 8, 8]), "a", [3, 4]);
    const network = s.build([pointwise(s, s.relu(a), "head", [4, 2])]);
    const nodes = network.nodes.map((node) => (node.op === "Relu" ? { ...node, op: "Riddle" } : node));
    const coupling = analyseCoupling({ ...network, nodes });
    const reasons = coupling.layers[0].outputs.map((atom) =>
      coupling.frozen.has(coupling.classOf[atom]) ? 1 : 0,
    );
    expect(Array.from(reasons)).to.deep.equal([1, 1, 1, 1]);
    expect([...coupling.frozen.values()].some((text) => text.startsWith("Riddle relu1"))).to.equal(true);
  });
});

describe("explain", () => {
  it("names the partner, the channels and the node that ties them", () => {
    const coupling = analyseCoupling(networkOf("a zero-padded shortcut behind a pool"));
    expect(explain(coupling, "b2")).to.deep.equal([
      "b2 (Conv): 10 inputs, 10 outputs",
      "output channels 0-5 are tied to a by Add add1",
      "inputs cut along: b1, head",
    ]);
  });

  it("says why channels must stay", () => {
    const coupling = analyseCoupling(networkOf("a chain"));
    expect(explain(coupling, "b")).to.include("output channels 0-3 must stay: network output b");
  });

  it("says that the groups of a convolution are tied to each other", () => {
    const lines = explain(analyseCoupling(networkOf("groups")), "b").join("\n");
    expect(lines).to.match(/are tied to each other by the equal groups of Conv b/);
  });

  it("suggests the nearest layer", () => {
    const coupling = analyseCoupling(networkOf("several heads"));
    try {
      explain(coupling, "gendre");
      expect.fail("nothing was thrown");
    } catch (error) {
      expect(isEtlError(error, "usage") && error.hint).to.equal("did you mean gender?");
    }
  });
});
