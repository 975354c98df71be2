import { expect } from "chai";
import { createBuilder, type Builder } from "../../lib/network/builder.ts";
import { float32, type Network } from "../../lib/network/network.ts";
import { findTaps, withPooledTaps } from "../../lib/network/taps.ts";
import { validateNetwork } from "../../lib/network/validate.ts";
import { difference, runOnnx, wave } from "../support/onnx-run.ts";

/** A network of what `write` adds to a 4-channel input "x"; the end is pooled. */
function network(write: (b: Builder, x: string) => string): Network {
  const b = createBuilder("taps");
  const end = write(b, b.input("x", ["batch", 4, 6, 6]));
  return b.build([b.flatten(b.globalAveragePool(end))]);
}

const conv = (b: Builder, x: string, name: string, channels = 4): string =>
  b.conv(x, { name, weights: wave(channels, 4, 3, 3), pads: 1 });
const ones = new Float32Array(4).fill(1);
const scalar = (b: Builder, name: string, value: number): string =>
  b.parameter(name, float32([], Float32Array.of(value)));

describe("network/taps", () => {
  const cases: [string, (b: Builder, x: string) => string, [tap: string, layers: string[]][]][] = [
    [
      "after normalisation and activation",
      (b, x) => {
        const y = b.batchNorm(conv(b, x, "a"), { scale: ones, bias: ones, mean: ones, variance: ones });
        return conv(b, b.clip(y, { min: 0, max: 6, name: "relu6" }), "b");
      },
      [
        ["relu6", ["a"]],
        ["b", ["b"]],
      ],
    ],
    [
      "after the residual sum and its activation, also for the shortcut's convolution",
      (b, x) => {
        const main = conv(b, b.relu(conv(b, x, "a"), { name: "ra" }), "b");
        return b.relu(b.add(main, conv(b, x, "shortcut")), { name: "sum" });
      },
      [
        ["ra", ["a"]],
        ["sum", ["b", "shortcut"]],
      ],
    ],
    [
      "after a padded summand",
      (b, x) => {
        const short = b.conv(x, { name: "short", weights: wave(4, 4, 2, 2) });
        return b.relu(b.add(b.pad(short, [0, 0, 0, 0, 0, 0, 1, 1]), b.averagePool(x, { kernel: 1 })), {
          name: "sum",
        });
      },
      [["sum", ["short"]]],
    ],
    [
      "at the convolution where two layers read it",
      (b, x) => {
        const y = conv(b, x, "a");
        return b.concat([b.relu(y), b.maxPool(y, { kernel: 3, pads: 1 })]);
      },
      [["a", ["a"]]],
    ],
    [
      "after x * sigmoid(x)",
      (b, x) => b.maxPool(b.swish(conv(b, x, "a"), { name: "swish" }), { kernel: 2 }),
      [["swish", ["a"]]],
    ],
    [
      "after a hard swish in pieces",
      (b, x) => {
        const y = conv(b, x, "a");
        const gate = b.div(b.clip(b.add(y, scalar(b, "three", 3)), { min: 0, max: 6 }), scalar(b, "six", 6));
        return conv(b, b.mul(y, gate, { name: "hswish" }), "b");
      },
      [
        ["hswish", ["a"]],
        ["b", ["b"]],
      ],
    ],
    [
      "after the gate of squeeze-and-excitation, for both its sides",
      (b, x) => {
        const y = b.swish(conv(b, x, "a"), { name: "s" });
        const squeezed = b.swish(
          b.conv(b.globalAveragePool(y), { name: "reduce", weights: wave(2, 4, 1, 1) }),
          { name: "r" },
        );
        const gate = b.sigmoid(b.conv(squeezed, { name: "expand", weights: wave(4, 2, 1, 1) }));
        return b.conv(b.mul(y, gate, { name: "gated" }), { name: "project", weights: wave(3, 4, 1, 1) });
      },
      [
        ["gated", ["a", "expand"]],
        ["r", ["reduce"]],
        ["project", ["project"]],
      ],
    ],
    [
      "not past a product that changes the channels",
      (b, x) =>
        b.mul(b.conv(x, { name: "map", weights: wave(1, 4, 1, 1) }), conv(b, x, "a"), { name: "product" }),
      [
        ["map", ["map"]],
        ["product", ["a"]],
      ],
    ],
  ];
  for (const [title, write, wanted] of cases) {
    it(title, () => {
      const taps = findTaps(network(write));
      expect(taps.map(({ tap, layers }) => [tap, layers])).to.deep.equal(wanted);
      expect(taps.every(({ layer, layers }) => layers.at(-1) === layer)).to.equal(true);
    });
  }

  it("stops at an output of the network", () => {
    const b = createBuilder("outputs");
    const y = conv(b, b.input("x", ["batch", 4, 6, 6]), "a", 5);
    expect(findTaps(b.build([y, b.relu(y)]))).to.deep.equal([
      { tap: "a", layer: "a", layers: ["a"], channels: 5 },
    ]);
  });

  it("appends the average over height and width as outputs", async () => {
    const plain = network((b, x) => conv(b, b.relu(conv(b, x, "a"), { name: "ra" }), "b"));
    const taps = findTaps(plain);
    const pooled = withPooledTaps(plain, [...taps, ...taps]);
    validateNetwork(pooled.network);
    expect([...pooled.outputs]).to.deep.equal([
      ["ra", "ra/pooled"],
      ["b", "b/pooled"],
    ]);
    expect(pooled.network.outputs.slice(1)).to.deep.equal([
      { name: "ra/pooled", type: "float32", shape: ["batch", 4] },
      { name: "b/pooled", type: "float32", shape: ["batch", 4] },
    ]);
    const x = wave(3, 4, 6, 6);
    const withMaps = {
      ...pooled.network,
      outputs: [
        ...pooled.network.outputs,
        { name: "ra", type: "float32" as const, shape: ["batch", 4, 6, 6] },
      ],
    };
    const result = await runOnnx(withMaps, { x });
    const maps = result["ra"]?.data ?? new Float32Array();
    const means = Float32Array.from(
      { length: 12 },
      (_, i) => maps.subarray(36 * i, 36 * (i + 1)).reduce((a, v) => a + v, 0) / 36,
    );
    expect(difference({ shape: [3, 4], data: means }, result["ra/pooled"])).to.be.below(1e-5);
  });
});
