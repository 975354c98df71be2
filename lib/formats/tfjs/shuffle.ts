/** Channel shuffles (ShuffleNet): Reshape, Transpose and Reshape that only put the channels of an image in another order. */
import { consumersOf, intsAttribute, type Node } from "../../network/network.ts";
import { layerOf, pickChannels, plain, shapeInOp, type Held, type WriteOp } from "./emit.ts";

/**
 * The whole shuffle that begins with a Reshape of [n, groups * size, h, w] to [n, groups, size, h, w], as one convolution that
 * picks channels; its other two nodes are taken in. Undefined where the Reshape does not begin one.
 */
export function shuffleFrom(op: WriteOp): Held | undefined {
  const { node, emitter } = op;
  const [from, to] = [shapeInOp(op, node.inputs[0]), shapeInOp(op, node.outputs[0])];
  const [, groups, size] = to;
  const splits = from.length === 4 && to.length === 5 && groups * size === from[1];
  if (!splits || from.slice(2).join() !== to.slice(3).join()) return undefined;
  const turn = onlyReader(op, node);
  const join = turn && onlyReader(op, turn);
  if (turn?.op !== "Transpose" || intsAttribute(turn, "perm", []).join() !== "0,2,1,3,4") return undefined;
  if (join?.op !== "Reshape" || shapeInOp(op, join.outputs[0]).join() !== from.join()) return undefined;
  const sources = Array.from({ length: from[1] }, (_, i) => (i % groups) * size + Math.floor(i / groups));
  const held = plain(pickChannels(op, layerOf(op, 0), { channels: from[1], sources }));
  for (const { name, outputs } of [turn, join]) {
    emitter.fused.add(name);
    emitter.held.set(outputs[0], held);
  }
  return held;
}

/** The node that alone reads what another one makes. */
function onlyReader({ emitter: { network } }: WriteOp, { outputs: [output] }: Node): Node | undefined {
  const [reader, ...others] = consumersOf(network).get(output) ?? [];
  const kept = network.outputs.some(({ name }) => name === output);
  return others.length === 0 && !kept ? reader : undefined;
}
