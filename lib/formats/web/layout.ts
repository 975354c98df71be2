/**
 * A network for web pages: `model.json` with the graph, `model.bin` with the numbers, in as few bytes as the caller
 * wants. A page reads it with no other library than this one.
 */
import type { Attribute, ElementType, Network, Parameter } from "../../network/network.ts";

/** How large tables of weights are stored: as they are, in half precision, or in one byte each. */
export const precisions = ["float32", "float16", "uint8"] as const;

export type Precision = (typeof precisions)[number];

export const WEB_SCHEMA = "etl/web/1";

/** Names of the two files. */
export const webFiles = { graph: "model.json", numbers: "model.bin" } as const;

/**
 * One parameter; its numbers begin at byte `offset` of the other file, little-endian, row-major. Of `uint8` in place of
 * float32, the number is `min[row] + scale[row] * byte`, rows being those of the first axis.
 */
export interface StoredParameter {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly number[];
  readonly offset: number;
  /** Where it is not its type. */
  readonly stored?: "float16" | "uint8";
  readonly min?: readonly number[];
  readonly scale?: readonly number[];
}

/** The JSON file. */
export interface WebModel {
  readonly schema: typeof WEB_SCHEMA;
  /** Bytes of the other file. */
  readonly bytes: number;
  /** How the large tables are stored. */
  readonly precision: Precision;
  readonly network: Omit<Network, "parameters" | "nodes" | "file"> & {
    readonly nodes: readonly StoredNode[];
  };
  readonly parameters: readonly StoredParameter[];
}

/** A node; a tensor among its attributes is the name of a parameter. */
type StoredNode = Omit<Network["nodes"][number], "attributes"> & {
  readonly attributes: Readonly<Record<string, StoredAttribute>>;
};

export type StoredAttribute =
  Exclude<Attribute, { readonly type: "tensor" }> | { readonly type: "tensor"; readonly parameter: string };

/** Parameters below this many numbers are not rounded: they are few bytes, and among them are scales and biases. */
const SMALL = 256;

/** Whether rounding is for this parameter: a large table of weights, not a vector. */
export function isRounded({ type, shape, data }: Parameter): boolean {
  return type === "float32" && shape.length > 1 && data.length >= SMALL;
}
