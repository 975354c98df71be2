import { expect } from "chai";
import { setTimeout as pause } from "node:timers/promises";
import { mapLimit } from "../../lib/core/parallel.ts";

describe("core/parallel", () => {
  it("where one job fails, those under way end first and no other begins: what they use may be closed", async () => {
    const [begun, ended]: [number[], number[]] = [[], []];
    const failed = await mapLimit([0, 1, 2, 3], 2, async (item) => {
      begun.push(item);
      if (item === 0) throw new Error("the first");
      await pause(20);
      ended.push(item);
    }).catch((error: unknown) => error);
    expect(failed).to.be.an("error").with.property("message", "the first");
    expect(begun).to.deep.equal([0, 1]);
    expect(ended).to.deep.equal([1]);
  });
});
