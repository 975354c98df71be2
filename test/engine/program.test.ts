import { expect } from "chai";
import { createRecycler } from "../../lib/core/recycler.ts";
import { openEngine, probeEngines } from "../../lib/engine/open.ts";
import type { Engine } from "../../lib/engine/engine.ts";
import { isEtlError } from "../../lib/core/errors.ts";
import { float32, type Network, type Node } from "../../lib/network/network.ts";

const node = (name: string, op: string, inputs: string[], outputs: string[], attributes = {}): Node => ({
  name,
  op,
  domain: "",
  inputs,
  outputs,
  attributes,
});

/** x [n, 2, 3, 3] -> conv 1x1 (3 filters) -> relu -> global average pool */
function small(): Network {
  return {
    name: "small",
    opset: 17,
    inputs: [{ name: "x", type: "float32", shape: ["n", 2, 3, 3] }],
    outputs: [{ name: "pooled", type: "float32", shape: ["n", 3, 1, 1] }],
    nodes: [
      node("conv", "Conv", ["x", "w", "b"], ["z"]),
      node("relu", "Relu", ["z"], ["a"]),
      node("pool", "GlobalAveragePool", ["a"], ["pooled"]),
    ],
    parameters: new Map([
      ["w", float32([3, 2, 1, 1], Float32Array.of(1, 0, 0, 1, 1, -1))],
      ["b", float32([3], Float32Array.of(0, 1, 0))],
    ]),
    metadata: {},
  };
}

const ramp = (n: number): Float32Array => Float32Array.from({ length: n * 18 }, (_, i) => i % 18);

async function failure(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}

const descriptions = {
  ort: /^onnxruntime-node \d+\.\d+\.\d+, CPU$/,
  tfjs: /^(tfjs-node(-gpu)? with )?tfjs \d+\.\d+\.\d+, /,
};

for (const name of ["ort", "tfjs"] as const)
  describe(`engine ${name}: inference`, () => {
    let engine: Engine;
    before(async () => {
      engine = await openEngine({ engine: name, threads: 2 });
    });
    after(() => engine.dispose());

    it("says what it is", () => {
      expect(engine.name).to.equal(name);
      expect(engine.description).to.match(descriptions[name]);
      if (name === "ort") expect(engine.threads).to.equal(2);
      else expect(engine.threads).to.be.at.least(1);
    });

    it("takes arrays that are given to it: the same result, and the caller has them no more", async () => {
      const program = await engine.compile(small());
      const x = { shape: [2, 2, 3, 3], data: ramp(2) };
      const { pooled: wanted } = await program.run({ x });
      const { pooled: found } = await program.run({ x }, { give: true });
      expect(found).to.deep.equal(wanted);
      expect(x.data.length).to.equal(0);
      await program.dispose();
    });

    it("moves arrays of a recycler back to it, memory and all", async () => {
      const program = await engine.compile(small());
      const { pooled: wanted } = await program.run({ x: { shape: [2, 2, 3, 3], data: ramp(2) } });
      const recycler = createRecycler({ smallest: 1 });
      for (let round = 0; round < 3; round++) {
        const data = recycler.take(36);
        data.set(ramp(2));
        const { pooled } = await program.run({ x: { shape: [2, 2, 3, 3], data } }, { give: recycler });
        expect(pooled).to.deep.equal(wanted);
        expect(data.length).to.equal(0);
        const back = recycler.take(36);
        expect([...back]).to.deep.equal([...ramp(2)]);
        recycler.giveBack(back);
      }
      await program.dispose();
    });

    it("keeps apart what a result shares with its input: no later run writes into it", async () => {
      const passing = {
        ...small(),
        inputs: [{ name: "x", type: "float32", shape: ["n", 40_000] }],
        outputs: [{ name: "y", type: "float32", shape: ["n", 40_000] }],
        nodes: [node("same", "Identity", ["x"], ["y"])],
        parameters: new Map(),
      } as Network;
      const program = await engine.compile(passing);
      const recycler = createRecycler();
      for (const give of [false, recycler]) {
        const first = recycler.take(40_000).fill(1);
        const { y } = await program.run({ x: { shape: [1, 40_000], data: first } }, { give });
        const second = recycler.take(40_000).fill(2);
        await program.run({ x: { shape: [1, 40_000], data: second } }, { give });
        expect(y.data.every((value) => value === 1)).to.equal(true);
      }
      await program.dispose();
    });

    it("runs batches of different sizes through one program, and leaves the caller's arrays alone", async () => {
      const program = await engine.compile(small());
      for (const n of [1, 5, 2]) {
        const data = ramp(n);
        const { pooled } = await program.run({ x: { shape: [n, 2, 3, 3], data } });
        expect(pooled.shape).to.deep.equal([n, 3, 1, 1]);
        expect([...pooled.data.slice(-3)]).to.deep.equal([4, 14, 0]);
        expect(data.length).to.equal(n * 18);
      }
      await program.dispose();
    });

    it("gives inner values beside or instead of the outputs", async () => {
      const program = await engine.compile(small(), { outputs: ["a", "pooled", "z"] });
      const result = await program.run({ x: { shape: [1, 2, 3, 3], data: ramp(1) } });
      expect(Object.keys(result)).to.deep.equal(["a", "pooled", "z"]);
      expect(result.a.shape).to.deep.equal([1, 3, 3, 3]);
      expect([...result.z.data.slice(18, 21)]).to.deep.equal([-9, -9, -9]);
      expect([...result.a.data.slice(18, 21)]).to.deep.equal([0, 0, 0]);
      await program.dispose();
    });

    it("times runs inside the worker", async () => {
      const program = await engine.compile(small());
      const times = await program.time({ x: { shape: [1, 2, 3, 3], data: ramp(1) } }, { warmup: 1, runs: 4 });
      expect(times).to.have.length(4);
      expect(times.every((time) => time > 0)).to.equal(true);
      await program.dispose();
    });

    it("gives the same where it has the cores to itself", async () => {
      const inputs = { x: { shape: [1, 2, 3, 3], data: ramp(1) } };
      const programs = [await engine.compile(small()), await engine.compile(small(), { alone: true })];
      const [waiting, alone] = [await programs[0].run(inputs), await programs[1].run(inputs)];
      expect(alone).to.deep.equal(waiting);
      await Promise.all(programs.map((program) => program.dispose()));
    });

    it("accepts a view into a larger buffer and a shared one", async () => {
      const program = await engine.compile(small());
      const view = new Float32Array(new SharedArrayBuffer(200)).subarray(4, 22);
      view.set(ramp(1));
      const { pooled } = await program.run({ x: { shape: [1, 2, 3, 3], data: view } });
      expect([...pooled.data]).to.deep.equal([4, 14, 0]);
      await program.dispose();
    });

    it("keeps two programs apart and refuses a disposed one", async () => {
      const one = await engine.compile(small());
      const two = await engine.compile(small(), { outputs: ["z"] });
      await one.dispose();
      expect(Object.keys(await two.run({ x: { shape: [1, 2, 3, 3], data: ramp(1) } }))).to.deep.equal(["z"]);
      const error = await failure(one.run({ x: { shape: [1, 2, 3, 3], data: ramp(1) } }));
      expect(isEtlError(error, "engine")).to.equal(true);
      await two.dispose();
    });

    it("names a missing input, a wrong length and an unknown output", async () => {
      const program = await engine.compile(small());
      expect(await failure(Promise.resolve().then(() => program.run({}))))
        .to.have.property("message")
        .that.matches(/^x: not among the inputs/);
      const short = { x: { shape: [1, 2, 3, 3], data: new Float32Array(3) } };
      expect(await failure(Promise.resolve().then(() => program.run(short))))
        .to.have.property("message")
        .that.matches(/^x: 3 values, 18 for the shape \[1, 2, 3, 3\] were needed/);
      const error = await failure(engine.compile(small(), { outputs: ["poled"] }));
      expect(error).to.have.property("hint", "did you mean pooled?");
      await program.dispose();
    });

    it("names the node that fails", async () => {
      const base = small();
      const broken: Network = {
        ...base,
        inputs: [{ name: "x", type: "float32", shape: ["n", "c", "h", "w"] }],
        outputs: [{ name: "pooled", type: "float32", shape: ["n", "c", "h", "w"] }],
      };
      const program = await engine.compile(broken);
      const error = await failure(program.run({ x: { shape: [1, 3, 2, 2], data: new Float32Array(12) } }));
      expect(isEtlError(error, name === "ort" ? "engine" : "format")).to.equal(true);
      expect((error as Error).message).to.match(/\bconv"? \(/);
      await program.dispose();
      const unknown = {
        ...base,
        nodes: [...base.nodes.slice(0, 2), node("odd", "NoSuchOp", ["a"], ["pooled"])],
      };
      const refused = await failure(engine.compile(unknown));
      expect(isEtlError(refused, name === "ort" ? "engine" : "unsupported")).to.equal(true);
      expect((refused as Error).message).to.contain("NoSuchOp");
    });
  });

describe("engine registry", () => {
  it("opens the first engine that loads, and reports all", async () => {
    const engine = await openEngine({ threads: 1 });
    expect(engine.name).to.equal(engine.description.includes("GPU") ? "tfjs" : "ort");
    await engine.dispose();
    const probes = await probeEngines();
    for (const name of ["ort", "tfjs"]) {
      expect(probes.map((probe) => [probe.name, probe.available])).to.deep.include([name, true]);
    }
    for (const probe of probes)
      if (!probe.available) expect(probe.reason).to.be.a("string").and.not.equal("");
  });

  it("refuses a thread count that is none", async () => {
    const error = await failure(openEngine({ threads: 0 }));
    expect(isEtlError(error, "usage")).to.equal(true);
  });
});
