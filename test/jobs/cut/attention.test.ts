/** Channels that stand on several axes: heads of attention, branches beside each other, groups, products of computed values. */
import { expect } from "chai";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  int64,
  type Attribute,
  type Dim,
  type Network,
  type Parameter,
} from "../../../lib/network/network.ts";
import { cutNetwork, differenceAt, removed } from "../../support/cutting.ts";
import { rounding } from "../../support/run.ts";
import { conv, int, ints, networkOf, string, weights, type Given } from "../../support/strange.ts";

const open = ["n", 3, "h", "w"] as const;
const small = ["n", 3, 12, 20] as const;
const parameters = { w1: weights(24, 3, 3, 3), b1: weights(24) };
const start: readonly Given[] = [
  ["Conv", "x w1 b1", "c1", conv()],
  ["Relu", "c1", "r1"],
];
const axis = (value: number): Record<string, Attribute> => ({ axis: int(value) });
const order = (...perm: number[]): Record<string, Attribute> => ({ perm: ints(...perm) });

/** The network with convolutions in front, `lines` from r1 to `last` of 24 channels, and one behind. */
const around = (
  lines: readonly Given[],
  last: string,
  own: Record<string, Parameter>,
  x: readonly Dim[] = open,
): Network =>
  networkOf(
    [...start, ...lines, ["Conv", `${last} wy`, "y"]],
    { ...parameters, wy: weights(5, 24, 1, 1), ...own },
    { x, y: ["n", 5, "p", "q"] },
  );

const points: readonly Given[] = [
  ["Conv", "r1 wq", "q"],
  ["Conv", "r1 wk", "k"],
  ["Conv", "r1 wv", "v"],
];
const ofPoints = { wq: weights(24, 24, 1, 1), wk: weights(24, 24, 1, 1), wv: weights(24, 24, 1, 1) };

/** Four heads of six channels, each layer for itself. */
const separate = around(
  [
    ...points,
    ["Reshape", "q apart", "qh"],
    ["Reshape", "k apart", "kh"],
    ["Reshape", "v apart", "vh"],
    ["Transpose", "qh", "qt", order(0, 1, 3, 2)],
    ["MatMul", "qt kh", "a"],
    ["Mul", "a temperature", "at"],
    ["Softmax", "at", "s", axis(-1)],
    ["Transpose", "s", "st", order(0, 1, 3, 2)],
    ["MatMul", "vh st", "m"],
    ["Reshape", "m back", "o"],
  ],
  "o",
  {
    ...ofPoints,
    temperature: weights(4, 1, 1),
    apart: int64([0, 4, 6, -1]),
    back: int64([0, 24, 12, 20]),
  },
  small,
);

/** Query, key and value of one layer, taken apart by Split and Squeeze. */
const packed = around(
  [
    ["Conv", "r1 wqkv", "qkv"],
    ["Reshape", "qkv apart", "h"],
    ["Transpose", "h", "ht", order(1, 0, 2, 4, 3)],
    ["Gather", "ht zero", "q", axis(0)],
    ["Gather", "ht one", "k", axis(0)],
    ["Slice", "ht i2 i3 i0", "vs"],
    ["Squeeze", "vs i0", "v"],
    ["Transpose", "k", "kt", order(0, 1, 3, 2)],
    ["MatMul", "q kt", "a"],
    ["Add", "a bias", "ab"],
    ["Softmax", "ab", "s", axis(-1)],
    ["MatMul", "s v", "m"],
    ["Transpose", "m", "mt", order(0, 1, 3, 2)],
    ["Reshape", "mt back", "o"],
  ],
  "o",
  {
    wqkv: weights(72, 24, 1, 1),
    bias: weights(1, 4, 1, 240),
    apart: int64([0, 3, 4, 6, -1]),
    back: int64([0, -1, 12, 20]),
    zero: { ...int64([0]), shape: [] },
    one: { ...int64([1]), shape: [] },
    i0: int64([0]),
    i2: int64([2]),
    i3: int64([3]),
  },
  small,
);

/** One head: what is summed over stays, the values are cut; sides open. */
const nonlocal = (lines: readonly Given[]): Network =>
  around(
    [
      ...points,
      ["Reshape", "q flat", "qf"],
      ["Reshape", "k flat", "kf"],
      ["Reshape", "v flat", "vf"],
      ...lines,
      ["Shape", "r1", "shape"],
      ["Slice", "shape two four", "sides"],
      ["Concat", "front sides", "to", axis(0)],
      ["Reshape", "m to", "mr"],
      ["Add", "mr r1", "o"],
    ],
    "o",
    { ...ofPoints, flat: int64([0, 24, -1]), two: int64([2]), four: int64([4]), front: int64([0, 24]) },
  );

/** Two branches beside each other, weighted by a softmax over the branches (selective kernels, split attention). */
const branches = (size: readonly number[]): Network =>
  around(
    [
      ["Conv", "r1 wa", "a", conv()],
      ["Conv", "r1 wb", "b", conv()],
      ["Unsqueeze", "a i1", "au"],
      ["Unsqueeze", "b i1", "bu"],
      ["Concat", "au bu", "both", axis(1)],
      ["ReduceSum", "both i1", "sum", { keepdims: int(0) }],
      ["GlobalAveragePool", "sum", "g"],
      ["Conv", "g wf", "f"],
      ["Relu", "f", "fr"],
      ["Conv", "fr we", "e"],
      ["Reshape", "e apart", "ea"],
      ["Softmax", "ea", "s", axis(1)],
      ["Mul", "both s", "weighted"],
      ["ReduceSum", "weighted i1", "o", { keepdims: int(0) }],
    ],
    "o",
    {
      wa: weights(24, 24, 3, 3),
      wb: weights(24, 24, 3, 3),
      wf: weights(8, 24, 1, 1),
      we: weights(48, 8, 1, 1),
      i1: int64([1]),
      apart: int64(size),
    },
  );

const wide: readonly Given[] = [["Conv", "r1 ww", "wide", conv()]];

/** [title, network, channels that go at least, layers that lose some, sizes]. */
const cases: (readonly [string, Network, number, readonly string[], readonly (readonly number[])[]])[] = [
  [
    "heads of layers of their own",
    separate,
    40,
    ["Conv_q", "Conv_k", "Conv_v"],
    [
      [1, 3, 12, 20],
      [3, 3, 12, 20],
    ],
  ],
  [
    "heads of one layer for all three",
    packed,
    40,
    ["Conv_qkv"],
    [
      [1, 3, 12, 20],
      [3, 3, 12, 20],
    ],
  ],
  [
    "one head: the values",
    nonlocal([
      ["Transpose", "qf", "qt", order(0, 2, 1)],
      ["MatMul", "qt kf", "a"],
      ["Softmax", "a", "s", axis(-1)],
      ["Transpose", "s", "st", order(0, 2, 1)],
      ["MatMul", "vf st", "m"],
    ]),
    24,
    ["Conv_c1", "Conv_v"],
    [
      [1, 3, 13, 9],
      [2, 3, 7, 11],
    ],
  ],
  [
    "one head in Einstein's notation",
    nonlocal([
      ["Einsum", "qf kf", "a", { equation: string("bci,bcj->bij") }],
      ["Softmax", "a", "s", axis(-1)],
      ["Einsum", "s vf", "m", { equation: string("bij,bcj->bci") }],
    ]),
    24,
    ["Conv_c1", "Conv_v"],
    [
      [1, 3, 13, 9],
      [2, 3, 7, 11],
    ],
  ],
  [
    "branches with a softmax over them",
    branches([0, 2, 24, 1, 1]),
    60,
    ["Conv_a", "Conv_b", "Conv_e"],
    [
      [1, 3, 13, 9],
      [3, 3, 7, 11],
    ],
  ],
  [
    "the larger of two halves",
    around(
      [
        ...wide,
        ["Reshape", "wide apart", "halves"],
        ["ReduceMax", "halves", "o", { axes: ints(1), keepdims: int(0) }],
      ],
      "o",
      { ww: weights(48, 24, 3, 3), apart: int64([0, 2, 24, 12, 20]) },
      small,
    ),
    36,
    ["Conv_c1", "Conv_wide"],
    [
      [1, 3, 12, 20],
      [3, 3, 12, 20],
    ],
  ],
  [
    "groups weighted by their means",
    around(
      [
        ["Reshape", "r1 apart", "groups"],
        ["Sigmoid", "groups", "gate"],
        ["ReduceMean", "gate", "mean", { axes: ints(2, 3, 4), keepdims: int(1) }],
        ["Mul", "groups mean", "weighted"],
        ["Mul", "weighted slope", "scaled"],
        ["Reshape", "scaled back", "o"],
      ],
      "o",
      { slope: weights(1, 6, 1, 1, 1), apart: int64([0, 6, 4, 12, 20]), back: int64([0, 24, 12, 20]) },
      small,
    ),
    8,
    ["Conv_c1"],
    [
      [1, 3, 12, 20],
      [3, 3, 12, 20],
    ],
  ],
  [
    "a shuffle with a node inside",
    around(
      [
        ["Reshape", "r1 apart", "groups"],
        ["Sigmoid", "groups", "gate"],
        ["Transpose", "gate", "turned", order(0, 2, 1, 3, 4)],
        ["Reshape", "turned back", "o"],
      ],
      "o",
      { apart: int64([0, 3, 8, 12, 20]), back: int64([0, 24, 12, 20]) },
      small,
    ),
    8,
    ["Conv_c1"],
    [
      [1, 3, 12, 20],
      [3, 3, 12, 20],
    ],
  ],
];

/** Computed while the network runs: 0, two numbers and the sides. */
const toHalves: readonly Given[] = [
  ["Shape", "r1", "shape"],
  ["Slice", "shape two four", "sides"],
  ["Concat", "front sides", "to", axis(0)],
];
cases.push(
  [
    "the larger of two halves, sides open",
    around(
      [
        ...wide,
        ...toHalves,
        ["Reshape", "wide to", "halves"],
        ["ReduceMax", "halves", "o", { axes: ints(2), keepdims: int(0) }],
      ],
      "o",
      { ww: weights(48, 24, 3, 3), front: int64([0, 24, 2]), two: int64([2]), four: int64([4]) },
    ),
    36,
    ["Conv_c1", "Conv_wide"],
    [
      [1, 3, 13, 9],
      [3, 3, 7, 11],
    ],
  ],
  [
    "branches with shares that were learned, through the softmax that the file has",
    around(
      [
        ["Unsqueeze", "r1 i1", "a"],
        ["Conv", "r1 wb", "b", conv()],
        ["Unsqueeze", "b i1", "bu"],
        ["Concat", "a bu", "both", axis(1)],
        ["Softmax", "learned", "shares", axis(0)],
        ["Unsqueeze", "shares i23", "wide"],
        ["Mul", "both wide", "weighted"],
        ["ReduceSum", "weighted i1", "o", { keepdims: int(0) }],
      ],
      "o",
      { wb: weights(24, 24, 3, 3), learned: weights(2, 24), i1: int64([1]), i23: int64([2, 3]) },
    ),
    24,
    ["Conv_c1", "Conv_b"],
    [
      [1, 3, 13, 9],
      [3, 3, 7, 11],
    ],
  ],
  [
    "split attention: branches one after the other in front of a softmax",
    around(
      [
        ...wide,
        ["GlobalAveragePool", "wide", "g"],
        ["Conv", "g we", "e"],
        ["Reshape", "e apart", "ea"],
        ["Transpose", "ea", "et", order(0, 2, 1, 3)],
        ["Softmax", "et", "s", axis(1)],
        ["Reshape", "s flat", "f"],
        ["Reshape", "f back", "shares"],
        ["Mul", "wide shares", "weighted"],
        ["Conv", "weighted wo", "o"],
      ],
      "o",
      {
        ww: weights(48, 24, 3, 3),
        we: weights(48, 48, 1, 1),
        wo: weights(24, 48, 1, 1),
        apart: int64([0, 1, 2, -1]),
        flat: int64([0, -1]),
        back: int64([0, -1, 1, 1]),
      },
    ),
    60,
    ["Conv_c1", "Conv_wide", "Conv_e"],
    [
      [1, 3, 13, 9],
      [3, 3, 7, 11],
    ],
  ],
);

describe("cut: channels on several axes", function () {
  this.timeout(120_000);
  let root: string;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), "etl-attention-"));
  });
  after(() => rm(root, { recursive: true, force: true }));

  for (const [title, network, gone, cut, sizes] of cases) {
    it(title, async () => {
      const made = await cutNetwork(
        root,
        network,
        network.inputs[0].shape.includes("h") ? { size: [11, 13] } : {},
      );
      expect(removed(made.result)).to.be.at.least(gone);
      const smaller = made.result.layers.filter(
        ({ keptOutputs, totalOutputs }) => keptOutputs.length < totalOutputs,
      );
      expect(smaller.map(({ name }) => name)).to.include.members([...cut]);
      for (const size of sizes)
        expect(await differenceAt(made, size), size.join("x")).to.be.at.most(rounding);
    });
  }

  it("a shuffle through the batch axis of a file for one picture", async () => {
    const network = around(
      [
        ["Reshape", "r1 apart", "pairs"],
        ["Transpose", "pairs", "turned", order(1, 0, 2)],
        ["Reshape", "turned halves", "both"],
        ["Gather", "both zero", "a", axis(0)],
        ["Gather", "both one", "b", axis(0)],
        ["Conv", "b wb", "cb", conv()],
        ["Concat", "a cb", "o", axis(1)],
      ],
      "o",
      {
        wb: weights(12, 12, 3, 3),
        apart: int64([12, 2, 240]),
        halves: int64([2, -1, 12, 12, 20]),
        zero: { ...int64([0]), shape: [] },
        one: { ...int64([1]), shape: [] },
      },
      [1, 3, 12, 20],
    );
    const made = await cutNetwork(root, network);
    expect(removed(made.result)).to.be.at.least(18);
    expect(await differenceAt(made, [1, 3, 12, 20])).to.be.at.most(rounding);
  });

  it("whole heads go, and what is summed over in a product says so", async () => {
    const { result } = await cutNetwork(root, separate);
    const values = result.layers.find(({ name }) => name === "Conv_v");
    const kept = Array.from(values?.keptOutputs ?? []);
    expect(kept.length).to.equal(12);
    // Whole heads of six neighbours.
    expect(new Set(kept.map((channel) => Math.floor(channel / 6))).size).to.equal(2);
    const one = await cutNetwork(
      root,
      nonlocal([
        ["Transpose", "qf", "qt", order(0, 2, 1)],
        ["MatMul", "qt kf", "a"],
        ["MatMul", "vf a", "m"],
      ]),
      { size: [11, 13] },
    );
    const query = one.result.layers.find(({ name }) => name === "Conv_q");
    expect(query?.reason).to.match(/MatMul MatMul_a multiplies two computed values/);
  });
});
