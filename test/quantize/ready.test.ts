import { expect } from "chai";
import { readyForBytes } from "../../lib/quantize/ready.ts";
import { patterns } from "../support/patterns.ts";
import { randomInputs, relativeDifference, run } from "../support/run.ts";

describe("int8: what networks are before they are written in bytes", () => {
  for (const { title, network } of patterns)
    it(`the same function: ${title}`, async () => {
      const inputs = randomInputs(network, { batch: 2, seed: 1 });
      const ready = readyForBytes(network);
      expect(relativeDifference(await run(ready, inputs), await run(network, inputs))).to.be.below(1e-5);
    });
});
