/** The nodes of a TensorFlow graph as plain data, from the JSON of a tfjs graph model. */
import { isRecord } from "../../core/own.ts";
import { EtlError } from "../../core/errors.ts";
import { kerasError } from "../keras/config.ts";

/** An attribute, in the words of the JSON: numbers may be texts, texts are base64. */
type TfAttribute = Readonly<Record<string, unknown>>;

export interface TfNode {
  readonly name: string;
  readonly op: string;
  /** Names of values: a node's, with `:1` where it is not the first output. No control inputs. */
  readonly inputs: readonly string[];
  readonly attributes: Readonly<Partial<Record<string, TfAttribute>>>;
}

const mostNodes = 200_000;

/** @param list `modelTopology.node` */
export function parseTfNodes(list: unknown, where: string): TfNode[] {
  if (!Array.isArray(list) || list.length === 0 || list.length > mostNodes)
    throw kerasError(where, "no nodes", "a graph model");
  const names = new Set<string>();
  return list.map((value: unknown, i): TfNode => {
    const place = `${where}: node ${i}`;
    if (!isRecord(value)) throw kerasError(place, "no object", "a node");
    const { name, op, input, attr } = value;
    if (typeof name !== "string" || name === "" || typeof op !== "string")
      throw kerasError(place, "no name or operator", "both");
    if (names.has(name)) throw kerasError(`${where}: node "${name}"`, "declared twice", "a name for each");
    names.add(name);
    const inputs: readonly unknown[] = Array.isArray(input) ? (input as unknown[]) : [];
    if (!inputs.every((one) => typeof one === "string"))
      throw kerasError(`${where}: node "${name}"`, "an input that is no name", "names");
    const attributes = isRecord(attr)
      ? Object.fromEntries(
          Object.entries(attr).filter((one): one is [string, TfAttribute] => isRecord(one[1])),
        )
      : {};
    const data = inputs.filter((one) => !one.startsWith("^")).map((one) => one.replace(/:0$/, ""));
    return { name, op, inputs: data, attributes };
  });
}

/** Nodes behind those they read. @throws EtlError where they read each other in a circle, or what is not there */
export function inTfOrder(nodes: readonly TfNode[], wanted: readonly string[], where: string): TfNode[] {
  const byName = new Map(nodes.map((node) => [node.name, node]));
  const state = new Map<string, "open" | "done">();
  const order: TfNode[] = [];
  for (const root of wanted) {
    // An own stack: a damaged file may be as deep as it likes.
    const stack: { node: TfNode; next: number }[] = [];
    const enter = (value: string, reader: string): void => {
      const name = value.replace(/:\d+$/, "");
      const node = byName.get(name);
      if (node === undefined)
        throw kerasError(`${where}: node "${reader}"`, `input "${value}", made by nothing`, "a node");
      if (state.get(name) === "open") throw kerasError(`${where}: node "${name}"`, "a circle", "none");
      if (state.has(name)) return;
      state.set(name, "open");
      stack.push({ node, next: 0 });
    };
    enter(root, root);
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const input = top.node.inputs[top.next++];
      if (input !== undefined) {
        enter(input, top.node.name);
        continue;
      }
      state.set(top.node.name, "done");
      order.push(top.node);
      stack.pop();
    }
  }
  return order;
}

const numberFrom = (value: unknown): number | undefined => {
  const number = typeof value === "string" && value !== "" ? Number(value) : value;
  return typeof number === "number" && Number.isFinite(number) ? number : undefined;
};

/** Texts are base64, or lists of bytes in old files. */
function textFrom(value: unknown): string | undefined {
  if (Array.isArray(value) && value.every((byte) => typeof byte === "number"))
    return String.fromCharCode(...value);
  if (typeof value !== "string") return undefined;
  return Buffer.from(value, "base64").toString("latin1");
}

export function intOf(node: TfNode, name: string, fallback: number): number {
  return numberFrom(node.attributes[name]?.["i"]) ?? fallback;
}

export function floatOf(node: TfNode, name: string, fallback: number): number {
  return numberFrom(node.attributes[name]?.["f"]) ?? fallback;
}

export function boolOf(node: TfNode, name: string): boolean {
  return node.attributes[name]?.["b"] === true;
}

export function tfTextOf(node: TfNode, name: string, fallback: string): string {
  return textFrom(node.attributes[name]?.["s"]) ?? fallback;
}

function listOf(node: TfNode, name: string, key: string): readonly unknown[] {
  const list = node.attributes[name]?.["list"];
  const values = isRecord(list) ? list[key] : undefined;
  return Array.isArray(values) ? (values as unknown[]) : [];
}

export function intsOf(node: TfNode, name: string): readonly number[] {
  return listOf(node, name, "i").map((value) => numberFrom(value) ?? 0);
}

export function textsOf(node: TfNode, name: string): readonly string[] {
  return listOf(node, name, "s").map((value) => textFrom(value) ?? "");
}

/** Dimensions of a Placeholder; undefined where its rank is not known, in it where a size is open. */
export function tfShapeOf(node: TfNode): readonly (number | undefined)[] | undefined {
  const shape = node.attributes["shape"]?.["shape"];
  if (!isRecord(shape) || shape["unknownRank"] === true) return undefined;
  const dims: readonly unknown[] = Array.isArray(shape["dim"]) ? (shape["dim"] as unknown[]) : [];
  return dims.map((dim) => {
    const size = isRecord(dim) ? numberFrom(dim["size"]) : undefined;
    return size !== undefined && Number.isSafeInteger(size) && size > 0 ? size : undefined;
  });
}

/** The error of a node that cannot be carried over. */
export function unsupportedNode(node: TfNode, where: string, found: string, needed: string): EtlError {
  return new EtlError(
    "unsupported",
    `${where}: node "${node.name}" (${node.op}): ${found}, ${needed} was needed`,
    {
      hint: "convert the original to ONNX (tf2onnx)",
    },
  );
}
