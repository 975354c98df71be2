import { expect } from "chai";
import fc from "fast-check";
import {
  equalParts,
  padAmounts,
  positionsOf,
  sliceLists,
  sliceRange,
  sliceRanges,
  splitSizes,
  windowAttributes,
} from "../../../lib/network/operators/attributes.ts";
import type { Attribute, Node } from "../../../lib/network/network.ts";

const node = (op: string, inputs: string[], attributes: Record<string, Attribute> = {}): Node => ({
  ...{ name: op, op, domain: "", inputs, outputs: ["y", "z"], attributes },
});

/** What inputs 0, 1, ... hold. */
const holding =
  (...values: (number[] | undefined)[]) =>
  (index: number): number[] | undefined =>
    values[index];

describe("network/operators: attributes", () => {
  it("takes what numpy takes, forwards and backwards", () => {
    const bound = fc.integer({ min: -9, max: 9 });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 6 }),
        bound,
        bound,
        fc.constantFrom(-3, -2, -1, 1, 2, 3),
        (size, start, end, step) => {
          // Python's own words: begin and end clamped, then range(begin, end, step).
          const inside = (at: number): number => {
            const front = at < 0 ? at + size : at;
            if (step > 0) return Math.min(Math.max(front, 0), size);
            return Math.min(Math.max(front, -1), size - 1);
          };
          const expected: number[] = [];
          const from = step > 0 ? inside(start) : Math.max(inside(start), 0);
          for (let i = from; step > 0 ? i < inside(end) : i > inside(end); i += step) expected.push(i);
          expect(positionsOf(sliceRange(size, start, end, step))).to.deep.equal(expected);
        },
      ),
    );
  });

  it("reads a Slice: axes and steps may be left out, and nothing is said where one is computed", () => {
    const plain = sliceLists(node("Slice", ["x", "s", "e"]), 3, holding([], [1, 0], [3, 2]));
    expect(plain).to.deep.equal({ starts: [1, 0], ends: [3, 2], axes: [0, 1], steps: [1, 1] });
    const stepped = node("Slice", ["x", "s", "e", "a", "t"]);
    const lists = sliceLists(stepped, 3, holding([], [-1], [-9], [-1], [-2]));
    expect(lists && [...sliceRanges(lists, [2, 2, 4])]).to.deep.equal([
      [2, { start: 3, end: -1, step: -2, count: 2 }],
    ]);
    expect(sliceLists(stepped, 3, holding([], [1], [2], undefined, [1]))).to.equal(undefined);
  });

  it("reads a Pad of all axes, or of those that it names", () => {
    expect(padAmounts(node("Pad", ["x", "p"]), 2, holding([], [1, 2, 3, 4]))).to.deep.equal({
      ...{ before: [1, 2], after: [3, 4], axes: [0, 1] },
    });
    const named = node("Pad", ["x", "p", "", "a"]);
    expect(padAmounts(named, 3, holding([], [5, 6], [], [-1]))).to.deep.equal({
      ...{ before: [0, 0, 5], after: [0, 0, 6], axes: [2] },
    });
    expect(padAmounts(named, 3, holding([], [5, 6]))).to.equal(undefined);
  });

  it("splits by the sizes that are given, else into equal parts with a smaller last one", () => {
    expect(splitSizes(node("Split", ["x", "s"]), 7, holding([], [1, 6]))).to.deep.equal([1, 6]);
    expect(splitSizes(node("Split", ["x"]), 7, holding())).to.deep.equal([4, 3]);
    expect(equalParts(3, 5)).to.deep.equal([1, 1, 1, 0, 0]);
  });

  it("reads windows with ONNX's defaults; pads mean nothing where they are automatic", () => {
    const pads = { type: "ints", value: [1, 1, 1, 1] } as const;
    const auto = (value: string) => ({ pads, auto_pad: { type: "string", value } as const });
    const stated = windowAttributes(node("Conv", ["x"], { pads }), 2);
    expect(stated).to.deep.equal({
      ...{ kernel: [], strides: [1, 1], dilations: [1, 1], pads: [1, 1, 1, 1] },
      ...{ isAutomatic: false, ceil: false },
    });
    expect(windowAttributes(node("Conv", ["x"], auto("VALID")), 2)).to.deep.include({
      ...{ pads: [0, 0, 0, 0], isAutomatic: true },
    });
    expect(windowAttributes(node("Conv", ["x"], auto("SAME_LOWER")), 2).same).to.equal("lower");
    expect(windowAttributes(node("Conv", ["x"], auto("")), 2).pads).to.deep.equal([1, 1, 1, 1]);
  });
});
