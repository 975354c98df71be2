import { expect } from "chai";
import { isEtlError } from "../../lib/core/errors.ts";
import { createBuilder, type Builder } from "../../lib/network/builder.ts";
import { freeBatch } from "../../lib/network/free-batch.ts";
import { int64, type Network } from "../../lib/network/network.ts";
import { validateNetwork } from "../../lib/network/validate.ts";
import { difference, runOnnx, wave } from "../support/onnx-run.ts";

/** As exported for two pictures: [2, 4, 3, 3] in. */
function fixed(write: (b: Builder, x: string) => string): Network {
  const b = createBuilder("fixed");
  return b.build([write(b, b.input("x", [2, 4, 3, 3]))]);
}

describe("network/free-batch", () => {
  it("opens inputs, outputs and Reshape targets", async () => {
    const network = fixed((b, x) =>
      b.gemm(b.reshape(b.relu(x), [2, 36]), { name: "y", weights: wave(3, 36) }),
    );
    expect(network.outputs[0]?.shape).to.deep.equal([2, 3]);
    const open = freeBatch(network);
    validateNetwork(open);
    expect(open.inputs[0]?.shape).to.deep.equal(["batch", 4, 3, 3]);
    expect(open.outputs[0]?.shape).to.deep.equal(["batch", 3]);
    const five = await runOnnx(open, { x: wave(5, 4, 3, 3) });
    const two = await runOnnx(network, { x: wave(2, 4, 3, 3) });
    const head = five["y"]?.data.subarray(0, 6) ?? new Float32Array();
    expect(difference({ shape: [2, 3], data: head }, two["y"])).to.be.below(1e-6);
    expect(freeBatch(open)).to.equal(open);
  });

  it("names what does not follow the batch", () => {
    const expanded = fixed((b, x) =>
      b.add(
        x,
        b.node("Expand", [b.globalAveragePool(x), b.parameter("s", int64([2, 4, 3, 3]))], { name: "wide" }),
      ),
    );
    expect(() => freeBatch(expanded))
      .to.throw('node "wide" (Expand): shapes [3, 4, 1, 1] and [2, 4, 3, 3]')
      .and.to.satisfy((error: unknown) => isEtlError(error, "unsupported"));
    const swapped = fixed((b, x) => b.reshape(x, [-1, 36], { name: "rows" }));
    expect(freeBatch(swapped).outputs[0]?.shape).to.deep.equal(["batch", 36]);
    const merged = fixed((b, x) => b.reshape(b.transpose(x, [1, 0, 2, 3]), [4, -1], { name: "rows" }));
    expect(freeBatch(merged).outputs[0]?.shape).to.deep.equal([4, "rows.1"]);
  });
});
