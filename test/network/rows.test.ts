import { expect } from "chai";
import { createBuilder, type Builder } from "../../lib/network/builder.ts";
import { hasIndependentRows } from "../../lib/network/rows.ts";
import { wave } from "../support/onnx-run.ts";

function independent(write: (b: Builder, x: string) => string, batch: string | number = "n"): boolean {
  const b = createBuilder("rows");
  return hasIndependentRows(b.build([write(b, b.input("x", [batch, 4, 6, 6]))]));
}

describe("network/rows", () => {
  it("finds the rows of a convolutional network independent", () => {
    const net = (b: Builder, x: string): string => {
      const a = b.relu(b.conv(x, { weights: wave(8, 4, 3, 3), pads: 1 }));
      const short = b.pad(b.averagePool(x, { kernel: 1 }), [0, 0, 0, 0, 0, 4, 0, 0]);
      const pooled = b.globalAveragePool(b.maxPool(b.add(a, short), { kernel: 2, strides: 2 }));
      return b.gemm(b.reshape(pooled, [0, 8]), { weights: wave(3, 8) });
    };
    expect(independent(net)).to.equal(true);
    expect(independent(net, 2), "one batch size only").to.equal(false);
  });

  it("sees rows that are mixed, moved or hidden in another dimension", () => {
    expect(independent((b, x) => b.concat([x, x], { axis: 0 }))).to.equal(false);
    expect(independent((b, x) => b.transpose(x, [1, 0, 2, 3]))).to.equal(false);
    expect(independent((b, x) => b.reshape(x, [-1, 36]))).to.equal(false);
    expect(independent((b, x) => b.sub(x, b.reduceMean(x, [0])))).to.equal(false);
  });

  it("does not trust operators that could mix rows", () => {
    expect(independent((b, x) => b.node("Softmax", [x]))).to.equal(false);
  });
});
