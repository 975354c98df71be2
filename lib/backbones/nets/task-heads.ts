/** Heads as the papers of the light networks have them: dropout before a linear layer, or one head for every output. */
import type { Task } from "../../core/artifacts.ts";
import type { Network, Node, Parameter } from "../../network/network.ts";
import { float32 } from "../../network/network.ts";
import { predictionName, withHead } from "../head.ts";

export interface TaskHeadOptions {
  /** Width of the prediction: `task.outputs`. */
  readonly outputs: number;
  /** `one` layer for all outputs, or `each` its own (dropout and one neuron), side by side. Default `one`. */
  readonly heads?: "one" | "each";
  /** Share of the features dropped in training; default 0. */
  readonly dropout?: number;
  /** Written into the metadata. */
  readonly task?: Task;
}

/**
 * A network with a fresh head (zeros) on `features`: global average where they have height and width, Flatten, dropout,
 * linear. With `each`, output k is made by the layer `prediction.k`.
 */
export function withTaskHeads(network: Network, features: string, options: TaskHeadOptions): Network {
  const { outputs, heads = "one", dropout = 0, task } = options;
  const plain = withHead(network, features, { outputs, ...(task === undefined ? {} : { task }) });
  const gemm = plain.nodes.at(-1);
  if (gemm === undefined || (heads === "one" && dropout === 0)) return plain;
  const nodes: Node[] = plain.nodes.slice(0, -1);
  const parameters = new Map<string, Parameter>(plain.parameters);
  const [from] = gemm.inputs;
  const dropped = (name: string): string => {
    if (dropout === 0) return from;
    const ratio = `${name}.ratio`;
    parameters.set(ratio, float32([], Float32Array.of(dropout)));
    nodes.push({ name, op: "Dropout", domain: "", inputs: [from, ratio], outputs: [name], attributes: {} });
    return name;
  };
  if (heads === "one") {
    nodes.push({ ...gemm, inputs: [dropped(`${predictionName}/dropout`), ...gemm.inputs.slice(1)] });
    return { ...plain, nodes, parameters };
  }
  const width = parameters.get(`${predictionName}.weight`)?.shape[1] ?? 0;
  parameters.delete(`${predictionName}.weight`);
  parameters.delete(`${predictionName}.bias`);
  const parts = Array.from({ length: outputs }, (_, k) => {
    const name = `${predictionName}.${k}`;
    parameters.set(`${name}.weight`, float32([1, width], new Float32Array(width)));
    parameters.set(`${name}.bias`, float32([1], new Float32Array(1)));
    const inputs = [dropped(`${name}/dropout`), `${name}.weight`, `${name}.bias`];
    nodes.push({ ...gemm, name, inputs, outputs: [name] });
    return name;
  });
  const axis = { axis: { type: "int", value: 1 } } as const;
  const joined = { op: "Concat", domain: "", inputs: parts, outputs: [predictionName], attributes: axis };
  nodes.push({ name: predictionName, ...joined });
  return { ...plain, nodes, parameters };
}
