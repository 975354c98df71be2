import { expect } from "chai";
import { createRecycler } from "../../lib/core/recycler.ts";

describe("core/recycler: arrays that are used again", () => {
  it("hands out an array that came back, to whoever asks for its length", () => {
    const { take, lent, giveBack } = createRecycler({ smallest: 1 });
    const first = take(45);
    expect(lent(first)).to.equal(true);
    giveBack(first);
    expect(lent(first)).to.equal(false);
    expect(take(44).buffer).not.to.equal(first.buffer);
    const again = take(45);
    expect(again.buffer).to.equal(first.buffer);
    expect(lent(again)).to.equal(true);
    expect(take(45).buffer).not.to.equal(first.buffer);
  });

  it("knows an array by its memory, and a foreign one not at all", () => {
    const { take, lent } = createRecycler({ smallest: 1 });
    expect(lent(take(101).subarray(3, 5))).to.equal(true);
    expect(lent(new Float32Array(101))).to.equal(false);
    expect(lent(createRecycler({ smallest: 1 }).take(101))).to.equal(false);
  });

  it("makes small arrays anew and asks nobody for them", () => {
    const { take, lent, giveBack } = createRecycler({ smallest: 10 });
    const small = take(9);
    expect(lent(small)).to.equal(false);
    giveBack(take(10));
    expect(take(9).buffer).not.to.equal(small.buffer);
  });

  it("keeps no more than a few: the oldest go first", () => {
    const { take, giveBack } = createRecycler({ kept: 2, smallest: 1 });
    const arrays = [1, 2, 3].map(take);
    arrays.forEach(giveBack);
    expect(take(1).buffer).not.to.equal(arrays[0].buffer);
    expect(take(2).buffer).to.equal(arrays[1].buffer);
    expect(take(3).buffer).to.equal(arrays[2].buffer);
  });
});
