import { expect } from "chai";
import { runtimeError } from "../../lib/engine/ort/session.ts";

const failed = (reason: string): string =>
  `Non-zero status code returned while running Gather node. Name:'pick' Status Message: ${reason}`;

describe("engine/ort: what onnxruntime says, as one sentence that names the node", () => {
  const cases: readonly [text: string, start: string][] = [
    [
      'Load model failed:This is an invalid model. In Node, ("c5", Conv, "", -1) : ("v": tensor(float),) -> ("w",) , Error Node(c5) with schema(::Conv:11) has input size 1',
      "c5: onnxruntime refused",
    ],
    ["Error: two nodes with same node name (twice).", "twice: onnxruntime refused"],
    ["Could not find an implementation for Conv(11) node with name 'c1'", "c1: onnxruntime refused"],
    ["Could not find an implementation for Conv(11) node with name ''", "compile: onnxruntime refused"],
    ["Node (s9) Op (SplitToSequence) [ShapeInferenceError] Sum of split", "s9: onnxruntime refused"],
    ["Type 'tensor(int64)' of input parameter (v) of operator (Relu) in node (r3) is invalid.", "r3: "],
    ["Fatal error: acme:Foo(-1) is not a registered function/op", "acme:Foo: onnxruntime refused"],
    ["Exception during initialization: size_ % 2 == 1 was false.", "compile: onnxruntime refused"],
    [
      failed("indices element out of data bounds, idx=99 must be within the inclusive range [-16,15]"),
      "pick (Gather): onnxruntime failed (indices element out of data bounds, idx=99 must be within the inclusive range [-16,15])",
    ],
    [failed("[ShapeInferenceError] axis [3]"), "pick (Gather): onnxruntime failed (axis [3])"],
    [
      failed("/src/pool.h:2 int64_t Size(int64_t) [with T = float] out_size >= 0 was false"),
      "pick (Gather): onnxruntime failed (out_size >= 0 was false)",
    ],
  ];
  for (const [text, start] of cases) {
    it(start, () => {
      expect(runtimeError("compile", new Error(text)).message.startsWith(start)).to.equal(true);
    });
  }
});
