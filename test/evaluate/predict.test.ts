import { expect } from "chai";
import type { Engine, Program, Tensors } from "../../lib/engine/engine.ts";
import { silent } from "../../lib/core/progress.ts";
import { openEngine } from "../../lib/engine/open.ts";
import { predict } from "../../lib/evaluate/predict.ts";
import { createBuilder } from "../../lib/network/builder.ts";

const batch = (start: number, n: number): Tensors => ({
  x: { shape: [n, 2], data: Float32Array.from({ length: 2 * n }, (_, i) => 2 * start + i) },
});

describe("evaluate/predict", () => {
  let engine: Engine;
  let program: Program;
  before(async () => {
    engine = await openEngine({ engine: "ort", threads: 1 });
    const net = createBuilder("sum");
    const x = net.input("x", ["batch", 2]);
    const sum = net.gemm(x, { name: "sum", weights: { shape: [1, 2], data: Float32Array.of(1, 1) } });
    const same = net.identity(x, { name: "same" });
    program = await engine.compile(net.build([sum, same]));
  });
  after(() => engine.dispose());

  it("collects batches of different sizes in order", async () => {
    const seen: number[] = [];
    const progress = {
      start: () => undefined,
      update: (done: number) => seen.push(done),
      finish: () => undefined,
      note: () => undefined,
      warn: () => undefined,
    };
    const result = await predict(program, [batch(0, 2), batch(2, 3)], { progress });
    expect(result["sum"]).to.deep.equal({ rows: 5, width: 1, data: Float32Array.of(1, 5, 9, 13, 17) });
    expect(result["same"].width).to.equal(2);
    expect(Array.from(result["same"].data)).to.deep.equal(Array.from({ length: 10 }, (_, i) => i));
    expect(seen).to.deep.equal([2, 5]);
  });

  it("makes one answer of several views of the same rows, and counts rows once", async () => {
    const seen: number[] = [];
    const progress = { ...silent, update: (done: number) => void seen.push(done) };
    const views = {
      count: 2,
      combine: (output: string, [a, b]: readonly Float32Array[]): Float32Array =>
        a.map((value, i) => (output === "sum" ? value + b[i] : b[i] - value)),
    };
    const batches = [batch(0, 2), batch(1, 2), batch(2, 1), batch(7, 1)];
    const result = await predict(program, batches, { progress, views });
    expect(result["sum"]).to.deep.equal({ rows: 3, width: 1, data: Float32Array.of(6, 14, 38) });
    expect(Array.from(result["same"].data)).to.deep.equal([2, 2, 2, 2, 10, 10]);
    expect(seen).to.deep.equal([2, 3]);
  });

  it("fetches the next batch while one is computed, and closes the source when it stops", async () => {
    const events: string[] = [];
    async function* source(): AsyncGenerator<Tensors> {
      try {
        for (let i = 0; i < 4; i++) {
          events.push(`fetch ${i}`);
          yield await Promise.resolve(batch(i, 1));
        }
      } finally {
        events.push("closed");
      }
    }
    await predict(program, source(), { outputs: ["sum"] });
    expect(events).to.deep.equal(["fetch 0", "fetch 1", "fetch 2", "fetch 3", "closed"]);
    events.length = 0;
    const stop = new AbortController();
    stop.abort();
    const error: unknown = await predict(program, source(), { signal: stop.signal }).catch((e: unknown) => e);
    expect(error).to.have.property("kind", "interrupted");
    expect(events.at(-1)).to.equal("closed");
  });

  it("names an output that is not there", async () => {
    const error: unknown = await predict(program, [batch(0, 1)], { outputs: ["som"] }).catch(
      (e: unknown) => e,
    );
    expect(error).to.have.property("message", 'predict: no output "som", one of sum, same was needed');
  });

  it("passes on what the source throws", async () => {
    async function* broken(): AsyncGenerator<Tensors> {
      yield await Promise.resolve(batch(0, 1));
      throw new Error("disk gone");
    }
    const error: unknown = await predict(program, broken()).catch((e: unknown) => e);
    expect(error).to.have.property("message", "disk gone");
  });
});
