import { expect } from "chai";
import { distinctTails } from "../../lib/pipeline/records.ts";

describe("pipeline/records: names of runs", () => {
  it("are the shortest ends of their folders that differ", () => {
    expect(distinctTails(["/r/six/etl", "/r/six/mobilenet", "/other/dmm"])).to.deep.equal([
      "etl",
      "mobilenet",
      "dmm",
    ]);
    expect(
      distinctTails(["s/gender/seed-0/gamma-0.1", "s/age/seed-0/gamma-0.1", "s/age/seed-1"]),
    ).to.deep.equal(["gender/seed-0/gamma-0.1", "age/seed-0/gamma-0.1", "seed-1"]);
    expect(distinctTails(["runs/gender/"])).to.deep.equal(["gender"]);
  });

  it("are the paths themselves where one run is given twice", () => {
    expect(distinctTails(["a/b", "./a/b"])).to.deep.equal(["a/b", "./a/b"]);
  });
});
