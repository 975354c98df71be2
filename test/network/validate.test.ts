import { expect } from "chai";
import { isEtlError } from "../../lib/core/errors.ts";
import { createBuilder } from "../../lib/network/builder.ts";
import { float32, int64, type Network, type Node, type Parameter } from "../../lib/network/network.ts";
import { validateNetwork } from "../../lib/network/validate.ts";
import { wave } from "../support/onnx-run.ts";

function valid(): Network {
  const b = createBuilder("net");
  const x = b.input("x", ["batch", 3, 8, 8]);
  const y = b.relu(b.conv(x, { name: "conv", weights: wave(4, 3, 3, 3) }), { name: "relu" });
  return b.build([b.gemm(b.flatten(b.globalAveragePool(y)), { name: "fc", weights: wave(2, 4) })]);
}

const changed = (name: string, change: Partial<Node>): Network => {
  const network = valid();
  return {
    ...network,
    nodes: network.nodes.map((node) => (node.name === name ? { ...node, ...change } : node)),
  };
};
const withParameter = (name: string, parameter: Parameter): Network => {
  const network = valid();
  return { ...network, parameters: new Map([...network.parameters, [name, parameter]]) };
};

describe("network/validate", () => {
  it("accepts a sound network", () => {
    validateNetwork(valid());
  });

  const cases: [string, Network, string][] = [
    [
      "a node name twice",
      changed("relu", { name: "conv" }),
      'node "conv" (Relu): the name is taken or empty',
    ],
    [
      "an input nobody makes",
      changed("relu", { inputs: ["gone"] }),
      'node "relu" (Relu): input "gone" is made by nothing',
    ],
    [
      "a missing parameter",
      changed("conv", { inputs: ["x", "w"] }),
      'node "conv" (Conv): input "w" is made by nothing',
    ],
    ["nodes out of order", { ...valid(), nodes: valid().nodes.toReversed() }, "is used before it is made"],
    [
      "a value made twice",
      changed("relu", { outputs: ["conv"] }),
      'node "relu" (Relu): "conv" exists already',
    ],
    [
      "a value that is no entry of an object",
      changed("relu", { outputs: ["__proto__"] }),
      'node "relu" (Relu): a value called "__proto__", another name was needed',
    ],
    ["a node without output", changed("relu", { outputs: [] }), 'node "relu" (Relu): no output'],
    [
      "weights of another shape",
      withParameter("conv.weight", float32([4, 2, 3, 3], wave(4, 2, 3, 3).data)),
      'node "conv" (Conv): weights [4, 2, 3, 3]',
    ],
    [
      "too few numbers",
      withParameter("conv.weight", float32([4, 3, 3, 3], wave(4, 3, 3).data)),
      'parameter "conv.weight": 36 numbers, 108',
    ],
    [
      "another array",
      withParameter("fc.weight", { ...int64([1, 2]), type: "float32" }),
      "float32 in a BigInt64Array, Float32Array was needed",
    ],
    ["an input that is a parameter", withParameter("x", int64([1])), 'input "x": the name is taken'],
    [
      "an output nobody makes",
      { ...valid(), outputs: [{ name: "z", type: "float32", shape: [1] }] },
      'output "z": made by nothing',
    ],
    [
      "an output of another shape",
      { ...valid(), outputs: [{ name: "fc", type: "float32", shape: ["batch", 3] }] },
      'output "fc": declared as [batch, 3], [1, 2]',
    ],
  ];
  for (const [what, network, message] of cases) {
    it(`refuses ${what}`, () => {
      expect(() => {
        validateNetwork(network);
      })
        .to.throw(`net: `)
        .and.to.satisfy((error: unknown) => isEtlError(error) && error.message.includes(message));
    });
  }
});
