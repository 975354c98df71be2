import { expect } from "chai";
import { agreement } from "../../../lib/report/sections/overlap.ts";

describe("overlap of two tasks at a tap", () => {
  it("is 1 for the same filters, 0 for as many in common as by chance, negative for fewer", () => {
    expect(agreement([0, 2], [0, 2], 4).kappa).to.be.closeTo(1, 1e-12);
    expect(agreement([0, 1], [0, 2], 4)).to.deep.equal({ total: 4, a: 2, b: 2, shared: 1, kappa: 0 });
    expect(agreement([0, 1], [2, 3], 4).kappa).to.be.closeTo(-1, 1e-12);
  });

  it("has no value where both keep everything", () => {
    expect(agreement([0, 1], [0, 1], 2).kappa).to.equal(undefined);
  });
});
