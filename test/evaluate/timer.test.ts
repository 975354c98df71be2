import { expect } from "chai";
import { silent } from "../../lib/core/progress.ts";
import type { Engine } from "../../lib/engine/engine.ts";
import { openEngine } from "../../lib/engine/open.ts";
import { noiseFor } from "../../lib/evaluate/profile.ts";
import { timerOf, timingThreads } from "../../lib/evaluate/timer.ts";
import { tower } from "../support/tower.ts";

describe("evaluate/timer", () => {
  let engine: Engine;
  const network = tower(4, 2);
  before(async () => {
    engine = await openEngine({ engine: "ort", threads: 2 });
  });
  after(() => engine.dispose());

  /** The engine on a machine where a run with all threads takes so many milliseconds, and with one so many. */
  const machine = (all: number, one: number): Engine => {
    const timed = (own: Engine, ms: number): Engine => ({
      ...own,
      compile: async (...given) => ({ ...(await own.compile(...given)), time: () => Promise.resolve([ms]) }),
    });
    return {
      ...timed(engine, all),
      withThreads: (count) => timed(engine.withThreads?.(count) ?? engine, one),
    };
  };

  it("all threads where they are quicker than one; one where they are not, and it says so", async () => {
    expect(await timingThreads(machine(6, 10), network)).to.deep.equal({ threads: 2, share: 0.6 });
    expect(await timingThreads(machine(12, 10), network)).to.deep.equal({ threads: 1, share: 1.2 });
    const notes: string[] = [];
    const progress = { ...silent, note: (text: string) => void notes.push(text) };
    expect((await timerOf(machine(6, 10), network, { given: undefined, progress })).threads).to.equal(2);
    expect(notes).to.deep.equal([]);
    expect((await timerOf(machine(12, 10), network, { given: undefined, progress })).threads).to.equal(1);
    expect(notes).to.deep.equal([
      "2 threads take 120 % of the time of one here: times are of one thread, --threads 2 takes all",
    ]);
  });

  it("is not asked where somebody said how many, and is heard where it is to stop", async () => {
    expect(await timerOf(engine, network, { given: 2 })).to.equal(engine);
    const one = engine.withThreads?.(1);
    expect(await timingThreads({ ...engine, threads: 1 }, network)).to.deep.equal({ threads: 1 });
    expect(one?.threads).to.equal(1);
    const kernels = await one?.kernels(network, noiseFor(network, 1), { runs: 2 });
    expect(kernels?.length).to.be.above(0);
    const signal = AbortSignal.abort();
    const stopped: unknown = await timingThreads(engine, network, { signal }).catch(
      (error: unknown) => error,
    );
    expect(String(stopped)).to.contain("timing a network: stopped");
  });
});
