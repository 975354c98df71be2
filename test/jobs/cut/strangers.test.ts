import { expect } from "chai";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cutModel } from "../../../lib/jobs/cut/cut.ts";
import type { CutOptions } from "../../../lib/jobs/cut/options.ts";
import { float32, int64, type Network } from "../../../lib/network/network.ts";
import { cutNetwork, differenceAt, removed, type CutOfNetwork } from "../../support/cutting.ts";
import { rounding } from "../../support/run.ts";
import { conv, int, ints, networkOf, string, two, weights, type Given } from "../../support/strange.ts";
import { refusal } from "../../support/refusal.ts";

const first = { w1: weights(16, 3, 3, 3), b1: weights(16) };
const both = { ...first, w2: weights(24, 16, 3, 3), b2: weights(24) };
const pooled: readonly Given[] = [...two, ["GlobalAveragePool", "r2", "g"]];
const open = ["n", 3, "h", "w"] as const;

/** A pyramid: the deep map is resized to the size of the shallow one. */
const pyramid = networkOf(
  [
    ...two,
    ["Conv", "r2 w3", "l2"],
    ["Shape", "r1", "s1"],
    ["Slice", "s1 two four", "hw"],
    ["Shape", "l2", "s2"],
    ["Slice", "s2 zero two", "nc"],
    ["Concat", "nc hw", "size", { axis: int(0) }],
    [
      "Resize",
      "l2 - - size",
      "up",
      {
        mode: string("nearest"),
        nearest_mode: string("floor"),
        coordinate_transformation_mode: string("asymmetric"),
      },
    ],
    ["Add", "up r1", "a"],
    ["Relu", "a", "ra"],
    ["Conv", "ra w4", "y"],
  ],
  {
    ...both,
    w3: weights(16, 24, 1, 1),
    w4: weights(4, 16, 1, 1),
    zero: int64([0]),
    two: int64([2]),
    four: int64([4]),
  },
  { x: open, y: ["n", 4, "h2", "w2"] },
);

/** The picture is padded inside: to a multiple of 32, or to a square. */
const padded = (missing: readonly Given[]): Network =>
  networkOf(
    [
      ["Shape", "x", "s"],
      ["Slice", "s two four", "hw"],
      ...missing,
      ["Concat", "zeros missing", "pads", { axis: int(0) }],
      ["Pad", "x pads", "xp"],
      ["Conv", "xp w1 b1", "c1", conv(2)],
      ...two.slice(1),
      ["GlobalAveragePool", "r2", "g"],
      ["Flatten", "g", "f"],
      ["Gemm", "f w4", "y"],
    ],
    {
      ...both,
      w4: weights(24, 5),
      two: int64([2]),
      four: int64([4]),
      m32: int64([32]),
      zeros: int64([0, 0, 0, 0, 0, 0]),
    },
    { x: open, y: ["n", 5] },
  );

describe("cut: strangers' models", function () {
  this.timeout(60_000);
  let root: string;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), "etl-strange-"));
  });
  after(() => rm(root, { recursive: true, force: true }));

  const cut = (network: Network, options: Partial<CutOptions> = {}): Promise<CutOfNetwork> =>
    cutNetwork(root, network, options);

  for (const [what, network] of [
    ["a pyramid that resizes to another map's size", pyramid],
    [
      "a picture padded to a multiple of 32",
      padded([
        ["Mod", "hw m32", "rest"],
        ["Sub", "m32 rest", "miss"],
        ["Mod", "miss m32", "missing"],
      ]),
    ],
    [
      "a picture padded to a square",
      padded([
        ["ReduceMax", "hw", "side", { keepdims: int(1) }],
        ["Sub", "side hw", "missing"],
      ]),
    ],
  ] as const) {
    it(`is right at every size: ${what}`, async () => {
      const { result, original, small } = await cut(network);
      expect(removed(result)).to.be.at.least(12);
      expect(result.comparedAt).to.deep.equal(["2x3x224x224", "1x3x157x211"]);
      for (const [batch, height, width] of [
        [1, 50, 70],
        [2, 97, 61],
        [1, 36, 64],
        [3, 31, 33],
      ]) {
        const difference = await differenceAt({ result, original, small }, [batch, 3, height, width]);
        expect(difference, `${batch}x${height}x${width}`).to.be.at.most(rounding);
      }
    });
  }

  it("compares in front of a last sigmoid: where that says no everywhere, rounding is large beside it", async () => {
    const network = networkOf(
      [...two, ["Conv", "r2 w4 b4", "c4"], ["Sigmoid", "c4", "y"]],
      { ...both, w4: weights(1, 24, 1, 1), b4: float32([1], Float32Array.of(-13)) },
      { x: ["n", 3, 32, 32], y: ["n", 1, 8, 8] },
    );
    const { result } = await cut(network);
    expect(removed(result)).to.equal(20);
    expect(result.difference).to.be.at.most(rounding);
  });

  it("takes the rounding of kernels that suit some widths only for no fault of the cut", async () => {
    const square = padded([
      ["ReduceMax", "hw", "side", { keepdims: int(1) }],
      ["Sub", "side hw", "missing"],
    ]);
    // Sums over 25,600 places of which half are alike: 5e-4 of the output with AVX2's blocks of 8 channels.
    const made = await cut(square, { keep: 0.7, size: [360, 640] });
    expect(removed(made.result)).to.be.at.least(9);
    expect(made.result.difference).to.be.at.most(1e-4);
  });

  it("does not call a comparison of no finite number equal, and names the weights", async () => {
    const bad = Float32Array.from(first.w1.data as Float32Array);
    bad[0] = Infinity;
    const network = networkOf(
      [...pooled, ["Flatten", "g", "f"], ["Gemm", "f w4", "y"]],
      { ...both, w1: float32([16, 3, 3, 3], bad), w4: weights(24, 5) },
      { x: ["n", 3, 24, 24], y: ["n", 5] },
    );
    expect(await refusal(cut(network))).to.match(
      /no output is a finite number; not finite are numbers in w1/,
    );
  });

  it("cuts for one picture where a batch is declared open and fixed inside", async () => {
    const network = networkOf(
      [...pooled, ["Reshape", "g t", "f"], ["Gemm", "f w4", "y"]],
      { ...both, w4: weights(24, 5), t: int64([1, -1]) },
      { x: ["None", 3, 24, 24], y: ["None", 5] },
    );
    const { result, said, small } = await cut(network);
    expect(removed(result)).to.equal(20);
    expect(result.layers[2].totalInputs).to.equal(24);
    expect(said).to.contain("the batch is declared open, but inside it is fixed to one picture");
    expect(small.inputs[0].shape[0]).to.equal("None");
  });

  it("finds the size at which an open file fits together, and takes --size", async () => {
    const network = networkOf(
      [...two, ["Flatten", "r2", "f"], ["Gemm", "f w4", "y"]],
      { ...both, w4: weights(24 * 8 * 12, 5) },
      { x: open, y: ["n", 5] },
    );
    expect(await refusal(cut(network))).to.match(/h, w are open in the file.*--size HEIGHTxWIDTH/);
    const { result, said } = await cut(network, { size: [32, 48] });
    expect(removed(result)).to.equal(20);
    expect(said).to.contain("h, w: open in the file, 32 x 48 is assumed");
  });

  it("freezes what an operator that is not known touches, and cuts the rest", async () => {
    const network = networkOf(
      [
        ...two,
        ["Conv", "r2 wb", "bx"],
        ["Conv", "r2 ws", "sc"],
        ["Reshape", "bx sb", "boxes"],
        ["Reshape", "sc ss", "scores"],
        ["NonMaxSuppression", "boxes scores k", "y"],
      ],
      {
        ...both,
        wb: weights(4, 24, 1, 1),
        ws: weights(1, 24, 1, 1),
        sb: int64([1, -1, 4]),
        ss: int64([1, 1, -1]),
        k: int64([10]),
      },
      { x: [1, 3, 24, 24], y: ["k", 3], type: "int64" },
    );
    const { result } = await cut(network);
    expect(removed(result)).to.equal(20);
    expect(result.difference).to.be.at.most(rounding);
  });

  it("leaves a weight in bytes whole that is made a float in front of its layer, and cuts the rest", async () => {
    const bytes = Int8Array.from({ length: 16 * 3 * 3 * 3 }, (_, i) => ((i * 37) % 255) - 127);
    const network = networkOf(
      [["DequantizeLinear", "q1 s1 z1", "w1"], ...pooled, ["Flatten", "g", "f"], ["Gemm", "f w4", "y"]],
      {
        ...{ b1: first.b1, w2: both.w2, b2: both.b2, w4: weights(24, 5) },
        q1: { type: "int8", shape: [16, 3, 3, 3], data: bytes },
        s1: float32([], Float32Array.of(0.01)),
        z1: { type: "int8", shape: [], data: Int8Array.of(0) },
      },
      { x: ["n", 3, 24, 24], y: ["n", 5] },
    );
    const { result, small } = await cut(network);
    expect(removed(result)).to.equal(12);
    expect(small.parameters.get("q1")?.data).to.deep.equal(bytes);
    expect(result.difference).to.be.at.most(rounding);
  });

  it("cuts a weight that the graph normalises before it is used", async () => {
    const network = networkOf(
      [
        ["Conv", "x w1 b1", "c1", conv(2)],
        ["Relu", "c1", "r1"],
        ["ReduceL2", "v2", "norm", { axes: ints(1, 2, 3), keepdims: int(1) }],
        ["Div", "v2 norm", "unit"],
        ["Mul", "unit length", "w2"],
        ["Conv", "r1 w2 b2", "c2", conv(2)],
        ["Relu", "c2", "r2"],
        ["GlobalAveragePool", "r2", "g"],
        ["Flatten", "g", "f"],
        ["Gemm", "f w4", "y"],
      ],
      {
        ...first,
        v2: weights(24, 16, 3, 3),
        b2: weights(24),
        length: weights(24, 1, 1, 1),
        w4: weights(24, 5),
      },
      { x: ["n", 3, 24, 24], y: ["n", 5] },
    );
    const { result } = await cut(network);
    expect(removed(result)).to.equal(20);
    expect(result.difference).to.be.at.most(rounding);
  });

  it("says that nothing is to be cut, and hands on the file as it is", async () => {
    const network = networkOf(
      [
        ["Gemm", "x w1 b1", "c1"],
        ["ReduceMean", "c1", "mu", { axes: ints(1), keepdims: int(1) }],
        ["Sub", "c1 mu", "d"],
        ["Relu", "d", "r1"],
        ["Gemm", "r1 w4", "y"],
      ],
      { w1: weights(64, 32), b1: weights(32), w4: weights(32, 5) },
      { x: ["n", 64], y: ["n", 5] },
    );
    const { result, said } = await cut(network);
    expect(result.cut).to.equal(false);
    expect(said).to.contain("nothing was cut");
    const [before, after] = [
      await readFile(join(root, "model.onnx")),
      await readFile(join(root, "out.onnx")),
    ];
    expect(Buffer.compare(before, after)).to.equal(0);
  });

  it("says what a file is that only has the name of a model", async () => {
    const out = join(root, "never.onnx");
    for (const [name, text, found] of [
      [
        "lfs.onnx",
        "version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
        /a Git LFS pointer.*git lfs pull/,
      ],
      [
        "page.onnx",
        "<!DOCTYPE html><html><body>Not found</body></html>",
        /a web page.*download the file itself/,
      ],
    ] as const) {
      await writeFile(join(root, name), text);
      expect(await refusal(cutModel({ model: join(root, name), out, keep: 0.5 }))).to.match(found);
    }
    expect(existsSync(out)).to.equal(false);
  });
});
