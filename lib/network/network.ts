/**
 * A network is plain data: a graph of ONNX operators (NCHW, opset 17 or later after reading) with its parameters.
 * No node holds native memory; every function on a network is pure and returns a new one.
 */

/** A dimension: a number, or a name for one known only at run time (the batch). */
export type Dim = number | string;

/** Element types that networks carry. float16 and bfloat16 are computed as float32, see {@link Half}. */
export type ElementType = "float32" | "float64" | "int64" | "int32" | "int8" | "uint8" | "bool";

/** The array that holds each element type (`bool` as 0 and 1). */
export type ElementArray = Float32Array | Float64Array | BigInt64Array | Int32Array | Int8Array | Uint8Array;

/** Element type -> the array class that holds it. */
export const elementArrays = {
  float32: Float32Array,
  float64: Float64Array,
  int64: BigInt64Array,
  int32: Int32Array,
  int8: Int8Array,
  uint8: Uint8Array,
  bool: Uint8Array,
} as const;

/** How a file stores what is float32 here. */
export type Half = "float16" | "bfloat16";

/** A constant tensor: a weight, or an index table such as the target shape of a Reshape. Row-major. */
export interface Parameter {
  readonly type: ElementType;
  readonly shape: readonly number[];
  readonly data: ElementArray;
  /** How the file stores it, where that is not its type. */
  readonly stored?: Half;
}

/** An input or output of the network. */
export interface ValueInfo {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly Dim[];
  /** What the file says, where that is not its type. */
  readonly stored?: Half;
  /** Not even the number of axes is known; `shape` is then empty. */
  readonly unranked?: true;
}

/** An ONNX attribute with its type, so that files round-trip. */
export type Attribute =
  /** `stored`: the element type that the file names, where `value` names float32. */
  | { readonly type: "int"; readonly value: number; readonly stored?: Half }
  | { readonly type: "float"; readonly value: number }
  | { readonly type: "string"; readonly value: string }
  | { readonly type: "ints"; readonly value: readonly number[] }
  | { readonly type: "floats"; readonly value: readonly number[] }
  | { readonly type: "strings"; readonly value: readonly string[] }
  | { readonly type: "tensor"; readonly value: Parameter }
  /** A graph inside a node (If, Loop, Scan), or another thing that is handed on as it is: the bytes of its AttributeProto. */
  | { readonly type: "opaque"; readonly bytes: Uint8Array };

/** One operator. An empty string among the inputs is an omitted optional input, as in ONNX. */
export interface Node {
  /** Unique within the network (the reader gives unnamed nodes their first output's name). */
  readonly name: string;
  readonly op: string;
  /** "" for ai.onnx; "com.microsoft" for onnxruntime's own operators (only in gradient graphs). */
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Partial<Record<string, Attribute>>>;
  /**
   * Names by which graphs inside the node read values from outside. What they read stands behind the node's own inputs, in this
   * order, so that whoever follows inputs follows these as well.
   */
  readonly reads?: readonly string[];
}

/** What an ONNX file says of itself beside its graph, so that a changed network can be written as its like. */
export interface FileFacts {
  /** Version of ai.onnx in the file: `opset` of the network is the one its nodes were brought to. */
  readonly opset: number;
  readonly irVersion: number;
  /** Versions of the other operator sets. */
  readonly domains: Readonly<Record<string, number>>;
  readonly producer: readonly [name: string, version: string];
  readonly domain: string;
  readonly modelVersion: number;
  /** Of the model, and of its graph. */
  readonly docs: readonly [model: string, graph: string];
}

/** The graph. `nodes` are in topological order. Values are named by strings; each is produced once. */
export interface Network {
  readonly name: string;
  /** Version of the default operator set (ai.onnx). */
  readonly opset: number;
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  readonly nodes: readonly Node[];
  readonly parameters: ReadonlyMap<string, Parameter>;
  /** Free text: labels, preprocessing, provenance. Goes into ONNX metadata_props. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Of the ONNX file that it was read from. */
  readonly file?: FileFacts;
  /** Functions of the file that its nodes call, as the bytes of their FunctionProto. */
  readonly functions?: readonly Uint8Array[];
}

/** A dense float32 tensor at run time, row-major. */
export interface Tensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** How many pictures a network takes in a run: `most`, or one where its file is made for one. */
export function picturesAtOnce({ inputs }: Network, most: number): number {
  const [batch] = inputs[0]?.shape ?? [];
  return typeof batch === "number" ? Math.min(batch, most) : most;
}

/** Whether a dimension behind the batch of an input has a name in place of a number. */
export const hasOpenSizes = ({ inputs }: Network): boolean =>
  inputs.some(({ shape }) => shape.slice(1).some((dim) => typeof dim === "string"));

/** Number of elements of a shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, dim) => product * dim, 1);
}

/** A float32 parameter. */
export function float32(shape: readonly number[], data: Float32Array): Parameter {
  return { type: "float32", shape, data };
}

/** An int64 parameter, for shapes and indices. Values beyond int64 stop at its edge, as 2^63 (an open end) does. */
export function int64(values: readonly number[], shape: readonly number[] = [values.length]): Parameter {
  return { type: "int64", shape, data: toInt64(values) };
}

/** Whole numbers as int64. The largest int64 is 2^63 as a double: it is brought back, not wrapped around. */
export function toInt64(values: readonly number[]): BigInt64Array {
  const last = 2n ** 63n - 1n;
  return BigInt64Array.from(values, (value) => {
    const integer = BigInt(value);
    return integer > last ? last : integer < -last - 1n ? -last - 1n : integer;
  });
}

/** An integer attribute, or `fallback` where the node has none. */
export function intAttribute(node: Node, name: string, fallback: number): number {
  const attribute = node.attributes[name];
  return attribute?.type === "int" ? attribute.value : fallback;
}

/** A float attribute, or `fallback` where the node has none. */
export function floatAttribute(node: Node, name: string, fallback: number): number {
  const attribute = node.attributes[name];
  return attribute?.type === "float" ? attribute.value : fallback;
}

/** An integer-list attribute, or `fallback` where the node has none. */
export function intsAttribute(node: Node, name: string, fallback: readonly number[]): readonly number[] {
  const attribute = node.attributes[name];
  return attribute?.type === "ints" ? attribute.value : fallback;
}

/** A text attribute, or `fallback` where the node has none. */
export function stringAttribute(node: Node, name: string, fallback: string): string {
  const attribute = node.attributes[name];
  return attribute?.type === "string" ? attribute.value : fallback;
}

/** A parameter's values as numbers (for index tables), or undefined where `name` is not a parameter. */
export function integersOf(network: Network, name: string | undefined): number[] | undefined {
  const parameter = name === undefined ? undefined : network.parameters.get(name);
  return parameter === undefined
    ? undefined
    : Array.from(parameter.data as ArrayLike<number | bigint>, Number);
}

/** value name -> the node that makes it. */
export function producersOf(network: Network): Map<string, Node> {
  return new Map(network.nodes.flatMap((node) => node.outputs.map((output) => [output, node] as const)));
}

/** value name -> the nodes that read it, in order. */
export function consumersOf(network: Network): Map<string, Node[]> {
  const consumers = new Map<string, Node[]>();
  for (const node of network.nodes) {
    for (const input of new Set(node.inputs)) {
      if (input === "") continue;
      const list = consumers.get(input);
      if (list) list.push(node);
      else consumers.set(input, [node]);
    }
  }
  return consumers;
}
