import { expect } from "chai";
import { nearest } from "../../lib/core/errors.ts";

describe("core: the nearest word", () => {
  it("is a word that somebody may have meant", () => {
    expect(nearest("Cov2D", ["Conv2D", "Relu"])).to.equal("Conv2D");
    expect(nearest("GridSampler", ["Conv2D", "Relu"])).to.equal(undefined);
  });

  it("takes words of any length: a damaged file may hold one of a million letters", () => {
    expect(nearest("x".repeat(1e6), ["Conv2D", "y".repeat(1e6)])).to.equal(undefined);
  });
});
