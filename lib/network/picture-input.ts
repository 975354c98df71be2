/** Networks that take pictures in another form than RGB with the channels first, given that form. */
import {
  float32,
  intsAttribute,
  producersOf,
  type Dim,
  type Network,
  type Node,
  type Parameter,
} from "./network.ts";
import { dropDead, freeName, freshNames } from "./edit.ts";

/** Shares of red, green and blue in grey (ITU-R BT.601), as image libraries mix them. */
const grey = [0.299, 0.587, 0.114];

const isColour = (dim: Dim | undefined): boolean => dim === 3 || dim === 1;

/** Whether the only input is pictures with the channels behind: exports of TensorFlow. */
function hasChannelsLast({ inputs }: Network): boolean {
  const [input] = inputs;
  return (
    inputs.length === 1 && input.shape.length === 4 && isColour(input.shape[3]) && !isColour(input.shape[1])
  );
}

/** Puts nodes in front of the input: what they make takes the place of the input, which gets another shape. */
function preceded(
  network: Network,
  shape: readonly Dim[],
  make: (
    input: string,
    output: string,
  ) => { readonly node: Node; readonly parameters: [string, Parameter][] },
): Network {
  const [input] = network.inputs;
  const inner = freshNames(network)(`${input.name}/own`, (n) => `${input.name}/own${"_".repeat(n - 1)}`);
  const { node, parameters } = make(input.name, inner);
  const renamed = network.nodes.map((one) => ({
    ...one,
    inputs: one.inputs.map((name) => (name === input.name ? inner : name)),
  }));
  return {
    ...network,
    inputs: [{ ...input, shape }],
    nodes: [node, ...renamed],
    parameters: new Map([...network.parameters, ...parameters]),
  };
}

/** A network of [n, height, width, channels] as one of [n, channels, height, width]; any other is returned as it is. */
export function channelsFirst(network: Network): Network {
  if (!hasChannelsLast(network)) return network;
  const [batch, height, width, channels] = network.inputs[0].shape;
  const turned = preceded(network, [batch, channels, height, width], (input, output) => ({
    node: {
      name: output,
      op: "Transpose",
      domain: "",
      inputs: [input],
      outputs: [output],
      attributes: { perm: { type: "ints", value: [0, 2, 3, 1] } },
    },
    parameters: [],
  }));
  return withoutTurns(turned);
}

/** Two Transposes one after the other become one, or none where they undo each other. */
export function withoutTurns(network: Network): Network {
  const producers = producersOf(network);
  const outputs = new Set(network.outputs.map(({ name }) => name));
  const order = (node: Node | undefined): readonly number[] | undefined =>
    node?.op === "Transpose" && node.domain === "" && node.attributes["perm"] !== undefined
      ? intsAttribute(node, "perm", [])
      : undefined;
  const alias = new Map<string, string>();
  const nodes = network.nodes.map((node): Node => {
    const own = order(node);
    const before = producers.get(node.inputs[0] ?? "");
    const first = order(before);
    if (own === undefined || first === undefined || before === undefined) return node;
    const both = own.map((axis) => first[axis]);
    const isNothing = both.every((axis, i) => axis === i);
    if (isNothing && !outputs.has(node.outputs[0])) alias.set(node.outputs[0], before.inputs[0]);
    return {
      ...node,
      inputs: [before.inputs[0]],
      attributes: { ...node.attributes, perm: { type: "ints", value: both } },
    };
  });
  const through = nodes.map((node) => ({
    ...node,
    inputs: node.inputs.map((name) => alias.get(name) ?? name),
  }));
  return dropDead({ ...network, nodes: through });
}

/**
 * A network of grey pictures [n, 1, height, width] as one of RGB pictures, which are mixed to grey in front; any other
 * is returned as it is. Mean and scale must be the same for all three colours.
 */
export function fromColour(network: Network): Network {
  const [input] = network.inputs;
  if (network.inputs.length !== 1 || input.shape.length !== 4 || input.shape[1] !== 1) return network;
  const [batch, , height, width] = input.shape;
  const weight = freeName("grey/weight", network.parameters, (n) => `grey/weight${"_".repeat(n - 1)}`);
  return preceded(network, [batch, 3, height, width], (name, output) => ({
    node: { name: output, op: "Conv", domain: "", inputs: [name, weight], outputs: [output], attributes: {} },
    parameters: [[weight, float32([1, 3, 1, 1], Float32Array.from(grey))]],
  }));
}
