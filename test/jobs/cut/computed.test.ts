import { expect } from "chai";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isEtlError, type EtlError } from "../../../lib/core/errors.ts";
import { float32, int64, type Network, type Parameter } from "../../../lib/network/network.ts";
import { cutNetwork, differenceAt, removed } from "../../support/cutting.ts";
import { rounding } from "../../support/run.ts";
import { conv, int, ints, networkOf, string, weights, type Given } from "../../support/strange.ts";

const sides = [
  [1, 3, 37, 53],
  [3, 3, 41, 30],
] as const;
const even = [
  [1, 3, 38, 54],
  [3, 3, 42, 30],
] as const;

const start: readonly Given[] = [
  ["Conv", "x w1 b1", "c1", conv(2)],
  ["Relu", "c1", "r1"],
];
const first = { w1: weights(16, 3, 3, 3), b1: weights(16), w3: weights(5, 16, 1, 1) };
const numbers = { zero: int64([0]), one: int64([1]), two: int64([2]), three: int64([3]), four: int64([4]) };

const made = (lines: readonly Given[], parameters: Record<string, Parameter> = {}): Network =>
  networkOf(
    [...start, ...lines],
    { ...first, ...numbers, ...parameters },
    { x: ["n", 3, "h", "w"], y: ["n", 5, "p", "q"] },
  );

/** The sides of `value` as lists of one number, in `NAMEh` and `NAMEw`. */
const sidesOf = (value: string, name: string): readonly Given[] => [
  ["Shape", value, `${name}s`],
  ["Slice", `${name}s zero one`, `${name}n`],
  ["Slice", `${name}s two three`, `${name}h`],
  ["Slice", `${name}s three four`, `${name}w`],
];

/** A deeper map, brought back to twice its sides: one place too many or too few where a side is odd. */
const deep: readonly Given[] = [
  ["Conv", "r1 w2", "c2", conv(2)],
  ["Relu", "c2", "r2"],
  ["ConvTranspose", "r2 wt", "u", { strides: ints(2, 2) }],
  ...sidesOf("r1", "a"),
];
const deeper = { w2: weights(12, 16, 3, 3), wt: weights(12, 16, 2, 2) };

const cropped = made(
  [
    ...deep,
    ["Concat", "ah aw", "end", { axis: int(0) }],
    ["Slice", "u zeros end sides", "cut"],
    ["Add", "cut r1", "sum"],
    ["Conv", "sum w3", "y"],
  ],
  { ...deeper, zeros: int64([0, 0]), sides: int64([2, 3]) },
);

/** Pads written in pairs from the last axis on, turned round while the network runs, as PyTorch exports them. */
const turned = made(
  [
    ["MaxPool", "r1", "m", { kernel_shape: ints(2, 2), strides: ints(2, 2) }],
    ["Conv", "m w2", "c2", conv()],
    ["ConvTranspose", "c2 wt", "u", { strides: ints(2, 2) }],
    ...sidesOf("r1", "a"),
    ...sidesOf("u", "b"),
    ["Sub", "ah bh", "dh"],
    ["Sub", "aw bw", "dw"],
    ["Concat", "zero dw zero dh four0", "list", { axis: int(0) }],
    ["Reshape", "list pairs", "table"],
    ["Slice", "table last before zero last", "back"],
    ["Transpose", "back", "columns", { perm: ints(1, 0) }],
    ["Reshape", "columns last", "pads"],
    ["Pad", "u pads", "padded"],
    ["Concat", "r1 padded", "both", { axis: int(1) }],
    ["Conv", "both w4", "y"],
  ],
  {
    ...deeper,
    w4: weights(5, 32, 1, 1),
    four0: int64([0, 0, 0, 0]),
    pairs: int64([-1, 2]),
    last: int64([-1]),
    before: int64([-(2 ** 31)]),
  },
);

/** Places in one row, and back to rows and columns. */
const flattened = made(
  [
    ...sidesOf("r1", "a"),
    ["Mul", "ah aw", "places"],
    ["Concat", "an minus places", "row", { axis: int(0) }],
    ["Reshape", "r1 row", "rows"],
    ["Relu", "rows", "rr"],
    ["Concat", "an sixteen ah aw", "map", { axis: int(0) }],
    ["Reshape", "rr map", "back"],
    ["Conv", "back w3", "y"],
  ],
  { minus: int64([-1]), sixteen: int64([16]) },
);

const groups = made(
  [
    ["Reshape", "r1 four4", "g"],
    ["InstanceNormalization", "g ones nothing", "i"],
    ["Shape", "r1", "whole"],
    ["Reshape", "i whole", "back"],
    ["Mul", "back scale", "m"],
    ["Add", "m shift", "a"],
    ["Relu", "a", "r"],
    ["Conv", "r w3", "y"],
  ],
  {
    four4: int64([0, 4, -1]),
    ones: float32([4], Float32Array.of(1, 1, 1, 1)),
    nothing: float32([4], new Float32Array(4)),
    scale: weights(16, 1, 1),
    shift: weights(16, 1, 1),
  },
);

const axes = { axes: ints(1, 2, 3), keepdims: int(1) };
const standardised = made(
  [
    ["ReduceMean", "v", "mean", axes],
    ["Sub", "v mean", "d"],
    ["Mul", "d d", "squares"],
    ["ReduceMean", "squares", "variance", axes],
    ["Sqrt", "variance", "deviation"],
    ["Div", "d deviation", "w2"],
    ["Conv", "r1 w2", "c2", conv()],
    ["Relu", "c2", "r2"],
    ["Conv", "r2 w4", "y"],
  ],
  { v: weights(24, 16, 3, 3), w4: weights(5, 24, 1, 1) },
);

const context = (op: "Tile" | "Expand", target: string): Network =>
  made(
    [
      ["GlobalAveragePool", "r1", "g"],
      ...sidesOf("r1", "a"),
      ["Concat", "one one ah aw", "sides", { axis: int(0) }],
      [op, `g ${target}`, "spread"],
      ["Concat", "r1 spread", "both", { axis: int(1) }],
      ["Conv", "both w4", "y"],
    ],
    { w4: weights(5, 32, 1, 1) },
  );

/** A layer, something that mixes its channels or places, and a layer behind it. */
const mixed = (lines: readonly Given[], parameters: Record<string, Parameter>): Network =>
  made(
    [
      ["Conv", "r1 w2", "c2", conv()],
      ["Relu", "c2", "r2"],
      ...lines,
      ["Conv", "z w5", "c5"],
      ["Relu", "c5", "r5"],
      ["Conv", "r5 w4", "y"],
    ],
    { w2: weights(12, 16, 3, 3), w4: weights(5, 20, 1, 1), ...parameters },
  );
const sampled = mixed(
  [
    ["Conv", "r2 wg", "g"],
    ["Tanh", "g", "gt"],
    ["Transpose", "gt", "grid", { perm: ints(0, 2, 3, 1) }],
    ["GridSample", "r2 grid", "z", { align_corners: int(1) }],
  ],
  { wg: weights(2, 12, 1, 1), w5: weights(20, 12, 1, 1) },
);
const summed = mixed([["Einsum", "r2 we", "z", { equation: string("bchw,cd->bdhw") }]], {
  we: weights(12, 18),
  w5: weights(20, 18, 1, 1),
});
const recurrent = mixed(
  [
    ["ReduceMean", "r2", "m", { axes: ints(2), keepdims: int(0) }],
    ["Transpose", "m", "steps", { perm: ints(2, 0, 1) }],
    ["GRU", "steps wg rg", "states", { hidden_size: int(8) }],
    ["Transpose", "states", "z", { perm: ints(2, 3, 1, 0) }],
  ],
  { wg: weights(1, 24, 12), rg: weights(1, 24, 8), w5: weights(20, 8, 1, 1) },
);

/** PixelShuffle by hand. */
const shuffled = (mode: "CRD" | "DCR", opset = 17): Network => {
  const order = mode === "CRD" ? "an four twos twos ah aw" : "an twos twos four ah aw";
  return {
    ...made(
      [
        ...sidesOf("r1", "a"),
        ["Concat", order, "apart", { axis: int(0) }],
        ["Reshape", "r1 apart", "six"],
        ["Transpose", "six", "t", { perm: mode === "CRD" ? ints(0, 1, 4, 2, 5, 3) : ints(0, 3, 4, 1, 5, 2) }],
        ["Mul", "ah twos", "hh"],
        ["Mul", "aw twos", "ww"],
        ["Concat", "an four hh ww", "together", { axis: int(0) }],
        ["Reshape", "t together", "large"],
        ["Conv", "large w4", "y"],
      ],
      { twos: int64([2]), w4: weights(5, 4, 1, 1) },
    ),
    opset,
  };
};

describe("cut: positions, amounts and targets that are computed", function () {
  this.timeout(60_000);
  let root: string;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), "etl-computed-"));
  });
  after(() => rm(root, { recursive: true, force: true }));

  const cases: readonly (readonly [string, Network, number, readonly (readonly number[])[]])[] = [
    ["a map cropped to the sides of another", cropped, 14, sides],
    ["a map padded to the sides of another", turned, 22, sides],
    ["places in one row, and back", flattened, 8, sides],
    ["group normalisation by InstanceNormalization: whole groups go", groups, 8, sides],
    ["a weight standardised in the graph", standardised, 20, sides],
    ["a mean repeated over all places", context("Tile", "sides"), 8, sides],
    ["a mean spread over all places", context("Expand", "sides"), 8, sides],
    ["a mean spread to the shape of a map", context("Expand", "as"), 8, sides],
    ["a map sampled at computed places", sampled, 8 + 6 + 10, sides],
    ["a layer behind an Einsum", summed, 8 + 10, sides],
    [
      "a layer behind a GRU",
      { ...recurrent, inputs: [{ ...recurrent.inputs[0], shape: ["n", 3, 24, "w"] }] },
      8 + 10,
      [
        [1, 3, 24, 53],
        [1, 3, 24, 30],
      ],
    ],
    ["PixelShuffle by hand, channels outside", shuffled("CRD"), 8, even],
    ["PixelShuffle by hand, blocks outside", shuffled("DCR"), 8, even],
    ["the same in an operator set without modes", shuffled("DCR", 10), 8, even],
  ];
  for (const [title, network, gone, sizes] of cases) {
    it(title, async () => {
      const cut = await cutNetwork(root, network, { size: [24, 40] });
      expect(removed(cut.result)).to.be.at.least(gone);
      // A rounding of a place is multiplied by how steep the map is there.
      const most = network === sampled ? 1e-4 : rounding;
      for (const size of sizes) expect(await differenceAt(cut, size), size.join("x")).to.be.at.most(most);
      expect(cut.result.difference).to.be.at.most(most);
      expect(cut.small.opset).to.equal(cut.original.opset);
    });
  }

  it("pictures in bytes are compared with the masked original, too", async () => {
    const plain = made([["Conv", "r1 w3", "y"]]);
    const network: Network = {
      ...plain,
      inputs: [{ name: "bytes", type: "uint8", shape: ["n", "h", "w", 3] }],
      nodes: [
        {
          name: "f",
          op: "Cast",
          domain: "",
          inputs: ["bytes"],
          outputs: ["floats"],
          attributes: { to: int(1) },
        },
        {
          ...{ name: "t", op: "Transpose", domain: "", inputs: ["floats"], outputs: ["x"] },
          attributes: { perm: ints(0, 3, 1, 2) },
        },
        ...plain.nodes,
      ],
    };
    const { result, small } = await cutNetwork(root, network, { size: [24, 40] });
    expect(removed(result)).to.equal(8);
    expect(result.comparedAt).to.deep.equal(["2x24x40x3", "1x157x211x3"]);
    expect(result.difference).to.be.at.most(2e-6);
    expect(small.inputs[0].type).to.equal("uint8");
  });

  it("an operator of a program of one's own is named where it cannot be run", async () => {
    const more = { w6: weights(16, 3, 3, 3), w7: weights(5, 16, 1, 1) };
    const network = made(
      [
        ["Mine", "r1", "z"],
        ["Conv", "z w3", "y"],
      ],
      more,
    );
    const nodes = network.nodes.map((node) => (node.op === "Mine" ? { ...node, domain: "my.ops" } : node));
    const failed = await cutNetwork(
      root,
      {
        ...network,
        nodes: [
          ...nodes,
          {
            name: "other",
            op: "Conv",
            domain: "",
            inputs: ["x", "w6"],
            outputs: ["o1"],
            attributes: {},
          },
          { name: "end", op: "Conv", domain: "", inputs: ["o1", "w7"], outputs: ["y2"], attributes: {} },
        ],
        outputs: [...network.outputs, { name: "y2", type: "float32", shape: ["n", 5, "q", "r"] }],
      },
      { size: [24, 40] },
    ).catch((error: unknown) => error);
    expect(isEtlError(failed, "unsupported")).to.equal(true);
    expect((failed as EtlError).hint).to.match(/"Mine_z" is Mine of my\.ops, .*--no-check/);
  });

  it("of a clip of open length a few frames are assumed, and --size is height and width", async () => {
    const clip: Network = {
      ...made([["Conv", "r1 w3", "y"]]),
      inputs: [{ name: "x", type: "float32", shape: ["n", 3, "t", "h", "w"] }],
      parameters: new Map([
        ["w1", weights(16, 3, 1, 3, 3)],
        ["b1", weights(16)],
        ["w3", weights(5, 16, 1, 1, 1)],
      ]),
      outputs: [{ name: "y", type: "float32", shape: ["n", 5, "p", "q", "r"] }],
    };
    const nodes = clip.nodes.map((node) => (node.op === "Conv" ? { ...node, attributes: {} } : node));
    const { result, said } = await cutNetwork(root, { ...clip, nodes }, { size: [20, 32] });
    expect(removed(result)).to.equal(8);
    expect(result.comparedAt?.[0]).to.equal("2x3x16x20x32");
    expect(said).to.contain("t 16, h 20, w 32 is assumed");
  });

  it("pads of channels that are computed from data keep them, with the reason", async () => {
    const network = made(
      [
        ["Conv", "r1 w2", "c2", conv()],
        ["ReduceMax", "x", "most", { keepdims: int(0) }],
        ["Cast", "most", "whole", { to: int(7) }],
        ["Mul", "whole zeros8", "pads"],
        ["Pad", "c2 pads", "padded"],
        ["Conv", "padded w4", "y"],
      ],
      { w2: weights(12, 16, 3, 3), w4: weights(5, 12, 1, 1), zeros8: int64([0, 0, 0, 0, 0, 0, 0, 0]) },
    );
    const { result } = await cutNetwork(root, network, { size: [24, 40], check: false });
    expect(removed(result)).to.equal(8);
    expect(result.layers[1].reason).to.match(/Pad_padded pads by computed amounts/);
  });
});
