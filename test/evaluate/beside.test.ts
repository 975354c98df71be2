import { expect } from "chai";
import { besideOf, shareOfTime } from "../../lib/evaluate/beside.ts";
import { openEngine } from "../../lib/engine/open.ts";
import { tower } from "../support/tower.ts";

describe("evaluate/beside", () => {
  it("gives shares of the reference's time, turn by turn, and the reference's milliseconds a picture", async () => {
    const engine = await openEngine({ engine: "ort", threads: 1 });
    const [wide, narrow] = [tower(64, 6), tower(4, 2)];
    try {
      const beside = await besideOf(engine, wide, 2);
      try {
        expect(beside.ms()).to.be.above(0);
        const shares = await beside.shares(narrow);
        expect(shares.length).to.be.at.least(1);
        // about 600 times the work: holds on any machine, however busy
        for (const share of shares) expect(share).to.be.within(1e-6, 0.9);
        const time = beside.ms();
        for (const share of await beside.shares(narrow, "others")) expect(share).to.be.within(1e-6, 0.9);
        expect(beside.ms()).to.equal(time); // of runs with the caches to themselves alone
        const [one] = await beside.shares(wide);
        expect(one).to.be.within(0.05, 20);
      } finally {
        await beside.dispose();
      }
      expect(await shareOfTime(engine, wide, narrow, { batch: 1 })).to.be.within(1e-6, 0.9);
      const signal = AbortSignal.abort();
      const stopped: unknown = await shareOfTime(engine, wide, narrow, { batch: 1, signal }).catch(
        (error: unknown) => error,
      );
      expect(String(stopped)).to.contain("timing a network: stopped");
    } finally {
      await engine.dispose();
    }
  });
});
