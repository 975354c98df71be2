import { expect } from "chai";
import { centrePart, cutParts, randomPart, tenParts } from "../../../lib/data/images/parts.ts";
import { createRandom } from "../../../lib/core/random.ts";

describe("data/parts", () => {
  it("ten parts of 227 in 256: four corners and the centre, and mirrored", () => {
    const parts = tenParts(256, 227);
    expect(parts).to.have.length(10);
    expect(parts.filter(({ mirrored }) => mirrored)).to.have.length(5);
    const places = parts.slice(0, 5).map(({ left, top }) => [left, top]);
    expect(places).to.deep.equal([
      [0, 0],
      [29, 0],
      [0, 29],
      [29, 29],
      [14, 14],
    ]);
    expect(centrePart(256, 227)).to.deep.equal({ left: 14, top: 14, mirrored: false });
  });

  it("cuts and mirrors", () => {
    // Two channels of 3x3; the numbers tell channel, row and column.
    const data = Float32Array.from(
      { length: 18 },
      (_, i) => 100 * Math.floor(i / 9) + 10 * (Math.floor(i / 3) % 3) + (i % 3),
    );
    const cut = (mirrored: boolean): number[] =>
      Array.from(cutParts({ shape: [1, 2, 3, 3], data }, 2, () => ({ left: 1, top: 0, mirrored })).data);
    expect(cut(false)).to.deep.equal([1, 2, 11, 12, 101, 102, 111, 112]);
    expect(cut(true)).to.deep.equal([2, 1, 12, 11, 102, 101, 112, 111]);
  });

  it("random parts stay inside and reach every edge", () => {
    const random = createRandom(1);
    const lefts = Array.from({ length: 200 }, () => randomPart(8, 5, random).left);
    expect(new Set(lefts)).to.deep.equal(new Set([0, 1, 2, 3]));
  });
});
