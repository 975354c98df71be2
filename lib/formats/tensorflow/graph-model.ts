/** A graph model of TensorFlow.js as a network: nodes one by one, images with the channels first. */
import { isRecord } from "../../core/own.ts";
import { EtlError, nearest } from "../../core/errors.ts";
import { createBuilder } from "../../network/builder.ts";
import type { Network, Parameter } from "../../network/network.ts";
import { withoutTurns } from "../../network/picture-input.ts";
import { kerasError, text } from "../keras/config.ts";
import { plainName, type TfCall, type TfValue } from "./context.ts";
import { inTfOrder, parseTfNodes, tfShapeOf, unsupportedNode, type TfNode } from "./nodes.ts";
import { tfRules } from "./operators.ts";

/** Operators that can be read, sorted. */
const tfOperators: readonly string[] = Object.keys(tfRules).sort();

/** Nodes that compute nothing that is looked at. */
const nothing = new Set(["NoOp", "Assert", "Placeholder", "Const"]);

/**
 * Converts a graph model. Inputs and outputs of four axes are [n, channels, height, width] in the network; the others are
 * as they were. Values are named after the nodes.
 *
 * @param model the parsed `model.json`
 * @param weights name of a Const node -> its numbers
 * @throws EtlError kind `unsupported` that names the node, `format` where nodes and weights do not fit
 */
export function networkFromGraphModel(
  model: Readonly<Record<string, unknown>>,
  weights: ReadonlyMap<string, Parameter>,
  { where, metadata }: { readonly where: string; readonly metadata: Readonly<Record<string, string>> },
): Network {
  const topology = isRecord(model["modelTopology"]) ? model["modelTopology"] : {};
  const nodes = parseTfNodes(topology["node"], where);
  const outputs = outputsOf(model, nodes);
  if (outputs.length === 0) throw kerasError(where, "no outputs", "at least one");
  const net = createBuilder("graph");
  const values = new Map<string, readonly TfValue[]>();
  let parts = 0;
  const read = (value: string, reader: TfNode): TfValue => {
    const [, name, index] = /^(.*?)(?::(\d+))?$/.exec(value) ?? [];
    const found = values.get(name)?.[Number(index ?? 0)];
    if (found !== undefined) return found;
    throw unsupportedNode(reader, where, `input "${value}", which is not followed`, "a first output");
  };
  const callOf = (node: TfNode, inputs: readonly TfValue[]): TfCall => ({
    net,
    node,
    where,
    inputs,
    part: (label) => `${node.name}/etl.${label}${parts++}`,
  });
  for (const node of inTfOrder(nodes, outputs, where)) {
    if (node.op === "Const") {
      const constant = weights.get(node.name);
      if (constant === undefined)
        throw kerasError(`${where}: node "${node.name}"`, "no weight of that name", "one");
      values.set(node.name, [{ name: "", rank: constant.shape.length, constant }]);
    } else if (node.op === "Placeholder") {
      values.set(node.name, [{ name: node.name, ...inputOf(net.input, node, where) }]);
    } else {
      if (!Object.hasOwn(tfRules, node.op)) throw unknownNode(node, where);
      const inputs = node.inputs.map((input) => read(input, node));
      const made = tfRules[node.op](callOf(node, inputs));
      values.set(node.name, Array.isArray(made) ? (made as readonly TfValue[]) : [made as TfValue]);
    }
  }
  const last: TfNode = { name: "output", op: "Identity", inputs: [], attributes: {} };
  const names = [...new Set(outputs)].map((output) => {
    const value = read(output, last);
    const name = value.constant === undefined ? value.name : plainName(callOf(last, []), value);
    // An output keeps its name where the node only hands on another's value.
    return name === output ? name : net.identity(name, { name: output });
  });
  return withoutTurns(net.build(names, metadata));
}

function unknownNode(node: TfNode, where: string): EtlError {
  const near = nearest(node.op, tfOperators);
  const error = unsupportedNode(node, where, "an operator that is not read", "a known one");
  const hint = `${near === undefined ? "" : `the nearest known one is ${near}; `}convert the original to ONNX (tf2onnx)`;
  return new EtlError("unsupported", error.message, { hint });
}

/** Names of the outputs: those of the signature, else of the nodes that nothing reads. */
function outputsOf(model: Readonly<Record<string, unknown>>, nodes: readonly TfNode[]): string[] {
  const signature =
    model["signature"] ??
    (isRecord(model["userDefinedMetadata"]) ? model["userDefinedMetadata"]["signature"] : undefined);
  const listed =
    isRecord(signature) && isRecord(signature["outputs"]) ? Object.entries(signature["outputs"]) : [];
  const known = new Set(nodes.map(({ name }) => name));
  const named = listed.flatMap(([key, value]) => {
    const given = isRecord(value) && typeof value["name"] === "string" ? value["name"] : key;
    const name = given.replace(/:0$/, "");
    return known.has(name.replace(/:\d+$/, "")) ? [name] : [];
  });
  if (named.length > 0) return named;
  const taken = new Set(nodes.flatMap(({ inputs }) => inputs.map((input) => input.replace(/:\d+$/, ""))));
  return nodes.filter(({ name, op }) => !taken.has(name) && !nothing.has(op)).map(({ name }) => name);
}

function inputOf(
  add: (label: string, shape: readonly (number | string)[]) => string,
  node: TfNode,
  where: string,
): Pick<TfValue, "rank"> {
  const shape = tfShapeOf(node);
  const type = node.attributes["dtype"]?.["type"] ?? "DT_FLOAT";
  if (type !== "DT_FLOAT" && type !== 1)
    throw unsupportedNode(node, where, `an input of ${text(type)}`, "float");
  if (shape === undefined || shape.length === 0)
    throw unsupportedNode(node, where, "an input of unknown rank", "a known one");
  if (shape.length !== 4) {
    add(
      node.name,
      shape.map((size, axis) => size ?? (axis === 0 ? "batch" : `${node.name}.${axis}`)),
    );
    return { rank: shape.length };
  }
  const [batch, height, width, channels] = shape;
  if (channels === undefined) throw unsupportedNode(node, where, "an open number of channels", "a fixed one");
  add(node.name, [batch ?? "batch", channels, height ?? "height", width ?? "width"]);
  return { rank: 4 };
}
