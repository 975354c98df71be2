/**
 * Layers in bytes on the kernels of floats. Products of bytes are whole numbers, and so are their sums, which floats hold exactly up to
 * 2^24: whatever the order of a sum, every runtime gets the same one, and the next byte is the same byte.
 */
import { dropDead, freshMark, nodeOf } from "../network/edit.ts";
import { float32, sizeOf, type Network, type Node, type Parameter } from "../network/network.ts";
import { learns, type Places } from "./places.ts";
import { roundedWeights, type RewriteOptions } from "./rewrite.ts";
import { largestWeight, quantizerOf } from "./scales.ts";

/** Whole numbers below this are exact in float32, all of them. */
const EXACT = 2 ** 24;

/** Whether every sum of a convolution's products, of bytes and weights of 8 bits, is exact in floats; a bias is far smaller. */
function isCountable({ parameters }: Network, node: Node): boolean {
  const [, ...inner] = parameters.get(node.inputs[1])?.shape ?? [];
  return node.op === "Conv" && sizeOf(inner) * 255 * largestWeight[8] < EXACT;
}

/**
 * Names of the layers in bytes with no other layer before them. Pictures have few channels, which kernels for bytes are slow at:
 * such a layer may be quicker in floats.
 *
 * @returns names of those that floats can count for; none where no layer would be left in bytes
 */
export function entryLayers(network: Network, { layers }: Pick<Places, "layers">): string[] {
  const behind = new Set<string>();
  const entries = new Set<Node>();
  for (const node of network.nodes) {
    const isBehind = node.inputs.some((value) => behind.has(value));
    if (!isBehind && layers.includes(node)) entries.add(node);
    if (isBehind || learns(node)) for (const value of node.outputs) behind.add(value);
  }
  if (entries.size === layers.length) return [];
  return Array.from(entries).flatMap((node) => (isCountable(network, node) ? [node.name] : []));
}

/**
 * The layers of these names compute in floats on whole numbers: what they read is stored as bytes, their weights are those that they
 * would have in bytes. What their sums stand for is divided out behind the Relu and the pools that follow, which do not mind.
 *
 * @param names of layers among {@link entryLayers}
 */
export function inWholeNumbers(network: Network, names: readonly string[], options: RewriteOptions): Network {
  if (names.length === 0) return network;
  const parameters = new Map(network.parameters);
  const mark = freshMark(network, "/whole");
  /** Values that are there as whole numbers, and the parameter that they are divided by. */
  const divisors = new Map<string, string>();
  const add = (name: string, parameter: Parameter): string => {
    parameters.set(name, parameter);
    return name;
  };
  const whole = (value: string): string => `${value}${mark}`;
  const divided = (value: string, by: string): Node => {
    divisors.set(value, by);
    return { ...nodeOf("Div", [whole(value), by], value), name: `${whole(value)}.divided` };
  };
  const nodes = network.nodes.flatMap((node): Node[] => {
    const [x, weight] = node.inputs;
    const [y] = node.outputs;
    const by = divisors.get(x);
    if (by !== undefined && passesOn(node))
      return [{ ...node, inputs: [whole(x)], outputs: [whole(y)] }, divided(y, by)];
    if (!names.includes(node.name)) return [node];
    const range = options.ranges.get(x);
    if (range === undefined) throw new Error(`no range of ${x}`);
    const { scale, zero } = quantizerOf(range);
    const { data, scales, bias } = roundedWeights(network, node, { ...options, inputScale: scale });
    const [own, outputs] = [`${node.name}${mark}`, scales.length];
    const byte = add(`${own}.zero`, { type: "uint8", shape: [], data: Uint8Array.of(zero) });
    const step = add(`${own}.scale`, float32([], Float32Array.of(scale)));
    const one = add(`${own}.one`, float32([], Float32Array.of(1)));
    const shape = parameters.get(weight)?.shape ?? [];
    const inputs = [
      `${own}.read`,
      add(`${own}.w`, float32(shape, Float32Array.from(data))),
      add(`${own}.b`, float32([outputs], Float32Array.from(bias))),
    ];
    const steps = scales.map((s) => 1 / (s * scale));
    return [
      nodeOf("QuantizeLinear", [x, step, byte], `${own}.bytes`),
      nodeOf("DequantizeLinear", [`${own}.bytes`, one, byte], `${own}.read`),
      { ...node, inputs, outputs: [whole(y)] },
      divided(y, add(`${own}.by`, float32([1, outputs, 1, 1], steps))),
    ];
  });
  return dropDead({ ...network, nodes, parameters });
}

/** Of scaled values it makes the scaled result, whatever the positive scale of a channel. */
const passesOn = ({ op, domain, inputs, outputs }: Node): boolean =>
  domain === "" && (op === "Relu" || op === "MaxPool") && inputs.length === 1 && outputs.length === 1;
