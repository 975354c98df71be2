import { expect } from "chai";
import { isEtlError } from "../../lib/core/errors.ts";
import { createRandom } from "../../lib/core/random.ts";
import { brainToFloat, halfToFloat } from "../../lib/network/half.ts";
import { readSafetensors, writeSafetensors } from "../../lib/formats/safetensors.ts";
import { float32, int64, type Parameter } from "../../lib/network/network.ts";

const tensors = new Map<string, Parameter>([
  ["conv.weight", float32([2, 3], Float32Array.from([1, -2.5, 3, 4, 5e-20, -0]))],
  ["shape", int64([1, -1, 512])],
  ["mask", { type: "bool", shape: [3], data: Uint8Array.from([1, 0, 1]) }],
  ["scalar", { type: "float64", shape: [], data: Float64Array.from([Math.PI]) }],
]);

describe("safetensors", () => {
  it("writes and reads back the same", () => {
    const { tensors: back, metadata } = readSafetensors(writeSafetensors(tensors, { made: "here" }), "a");
    expect(metadata).to.deep.equal({ made: "here" });
    expect([...back]).to.deep.equal([...tensors]);
  });

  it("reads half and brain floats", () => {
    expect([0x3c00, 0xc000, 0x0001, 0x7c00].map(halfToFloat)).to.deep.equal([1, -2, 2 ** -24, Infinity]);
    expect([0x3f80, 0xc040].map(brainToFloat)).to.deep.equal([1, -3]);
    const header = JSON.stringify({ w: { dtype: "F16", shape: [2], data_offsets: [0, 4] } });
    const bytes = new Uint8Array(8 + header.length + 4);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(header.length), true);
    bytes.set(new TextEncoder().encode(header), 8);
    bytes.set([0x00, 0x3c, 0x00, 0xc0], 8 + header.length);
    expect(Array.from(readSafetensors(bytes, "half").tensors.get("w")!.data as Float32Array)).to.deep.equal([
      1, -2,
    ]);
  });

  it("answers every damaged file with a format error, or reads it", () => {
    const whole = writeSafetensors(tensors);
    const random = createRandom(7);
    let refused = 0;
    for (let round = 0; round < 3000; round++) {
      const bytes = whole.slice(0, random.uniform() < 0.3 ? random.integer(whole.length) : whole.length);
      for (let k = random.integer(4); k >= 0 && bytes.length > 0; k--)
        bytes[random.integer(bytes.length)] = random.integer(256);
      try {
        readSafetensors(bytes, "fuzz");
      } catch (error) {
        refused += 1;
        expect(isEtlError(error), String(error)).to.equal(true);
      }
    }
    expect(refused).to.be.greaterThan(1000);
  });
});
