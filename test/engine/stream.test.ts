import { expect } from "chai";
import { createRecycler } from "../../lib/core/recycler.ts";
import type { Engine, Tensors } from "../../lib/engine/engine.ts";
import { openEngine } from "../../lib/engine/open.ts";
import { runStream, together } from "../../lib/engine/stream.ts";
import { createBuilder } from "../../lib/network/builder.ts";
import type { Network } from "../../lib/network/network.ts";

const width = 6000;

/** sum [n, 1] and twice [n, width] of x [n, width] */
function sums(): Network {
  const net = createBuilder("sums");
  const x = net.input("x", ["batch", width]);
  const ones = { shape: [1, width], data: new Float32Array(width).fill(1) };
  return net.build([net.gemm(x, { name: "sum", weights: ones }), net.add(x, x, { name: "twice" })]);
}

/** Row i of a batch has the number `start + i` in every place. */
function batch(start: number, n: number, data = new Float32Array(n * width)): Tensors {
  for (let i = 0; i < n; i++) data.fill(start + i, i * width, (i + 1) * width);
  return { x: { shape: [n, width], data } };
}

describe("streams of runs", () => {
  let engine: Engine;
  before(async () => {
    engine = await openEngine({ engine: "ort", threads: 2 });
  });
  after(() => engine.dispose());

  it("are computed by two copies where there are two threads and many runs, else by one", async () => {
    const single = await openEngine({ engine: "ort", threads: 1 });
    const lanes = async (of: Engine, runs: number): Promise<number> => {
      const program = await of.compile(sums(), { runs });
      await program.dispose();
      return program.lanes;
    };
    expect([await lanes(engine, 32), await lanes(engine, 31), await lanes(single, 32)]).to.deep.equal([
      2, 1, 1,
    ]);
    await single.dispose();
  });

  it("give the results of single runs, in order, and the arrays back", async () => {
    const program = await engine.compile(sums(), { runs: 32 });
    const recycler = createRecycler();
    const sizes = [3, 4, 3, 1, 4, 4, 3, 2, 3];
    const taken = new Set<ArrayBufferLike>();
    function* batches(): Generator<Tensors> {
      for (const [b, n] of sizes.entries()) {
        const data = recycler.take(n * width);
        taken.add(data.buffer);
        yield batch(100 * b, n, data);
      }
    }
    const seen: number[] = [];
    for await (const { item, outputs } of runStream(program, batches(), (inputs) => inputs, {
      give: recycler,
    })) {
      expect(item["x"].shape).to.deep.equal([outputs["sum"].data.length, width]);
      seen.push(...Array.from(outputs["sum"].data, (sum) => sum / width));
    }
    expect(seen).to.deep.equal(sizes.flatMap((n, b) => Array.from({ length: n }, (_, i) => 100 * b + i)));
    expect(recycler.lent(recycler.take(4 * width))).to.equal(true);
    await program.dispose();
  });

  it("stop with the error of the first run that fails, and close the source", async () => {
    const program = await engine.compile(sums(), { runs: 32 });
    let closed = false;
    const seen: number[] = [];
    function* batches(): Generator<Tensors> {
      try {
        for (let b = 0; b < 9; b++) {
          yield b === 3 ? { x: { shape: [1, 2], data: new Float32Array(2) } } : batch(b, 1);
        }
      } finally {
        closed = true;
      }
    }
    let error: unknown;
    try {
      for await (const { outputs } of runStream(program, batches(), (inputs) => inputs)) {
        seen.push(outputs["sum"].data[0] / width);
      }
    } catch (thrown) {
      error = thrown;
    }
    expect(error).to.have.property("kind", "engine");
    expect([seen, closed]).to.deep.equal([[0, 1, 2], true]);
    await program.dispose();
  });

  it("may be left before their end", async () => {
    const program = await engine.compile(sums(), { runs: 32 });
    for await (const { outputs } of runStream(
      program,
      [batch(7, 1), batch(8, 1), batch(9, 1)],
      (inputs) => inputs,
    )) {
      expect(outputs["sum"].data[0]).to.equal(7 * width);
      break;
    }
    await program.dispose();
  });

  it("run several programs as one", async () => {
    const both = together([
      await engine.compile(sums(), { outputs: ["sum"], runs: 32 }),
      await engine.compile(sums(), { outputs: ["twice"] }),
    ]);
    expect(both.lanes).to.equal(1);
    const { sum, twice } = await both.run(batch(2, 1), { give: true });
    expect([sum.data[0], twice.data[0], twice.data.length]).to.deep.equal([2 * width, 4, width]);
    expect(await both.time(batch(2, 1), { warmup: 0, runs: 3 })).to.have.length(3);
    await both.dispose();
  });
});
