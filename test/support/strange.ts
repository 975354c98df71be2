/** Small networks written as lines, for structures that exporters write. */
import { createRandom } from "../../lib/core/random.ts";
import {
  float32,
  type Attribute,
  type Dim,
  type Network,
  type Node,
  type Parameter,
} from "../../lib/network/network.ts";

export type Given = readonly [
  op: string,
  inputs: string,
  output: string,
  attributes?: Record<string, Attribute>,
];

export const ints = (...value: number[]): Attribute => ({ type: "ints", value });
export const int = (value: number): Attribute => ({ type: "int", value });
export const string = (value: string): Attribute => ({ type: "string", value });
export const conv = (stride = 1): Record<string, Attribute> => ({
  pads: ints(1, 1, 1, 1),
  strides: ints(stride, stride),
});

const random = createRandom(5);
export const weights = (...shape: number[]): Parameter => {
  const size = shape.reduce((a, b) => a * b, 1);
  return float32(
    shape,
    Float32Array.from({ length: size }, () => 0.2 * random.normal()),
  );
};

/** A network from lines "op, inputs with blanks, output". */
export function networkOf(
  lines: readonly Given[],
  parameters: Record<string, Parameter>,
  ends: { readonly x: readonly Dim[]; readonly y: readonly Dim[]; readonly type?: "float32" | "int64" },
): Network {
  const nodes = lines.map(([op, inputs, output, attributes = {}]): Node => ({
    name: `${op}_${output}`,
    op,
    domain: "",
    inputs: inputs.split(" ").map((name) => (name === "-" ? "" : name)),
    outputs: [output],
    attributes,
  }));
  return {
    name: "strange",
    opset: 17,
    inputs: [{ name: "x", type: "float32", shape: ends.x }],
    outputs: [{ name: "y", type: ends.type ?? "float32", shape: ends.y }],
    nodes,
    parameters: new Map(Object.entries(parameters)),
    metadata: {},
  };
}

/** The network as a file in half precision has it. */
export function inHalf(network: Network): Network {
  const half = <T extends object>(value: T): T => ({ ...value, stored: "float16" });
  return {
    ...network,
    inputs: network.inputs.map(half),
    outputs: network.outputs.map(half),
    parameters: new Map(
      [...network.parameters].map(([name, one]) => [name, one.type === "float32" ? half(one) : one]),
    ),
    file: {
      ...{ opset: 17, irVersion: 8, domains: {}, producer: ["", ""], domain: "", modelVersion: 0 },
      docs: ["", ""],
    },
  };
}

/** Two convolutions that halve the sides. */
export const two: readonly Given[] = [
  ["Conv", "x w1 b1", "c1", conv(2)],
  ["Relu", "c1", "r1"],
  ["Conv", "r1 w2 b2", "c2", conv(2)],
  ["Relu", "c2", "r2"],
];
