import { expect } from "chai";
import fc from "fast-check";
import { createBuilder } from "../../lib/network/builder.ts";
import type { Network } from "../../lib/network/network.ts";
import { placesOf } from "../../lib/quantize/places.ts";
import { quantizerOf, type Range } from "../../lib/quantize/scales.ts";
import { stableSums } from "../../lib/quantize/sums.ts";

/** Two residual blocks behind a pool, the second one without a Relu: its sum has a zero of its own. */
function residual(): Network {
  const net = createBuilder("residual");
  const weights = (outputs: number, inputs: number, side: number) => ({
    shape: [outputs, inputs, side, side],
    data: new Float32Array(outputs * inputs * side * side).fill(0.1),
  });
  const conv = (from: string, name: string, inputs = 4): string =>
    net.conv(from, { name, weights: weights(4, inputs, 3), pads: 1 });
  let x = net.relu(conv(net.input("image", ["batch", 3, 8, 8]), "first", 3), { name: "first/relu" });
  x = net.maxPool(x, { name: "half", kernel: 2, strides: 2 });
  x = net.relu(net.add(conv(x, "a"), x, { name: "sum" }), { name: "sum/relu" });
  x = net.add(x, conv(x, "b"), { name: "sum2" });
  x = net.flatten(net.globalAveragePool(conv(x, "c"), { name: "pool" }), { name: "flat" });
  return net.build([net.gemm(x, { name: "head", weights: { shape: [1, 4], data: new Float32Array(4) } })]);
}

const f = Math.fround;
const even = (x: number): number => {
  const down = Math.floor(x);
  return x - down === 0.5 ? down + (down % 2 === 0 ? 0 : 1) : Math.round(x);
};

describe("int8: sums", function () {
  this.timeout(60_000);
  const network = residual();
  const places = placesOf(network);
  const sums = [
    { inputs: ["a", "first/relu"], sum: "sum/relu" },
    { inputs: ["sum/relu", "b"], sum: "sum2" },
  ];
  const positive = ["first/relu", "half", "sum/relu"];
  const size = fc.double({ min: 1.2, max: 2.2, noNaN: true });
  const rangesOf = (sizes: readonly number[]): Map<string, Range> => {
    const names = [...new Set([...places.values.values(), ...places.values.keys()])];
    return new Map(
      names.map((name, i) => {
        const own = places.values.get(name) ?? name;
        const high = sizes[names.indexOf(own) % sizes.length];
        return [name, { low: positive.includes(own) ? 0 : -sizes[(i + 1) % sizes.length] * 0.8, high }];
      }),
    );
  };
  const quantizer = (ranges: ReadonlyMap<string, Range>, name: string): ReturnType<typeof quantizerOf> =>
    quantizerOf(ranges.get(places.values.get(name) ?? name) ?? { low: 0, high: 0 });

  it("are the same bytes whether products are rounded or not, and whichever way halves go", () => {
    fc.assert(
      fc.property(fc.array(size, { minLength: 7, maxLength: 7 }), (sizes) => {
        const ranges = stableSums(network, places, rangesOf(sizes));
        for (const { inputs, sum } of sums) {
          const [a, b, c] = [...inputs, sum].map((name) => quantizer(ranges, name));
          const [ra, rb] = [f(a.scale / c.scale), f(b.scale / c.scale)];
          const fixed = f(c.zero - f(f(ra * a.zero) + f(rb * b.zero)));
          const byte = (x: number): number => Math.min(255, Math.max(0, x));
          let others = 0;
          for (let i = 0; i < 256; i++)
            for (let j = 0; j < 256; j++) {
              const exact = c.zero + ra * (i - a.zero) + rb * (j - b.zero);
              const rounded = f(f(fixed + f(i * ra)) + f(j * rb));
              const bytes = [even(rounded), even(exact), Math.round(rounded), Math.round(exact)].map(byte);
              if (new Set(bytes).size > 1) others++;
            }
          expect(others).to.equal(0);
        }
      }),
      { numRuns: 30, seed: 5 },
    );
  });

  it("change ranges by next to nothing, and what is handed on unchanged keeps its bytes", () => {
    fc.assert(
      fc.property(fc.array(size, { minLength: 7, maxLength: 7 }), (sizes) => {
        const before = rangesOf(sizes);
        const after = stableSums(network, places, before);
        expect([...after.keys()]).to.deep.equal([...before.keys()]);
        for (const name of after.keys()) {
          const [old, own] = [before, after].map((ranges) => quantizer(ranges, name));
          expect(own.zero).to.equal(old.zero);
          expect(own.scale / old.scale).to.be.within(0.99, 1.01);
        }
        expect(quantizerOf(after.get("half")!)).to.deep.equal(quantizerOf(after.get("first/relu")!));
      }),
      { numRuns: 50, seed: 6 },
    );
  });

  it("leave ranges as they are where values are so unlike that few bits cannot say their ratio", () => {
    const before = rangesOf([2, 2, 2, 2, 2, 2, 2]).set("a", { low: -50, high: 50 });
    const after = stableSums(network, places, before);
    for (const name of ["a", "first/relu", "sum/relu"]) expect(after.get(name)).to.equal(before.get(name));
    expect(after.get("b")).to.not.equal(before.get("b"));
  });
});
