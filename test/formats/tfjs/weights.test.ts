import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import fc from "fast-check";
import { isEtlError, type ErrorKind } from "../../../lib/core/errors.ts";
import { decodeTfjsWeights, parseTfjsManifest, type TfjsWeight } from "../../../lib/formats/tfjs/manifest.ts";
import { readTfjsWeights } from "../../../lib/formats/tfjs/weights.ts";

const weight = (rest: Partial<TfjsWeight>): TfjsWeight => ({
  name: "w",
  shape: [2],
  dtype: "float32",
  ...rest,
});
const numbers = (weights: TfjsWeight[], bytes: Uint8Array): number[] =>
  Array.from((decodeTfjsWeights(weights, bytes, "test").get("w")?.data ?? []) as Float32Array);

describe("formats/tfjs-weights", () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "etl-tfjs-"));
  });
  after(() => rm(folder, { recursive: true }));

  it("reads plain float32 little-endian, at any offset", () => {
    const bytes = new Uint8Array(9);
    new DataView(bytes.buffer).setFloat32(1, 1.5, true);
    new DataView(bytes.buffer).setFloat32(5, -2, true);
    expect(numbers([weight({})], bytes.subarray(1))).to.deep.equal([1.5, -2]);
  });

  it("dequantises uint8 and uint16 as value * scale + min", () => {
    const eight = weight({ quantization: { dtype: "uint8", scale: 0.5, min: -1 } });
    expect(numbers([eight], Uint8Array.of(0, 255))).to.deep.equal([-1, 126.5]);
    const sixteen = weight({ quantization: { dtype: "uint16", scale: 0.25, min: 2 } });
    expect(numbers([sixteen], Uint8Array.of(1, 0, 0xff, 0xff))).to.deep.equal([2.25, 16385.75]);
  });

  it("rounds quantised int32 and reads bool", () => {
    const ints = weight({ dtype: "int32", quantization: { dtype: "uint8", scale: 0.4, min: 0 } });
    expect(numbers([ints], Uint8Array.of(1, 4))).to.deep.equal([0, 2]);
    expect(numbers([weight({ dtype: "bool" })], Uint8Array.of(0, 1))).to.deep.equal([0, 1]);
  });

  it("reads float16: normal, subnormal, infinite and not a number", () => {
    const half = weight({ shape: [5], quantization: { dtype: "float16" } });
    const words = Uint16Array.of(0x3c00, 0xc100, 0x0001, 0x7c00, 0x7e00);
    const [one, negative, tiny, infinite, nan] = numbers([half], new Uint8Array(words.buffer));
    expect([one, negative, tiny, infinite]).to.deep.equal([1, -2.5, 2 ** -24, Infinity]);
    expect(nan).to.be.NaN;
  });

  it("quantised numbers come back within half a step", () => {
    const values = fc.array(fc.float({ min: -100, max: 100, noNaN: true }), { minLength: 2, maxLength: 50 });
    fc.assert(
      fc.property(values, (x) => {
        const [min, max] = [Math.min(...x), Math.max(...x)];
        const scale = (max - min) / 65535 || 1;
        const stored = Uint16Array.from(x, (value) => Math.round((value - min) / scale));
        const spec = weight({ shape: [x.length], quantization: { dtype: "uint16", scale, min } });
        const back = numbers([spec], new Uint8Array(stored.buffer));
        back.forEach((value, i) => {
          expect(value).to.be.closeTo(x[i], 0.51 * scale + 1e-5);
        });
      }),
    );
  });

  it("joins shards, in order, across tensors", async () => {
    const floats = Float32Array.of(1, 2, 3);
    const bytes = new Uint8Array(floats.buffer);
    await writeFile(join(folder, "a.bin"), bytes.subarray(0, 5));
    await writeFile(join(folder, "b.bin"), bytes.subarray(5));
    const weights = [weight({ name: "x" }), weight({ name: "y", shape: [] })];
    await writeFile(join(folder, "m.json"), JSON.stringify([{ weights, paths: ["a.bin", "b.bin"] }]));
    const read = await readTfjsWeights(join(folder, "m.json"));
    expect([...read.keys()]).to.deep.equal(["x", "y"]);
    expect(read.get("y")).to.deep.equal({ type: "float32", shape: [], data: Float32Array.of(3) });
  });

  const failures: [title: string, group: unknown, kind: ErrorKind, message: RegExp][] = [
    [
      "a file that is too short",
      { weights: [weight({ shape: [3] })], paths: ["a.bin"] },
      "format",
      /5 bytes .* 12/,
    ],
    [
      "a path that leaves the folder",
      { weights: [weight({})], paths: ["../a.bin"] },
      "data",
      /leaves its folder/,
    ],
    ["text weights", { weights: [{ ...weight({}), dtype: "string" }], paths: [] }, "unsupported", /"string"/],
    ["a negative size", { weights: [weight({ shape: [-1] })], paths: [] }, "format", /shape \[-1\]/],
    [
      "a missing file",
      { weights: [weight({})], paths: ["none.bin"] },
      "io",
      /none\.bin: cannot read what \S+ names, there is no such file/,
    ],
  ];
  for (const [title, group, kind, message] of failures) {
    it(`refuses ${title}`, async () => {
      await writeFile(join(folder, "a.bin"), new Uint8Array(5));
      await writeFile(join(folder, "bad.json"), JSON.stringify([group]));
      const error: unknown = await readTfjsWeights(join(folder, "bad.json")).catch((e: unknown) => e);
      if (!isEtlError(error)) throw error;
      expect(error.kind).to.equal(kind);
      expect(error.message).to.match(message);
    });
  }

  it("refuses what is no manifest", () => {
    for (const value of [{}, [1], [{ paths: [] }], [{ weights: [], paths: [1] }], null]) {
      expect(() => parseTfjsManifest(value, "m.json"))
        .to.throw(/^m\.json.* was needed$/)
        .with.property("kind", "format");
    }
  });
});
