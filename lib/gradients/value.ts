/** What a graph under construction offers to the rules. */
import type { Attribute, Node, Parameter } from "../network/network.ts";
import type { Shape } from "../network/shapes/context.ts";

/**
 * A tensor of the graph. `shape` is its logical shape; it exists under one name per layout:
 *
 * - plain: row-major, as ONNX has it
 * - blocked: [n, c, h, w] as [n, ceil(c / B), h, w, B], channels padded with zeros (onnxruntime's NCHWc)
 *
 * A layout that is missing is converted when it is first asked for.
 */
export interface Value {
  readonly shape: Shape;
  plainName?: string;
  blockedName?: string;
  /** Convolution weights only: the form in which they are kept, see `packing.ts`. */
  packedName?: string;
}

export type AttributeValue = number | string | readonly number[] | Attribute;

export interface OpOptions {
  readonly domain?: string;
  readonly outputs?: number;
}

export interface Graph {
  readonly opset: number;
  /** Channels of one block of the blocked layout; 0 where this machine has none. */
  readonly block: number;
  readonly nodes: Node[];
  readonly parameters: Map<string, Parameter>;
  /** A name that is not taken. */
  fresh(hint: string): string;
  /** Adds a node and returns its first output. Numbers are int attributes; floats need `float()`. */
  op(
    op: string,
    inputs: readonly string[],
    attributes?: Record<string, AttributeValue>,
    options?: OpOptions,
  ): string;
  /** Adds a node with several outputs. */
  ops(
    op: string,
    inputs: readonly string[],
    count: number,
    attributes?: Record<string, AttributeValue>,
  ): string[];
  /** An int64 vector, shared by all who ask for the same one. */
  ints(values: readonly number[], shape?: readonly number[]): string;
  /** A float32 scalar, shared. */
  scalar(value: number): string;
  /** A float32 constant. */
  floats(shape: Shape, data: Float32Array): string;
  constant(parameter: Parameter, hint?: string): string;
  /** A value from a plain name. */
  value(shape: Shape, plainName: string): Value;
  blockedValue(shape: Shape, blockedName: string): Value;
  /** Name of the row-major form. */
  plain(value: Value): string;
  /** Name of the blocked form. */
  blocked(value: Value): string;
}
