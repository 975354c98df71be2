import { expect } from "chai";
import { follow } from "../../lib/network/open/follow.ts";
import { createSizes, isSame, type Size } from "../../lib/network/open/size.ts";
import { int64 } from "../../lib/network/network.ts";
import { int, networkOf } from "../support/strange.ts";

describe("network/open: sizes", () => {
  const sizes = createSizes();
  const [h, w] = [sizes.unknown("h", "count"), sizes.unknown("w", "count")];
  const { add, subtract, multiply, exact, floorDivide, compare, max, min } = sizes;

  it("computes with what is open as with numbers", () => {
    expect(subtract(add(h, w), w)).to.deep.equal(h);
    expect(exact(multiply(multiply(h, w), 6), multiply(w, 3))).to.deep.equal(multiply(h, 2));
    expect(exact(h, 2)).to.equal(undefined);
    expect(floorDivide(add(multiply(h, 4), 3), 2)).to.deep.equal(add(multiply(h, 2), 1));
    expect(subtract(h, h)).to.equal(0);
    expect(multiply(h, 0)).to.equal(0);
    expect(isSame(floorDivide(h, 2), floorDivide(h, 2))).to.equal(true);
    expect(isSame(floorDivide(h, 2), floorDivide(w, 2))).to.equal(false);
  });

  it("knows an order only where it is one for all sizes", () => {
    expect(compare(h, -1)).to.equal(1);
    expect(compare(h, 0)).to.equal("not below");
    expect(compare(h, 2047)).to.equal(undefined);
    expect(compare(h, w)).to.equal(undefined);
    expect(max(h, 0)).to.deep.equal(h);
    expect(min(h, add(h, 1))).to.deep.equal(h);
    expect(isSame(max(h, w), max(w, h))).to.equal(true);
  });

  it("calls nothing known that a rounding may change", () => {
    const third = multiply(h, 1 / 3);
    expect(sizes.isWhole(third)).to.equal(false);
    expect(exact(multiply(third, 3), h)).to.equal(undefined);
  });
});

describe("network/open: a network", () => {
  const closed = (size: Size | undefined): boolean => typeof size === "number";

  it("tells fixed from open, entry by entry", () => {
    const network = networkOf(
      [
        ["Shape", "x", "shape"],
        ["Gather", "shape one", "c"],
        ["Gather", "shape two", "h"],
        ["Gather", "shape three", "w"],
        ["Equal", "h w", "equal"],
        ["Concat", "c c", "twice", { axis: int(0) }],
        ["Concat", "h h", "y", { axis: int(0) }],
      ],
      { one: int64([1]), two: int64([2]), three: int64([3]) },
      { x: ["batch", 3, "side", "side"], y: [2], type: "int64" },
    );
    const { tables, shapes } = follow(network, { largest: 1024 });
    expect(tables.get("shape")?.values.map(closed)).to.deep.equal([false, true, false, false]);
    expect(tables.get("twice")?.values).to.deep.equal([3, 3]);
    // Two dimensions of one name may differ when the network runs.
    expect(tables.get("equal")?.values.map(closed)).to.deep.equal([false]);
    const [first, second] = tables.get("y")?.values ?? [];
    expect(isSame(first, second)).to.equal(true);
    expect(shapes.get("x")?.map(closed)).to.deep.equal([false, true, false, false]);
  });
});
