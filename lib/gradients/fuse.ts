/**
 * What follows a convolution in onnxruntime's blocked layout is done by its kernel: a tensor of the same shape is added
 * and an activation is taken before the result is written.
 */
import type { Attribute, Node, Parameter } from "../network/network.ts";
import { NCHWC } from "./blocked.ts";

/** The largest float32, for bounds that are not there. */
const LARGEST = 3.4028234663852886e38;

const isConvolution = ({ op, domain }: Node): boolean => op === "Conv" && domain === NCHWC;

/**
 * Nodes with Add, Relu and Clip taken into the convolutions in front of them. Additions of a blocked convolution's output
 * must be of equal shapes, which those of the blocked layout are.
 *
 * @param outputs values that are read from outside
 */
export function fuseConvolutions(
  nodes: readonly Node[],
  parameters: ReadonlyMap<string, Parameter>,
  outputs: ReadonlySet<string>,
): Node[] {
  const uses = new Map<string, number>();
  for (const name of [...outputs, ...nodes.flatMap(({ inputs }) => inputs)]) {
    uses.set(name, (uses.get(name) ?? 0) + 1);
  }
  // value -> the convolution that makes it and may still take something in, with its place
  const open = new Map<string, { readonly node: Node; readonly index: number }>();
  const result: (Node | undefined)[] = [];
  for (const node of nodes) {
    const names = node.op === "Add" ? node.inputs : node.inputs.slice(0, 1);
    const found = names
      .flatMap((name) => (uses.get(name) === 1 ? [open.get(name)] : []))
      .filter((conv) => conv !== undefined)
      .toSorted((a, b) => b.index - a.index);
    const taken = found.flatMap(({ node: conv, index }) => {
      const fused = fuse(conv, node, parameters);
      return fused === undefined ? [] : [{ fused, index }];
    });
    if (taken.length === 0) {
      result.push(node);
      if (isConvolution(node)) open.set(node.outputs[0], { node, index: result.length - 1 });
      continue;
    }
    const [{ fused, index }] = taken;
    result[index] = undefined;
    result.push(fused);
    open.set(fused.outputs[0], { node: fused, index: result.length - 1 });
  }
  return result.filter((node) => node !== undefined);
}

/** The convolution with the work of `next`, or undefined where it cannot take it in. */
function fuse(conv: Node, next: Node, parameters: ReadonlyMap<string, Parameter>): Node | undefined {
  if (next.domain !== "" || "activation" in conv.attributes) return undefined;
  const [made] = conv.outputs;
  const [x, weights, bias = "", addend] = conv.inputs;
  if (next.op === "Add") {
    if (addend !== undefined) return undefined;
    const other = next.inputs[0] === made ? next.inputs[1] : next.inputs[0];
    return { ...conv, inputs: [x, weights, bias, other], outputs: next.outputs };
  }
  const activation = activationOf(next, parameters);
  if (activation === undefined) return undefined;
  return { ...conv, outputs: next.outputs, attributes: { ...conv.attributes, ...activation } };
}

function activationOf(
  { op, inputs }: Node,
  parameters: ReadonlyMap<string, Parameter>,
): Record<string, Attribute> | undefined {
  if (op === "Relu") return { activation: { type: "string", value: "Relu" } };
  if (op !== "Clip") return undefined;
  const bound = (name: string | undefined, missing: number): number =>
    name === undefined || name === "" ? missing : Number(parameters.get(name)?.data[0] ?? NaN);
  const bounds = [bound(inputs[1], -LARGEST), bound(inputs[2], LARGEST)];
  if (bounds.some(Number.isNaN)) return undefined;
  return {
    activation: { type: "string", value: "Clip" },
    activation_params: { type: "floats", value: bounds },
  };
}
