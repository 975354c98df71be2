import { expect } from "chai";
import fc from "fast-check";
import { decodePlain, encodePlain } from "../../lib/core/plain.ts";

/** Anything an artifact may hold. */
const plain = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    fc.string(),
    fc.boolean(),
    fc.constant(null),
    fc.double(),
    fc.float64Array(),
    fc.float32Array(),
    fc.int32Array(),
    fc.uint32Array(),
    fc.uint8Array(),
    fc.array(tie("value")),
    fc.dictionary(
      fc.string().filter((name) => !["__proto__", "$array", "$number"].includes(name)),
      tie("value"),
      { noNullPrototype: true },
    ),
  ),
})).value;

describe("core/plain", () => {
  it("gives back what was written, bit for bit, wherever the bytes lie", () => {
    fc.assert(
      fc.property(plain, fc.nat(9), (value, offset) => {
        const bytes = encodePlain(value);
        const moved = Buffer.alloc(bytes.length + offset)
          .fill(bytes, offset)
          .subarray(offset);
        expect(decodePlain(moved, "x")).to.deep.equal(value);
      }),
      { numRuns: 300 },
    );
  });

  it("refuses what is no data, before anything is lost", () => {
    for (const odd of [new Map(), new Set(), (): void => undefined])
      expect(() => encodePlain({ odd })).to.throw(/has no place in an artifact/);
    expect(() => encodePlain([new BigInt64Array(1)])).to.throw(/BigInt64Array/);
  });

  it("takes no kind of array from what every object has", () => {
    const value = { $array: ["toString", 1] };
    expect(decodePlain(encodePlain(value), "x")).to.deep.equal(value);
  });

  it("names the file of which a byte is missing, or another", () => {
    const bytes = encodePlain({ path: Float64Array.of(1, 2, 3), name: "a" });
    for (const length of [0, 3, 11, 20, bytes.length - 8])
      expect(() => decodePlain(bytes.subarray(0, length), "paths.bin"), String(length)).to.throw(
        /^paths\.bin: /,
      );
    expect(() => decodePlain(bytes.slice().fill(2, 4, 5), "paths.bin")).to.throw(/version 2 .*version 1/);
    expect(() => decodePlain(bytes.slice().fill(0x7b, 14, 20), "paths.bin")).to.throw(/cannot be read/);
  });
});
