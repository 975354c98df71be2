/**
 * Nodes of older operator sets in the form of opset 17. Only the operators whose form changed are named here; all
 * others kept their meaning. A form that cannot be carried over is refused with the node's name.
 */
import { EtlError } from "../../core/errors.ts";
import { spellOut } from "./fused.ts";
import type { Upgrade } from "./upgrade.ts";

export type { Upgrade } from "./upgrade.ts";
import { fromFront } from "../../network/operators/attributes.ts";
import { float32, int64, type Attribute, type Node, type Parameter } from "../../network/network.ts";

/** The opset that older files are brought to. */
export const TARGET_OPSET = 17;

type Convert = (node: Node, upgrade: Upgrade) => readonly Node[];

interface Rule {
  /** Applies to files with an opset below this. */
  readonly below: number;
  readonly convert: Convert;
}

const without = (node: Node, ...names: string[]): Node["attributes"] =>
  Object.fromEntries(Object.entries(node.attributes).filter(([name]) => !names.includes(name)));

const intsOf = (attribute: Attribute | undefined): readonly number[] | undefined =>
  attribute?.type === "ints" ? attribute.value : undefined;

const floatOf = (attribute: Attribute | undefined): number | undefined =>
  attribute?.type === "float" ? attribute.value : undefined;

const intOf = (attribute: Attribute | undefined): number | undefined =>
  attribute?.type === "int" ? attribute.value : undefined;

const scalar = (value: number): Parameter => float32([], Float32Array.of(value));

/** Inputs with `extra` at position `at`, the gap filled with omitted inputs, trailing omissions dropped. */
function withInputs(node: Node, at: number, extra: readonly string[]): string[] {
  const inputs = node.inputs.slice(0, at);
  while (inputs.length < at) inputs.push("");
  inputs.push(...extra);
  while (inputs.at(-1) === "") inputs.pop();
  return inputs;
}

/** An integer-list attribute becomes an int64 input. */
const intsToInput =
  (name: string): Convert =>
  (node, upgrade) => {
    const values = intsOf(node.attributes[name]);
    if (values === undefined) return [{ ...node, attributes: without(node, name) }];
    const input = upgrade.constant(`${node.name}.${name}`, int64(values));
    return [{ ...node, inputs: withInputs(node, 1, [input]), attributes: without(node, name) }];
  };

const dropping =
  (...names: string[]): Convert =>
  (node) => [{ ...node, attributes: without(node, ...names) }];

const clip: Convert = (node, upgrade) => {
  const bounds = ["min", "max"].map((name) => {
    const value = floatOf(node.attributes[name]);
    return value === undefined ? "" : upgrade.constant(`${node.name}.${name}`, scalar(value));
  });
  return [{ ...node, inputs: withInputs(node, 1, bounds), attributes: without(node, "min", "max") }];
};

const pad: Convert = (node, upgrade) => {
  const pads = intsOf(node.attributes["pads"] ?? node.attributes["paddings"]);
  if (pads === undefined) return refuse(node, upgrade, "Pad without its pads");
  const value = floatOf(node.attributes["value"]);
  const extra = [
    upgrade.constant(`${node.name}.pads`, int64(pads)),
    value === undefined ? "" : upgrade.constant(`${node.name}.value`, scalar(value)),
  ];
  return [
    { ...node, inputs: withInputs(node, 1, extra), attributes: without(node, "pads", "paddings", "value") },
  ];
};

const slice: Convert = (node, upgrade) => {
  const extra = ["starts", "ends", "axes"].map((name) => {
    const values = intsOf(node.attributes[name]);
    return values === undefined ? "" : upgrade.constant(`${node.name}.${name}`, int64(values));
  });
  if (extra[0] === "" || extra[1] === "") return refuse(node, upgrade, "Slice without starts or ends");
  return [
    { ...node, inputs: withInputs(node, 1, extra), attributes: without(node, "starts", "ends", "axes") },
  ];
};

const dropout: Convert = (node, upgrade) => {
  const ratio = floatOf(node.attributes["ratio"]);
  const attributes = without(node, "ratio", "is_test");
  if (ratio === undefined) return [{ ...node, attributes }];
  return [
    {
      ...node,
      inputs: withInputs(node, 1, [upgrade.constant(`${node.name}.ratio`, scalar(ratio))]),
      attributes,
    },
  ];
};

/** Upsample samples at floor(x / scale), and so does the first Resize where it enlarges: `asymmetric` and `floor` in today's words. */
const resize: Convert = (node, upgrade) => {
  const scales = node.attributes["scales"];
  const input =
    scales?.type === "floats"
      ? upgrade.constant(
          `${node.name}.scales`,
          float32([scales.value.length], Float32Array.from(scales.value)),
        )
      : node.inputs[1];
  if (input === undefined) return refuse(node, upgrade, `${node.op} without scales`);
  return [
    {
      ...node,
      op: "Resize",
      inputs: withInputs(node, 1, ["", input]),
      attributes: {
        ...without(node, "scales"),
        coordinate_transformation_mode: { type: "string", value: "asymmetric" },
        nearest_mode: { type: "string", value: "floor" },
      },
    },
  ];
};

/**
 * The first Resize to the nearest place: at ceil(x / scale) along axes that shrink, as the tests of ONNX have it. Today one rounding is said
 * for all axes, so that a map that grows along one and shrinks along another is resized twice. Of scales that are computed it is not
 * known; exporters compute them to enlarge.
 */
const resize10: Convert = (node, upgrade) => {
  const mode = node.attributes["mode"];
  const scales = upgrade.known(node.inputs[1] ?? "");
  const isNearest = mode?.type !== "string" || mode.value === "nearest";
  const values = Array.from(scales?.data ?? [], Number);
  if (!isNearest || values.every((value) => value >= 1)) return resize(node, upgrade);
  const enlarged = values.map((value) => Math.max(value, 1));
  const isEnlarged = enlarged.some((value) => value > 1);
  const between = isEnlarged ? upgrade.fresh(`${node.name}.enlarged`) : node.inputs[0];
  const scaledBy = (role: string, by: readonly number[]): string =>
    upgrade.constant(`${node.name}.${role}`, float32([by.length], Float32Array.from(by)));
  const larger = isEnlarged
    ? resize(
        {
          ...node,
          name: between,
          inputs: [node.inputs[0], scaledBy("larger", enlarged)],
          outputs: [between],
        },
        upgrade,
      )
    : [];
  const shrunk = values.map((value) => Math.min(value, 1));
  const by = isEnlarged ? scaledBy("smaller", shrunk) : node.inputs[1];
  const smaller = resize({ ...node, inputs: [between, by] }, upgrade).map((one) => ({
    ...one,
    attributes: { ...one.attributes, nearest_mode: { type: "string", value: "ceil" } as const },
  }));
  return [...larger, ...smaller];
};

const resize11: Convert = (node, upgrade) => {
  const mode = node.attributes["coordinate_transformation_mode"];
  return mode?.type === "string" && mode.value === "tf_half_pixel_for_nn"
    ? refuse(node, upgrade, "the coordinate mode tf_half_pixel_for_nn")
    : [node];
};

const batchNormalization: Convert = (node, upgrade) =>
  intOf(node.attributes["spatial"]) === 0
    ? refuse(node, upgrade, "BatchNormalization with spatial = 0")
    : [{ ...node, attributes: without(node, "spatial", "is_test", "consumed_inputs") }];

/** Four statistics outputs were for training; inference has one output. */
const batchNormalizationOutputs: Convert = (node, upgrade) =>
  batchNormalization({ ...node, outputs: node.outputs.slice(0, 1) }, upgrade);

/** Softmax ran over all axes from `axis` on: flatten to a matrix, normalise its rows, and go back. */
const softmax: Convert = (node, upgrade) => {
  const axis = intOf(node.attributes["axis"]) ?? 1;
  const [input = ""] = node.inputs;
  const rank = upgrade.rank(input);
  if (axis === -1 || axis + 1 === rank)
    return [{ ...node, attributes: { axis: { type: "int", value: -1 } } }];
  const [shape, flat, normal] = ["shape", "flat", "normal"].map((part) =>
    upgrade.fresh(`${node.name}.${part}`),
  );
  const make = (part: string, op: string, inputs: string[], outputs: string[], axisOf?: number): Node => ({
    name: upgrade.fresh(`${node.name}.${part}`),
    op,
    domain: "",
    inputs,
    outputs,
    attributes: axisOf === undefined ? {} : { axis: { type: "int", value: axisOf } },
  });
  return [
    make("Shape", "Shape", [input], [shape ?? ""]),
    make("Flatten", "Flatten", [input], [flat ?? ""], axis),
    {
      ...node,
      inputs: [flat ?? ""],
      outputs: [normal ?? ""],
      attributes: { axis: { type: "int", value: -1 } },
    },
    make("Reshape", "Reshape", [normal ?? "", shape ?? ""], [...node.outputs]),
  ];
};

const topK: Convert = (node, upgrade) => {
  const k = intOf(node.attributes["k"]);
  if (k === undefined) return refuse(node, upgrade, "TopK without k");
  const input = upgrade.constant(`${node.name}.k`, int64([k]));
  return [{ ...node, inputs: withInputs(node, 1, [input]), attributes: without(node, "k") }];
};

/** Before opset 7 an operand was aligned by `axis` (slopes with the channels): with it, ones follow until it is as long as the first; without it the rule is today's. */
const legacyBroadcast: Convert = (node, upgrade) => {
  const [a = "", b = ""] = node.inputs;
  const plain = { ...node, attributes: without(node, "broadcast", "consumed_inputs", "axis") };
  const axis = node.op === "PRelu" ? 1 : intOf(node.attributes["axis"]);
  if (axis === undefined) return [plain];
  const [rank, own] = [upgrade.rank(a), upgrade.rank(b)];
  if (rank === undefined || own === undefined)
    return refuse(node, upgrade, "a legacy broadcast axis on a value of unknown rank");
  const first = fromFront(axis, rank) + own;
  if (first >= rank) return [plain];
  const long = upgrade.fresh(`${node.name}.aligned`);
  const axes = upgrade.constant(
    `${node.name}.axes`,
    int64(Array.from({ length: rank - first }, (_, i) => own + i)),
  );
  return [
    { ...{ name: long, op: "Unsqueeze", domain: "", inputs: [b, axes], outputs: [long], attributes: {} } },
    { ...plain, inputs: [a, long] },
  ];
};

const renamed =
  (op: string): Convert =>
  (node) => [{ ...node, op }];

function refuse(node: Node, upgrade: Upgrade, found: string): never {
  throw new EtlError(
    "unsupported",
    `${upgrade.file}: node "${node.name}" (${node.op}, opset ${upgrade.opset}): ${found}, a form that exists in opset ${TARGET_OPSET} was needed`,
    { hint: `export the model again with opset ${TARGET_OPSET} or later` },
  );
}

const legacyBinary = ["Add", "Sub", "Mul", "Div", "Pow", "And", "Or", "Xor", "Greater", "Less", "Equal"];
const consumed = [
  "Relu",
  "LeakyRelu",
  "Elu",
  "Selu",
  "Sigmoid",
  "Tanh",
  "Exp",
  "Log",
  "Sqrt",
  "Abs",
  "Neg",
  "Floor",
];
consumed.push("Ceil", "Reciprocal", "HardSigmoid", "Sum", "Mean", "Max", "Min", "InstanceNormalization");

/** Rules of an operator, the oldest first; the first that applies wins. */
const rules: Readonly<Partial<Record<string, readonly Rule[]>>> = {
  Squeeze: [{ below: 13, convert: intsToInput("axes") }],
  Unsqueeze: [{ below: 13, convert: intsToInput("axes") }],
  ReduceSum: [{ below: 13, convert: intsToInput("axes") }],
  Split: [{ below: 13, convert: intsToInput("split") }],
  Reshape: [{ below: 5, convert: intsToInput("shape") }],
  Clip: [{ below: 11, convert: clip }],
  Pad: [{ below: 11, convert: pad }],
  Slice: [{ below: 10, convert: slice }],
  Dropout: [{ below: 12, convert: dropout }],
  Upsample: [{ below: Infinity, convert: resize }],
  Resize: [
    { below: 11, convert: resize10 },
    { below: 13, convert: resize11 },
  ],
  BatchNormalization: [
    { below: 9, convert: batchNormalizationOutputs },
    { below: 14, convert: batchNormalizationOutputs },
  ],
  Softmax: [{ below: 13, convert: softmax }],
  LogSoftmax: [{ below: 13, convert: softmax }],
  Hardmax: [{ below: 13, convert: softmax }],
  TopK: [{ below: 10, convert: topK }],
  Scatter: [{ below: Infinity, convert: renamed("ScatterElements") }],
  Gemm: [{ below: 7, convert: dropping("broadcast") }],
  Cast: [
    {
      below: 6,
      convert: (node, upgrade) =>
        node.attributes["to"]?.type === "string" ? refuse(node, upgrade, "a type by name") : [node],
    },
  ],
  PRelu: [{ below: 7, convert: legacyBroadcast }],
  ...Object.fromEntries(legacyBinary.map((op) => [op, [{ below: 7, convert: legacyBroadcast }]])),
  ...Object.fromEntries(consumed.map((op) => [op, [{ below: 6, convert: dropping("consumed_inputs") }]])),
};

const ranked: ReadonlySet<string> = new Set(["Softmax", "LogSoftmax", "Hardmax"]);

/** An operand that was aligned by `axis`: the result has the shape of the first. */
export const isAligned = ({ op, attributes }: Node, opset: number): boolean =>
  opset < 7 && (op === "PRelu" || (legacyBinary.includes(op) && attributes["axis"] !== undefined));

/** Nodes whose conversion asks for the rank of their input: they come last, when all others have today's form. */
export const needsRank = (node: Node, opset: number): boolean =>
  ranked.has(node.op) || isAligned(node, opset);

/** Whether an operator had another form in this operator set. */
export function isOfOldForm(op: string, opset: number): boolean {
  return Object.hasOwn(rules, op) && rules[op]?.some(({ below }) => opset < below) === true;
}

/** The node, or the nodes, that say the same in opset 17. */
export function upgradeNode(node: Node, upgrade: Upgrade): readonly Node[] {
  if (node.domain !== "") return spellOut(node, upgrade);
  const rule = Object.hasOwn(rules, node.op)
    ? rules[node.op]?.find(({ below }) => upgrade.opset < below)
    : undefined;
  return rule === undefined ? [node] : rule.convert(node, upgrade);
}
