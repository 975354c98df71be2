/** What the rules that turn TensorFlow's nodes into operators share. Images are held with the channels first. */
import { fromFront } from "../../network/operators/attributes.ts";
import type { Attribute, Parameter } from "../../network/network.ts";
import { int64 } from "../../network/network.ts";
import { ints, type Builder } from "../../network/builder.ts";
import { relayout } from "../permute.ts";
import { unsupportedNode, type TfNode } from "./nodes.ts";

/** A value of the graph: a constant in TensorFlow's layout, or what a node of the network makes. */
export interface TfValue {
  /** In the network; empty for a constant that no node has read yet. */
  readonly name: string;
  /** Number of axes. A value of four is an image, and held as [n, channels, height, width]. */
  readonly rank: number;
  readonly constant?: Parameter;
  /** Number of entries of a computed list, where it is known. */
  readonly length?: number;
}

export interface TfCall {
  readonly net: Builder;
  readonly node: TfNode;
  readonly where: string;
  readonly inputs: readonly TfValue[];
  /** A name for a helper of the node. */
  readonly part: (label: string) => string;
}

export type TfRule = (call: TfCall) => TfValue | readonly TfValue[];

export const refuseNode = (call: TfCall, found: string, needed: string): Error =>
  unsupportedNode(call.node, call.where, found, needed);

export const string = (value: string): Attribute => ({ type: "string", value });

/** TensorFlow's axis of an image -> ours. */
const ours = [0, 2, 3, 1] as const;

/** An axis of a value of `rank` axes as it is held. */
export function heldAxis(axis: number, rank: number): number {
  const front = fromFront(axis, rank);
  return rank === 4 ? (ours[front] ?? front) : front;
}

export function inputAt(call: TfCall, index: number): TfValue {
  const value = call.inputs[index];
  if (value === undefined) throw refuseNode(call, `${call.inputs.length} inputs`, String(index + 1));
  return value;
}

/** The numbers of a constant input. */
export function numbersAt(call: TfCall, index: number, what: string): number[] {
  const { constant } = inputAt(call, index);
  if (constant === undefined) throw refuseNode(call, `${what} that are computed`, "constants");
  return Array.from(constant.data as ArrayLike<number | bigint>, Number);
}

export function constantAt(call: TfCall, index: number, rank: number): Parameter {
  const { constant } = inputAt(call, index);
  if (constant?.shape.length !== rank || constant.type !== "float32")
    throw refuseNode(call, `input ${index} that is no constant of ${rank} axes`, "one");
  return constant;
}

export function emitNode(
  call: TfCall,
  op: string,
  inputs: readonly string[],
  attributes: Readonly<Record<string, Attribute>> = {},
  name = call.node.name,
): string {
  return call.net.node(op, inputs, { name, attributes });
}

/** A value as a network holds it; constants become parameters, with the channels first where they are images. */
export function held(call: TfCall, value: TfValue): string {
  const { constant } = value;
  if (constant === undefined) return value.name;
  const parameter = constant.shape.length === 4 ? turned(constant) : constant;
  return call.net.parameter(call.part("constant"), whole(parameter));
}

/** TensorFlow counts in int32; shapes and indices here are int64. */
function whole(parameter: Parameter): Parameter {
  if (parameter.type !== "int32") return parameter;
  return int64(Array.from(parameter.data as Int32Array), parameter.shape);
}

function turned(constant: Parameter): Parameter {
  const order = [0, 3, 1, 2];
  const shape = order.map((axis) => constant.shape[axis] ?? 1);
  return relayout(constant, { view: constant.shape, order, shape }, "constant");
}

/** An operand beside a value of `rank` axes: TensorFlow aligns axes from the back, where the channels are. */
export function beside(call: TfCall, value: TfValue, rank: number): string {
  const { constant } = value;
  if (rank !== 4 || value.rank === 4 || value.rank === 0) return held(call, value);
  if (constant !== undefined) {
    const shape = [...new Array<number>(4 - constant.shape.length).fill(1), ...constant.shape];
    return held(call, { ...value, constant: { ...constant, shape } });
  }
  const front = Array.from({ length: 4 - value.rank }, (_, i) => i);
  const axes = call.net.parameter(call.part("axes"), int64(front));
  const image = emitNode(call, "Unsqueeze", [value.name, axes], {}, call.part("image"));
  return emitNode(call, "Transpose", [image], { perm: ints([0, 3, 1, 2]) }, call.part("first"));
}

/** A value in TensorFlow's own order of axes. */
export function plainName(call: TfCall, value: TfValue): string {
  if (value.constant !== undefined) return call.net.parameter(call.part("constant"), whole(value.constant));
  if (value.rank !== 4) return value.name;
  return emitNode(call, "Transpose", [value.name], { perm: ints([0, 2, 3, 1]) }, call.part("last"));
}

/** What a node makes in TensorFlow's order, as it is held. */
export function hold(call: TfCall, make: (name: string) => string, rank: number): TfValue {
  if (rank !== 4) return { name: make(call.node.name), rank };
  const last = make(call.part("plain"));
  return { name: emitNode(call, "Transpose", [last], { perm: ints([0, 3, 1, 2]) }), rank };
}
