/** What a shape rule sees of its node, and the arithmetic that many rules share. */
import { EtlError, type ErrorKind } from "../../core/errors.ts";
import type { ElementType, Node } from "../network.ts";
import { fromFront } from "../operators/attributes.ts";

export type Shape = readonly number[];

/** A value that is known before the network runs: a small index table or the result of shape arithmetic. */
export interface Constant {
  readonly type: ElementType;
  readonly shape: Shape;
  /** Row-major. int64 as numbers (exact up to 2^53, saturated ends such as 2^63 - 1 are only compared). */
  readonly values: readonly number[];
}

/** One node with the shapes of its inputs. */
export interface OpContext {
  readonly node: Node;
  readonly opset: number;
  /** Shape of input `index`; an error that names the node where the input is missing. */
  readonly input: (index: number) => Shape;
  /** Whether input `index` is given. */
  readonly has: (index: number) => boolean;
  /** Value of input `index` where it is known before the run. */
  readonly constant: (index: number) => Constant | undefined;
  /** Throws `node "n" (Op): <found>, <needed>`. */
  readonly fail: (found: string, needed: string, kind?: ErrorKind) => never;
}

/** Shapes of the node's outputs. */
export type ShapeRule = (op: OpContext) => readonly Shape[];

export type ShapeRules = Readonly<Record<string, ShapeRule>>;

/** The error of a node: `<network>: node "n" (Op): <found>, <needed>`. */
export function nodeError(
  where: { readonly network: string; readonly node: Node },
  found: string,
  needed: string,
  kind: ErrorKind = "format",
): EtlError {
  const { node, network } = where;
  return new EtlError(kind, `${network}: node "${node.name}" (${node.op}): ${found}, ${needed}`);
}

export const show = (shape: Shape): string => `[${shape.join(", ")}]`;

/** `axis` counted from the front. */
export function axisOf(op: OpContext, axis: number, rank: number): number {
  const front = fromFront(axis, rank);
  if (!Number.isInteger(front) || front < 0 || front >= rank) {
    op.fail(`axis ${axis} of a tensor of rank ${rank}`, `${-rank} to ${rank - 1} was needed`);
  }
  return front;
}

/** Values of input `index`, which must be known before the run. */
export function known(op: OpContext, index: number, what: string): readonly number[] {
  const constant = op.constant(index);
  return (
    constant?.values ??
    op.fail(
      `${what} ("${op.node.inputs[index] ?? ""}") is computed from data`,
      "a constant was needed",
      "unsupported",
    )
  );
}

/** Numpy's broadcasting of two shapes. */
export function broadcast(op: OpContext, a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const x = a[a.length - rank + i] ?? 1;
    const y = b[b.length - rank + i] ?? 1;
    if (x !== y && x !== 1 && y !== 1) {
      op.fail(`shapes ${show(a)} and ${show(b)}`, "shapes that broadcast were needed");
    }
    return x === 1 ? y : x;
  });
}
