/**
 * Shortcuts that begin behind a layer in floats. onnxruntime's layers in bytes have the channels last, and so have sums all of whose
 * inputs come from such layers; a shortcut from floats keeps every sum of its trunk, and turns maps around it twice a block.
 */
import { nodeOf } from "../network/edit.ts";
import { consumersOf, float32, type Network, type Node, type Parameter } from "../network/network.ts";
import { factsOf } from "../network/operators/facts.ts";
import { inferShapes } from "../network/shapes/infer.ts";
import type { Places } from "./places.ts";

/** Channels up to which the convolution takes less than turning the maps of a block does. */
const MOST_CHANNELS = 64;

/** Maps made in floats that both layers and sums in bytes read, and their channels. */
export function shortcutsFromFloats(network: Network, places: Places): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  const consumers = consumersOf(network);
  const shapes = inferShapes(network, { batch: 1 });
  for (const { outputs } of network.nodes)
    for (const value of outputs) {
      if (!places.values.has(value) || places.made.has(value)) continue;
      const readers = (consumers.get(value) ?? []).filter((node) => places.nodes.has(node));
      const isSummed = readers.some(({ op }) => factsOf(op).bytes === "sum");
      const isMultiplied = readers.some((node) => places.layers.includes(node));
      const [, channels = 0, ...sides] = shapes.get(value) ?? [];
      if (isSummed && isMultiplied && sides.length === 2 && channels <= MOST_CHANNELS)
        found.set(value, channels);
    }
  return found;
}

/**
 * A convolution in bytes whose weights are the identity: it changes no byte, and what it makes has the channels where layers in bytes
 * want them.
 *
 * @param label of its parameters and values
 * @param value read from bytes, [n, channels, height, width]
 */
export function identityInBytes(
  label: string,
  value: string,
  channels: number,
): { readonly nodes: readonly Node[]; readonly parameters: ReadonlyMap<string, Parameter> } {
  const part = (name: string): string => `${label}.${name}`;
  const data = new Int8Array(channels * channels);
  for (let channel = 0; channel < channels; channel++) data[channel * (channels + 1)] = 1;
  const ones = new Float32Array(channels).fill(1);
  return {
    nodes: [
      nodeOf("DequantizeLinear", [part("w"), part("ones"), part("none")], part("r"), {
        axis: { type: "int", value: 0 },
      }),
      nodeOf("Conv", [value, part("r")], label),
    ],
    parameters: new Map<string, Parameter>([
      [part("w"), { type: "int8", shape: [channels, channels, 1, 1], data }],
      [part("ones"), float32([channels], ones)],
      [part("none"), { type: "int8", shape: [channels], data: new Int8Array(channels) }],
    ]),
  };
}
