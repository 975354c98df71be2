/** What a rule that brings a node to today's operator set works with. */
import type { Parameter } from "../../network/network.ts";

export interface Upgrade {
  /** Opset of the file. */
  readonly opset: number;
  /** For messages. */
  readonly file: string;
  /** Adds a constant under a new name derived from `hint` and returns the name. */
  readonly constant: (hint: string, parameter: Parameter) => string;
  /** The constant of a name, where it is one. */
  readonly known: (name: string) => Parameter | undefined;
  /** A fresh value name. */
  readonly fresh: (hint: string) => string;
  /** Number of axes of a value, where it is known. */
  readonly rank: (value: string) => number | undefined;
}
