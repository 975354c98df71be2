/**
 * A float network as one that computes on bytes, in plain ONNX: QuantizeLinear and DequantizeLinear around every value that is
 * stored as bytes, int8 weights with one scale for each output, int32 biases. Runtimes fuse what stands between the two.
 */
import { factsOf } from "../network/operators/facts.ts";
import {
  float32,
  intAttribute,
  sizeOf,
  type Network,
  type Node,
  type Parameter,
} from "../network/network.ts";
import { dropDead, freshMark, nodeOf, withInput } from "../network/edit.ts";
import type { Places } from "./places.ts";
import {
  biasShift,
  type ByteWeights,
  quantizerOf,
  quantizeWeights,
  type Quantizer,
  type Range,
  type WeightBits,
} from "./scales.ts";
import { identityInBytes, shortcutsFromFloats } from "./shortcuts.ts";

export interface RewriteOptions {
  /** Value -> its range; for every range that `places.values` names. */
  readonly ranges: ReadonlyMap<string, Range>;
  readonly bits: WeightBits;
  /** Value -> means of its channels, where what rounding the weights moves is to be taken back. */
  readonly means?: ReadonlyMap<string, Float64Array>;
}

/** The network in bytes. What is not in `places` stays as it is. */
export function quantized(network: Network, places: Places, options: RewriteOptions): Network {
  const { values, made, nodes: onBytes } = places;
  const parameters = new Map(network.parameters);
  const mark = freshMark(network, "/int8");
  const bytesName = (value: string): string => `${value}${mark}`;
  const readName = (value: string): string => `${value}${mark}.read`;
  const rangeOf = (value: string): Range => {
    const range = options.ranges.get(values.get(value) ?? value);
    if (range === undefined) throw new Error(`no range of ${value}`);
    return range;
  };
  const scaleOf = (value: string): Quantizer => quantizerOf(rangeOf(value));
  const shortcuts = shortcutsFromFloats(network, places);
  /** The nodes that store a value, behind the one that makes it. */
  const stored = (value: string): Node[] => {
    const { scale, zero } = scaleOf(value);
    const [scaleName, zeroName] = [`${value}${mark}.scale`, `${value}${mark}.zero`];
    parameters.set(scaleName, { type: "float32", shape: [], data: Float32Array.of(scale) });
    parameters.set(zeroName, { type: "uint8", shape: [], data: Uint8Array.of(zero) });
    const store = (from: string, bytes: string, read: string): Node[] => [
      nodeOf("QuantizeLinear", [from, scaleName, zeroName], bytes),
      nodeOf("DequantizeLinear", [bytes, scaleName, zeroName], read),
    ];
    const channels = shortcuts.get(value);
    if (channels === undefined) return store(value, bytesName(value), readName(value));
    const [first, again] = [`${value}${mark}.first`, `${value}${mark}.again`];
    const same = identityInBytes(again, first, channels);
    for (const [name, parameter] of same.parameters) parameters.set(name, parameter);
    return [
      ...store(value, `${first}.bytes`, first),
      ...same.nodes,
      ...store(again, bytesName(value), readName(value)),
    ];
  };
  /** The same of what a pool in floats makes, cut off a quarter of a step below the last byte, which changes no byte. */
  const storedBehind = (value: string): Node[] => {
    const { scale, zero } = scaleOf(value);
    const [clip, own] = cutOff(`${value}${mark}`, value, {
      low: (-zero - 1) * scale,
      high: (255 - zero - 0.25) * scale,
    });
    for (const [name, parameter] of own) parameters.set(name, parameter);
    const [write, ...others] = stored(value);
    return [clip, withInput(write, 0, clip.outputs[0]), ...others];
  };
  const nodes: Node[] = network.inputs.flatMap(({ name }) => (values.has(name) ? stored(name) : []));
  for (const node of network.nodes) {
    const isLayer = places.layers.includes(node);
    const inputScale = isLayer ? scaleOf(node.inputs[0]).scale : 1;
    const weights = isLayer ? byteWeights(network, node, { ...options, inputScale, mark }) : undefined;
    const inputs = node.inputs.map((name) =>
      values.has(name) && (onBytes.has(node) || made.has(name)) ? readName(name) : name,
    );
    const readsBytes = inputs[0] !== node.inputs[0];
    if (weights === undefined && readsBytes && learnsWeights(node)) {
      const { low, high } = rangeOf(node.inputs[0]);
      const step = (high - low) / 255;
      const [bounded, own] = cutOff(`${node.name}${mark}`, inputs[0], {
        low: Math.min(0, low) - step,
        high: Math.max(0, high) + step,
      });
      for (const [name, parameter] of own) parameters.set(name, parameter);
      nodes.push(bounded, { ...node, inputs: [bounded.outputs[0], ...inputs.slice(1)] });
    } else if (weights === undefined) nodes.push({ ...node, inputs });
    else {
      for (const [name, parameter] of weights.parameters) parameters.set(name, parameter);
      nodes.push(...weights.nodes, { ...node, inputs: [inputs[0], ...weights.inputs] });
    }
    for (const value of node.outputs)
      if (values.has(value))
        nodes.push(...(isPoolInFloats(node, onBytes) ? storedBehind(value) : stored(value)));
  }
  return dropDead({ ...network, nodes, parameters });
}

const learnsWeights = ({ op, domain }: Node): boolean =>
  domain === "" && factsOf(op).channels === "own" && factsOf(op).learned === true;

/**
 * onnxruntime computes a pool on bytes where what it makes is stored as bytes next, even one whose layer is in floats: its kernel for
 * bytes is many times slower there. It does not see through a Clip that changes something.
 */
const isPoolInFloats = (node: Node, onBytes: ReadonlySet<Node>): boolean =>
  !onBytes.has(node) &&
  node.domain === "" &&
  factsOf(node.op).channels === "pool" &&
  factsOf(node.op).bytes === "same";

/**
 * A value cut off. What a layer in floats reads of bytes is cut off outside of their range: nothing changes, but onnxruntime does not
 * see the layer between DequantizeLinear and QuantizeLinear, where it would store its weights as bytes after all.
 */
function cutOff(label: string, from: string, { low, high }: Range): [Node, Map<string, Parameter>] {
  const [name, least, most] = ["inside", "least", "most"].map((part) => `${label}.${part}`);
  const scalar = (value: number): Parameter => float32([], Float32Array.of(value));
  return [
    nodeOf("Clip", [from, least, most], name),
    new Map([
      [least, scalar(low)],
      [most, scalar(high)],
    ]),
  ];
}

/** The weights of a layer in bytes, what rounding them moves taken back by the bias. */
export function roundedWeights(
  { parameters }: Pick<Network, "parameters">,
  node: Node,
  { bits, means, inputScale }: RewriteOptions & { readonly inputScale: number },
): ByteWeights {
  const [x, weightName, biasName = ""] = node.inputs;
  const weight = parameters.get(weightName);
  if (!(weight?.data instanceof Float32Array)) throw new Error(`${node.name} has no float weights`);
  const outputs = weight.shape[0];
  const given = parameters.get(biasName)?.data as Float32Array | undefined;
  const bias = Float64Array.from(given ?? new Float32Array(outputs));
  const mean = means?.get(x);
  if (mean !== undefined) {
    const rough = quantizeWeights(weight.data, bias, { inputScale, bits });
    const group = intAttribute(node, "group", 1);
    const kernel = sizeOf(weight.shape.slice(2));
    const shift = biasShift(weight.data, rough, { means: mean, group, kernel });
    for (let o = 0; o < outputs; o++) bias[o] += shift[o];
  }
  return quantizeWeights(weight.data, bias, { inputScale, bits });
}

/** The weights of a layer as nodes and parameters. */
function byteWeights(
  { parameters }: Network,
  node: Node,
  { mark, ...options }: RewriteOptions & { readonly inputScale: number; readonly mark: string },
): { readonly nodes: Node[]; readonly inputs: string[]; readonly parameters: Map<string, Parameter> } {
  const { inputScale } = options;
  const bytes = roundedWeights({ parameters }, node, options);
  const [outputs, { shape }] = [bytes.scales.length, parameters.get(node.inputs[1]) ?? { shape: [] }];
  const [own, nodes] = [new Map<string, Parameter>(), [] as Node[]];
  /** One of the two in bytes, with a scale for each output, and zeros that all layers of as many outputs share. */
  const store = (part: string, stored: Parameter, scales: Float32Array): string => {
    const name = `${node.name}${mark}.${part}`;
    const [scale, zero] = [`${name}s`, `${mark}.${stored.type}.${outputs}`];
    const none = stored.type === "int8" ? new Int8Array(outputs) : new Int32Array(outputs);
    own.set(name, stored);
    own.set(scale, { type: "float32", shape: [outputs], data: scales });
    own.set(zero, { type: stored.type, shape: [outputs], data: none });
    const axis = { axis: { type: "int", value: 0 } } as const;
    nodes.push(nodeOf("DequantizeLinear", [name, scale, zero], `${name}r`, axis));
    return `${name}r`;
  };
  const inputs = [store("w", { type: "int8", shape, data: bytes.data }, bytes.scales)];
  if (bytes.bias.some((value) => value !== 0)) {
    const scales = bytes.scales.map((s) => s * inputScale);
    inputs.push(store("b", { type: "int32", shape: [outputs], data: bytes.bias }, scales));
  }
  return { nodes, inputs, parameters: own };
}
