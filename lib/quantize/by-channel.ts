/** What treats each channel by itself as the depthwise convolutions it is: kernels for bytes are quick at those, and there is none for it. */
import { dropDead, freshNames, nodeOf } from "../network/edit.ts";
import { consumersOf, float32, type Network, type Node, type Parameter } from "../network/network.ts";
import { channelConvolution, channelLineOf, type ChannelLine } from "../network/operators/lines.ts";
import { inferShapes } from "../network/shapes/infer.ts";
import { placesOf, type Places } from "./places.ts";

/**
 * Norms that no layer takes up, sums and products with parameters, and hard sigmoids, clip(alpha x + beta, 0, 1), become convolutions of
 * 1x1 for each channel where they stand between layers in bytes; what is cut off is the end of its bytes' range. HardSwish is a hard
 * sigmoid times its input. In bytes a channel's one weight is exact.
 */
export function byChannelAsConvolutions(network: Network): Network {
  const shapes = inferShapes(network, { batch: 1 });
  const lines = new Map<Node, ChannelLine>();
  for (const node of network.nodes) {
    const line = channelLineOf(network, node, shapes);
    if (line !== undefined) lines.set(node, line);
  }
  // one that stays as it is may leave those behind it in floats
  while (lines.size > 0) {
    const { made, parts } = withConvolutions(network, lines);
    const places = placesOf(made);
    const readers = consumersOf(made);
    const readOnBytes = (value: string): boolean =>
      readers.get(value)?.some((reader) => places.nodes.has(reader)) ?? false;
    const others = [...lines].filter(([node, { x }]) => {
      const own = parts.get(node) ?? [];
      const isRead = own.some((part) => places.results.get(part)?.some(readOnBytes));
      return !(isRead && places.made.has(x) && isOnBytes(own, places));
    });
    if (others.length === 0) return dropDead(made);
    for (const [node] of others) lines.delete(node);
  }
  return network;
}

/** @returns `parts`: what stands for each of the nodes */
function withConvolutions(
  network: Network,
  lines: ReadonlyMap<Node, ChannelLine>,
): { readonly made: Network; readonly parts: ReadonlyMap<Node, readonly Node[]> } {
  const parameters = new Map(network.parameters);
  const fresh = freshNames(network);
  const store = (label: string, parameter: Parameter): string => {
    const name = fresh(label);
    parameters.set(name, parameter);
    return name;
  };
  const parts = new Map<Node, readonly Node[]>();
  for (const [node, { x, factors, offsets, squashes }] of lines) {
    const [{ name }, [result]] = [node, node.outputs];
    const channels = factors.length;
    const weights = store(`${name}.weight`, float32([channels, 1, 1, 1], factors));
    const bias = store(`${name}.bias`, float32([channels], offsets));
    const line = squashes === undefined ? result : fresh(`${name}.line`);
    const conv = channelConvolution([x, weights, bias], line, channels);
    const own = [squashes === undefined ? { ...conv, name } : conv];
    if (squashes !== undefined) {
      const ends = [0, 1].map((end) => store(`${name}.${end}`, float32([], Float32Array.of(end))));
      const gate = squashes === "gate" ? fresh(`${name}.gate`) : result;
      own.push(nodeOf("Clip", [line, ...ends], gate));
      if (squashes === "gate") own.push(nodeOf("Mul", [x, gate], result));
    }
    parts.set(node, own);
  }
  const nodes = network.nodes.flatMap((node) => parts.get(node) ?? [node]);
  return { made: { ...network, nodes, parameters }, parts };
}

const isOnBytes = (own: readonly Node[], { nodes }: Places): boolean =>
  own.every((node) => node.op === "Clip" || nodes.has(node));
