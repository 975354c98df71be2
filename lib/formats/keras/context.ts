/** What the rules that turn Keras layers into operators share. */
import { EtlError } from "../../core/errors.ts";
import type { Builder } from "../../network/builder.ts";
import type { Parameter } from "../../network/network.ts";
import { kerasError, text, type KerasLayer } from "./config.ts";

/** A size, or undefined where the file leaves it open. */
export type KerasSize = number | undefined;

/** A value of the network under construction. */
export interface KerasValue {
  readonly name: string;
  /** Without the batch: [channels, height, width] of an image (kept channels first), or [channels]. */
  readonly shape: readonly KerasSize[];
  /** The image that was flattened channels first, where Keras has it flattened channels last. */
  readonly flattened?: readonly [channels: number, height: number, width: number];
}

/** One call of a layer. */
export interface LayerCall {
  readonly net: Builder;
  readonly layer: KerasLayer;
  /** Name for the operator: the layer's, numbered from its second call on. */
  readonly label: string;
  /** File and layer, for messages. */
  readonly where: string;
  /** The layer's weights by their last name: kernel, bias, gamma ... */
  readonly weights: ReadonlyMap<string, Parameter>;
  /** Major version of Keras. */
  readonly version: number | undefined;
  /** The arguments of an operator on tensors, in order: numbers, and tensors (which are the inputs). */
  readonly operands: readonly ("tensor" | number)[];
  /** Whether everything behind a Flatten can take the channels first. */
  readonly freeOrder: boolean;
}

export type LayerRule = (call: LayerCall, inputs: readonly KerasValue[]) => KerasValue;

export function unsupported(call: LayerCall, found: string, needed: string): EtlError {
  return new EtlError("unsupported", `${call.where}: ${found}, ${needed} was needed`);
}

/** The one input, an image. */
export function imageOf(call: LayerCall, inputs: readonly KerasValue[]): KerasValue {
  const value = single(call, inputs);
  if (value.shape.length === 3) return value;
  throw kerasError(call.where, `an input of ${value.shape.length + 1} axes`, "[n, height, width, channels]");
}

export function single(call: LayerCall, inputs: readonly KerasValue[]): KerasValue {
  if (inputs.length === 1) return inputs[0];
  throw kerasError(call.where, `${inputs.length} inputs`, "one");
}

/** A weight of the layer. @param rank number of axes that it must have */
export function kerasWeight(call: LayerCall, name: string, rank: number): Parameter {
  const found = call.weights.get(name);
  if (found === undefined) {
    const names = [...call.weights.keys()].join(", ") || "none";
    throw kerasError(call.where, `the weights ${names}`, `"${name}"`);
  }
  if (found.type !== "float32" || found.shape.length !== rank) {
    const is = `"${name}" as ${found.type} [${found.shape.join(", ")}]`;
    throw kerasError(call.where, is, `float32 with ${rank} axes`);
  }
  return found;
}

/** A vector weight as numbers. */
export function vectorOf(call: LayerCall, name: string, length: number): Float32Array {
  const { data, shape } = kerasWeight(call, name, 1);
  if (shape[0] === length && data instanceof Float32Array) return data;
  throw kerasError(call.where, `"${name}" of ${shape[0]} numbers`, String(length));
}

export function biasOf(call: LayerCall, length: number): Float32Array | undefined {
  return call.layer.config["use_bias"] === false ? undefined : vectorOf(call, "bias", length);
}

/** A number among the settings. */
export function numberOf(call: LayerCall, key: string, fallback: number): number {
  const value = call.layer.config[key] ?? fallback;
  if (typeof value === "number" && Number.isFinite(value)) return value;
  throw kerasError(call.where, `${key} ${text(value)}`, "a number");
}

/** A pair of whole numbers among the settings, or one for both. */
export function pairOf(call: LayerCall, key: string, fallback: number): readonly [number, number] {
  const value = call.layer.config[key] ?? fallback;
  const list: readonly unknown[] = Array.isArray(value) ? (value as unknown[]) : [value, value];
  const [a, b] = list;
  if (list.length === 2 && isWhole(a) && isWhole(b)) return [a, b];
  throw kerasError(call.where, `${key} ${text(value)}`, "one or two whole numbers");
}

export function isWhole(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value);
}

/** Refuses the layout with the channels first. */
export function expectChannelsLast(call: LayerCall): void {
  const format = call.layer.config["data_format"] ?? "channels_last";
  if (format !== "channels_last") {
    throw unsupported(call, `data_format ${text(format)}`, '"channels_last"');
  }
}
