import { expect } from "chai";
import { nearest } from "../../lib/core/errors.ts";

describe("core: the nearest word", () => {
  it("is a word that somebody may have meant", () => {
    expect(nearest("Cov2D", ["Conv2D", "Relu"])).to.equal("Conv2D");
    expect(nearest("GridSampler", ["Conv2D", "Relu"])).to.equal(undefined);
  });

  it("is a longer word that begins so, rather than one that looks alike", () => {
    const names = ["dmm-cnn", "levi-hassner", "lmtcnn-1-1", "lmtcnn-2-1"];
    expect(["lmtcnn", "LEVI", "dmm", "lmtcnn-2-2"].map((word) => nearest(word, names))).to.deep.equal([
      ...["lmtcnn-1-1", "levi-hassner", "dmm-cnn", "lmtcnn-2-1"],
    ]);
  });

  it("takes words of any length: a damaged file may hold one of a million letters", () => {
    expect(nearest("x".repeat(1e6), ["Conv2D", "y".repeat(1e6)])).to.equal(undefined);
  });
});
