import { expect } from "chai";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { float32, int64, type Dim, type Network, type Parameter } from "../../../lib/network/network.ts";
import { simplify } from "../../../lib/network/simplify.ts";
import { cutNetwork, differenceAt, removed } from "../../support/cutting.ts";
import { rounding } from "../../support/run.ts";
import { conv, int, ints, networkOf, string, two, weights, type Given } from "../../support/strange.ts";

const both = { w1: weights(16, 3, 3, 3), b1: weights(16), w2: weights(24, 16, 3, 3), b2: weights(24) };
const numbers = {
  zero: int64([0]),
  one: int64([1]),
  two: int64([2]),
  three: int64([3]),
  four: int64([4]),
  zeros: int64([0, 0, 0, 0, 0, 0]),
};
const open = ["n", 3, "h", "w"] as const;
const side = (name: string, axis: string, of = "s"): Given => ["Gather", `${of} ${axis}`, name];
const sides: readonly Given[] = [["Shape", "x", "s"], side("h", "two"), side("w", "three")];
const head: readonly Given[] = [
  ["GlobalAveragePool", "r2", "g"],
  ["Flatten", "g", "f"],
  ["Gemm", "f w4", "y"],
];
const five = { x: open, y: ["n", 5] } as const;

/** A picture to which `arithmetic` says how many rows and columns are added behind: "down" and "right". */
const padding = (arithmetic: readonly Given[], more: Record<string, Parameter> = {}): Network =>
  networkOf(
    [
      ...sides,
      ...arithmetic,
      ["Concat", "zeros down right", "pads", { axis: int(0) }],
      ["Pad", "x pads", "xp"],
      ["Conv", "xp w1 b1", "c1", conv(2)],
      ...two.slice(1),
      ...head,
    ],
    { ...both, ...numbers, w4: weights(24, 5), ...more },
    five,
  );

/** The deep map brought to the size of the shallow one, its shape put together from `from`. */
const pyramid = (from: readonly Given[], size: string): Network =>
  networkOf(
    [
      ...two,
      ["Conv", "r2 w3", "l2"],
      ["Shape", "r1", "s1"],
      ["Shape", "l2", "s2"],
      ...from,
      ["Concat", size, "size", { axis: int(0) }],
      [
        "Resize",
        "l2 - - size",
        "up",
        { mode: string("linear"), coordinate_transformation_mode: string("half_pixel") },
      ],
      ["Concat", "up r1", "a", { axis: int(1) }],
      ["Conv", "a w4", "y"],
    ],
    { ...both, ...numbers, w3: weights(12, 24, 1, 1), w4: weights(4, 28, 1, 1) },
    { x: open, y: ["n", 4, "h2", "w2"] },
  );

const shallow: readonly Given[] = [side("uh", "two", "s1"), side("uw", "three", "s1")];

interface Case {
  readonly what: string;
  readonly network: Network;
  /** Beside those that every network is run at. */
  readonly at?: readonly (readonly [batch: number, height: number, width: number])[];
  readonly removed?: number;
}

const cases: readonly Case[] = [
  {
    what: "a side that is clamped far above the usual sizes",
    network: padding(
      [
        ["Min", "h big", "clamped"],
        ["Sub", "h clamped", "down"],
        ["Sub", "w w", "right"],
      ],
      { big: int64([2047]) },
    ),
    at: [[1, 2060, 16]],
  },
  {
    what: "small sides padded up to a least size",
    network: padding(
      [
        ["Max", "h least", "tall"],
        ["Max", "w least", "wide"],
        ["Sub", "tall h", "down"],
        ["Sub", "wide w", "right"],
      ],
      { least: int64([48]) },
    ),
  },
  {
    what: "a side and the other compared: padded only where broad",
    network: padding([
      ["Less", "h w", "broad"],
      ["Sub", "w h", "missing"],
      ["Where", "broad missing zero", "down"],
      ["Sub", "w w", "right"],
    ]),
  },
  {
    what: "equal sides told from others",
    network: padding([
      ["Equal", "h w", "square"],
      ["Where", "square four one", "down"],
      ["Where", "square one two", "right"],
    ]),
    at: [[1, 40, 40]],
  },
  {
    what: "a remainder computed in floats",
    network: padding(
      [
        ["Cast", "h", "hf", { to: int(1) }],
        ["Div", "hf m8", "parts"],
        ["Ceil", "parts", "up"],
        ["Mul", "up m8", "full"],
        ["Sub", "full hf", "rest"],
        ["Cast", "rest", "down", { to: int(7) }],
        ["Mod", "w four", "right"],
      ],
      { m8: float32([1], Float32Array.of(8)) },
    ),
  },
  {
    what: "a size that only large pictures have",
    network: padding(
      [
        side("n1", "zero"),
        ["Greater", "h limit", "large"],
        ["Where", "large four zero", "down"],
        ["Greater", "n1 seven", "many"],
        ["Where", "many four zero", "right"],
      ],
      { limit: int64([2000]), seven: int64([7]) },
    ),
    at: [
      [1, 2001, 16],
      [9, 16, 16],
    ],
  },
  {
    what: "a map resized to another's, shape entry by entry",
    network: pyramid([side("un", "zero", "s2"), side("uc", "one", "s2"), ...shallow], "un uc uh uw"),
    removed: 26,
  },
  {
    what: "a map resized to another's, batch and channels sliced off",
    network: pyramid(
      [
        ["Slice", "s2 zero two", "nc"],
        ["Slice", "s1 two four", "hw"],
      ],
      "nc hw",
    ),
    removed: 26,
  },
  {
    what: "rows of places, their number from the map and the batch",
    network: networkOf(
      [
        ...two,
        ["Conv", "r2 w3", "l2"],
        ["Shape", "l2", "s2"],
        side("n1", "zero", "s2"),
        side("h2", "two", "s2"),
        side("v2", "three", "s2"),
        ["Mul", "h2 v2", "places"],
        ["Concat", "n1 twelve places", "rows", { axis: int(0) }],
        ["Reshape", "l2 rows", "r"],
        ["Transpose", "r", "t", { perm: ints(0, 2, 1) }],
        ["MatMul", "t w4", "y"],
      ],
      { ...both, ...numbers, twelve: int64([12]), w3: weights(12, 24, 1, 1), w4: weights(12, 4) },
      { x: open, y: ["n", "p", 4] },
    ),
    removed: 26,
  },
  {
    what: "a gate spread to the shape of its map",
    network: networkOf(
      [
        ...two,
        ["GlobalAveragePool", "r2", "g"],
        ["Conv", "g wa", "ga"],
        ["Relu", "ga", "gr"],
        ["Conv", "gr wb", "gb"],
        ["Sigmoid", "gb", "gs"],
        ["Shape", "r2", "s"],
        ["Expand", "gs s", "ge"],
        ["Mul", "r2 ge", "m"],
        ["Conv", "m w3", "y"],
      ],
      { ...both, wa: weights(6, 24, 1, 1), wb: weights(24, 6, 1, 1), w3: weights(4, 24, 1, 1) },
      { x: open, y: ["n", 4, "h2", "w2"] },
    ),
    removed: 23,
  },
  {
    what: "a map cropped to another's size",
    network: networkOf(
      [
        ...two,
        ["ConvTranspose", "r2 wt", "up", { strides: ints(2, 2) }],
        ["Shape", "r1", "s1"],
        ["Slice", "s1 two four", "hw"],
        ["Slice", "up starts hw axes", "crop"],
        ["Concat", "crop r1", "a", { axis: int(1) }],
        ["Conv", "a w4", "y"],
      ],
      {
        ...both,
        ...numbers,
        starts: int64([0, 0]),
        axes: int64([2, 3]),
        wt: weights(24, 12, 2, 2),
        w4: weights(4, 28, 1, 1),
      },
      { x: open, y: ["n", 4, "h2", "w2"] },
    ),
    removed: 20,
  },
];

describe("cut: networks that compute with their sizes", function () {
  this.timeout(60_000);
  let root: string;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), "etl-open-"));
  });
  after(() => rm(root, { recursive: true, force: true }));

  for (const { what, network, at = [], removed: least = 12 } of cases) {
    it(`right at every size: ${what}`, async () => {
      const cut = await cutNetwork(root, network);
      expect(removed(cut.result)).to.be.at.least(least);
      for (const [batch, height, width] of [[1, 50, 70], [2, 97, 61], [1, 36, 64], [3, 33, 31], ...at])
        expect(
          await differenceAt(cut, [batch, 3, height, width]),
          `${batch}x${height}x${width}`,
        ).to.be.at.most(rounding);
    });
  }

  it("does not fold the batch of a file for one picture, where the network takes more", () => {
    const shape: readonly Dim[] = [1, 3, 24, 24];
    const lines: readonly Given[] = [
      ...two,
      ["Shape", "r2", "s"],
      ["Slice", "s zero one", "b"],
      ["Concat", "b rest", "to", { axis: int(0) }],
      ["Expand", "v to", "e"],
      ["Flatten", "r2", "f"],
      ["Concat", "f e", "y", { axis: int(1) }],
    ];
    const parameters = { ...both, ...numbers, rest: int64([2]), v: weights(1, 2) };
    const network = networkOf(lines, parameters, { x: shape, y: [1, 866] });
    const plain = simplify(network);
    expect(plain.nodes.map(({ op }) => op)).to.include.members(["Shape", "Slice", "Expand"]);
  });
});
