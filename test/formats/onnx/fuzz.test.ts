import { expect } from "chai";
import { isEtlError } from "../../../lib/core/errors.ts";
import { createRandom } from "../../../lib/core/random.ts";
import { readOnnx } from "../../../lib/formats/onnx/read.ts";
import { writeOnnx } from "../../../lib/formats/onnx/write.ts";
import { createBuilder } from "../../../lib/network/builder.ts";
import { inferShapes } from "../../../lib/network/shapes/infer.ts";
import { wave } from "../../support/onnx-run.ts";
import { message } from "../../support/protobuf.ts";
import { mutate } from "../mutate.ts";
import { dims, file, node, value } from "./files.ts";

/** Number of mutated files; `ETL_FUZZ` says another. */
const runs = Number(process.env["ETL_FUZZ"] ?? 10_000);

/** Files to begin from: one of ours, one as old exporters wrote them. */
function seeds(): Uint8Array[] {
  const b = createBuilder("seed");
  const x = b.input("x", ["batch", 3, 9, 9]);
  const y = b.maxPool(b.relu(b.conv(x, { weights: wave(4, 3, 3, 3), bias: wave(4).data, pads: 1 })), {
    kernel: 2,
  });
  const [left = "", right = ""] = b.split(b.pad(y, [0, 0, 1, 1, 0, 0, 1, 1]), [2, 2]);
  const z = b.gemm(b.reshape(b.concat([right, left]), [0, -1]), { weights: wave(2, 400) });
  const ours = writeOnnx(b.build([b.softmax(z)], { labels: "a,b" }));
  const old = file({
    nodes: [
      node(
        "Constant",
        [],
        ["c"],
        message([1, "value"], [5, message(...dims(2n), [2, 1n], [4, 1], [4, 2])], [20, 4n]),
      ),
      node("Clip", ["x"], ["k"], message([1, "min"], [2, 0.5], [20, 1n])),
      node("Pad", ["k"], ["p"], message([1, "pads"], [8, 0n], [8, 1n], [8, 0n], [8, 1n], [20, 7n])),
      node("Softmax", ["p"], ["s"], message([1, "axis"], [3, 1n], [20, 2n])),
      node("Add", ["s", "w"], ["y"]),
    ],
    weights: [message(...dims(4n), [2, 10n], [5, 1n], [5, 2n], [5, 3n], [5, 4n], [8, "w"])],
    inputs: [value("x"), value("w", 10n, [4n])],
    opset: 9n,
  });
  return [ours, old];
}

describe("formats/onnx: fuzz", () => {
  it(`${runs} mutated files are read or refused, in bounded memory`, function () {
    this.timeout(60_000 + runs * 20);
    const files = seeds();
    const random = createRandom("onnx fuzz");
    let [readable, peak] = [0, 0];
    const before = buffersHeld(); // other test files leave theirs behind
    for (let i = 0; i < runs; i++) {
      const bytes = mutate(files[i % files.length] ?? new Uint8Array(), random);
      try {
        const network = readOnnx(bytes, { name: "fuzz.onnx" });
        readable++;
        const held = [...network.parameters.values()].reduce((sum, { data }) => sum + data.byteLength, 0);
        expect(held, `mutation ${i}`).to.be.at.most(16 * bytes.length);
        expect(isEtlError(inferenceError(network)) || inferenceError(network) === undefined).to.equal(true);
      } catch (error) {
        if (!isEtlError(error)) throw new Error(`mutation ${i}: not an EtlError`, { cause: error });
        expect(error.message).to.match(/^fuzz\.onnx: /);
      }
      peak = Math.max(peak, buffersHeld() - before);
    }
    expect(readable).to.be.within(runs / 100, runs - 1);
    expect(peak).to.be.below(512 * 2 ** 20);
  });
});

function buffersHeld(): number {
  const { external, arrayBuffers } = process.memoryUsage();
  return external + arrayBuffers;
}

function inferenceError(network: Parameters<typeof inferShapes>[0]): unknown {
  try {
    inferShapes(network);
    return undefined;
  } catch (error) {
    return error;
  }
}
