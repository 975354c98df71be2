/** The promise of plan.json, checked from outside: the file with masked inputs, run in onnxruntime. */
import { float32, intAttribute, type Network, type Node, type Parameter } from "../../lib/network/network.ts";

/** One entry of `layers` in plan.json. */
export interface PlanEntry {
  readonly name: string;
  readonly op: string;
  readonly keptInputs: readonly number[];
  readonly totalInputs: number;
  readonly keptOutputs: readonly number[];
  readonly totalOutputs: number;
  readonly reason?: string;
}

/** The network as the file has it, inputs of every listed layer times the 0/1 mask of `keptInputs`. By name alone. */
export function maskByPlan(file: Network, layers: readonly PlanEntry[]): Network {
  const parameters = new Map<string, Parameter>(file.parameters);
  const entries = new Map(layers.map((entry) => [entry.name, entry]));
  const nodes = file.nodes.flatMap((node): Node[] => {
    const entry = entries.get(node.name);
    if (entry === undefined) return [node];
    const mask = new Float32Array(entry.totalInputs);
    for (const channel of entry.keptInputs) mask[channel] = 1;
    const { input, shape } = placeOf(file, node, entry.totalInputs);
    const [table, masked] = [`${node.name}?mask`, `${node.name}?masked`];
    parameters.set(table, float32(shape, mask));
    const source = node.inputs[input];
    return [
      { name: masked, op: "Mul", domain: "", inputs: [source, table], outputs: [masked], attributes: {} },
      { ...node, inputs: node.inputs.map((name, i) => (i === input ? masked : name)) },
    ];
  });
  return { ...file, nodes, parameters };
}

/** Which input is masked, and the shape that spreads the mask along its channel axis. */
function placeOf(file: Network, node: Node, total: number): { input: number; shape: number[] } {
  const weight = file.parameters.get(node.inputs[1])?.shape;
  if (node.op === "Conv" || node.op === "ConvTranspose") {
    const spatial = (weight?.length ?? 4) - 2;
    return { input: 0, shape: [total, ...new Array<number>(spatial).fill(1)] };
  }
  const input = weight === undefined && file.parameters.has(node.inputs[0]) ? 1 : 0;
  const transposed = node.op === "Gemm" && intAttribute(node, input === 0 ? "transA" : "transB", 0) !== 0;
  const last = (input === 0) !== transposed;
  return { input, shape: last ? [total] : [total, 1] };
}
