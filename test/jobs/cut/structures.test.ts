import { expect } from "chai";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readModel } from "../../../lib/backbones/read-model.ts";
import { silent } from "../../../lib/core/progress.ts";
import { toCuttable } from "../../../lib/jobs/cut/model.ts";
import { cutModel } from "../../../lib/jobs/cut/cut.ts";
import {
  float32,
  int64,
  type Attribute,
  type Network,
  type Node,
  type Parameter,
} from "../../../lib/network/network.ts";
import { cutNetwork, differenceAt, removed } from "../../support/cutting.ts";
import { rounding } from "../../support/run.ts";
import { message } from "../../support/protobuf.ts";
import { conv, int, ints, networkOf, string, weights, type Given } from "../../support/strange.ts";

const open = ["n", 3, "h", "w"] as const;
const same: readonly Given[] = [
  ["Conv", "x w1 b1", "c1", conv()],
  ["Relu", "c1", "r1"],
];
const first = { w1: weights(16, 3, 3, 3), b1: weights(16) };
const bare = (op: string, inputs: string[], output: string, domain = ""): Node => ({
  ...{ name: `${op}_${output}`, op, domain, inputs, outputs: [output], attributes: {} },
});

/** [title, network, channels that go at least, and one of its input's sizes that the whole network accepts]. */
type Case = readonly [title: string, network: Network, gone: number, sizes: readonly (readonly number[])[]];

const odd = [
  [1, 3, 37, 53],
  [3, 3, 41, 29],
] as const;

const withBlocks = (mode: string): Network =>
  networkOf(
    [
      ["Conv", "x w1 b1", "c1", conv()],
      ["DepthToSpace", "c1", "d", { blocksize: int(2), mode: string(mode) }],
      ["Relu", "d", "r1"],
      ["Conv", "r1 w2", "c2", conv()],
      ["SpaceToDepth", "c2", "s", { blocksize: int(2) }],
      ["Conv", "s w3", "y"],
    ],
    { w1: weights(32, 3, 3, 3), b1: weights(32), w2: weights(12, 8, 3, 3), w3: weights(5, 48, 1, 1) },
    { x: open, y: ["n", 5, "p", "q"] },
  );

const withGroups = (opset: number, size: number): Network => ({
  ...networkOf(
    [
      ["Conv", "x w1 b1", "c1", conv()],
      ["GroupNormalization", "c1 scale shift", "g", { num_groups: int(8) }],
      ["Relu", "g", "r1"],
      ["Conv", "r1 w2", "y"],
    ],
    { ...first, scale: weights(size), shift: weights(size), w2: weights(5, 16, 1, 1) },
    { x: open, y: ["n", 5, "p", "q"] },
  ),
  opset,
});

const inDomain = (network: Network, domain: string, ...ops: string[]): Network => ({
  ...network,
  nodes: network.nodes.map((node) => (ops.includes(node.op) ? { ...node, domain } : node)),
});

const fused = inDomain(
  networkOf(
    [
      ["FusedConv", "x w1 b1", "r1", { ...conv(), activation: string("Relu") }],
      [
        "FusedConv",
        "r1 w2 b1 r1",
        "r2",
        { ...conv(), activation: string("LeakyRelu"), activation_params: { type: "floats", value: [0.2] } },
      ],
      [
        "FusedConv",
        "r2 w2",
        "r3",
        { ...conv(), activation: string("Clip"), activation_params: { type: "floats", value: [0, 0.5] } },
      ],
      ["GlobalAveragePool", "r3", "p"],
      ["Flatten", "p", "f"],
      ["FusedGemm", "f w4", "g", { activation: string("Relu") }],
      ["FusedMatMul", "g w5", "y", { alpha: { type: "float", value: 0.5 } }],
    ],
    { ...first, w2: weights(16, 16, 3, 3), w4: weights(16, 12), w5: weights(12, 5) },
    { x: open, y: ["n", 5] },
  ),
  "com.microsoft",
  "FusedConv",
  "FusedGemm",
  "FusedMatMul",
);

const gelus = inDomain(
  networkOf(
    [
      ["Conv", "x w1 b1", "c1", conv()],
      ["Gelu", "c1", "g1"],
      ["Conv", "g1 w2", "c2", conv()],
      ["QuickGelu", "c2", "g2", { alpha: { type: "float", value: 1.7 } }],
      ["Conv", "g2 w4", "y"],
    ],
    { ...first, w2: weights(24, 16, 3, 3), w4: weights(5, 24, 1, 1) },
    { x: open, y: ["n", 5, "p", "q"] },
  ),
  "com.microsoft",
  "Gelu",
  "QuickGelu",
);

const flat: readonly Given[] = [
  ["Reshape", "r1 t", "rows"],
  ["Transpose", "rows", "places", { perm: ints(0, 2, 1) }],
];
const matrices = networkOf(
  [...same, ...flat, ["MatMul", "places wa", "m"], ["Relu", "m", "rm"], ["MatMul", "rm wb", "y"]],
  { ...first, t: int64([0, 16, -1]), wa: weights(1, 16, 24), wb: weights(1, 24, 5) },
  { x: open, y: ["n", "p", 5] },
);

/** Two layers, something between them that is not looked into, and a layer behind it. */
const around = (inside: readonly Node[], parameters: Record<string, Parameter> = {}): Network => {
  const network = networkOf(
    [...same, ["Conv", "r1 w2", "c2", conv()], ["Relu", "c2", "r2"], ["Conv", "z w4", "y"]],
    { ...first, w2: weights(12, 16, 3, 3), w4: weights(5, 12, 1, 1), ...parameters },
    { x: open, y: ["n", 5, "p", "q"] },
  );
  return { ...network, nodes: [...network.nodes.slice(0, 4), ...inside, ...network.nodes.slice(4)] };
};

const nodeBytes = (op: string, inputs: string[], output: string): Uint8Array =>
  message(...inputs.map((name) => [1, name] as const), [2, output], ...(op === "" ? [] : [[4, op] as const]));
const valueBytes = (name: string): Uint8Array => message([1, name], [2, message([1, message([1, 1n])])]);
const branch = (name: string, op: string): Uint8Array =>
  message(
    [1, name],
    [6, message([1, nodeBytes(op, ["r2"], name)], [2, name], [12, valueBytes(name)])],
    [20, 5n],
  );

const choosing = around(
  [
    { ...bare("ReduceMean", ["r2"], "mean"), attributes: { keepdims: int(0) } },
    bare("Greater", ["mean", "zero"], "is"),
    {
      ...bare("If", ["is", "r2"], "z"),
      attributes: {
        then_branch: { type: "opaque", bytes: branch("then_branch", "Relu") },
        else_branch: { type: "opaque", bytes: branch("else_branch", "Neg") },
      },
      reads: ["r2"],
    },
  ],
  { zero: float32([], Float32Array.of(0)) },
);

const calling: Network = {
  ...around([bare("Twice", ["r2"], "z", "own")]),
  functions: [
    message(
      [1, "Twice"],
      [4, "a"],
      [5, "b"],
      [7, nodeBytes("Add", ["a", "a"], "b")],
      [9, message([1, ""], [2, 17n])],
      [10, "own"],
    ),
  ],
};

const cases: readonly Case[] = [
  ...["DCR", "CRD"].map((mode): Case => [
    `DepthToSpace ${mode} and back`,
    withBlocks(mode),
    22,
    [
      [1, 3, 7, 11],
      [3, 3, 9, 5],
    ],
  ]),
  ["GroupNormalization with a scale for each group", withGroups(18, 8), 8, odd],
  ["GroupNormalization with a scale for each channel", withGroups(21, 16), 8, odd],
  ["layers that onnxruntime has fused", fused, 14, odd],
  ["Gelu of onnxruntime", gelus, 20, odd],
  ["weights with an axis of size 1 in front", matrices, 20, odd],
  ["If, whose branches read from outside", choosing, 8, odd],
  ["a function of the file", calling, 8, odd],
];

/** A convolution whose weight is stored as its numbers that are not 0 and their places. */
function sparseModel(): Uint8Array {
  const floats = (...values: number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);
  const wholes = (...values: bigint[]): Uint8Array => new Uint8Array(BigInt64Array.from(values).buffer);
  const dims = (...sizes: bigint[]) => sizes.map((size) => [1, size] as const);
  const tensor = (name: string, shape: bigint[], raw: Uint8Array, type = 1n): Uint8Array =>
    message(...dims(...shape), [2, type], [8, name], [9, raw]);
  const shaped = (name: string, ...sizes: bigint[]): Uint8Array =>
    message(
      [1, name],
      [
        2,
        message([
          1,
          message([1, 1n], [2, message(...sizes.map((size) => [1, message([1, size])] as const))]),
        ]),
      ],
    );
  const sparse = message(
    [1, tensor("w1", [3n], floats(1, -2, 3))],
    [2, tensor("places", [3n], wholes(0n, 3n, 7n), 7n)],
    ...[4n, 2n, 1n, 1n].map((size) => [3, size] as const),
  );
  const graph = message(
    [1, nodeBytes("Conv", ["x", "w1"], "c1")],
    [1, nodeBytes("Relu", ["c1"], "r1")],
    [1, nodeBytes("Conv", ["r1", "w2"], "y")],
    [2, "g"],
    [5, tensor("w2", [1n, 4n, 1n, 1n], floats(1, 2, 3, 4))],
    [15, sparse],
    [11, shaped("x", 1n, 2n, 3n, 5n)],
    [12, shaped("y", 1n, 1n, 3n, 5n)],
  );
  return message([1, 8n], [7, graph], [8, message([1, ""], [2, 17n])]);
}

describe("cut: structures", function () {
  this.timeout(120_000);
  let root: string;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), "etl-structures-"));
  });
  after(() => rm(root, { recursive: true, force: true }));

  for (const [title, network, gone, sizes] of cases) {
    it(title, async () => {
      const made = await cutNetwork(root, network, { size: [24, 40] });
      // FastGelu is an approximation that differs between whole vectors and what is left over at their end.
      const near = title.includes("fused") ? 1e-4 : rounding;
      expect(removed(made.result)).to.be.at.least(gone);
      expect(made.result.difference).to.be.at.most(near);
      for (const size of sizes) expect(await differenceAt(made, size), size.join("x")).to.be.at.most(near);
    });
  }

  it("a Squeeze without axes: one picture without its batch, and a network that only runs on several", async () => {
    const ends = (op: string): readonly Given[] => [
      ["GlobalAveragePool", "r1", "g"],
      ["Squeeze", "g", "s"],
      [op, "s w4", "y"],
    ];
    const parameters = { ...first, w4: weights(16, 5) };
    const single = networkOf([...same, ...ends("MatMul")], parameters, { x: [1, 3, 24, 24], y: [5] });
    const several = networkOf([...same, ...ends("Gemm")], parameters, { x: open, y: ["n", 5] });
    const one = await cutNetwork(root, single);
    expect(removed(one.result)).to.equal(8);
    expect(await differenceAt(one, [1, 3, 24, 24])).to.be.at.most(rounding);
    const many = await cutNetwork(root, several, { size: [24, 40] });
    expect(removed(many.result)).to.equal(8);
    expect(many.result.comparedAt?.[0]).to.equal("2x3x24x40");
    for (const size of [
      [2, 3, 33, 21],
      [5, 3, 17, 40],
    ])
      expect(await differenceAt(many, size)).to.be.at.most(rounding);
  });

  it("a Shape of some axes does not read the channels; a weight that is an output stays", async () => {
    const part = (start: number, end: number): Record<string, Attribute> => ({
      start: int(start),
      end: int(end),
    });
    const pyramid = networkOf(
      [
        ...same,
        ["Conv", "r1 w2", "c2", conv(2)],
        ["Shape", "r1", "sides", part(2, 4)],
        ["Shape", "c2", "front", part(0, 2)],
        ["Concat", "front sides", "all", { axis: int(0) }],
        ["Resize", "c2 - - all", "up", { mode: string("nearest") }],
        ["Conv", "up w4", "y"],
      ],
      { ...first, w2: weights(24, 16, 3, 3), w4: weights(5, 24, 1, 1) },
      { x: open, y: ["n", 5, "p", "q"] },
    );
    const made = await cutNetwork(root, pyramid, { size: [24, 40] });
    expect(removed(made.result)).to.equal(8 + 12);
    expect(await differenceAt(made, [1, 3, 33, 21])).to.be.at.most(rounding);
    const shown = {
      ...pyramid,
      outputs: [...pyramid.outputs, { name: "w2", type: "float32", shape: [24, 16, 3, 3] } as const],
    };
    const kept = await cutNetwork(root, shown, { size: [24, 40] });
    expect(removed(kept.result)).to.equal(0);
    expect(kept.result.layers[1].reason).to.contain("a network output is the weight itself");
  });

  it("a function of the file, and what branches read, are in the written file again", async () => {
    const { small } = await cutNetwork(root, calling, { size: [24, 40] });
    expect(small.functions?.length).to.equal(1);
    const chosen = await cutNetwork(root, choosing, { size: [24, 40] });
    expect(chosen.small.nodes.find(({ op }) => op === "If")?.reads).to.deep.equal(["r2"]);
    expect(chosen.result.layers[1].keptOutputs.length).to.equal(12);
    expect(chosen.result.layers[1].reason).to.match(/ReduceMean_mean reduces over the channels/);
  });

  it("a value that branches read keeps the name by which they read it", async () => {
    const network = around(
      choosing.nodes
        .filter(({ name }) => /^(ReduceMean|Greater|If)_/.test(name))
        .map((node) => ({
          ...node,
          inputs: node.inputs.map((name) => (name === "r2" ? "same" : name)),
          ...(node.reads && {
            reads: ["same"],
            attributes: Object.fromEntries(
              Object.entries(node.attributes).map(([name]) => [
                name,
                {
                  type: "opaque",
                  bytes: message(
                    [1, name],
                    [6, message([1, nodeBytes("Neg", ["same"], name)], [2, name], [12, valueBytes(name)])],
                    [20, 5n],
                  ),
                } as const,
              ]),
            ),
          }),
        })),
      { zero: float32([], Float32Array.of(0)) },
    );
    const nodes = network.nodes.flatMap((node) =>
      node.name === "ReduceMean_mean" ? [bare("Identity", ["r2"], "same"), node] : [node],
    );
    const made = await cutNetwork(root, { ...network, nodes }, { size: [24, 40] });
    expect(removed(made.result)).to.be.at.least(8);
    for (const size of odd) expect(await differenceAt(made, size)).to.be.at.most(rounding);
  });

  it("a sparse weight is read with its zeros", async () => {
    const model = join(root, "sparse.onnx");
    await writeFile(model, sparseModel());
    const { parameters } = await readModel(model);
    expect(Array.from(parameters.get("w1")?.data as Float32Array)).to.deep.equal([1, 0, 0, -2, 0, 0, 0, 3]);
    const result = await cutModel({
      model,
      out: join(root, "dense.onnx"),
      keep: 0.5,
      threads: 1,
      progress: silent,
    });
    expect(removed(result)).to.equal(2);
    expect(result.difference).to.be.at.most(rounding);
  });

  it("looks small at values that grow with the square of the places", () => {
    const network = networkOf(
      [
        ...same,
        ...flat,
        ["MatMul", "places rows", "all"],
        ["Softmax", "all", "s", { axis: int(-1) }],
        ["MatMul", "s places", "sum"],
        ["MatMul", "sum wb", "y"],
      ],
      { ...first, t: int64([0, 16, -1]), wb: weights(16, 5) },
      { x: open, y: ["n", "p", 5] },
    );
    expect(toCuttable(network).assumed).to.deep.equal({ batch: 2, sizes: { h: 64, w: 64 } });
  });
});
