import { message } from "../../support/protobuf.ts";

/** Pieces of ONNX files that our own writer would not write. */
export const dims = (...sizes: bigint[]): (readonly [number, bigint])[] =>
  sizes.map((size) => [1, size] as const);

export function value(
  name: string,
  elementType = 1n,
  shape: readonly (bigint | string | null)[] = ["batch", 2n],
): Uint8Array {
  const dimension = (dim: bigint | string | null): Uint8Array =>
    dim === null ? message() : message([typeof dim === "string" ? 2 : 1, dim]);
  const tensor = message([1, elementType], [2, message(...shape.map((dim) => [1, dimension(dim)] as const))]);
  return message([1, name], [2, message([1, tensor])]);
}

export function node(
  op: string,
  inputs: readonly string[],
  outputs: readonly string[],
  ...attributes: readonly Uint8Array[]
): Uint8Array {
  return message(
    ...inputs.map((input) => [1, input] as const),
    ...outputs.map((output) => [2, output] as const),
    [4, op],
    ...attributes.map((attribute) => [5, attribute] as const),
  );
}

export interface FileParts {
  readonly nodes?: readonly Uint8Array[];
  readonly weights?: readonly Uint8Array[];
  readonly inputs?: readonly Uint8Array[];
  readonly outputs?: readonly Uint8Array[];
  readonly opset?: bigint;
  readonly extra?: readonly (readonly [number, Uint8Array])[];
}

/** A model x -> y; by default y = relu(x), both [batch, 2]. */
export function file(parts: FileParts = {}): Uint8Array {
  const {
    nodes = [node("Relu", ["x"], ["y"])],
    weights = [],
    inputs = [value("x")],
    outputs = [value("y")],
  } = parts;
  const graph = message(
    ...nodes.map((bytes) => [1, bytes] as const),
    [2, "graph"],
    ...weights.map((bytes) => [5, bytes] as const),
    ...inputs.map((bytes) => [11, bytes] as const),
    ...outputs.map((bytes) => [12, bytes] as const),
  );
  const opset = message([1, ""], [2, parts.opset ?? 17n]);
  return message([1, 8n], [7, graph], [8, opset], ...(parts.extra ?? []));
}
