/** Nodes in the form of opset 17 written in the form of an older operator set: the way back of `opset.ts`. */
import { dropDead } from "../../network/edit.ts";
import {
  float32,
  integersOf,
  intAttribute,
  stringAttribute,
  type Attribute,
  type Network,
  type Node,
  type Parameter,
} from "../../network/network.ts";
import { TARGET_OPSET } from "./opset.ts";

/** The oldest operator set that is written. */
const OLDEST_OPSET = 7;

interface Older {
  readonly opset: number;
  readonly network: Network;
  readonly parameters: Map<string, Parameter>;
}

/** The node in its older form, or undefined where it has none. */
type Convert = (node: Node, older: Older) => Node | undefined;

const given = (node: Node, index: number): string => node.inputs[index] ?? "";

const withAttributes = (
  node: Node,
  inputs: number,
  more: Readonly<Partial<Record<string, Attribute>>>,
): Node => ({ ...node, inputs: node.inputs.slice(0, inputs), attributes: { ...node.attributes, ...more } });

/** A constant list of whole numbers becomes an attribute. */
const inputToInts =
  (name: string): Convert =>
  (node, { network }) => {
    if (given(node, 1) === "") return withAttributes(node, 1, {});
    const value = integersOf(network, given(node, 1));
    return value && withAttributes(node, 1, { [name]: { type: "ints", value } });
  };

/** A constant number as an attribute; none where the input is left out, undefined where it is computed. */
function floatFrom(
  network: Network,
  node: Node,
  index: number,
  name: string,
): Readonly<Partial<Record<string, Attribute>>> | undefined {
  const input = given(node, index);
  if (input === "") return {};
  const parameter = network.parameters.get(input);
  if (parameter?.data.length !== 1) return undefined;
  return { [name]: { type: "float", value: Number(parameter.data[0]) } };
}

const clip: Convert = (node, { network }) => {
  const [low, high] = [floatFrom(network, node, 1, "min"), floatFrom(network, node, 2, "max")];
  return low && high && withAttributes(node, 1, { ...low, ...high });
};

const pad: Convert = (node, { network }) => {
  const pads = integersOf(network, given(node, 1));
  const value = floatFrom(network, node, 2, "value");
  if (pads === undefined || value === undefined || given(node, 3) !== "") return undefined;
  return withAttributes(node, 1, { pads: { type: "ints", value: pads }, ...value });
};

const slice: Convert = (node, { network }) => {
  const [starts, ends] = [1, 2].map((i) => integersOf(network, given(node, i)));
  const axes = given(node, 3) === "" ? "none" : integersOf(network, given(node, 3));
  const steps = given(node, 4) === "" ? [] : integersOf(network, given(node, 4));
  if (starts === undefined || ends === undefined || axes === undefined) return undefined;
  if (steps?.every((step) => step === 1) !== true) return undefined;
  return withAttributes(node, 1, {
    starts: { type: "ints", value: starts },
    ends: { type: "ints", value: ends },
    ...(axes === "none" ? {} : { axes: { type: "ints", value: axes } }),
  });
};

const dropout: Convert = (node, { network }) => {
  const ratio = floatFrom(network, node, 1, "ratio");
  return given(node, 2) === "" ? ratio && withAttributes(node, 1, ratio) : undefined;
};

/** Upsample samples at floor(x / scale), and so does the first Resize, but at ceil(x / scale) where it shrinks. */
const resize: Convert = (node, { network, opset }) => {
  const mode = stringAttribute(node, "mode", "nearest");
  const scales = given(node, 2);
  const values = Array.from(network.parameters.get(scales)?.data ?? [], Number);
  const rounding = stringAttribute(node, "nearest_mode", "round_prefer_floor");
  const isAsRounded =
    (rounding === "floor" && values.every((value) => value >= 1)) ||
    (rounding === "ceil" && values.length > 0 && values.every((value) => value <= 1));
  const isOld =
    stringAttribute(node, "coordinate_transformation_mode", "half_pixel") === "asymmetric" &&
    (mode === "linear" || isAsRounded) &&
    (opset >= 10 || values.every((value) => value >= 1));
  if (!isOld || scales === "" || given(node, 3) !== "" || mode === "cubic") return undefined;
  const attributes = { mode: { type: "string", value: mode } } as const;
  if (opset >= 9) {
    const op = opset >= 10 ? "Resize" : "Upsample";
    return { ...node, op, inputs: [given(node, 0), scales], attributes };
  }
  const value = network.parameters.get(scales)?.data;
  if (value === undefined) return undefined;
  const listed = { type: "floats", value: Array.from(value, Number) } as const;
  return { ...node, op: "Upsample", inputs: [given(node, 0)], attributes: { ...attributes, scales: listed } };
};

/** The region, which is not used, was not optional. */
const resizeWithRegion: Convert = (node, { parameters }) => {
  if (given(node, 1) !== "") return node;
  const roi = `${node.name}.roi`;
  parameters.set(roi, float32([0], new Float32Array()));
  return { ...node, inputs: [given(node, 0), roi, ...node.inputs.slice(2)] };
};

/** Along the last axis it is the same as today. */
const softmax: Convert = (node) => (intAttribute(node, "axis", 0) === -1 ? node : undefined);

const topK: Convert = (node, { network }) => {
  const k = integersOf(network, given(node, 1))?.[0];
  return k === undefined ? undefined : withAttributes(node, 1, { k: { type: "int", value: k } });
};

const rules: Readonly<
  Partial<Record<string, readonly { readonly below: number; readonly convert: Convert }[]>>
> = {
  Squeeze: [{ below: 13, convert: inputToInts("axes") }],
  Unsqueeze: [{ below: 13, convert: inputToInts("axes") }],
  ReduceSum: [{ below: 13, convert: inputToInts("axes") }],
  Split: [{ below: 13, convert: inputToInts("split") }],
  Clip: [{ below: 11, convert: clip }],
  Pad: [{ below: 11, convert: pad }],
  Slice: [{ below: 10, convert: slice }],
  Dropout: [{ below: 12, convert: dropout }],
  Resize: [
    { below: 11, convert: resize },
    { below: 13, convert: resizeWithRegion },
  ],
  Softmax: [{ below: 13, convert: softmax }],
  LogSoftmax: [{ below: 13, convert: softmax }],
  Hardmax: [{ below: 13, convert: softmax }],
  TopK: [{ below: 10, convert: topK }],
  ScatterElements: [{ below: 11, convert: (node) => ({ ...node, op: "Scatter" }) }],
  // Its reading of `start` and `end` is newer.
  Shape: [
    {
      below: 15,
      convert: (node) => ((node.attributes["start"] ?? node.attributes["end"]) ? undefined : node),
    },
  ],
};

/**
 * The network with its nodes in the form of an older operator set.
 *
 * @returns the first node that has no such form, where there is one
 */
export function downgrade(network: Network, opset: number): Network | { readonly newer: Node } {
  if (opset >= TARGET_OPSET) return network;
  const parameters = new Map(network.parameters);
  const older: Older = { opset, network, parameters };
  const nodes: Node[] = [];
  for (const node of network.nodes) {
    const rule =
      node.domain === "" && Object.hasOwn(rules, node.op)
        ? rules[node.op]?.find(({ below }) => opset < below)
        : undefined;
    const converted =
      opset < OLDEST_OPSET ? undefined : rule === undefined ? node : rule.convert(node, older);
    if (converted === undefined) return { newer: node };
    nodes.push(converted);
  }
  const made = nodes.flatMap(({ outputs }) => outputs);
  return dropDead({ ...network, nodes, parameters }, made);
}
