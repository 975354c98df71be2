/** What a rule for open sizes sees of its node. */
import type { Node } from "../network.ts";
import type { Size, Sizes } from "./size.ts";

export interface OpenNode {
  readonly node: Node;
  readonly sizes: Sizes;
  /** Shape of input `index`, where its rank is known. */
  readonly shape: (index: number) => readonly Size[] | undefined;
  /** What input `index` holds, where it is a small table of known or open numbers. */
  readonly table: (index: number) => readonly Size[] | undefined;
}

/** Shapes of the outputs; undefined where they cannot be told. */
export type OpenRule = (op: OpenNode) => readonly (readonly Size[])[] | undefined;
