/** What onnxruntime fuses when it saves an optimised model, in the words of ai.onnx again. */
import { float32, type Attribute, type Node } from "../../network/network.ts";
import type { Upgrade } from "./upgrade.ts";

const textOf = (attribute: Attribute | undefined): string =>
  attribute?.type === "string" ? attribute.value : "";

const float = (value: number): Attribute => ({ type: "float", value });

/** The numbers of an activation, in the order of `activation_params`. */
const named: Readonly<Partial<Record<string, readonly string[]>>> = {
  Relu: [],
  Tanh: [],
  Sigmoid: [],
  LeakyRelu: ["alpha"],
  HardSigmoid: ["alpha", "beta"],
};

interface Activation {
  readonly op: string;
  readonly params: readonly number[];
}

/** The activation as a node from `input` to `outputs`; undefined where its name is not known. */
function activate(
  { op, params }: Activation,
  { node, input, upgrade }: { readonly node: Node; readonly input: string; readonly upgrade: Upgrade },
): Node | undefined {
  const name = upgrade.fresh(`${node.name}.${op}`);
  const plain = { name, op, domain: "", outputs: node.outputs };
  if (op === "Clip") {
    const bounds = params.map((value, i) =>
      upgrade.constant(`${node.name}.${i === 0 ? "min" : "max"}`, float32([], Float32Array.of(value))),
    );
    return { ...plain, inputs: [input, ...bounds], attributes: {} };
  }
  const names = Object.hasOwn(named, op) ? named[op] : undefined;
  if (names === undefined || params.length < names.length) return undefined;
  return {
    ...plain,
    inputs: [input],
    attributes: Object.fromEntries(names.map((key, i) => [key, float(params[i])])),
  };
}

const without = (node: Node, ...names: string[]): Node["attributes"] =>
  Object.fromEntries(Object.entries(node.attributes).filter(([name]) => !names.includes(name)));

/** FusedConv: activation(convolution + Z). */
function fusedConv(node: Node, upgrade: Upgrade): readonly Node[] {
  const { activation, activation_params: given } = node.attributes;
  const params = given?.type === "floats" ? given.value : [];
  const [x = "", weight = "", bias = "", z = ""] = node.inputs;
  const layer: Node = {
    ...node,
    op: "Conv",
    domain: "",
    inputs: bias === "" ? [x, weight] : [x, weight, bias],
    attributes: without(node, "activation", "activation_params"),
  };
  const op = textOf(activation);
  return chained(layer, { z, activation: op === "" ? undefined : { op, params } }, upgrade) ?? [node];
}

/** FusedGemm: activation(Gemm). */
function fusedGemm(node: Node, upgrade: Upgrade): readonly Node[] {
  const names = ["activation_alpha", "activation_beta", "activation_gamma"];
  const params = names.flatMap((name) => {
    const attribute = node.attributes[name];
    return attribute?.type === "float" ? [attribute.value] : [];
  });
  const op = textOf(node.attributes["activation"]);
  const layer: Node = {
    ...node,
    op: "Gemm",
    domain: "",
    attributes: without(node, "activation", ...names),
  };
  return chained(layer, { z: "", activation: op === "" ? undefined : { op, params } }, upgrade) ?? [node];
}

/** FusedMatMul: alpha times a product; one of transposed operands is left as it is. */
function fusedMatMul(node: Node, upgrade: Upgrade): readonly Node[] {
  const { alpha, ...others } = node.attributes;
  if (Object.values(others).some((attribute) => attribute?.type !== "int" || attribute.value !== 0))
    return [node];
  const layer: Node = { ...node, op: "MatMul", domain: "", attributes: {} };
  if (alpha?.type !== "float" || alpha.value === 1) return [layer];
  const between = upgrade.fresh(`${node.name}.product`);
  const factor = upgrade.constant(`${node.name}.alpha`, float32([], Float32Array.of(alpha.value)));
  const name = upgrade.fresh(`${node.name}.scaled`);
  const scale = { name, op: "Mul", domain: "", inputs: [between, factor], attributes: {} };
  return [
    { ...layer, outputs: [between] },
    { ...scale, outputs: node.outputs },
  ];
}

/** A layer, what is added to it, its activation, one after the other. */
function chained(
  layer: Node,
  { z, activation }: { readonly z: string; readonly activation: Activation | undefined },
  upgrade: Upgrade,
): readonly Node[] | undefined {
  const nodes: Node[] = [layer];
  const renamed = (label: string): string => {
    const between = upgrade.fresh(`${layer.name}.${label}`);
    const last = nodes.pop();
    if (last !== undefined) nodes.push({ ...last, outputs: [between] });
    return between;
  };
  if (z !== "") {
    const inputs = [renamed("sum"), z];
    const name = upgrade.fresh(`${layer.name}.Add`);
    nodes.push({ name, op: "Add", domain: "", inputs, outputs: layer.outputs, attributes: {} });
  }
  if (activation !== undefined) {
    const last = activate(activation, { node: layer, input: renamed("linear"), upgrade });
    if (last === undefined) return undefined;
    nodes.push(last);
  }
  return nodes;
}

const rules: Readonly<Partial<Record<string, (node: Node, upgrade: Upgrade) => readonly Node[]>>> = {
  FusedConv: fusedConv,
  FusedGemm: fusedGemm,
  FusedMatMul: fusedMatMul,
};

/** A node of onnxruntime's own operator set in plain words; the node itself where there are none. */
export function spellOut(node: Node, upgrade: Upgrade): readonly Node[] {
  if (node.domain !== "com.microsoft" || !Object.hasOwn(rules, node.op)) return [node];
  return rules[node.op]?.(node, upgrade) ?? [node];
}
