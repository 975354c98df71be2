/** Which values may carry scaled channels, so that scaling the producers and unscaling the consumers cancels. */
import type { Coupling } from "../network/coupling/types.ts";
import type { Network, Node } from "../network/network.ts";
import { factsOf } from "../network/operators/facts.ts";
import { sharedWeights } from "./draft.ts";

export interface Scalable {
  /** Values whose channels may be scaled. */
  readonly scaled: ReadonlySet<string>;
  /** For the others, the node that does not scale along. */
  readonly reasons: ReadonlyMap<string, string>;
}

/**
 * Values start as scalable and lose it until nothing changes. A layer may take scaled channels in (its weight divides)
 * and hand scaled channels out; a normalisation with its own affine hands out scaled channels but takes none in; of a
 * product only one factor may be scaled; everything that is not homogeneous touches unscaled channels only.
 */
export function scalableValues(network: Network, coupling: Coupling): Scalable {
  const reasons = new Map<string, string>();
  const layers = new Set(coupling.layers.map(({ name }) => name));
  let changed = true;
  const lose = (value: string, reason: string): void => {
    if (value === "" || network.parameters.has(value) || reasons.has(value)) return;
    reasons.set(value, reason);
    changed = true;
  };
  for (const { name } of network.inputs) lose(name, `${name} is an input of the network`);
  for (const { name } of network.outputs) lose(name, `${name} is an output of the network`);
  const shared = sharedWeights(network);
  for (const { name, weight, input, output } of coupling.layers) {
    if (!shared.has(weight)) continue;
    for (const value of [input, output]) lose(value, `${name} shares its weight with another layer`);
  }
  const settle = (): void => {
    do {
      changed = false;
      for (const node of network.nodes) settleNode(network, node, { coupling, layers, reasons, lose });
    } while (changed);
  };
  settle();
  for (const node of network.nodes) {
    const both = node.op === "Mul" && computedInputs(network, node).every((input) => !reasons.has(input));
    if (!both || computedInputs(network, node).length < 2) continue;
    const [, gate] = computedInputs(network, node);
    lose(gate, `Mul ${node.name} multiplies two scaled values`);
    settle();
  }
  const values = [...coupling.layouts.keys()].filter((value) => !reasons.has(value));
  return { scaled: new Set(values), reasons };
}

function computedInputs(network: Network, node: Node): string[] {
  return node.inputs.filter((input) => input !== "" && !network.parameters.has(input));
}

interface State {
  readonly coupling: Coupling;
  readonly layers: ReadonlySet<string>;
  readonly reasons: ReadonlyMap<string, string>;
  readonly lose: (value: string, reason: string) => void;
}

/** All computed inputs and outputs of a homogeneous operator are scaled, or none. */
function settleNode(network: Network, node: Node, { coupling, layers, reasons, lose }: State): void {
  const inputs = computedInputs(network, node);
  const named = `${node.op} ${node.name}`;
  if (layers.has(node.name)) {
    // A computed operand C of a Gemm is scaled with the output.
    if (node.op === "Gemm" && inputs.length > 1) together(reasons, lose, [inputs[1], ...node.outputs]);
    return;
  }
  if (node.op === "BatchNormalization" || node.op === "InstanceNormalization") {
    for (const input of inputs) lose(input, `${named} normalises them with its own statistics`);
    return;
  }
  if (node.op === "Mul" || (node.op === "Div" && inputs[0] === node.inputs[0])) {
    if (node.op === "Div" && inputs.length > 1) lose(inputs[1], `${named} divides by them`);
    if (inputs.length === 1 || node.op === "Div") together(reasons, lose, [inputs[0], node.outputs[0]]);
    else productOf(reasons, lose, { inputs, output: node.outputs[0], named });
    return;
  }
  if (factsOf(node.op).homogeneous !== true || addsUnscaled(network, coupling, node)) {
    for (const value of [...inputs, ...node.outputs]) lose(value, `${named} is not positively homogeneous`);
    return;
  }
  together(reasons, lose, [...inputs, ...node.outputs]);
}

/** All of them scaled, or none. */
function together(reasons: State["reasons"], lose: State["lose"], values: readonly string[]): void {
  const reason = values.map((value) => reasons.get(value)).find((text) => text !== undefined);
  if (reason !== undefined) for (const value of values) lose(value, reason);
}

/** A product is scaled where exactly one factor is. */
function productOf(
  reasons: State["reasons"],
  lose: State["lose"],
  { inputs, output, named }: { inputs: readonly string[]; output: string; named: string },
): void {
  const unscaled = inputs.filter((input) => reasons.has(input));
  if (unscaled.length === inputs.length) lose(output, reasons.get(inputs[0]) ?? named);
  const reason = reasons.get(output);
  if (reason !== undefined) for (const input of inputs) lose(input, reason);
}

/** Operators whose operands are all scaled alike. */
const isSum = ({ op }: Node): boolean =>
  factsOf(op).shape === "broadcast" && factsOf(op).homogeneous === true;

/** Whether an operand would have to be scaled with the others, but cannot. */
function addsUnscaled(network: Network, coupling: Coupling, node: Node): boolean {
  if (!isSum(node) && node.op !== "Concat" && node.op !== "Pad") return false;
  const width = coupling.layouts.get(node.outputs[0])?.atoms.length;
  return node.inputs.some((input, index) => {
    const parameter = network.parameters.get(input);
    if (!parameter) {
      // An operand with one channel for all, or whose channels are not followed.
      return isSum(node) && coupling.layouts.get(input)?.atoms.length !== width;
    }
    if (parameter.type !== "float32" && parameter.type !== "float64") return false;
    if ((parameter.data as Float32Array).every((value) => value === 0)) return false;
    const along =
      coupling.uses.find((use) => use.node === node.name && use.input === index)?.axes.length === 1;
    return !(along && (node.op === "Add" || node.op === "Sub" || node.op === "Sum"));
  });
}
