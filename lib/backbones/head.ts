/** Putting a task's head on a backbone, and finding it again. Pure. */
import { factsOf } from "../network/operators/facts.ts";
import type { Task } from "../core/artifacts.ts";
import { EtlError } from "../core/errors.ts";
import {
  consumersOf,
  float32,
  intAttribute,
  producersOf,
  type Network,
  type Node,
} from "../network/network.ts";
import { symbolicShapes } from "../network/open/symbolic.ts";
import { inferShapes } from "../network/shapes/infer.ts";
import { dropDead } from "../network/edit.ts";
import { describe, forget, textOf } from "./metadata.ts";

/** Name of the output that a head makes unless another is asked for: logits, or target units of a regression. */
export const predictionName = "prediction";

export interface HeadOptions {
  /** Width of the prediction: `task.outputs`. */
  readonly outputs: number;
  /** [outputs, channels of the features], row-major; default: zeros. */
  readonly weight?: Float32Array;
  /** [outputs]; default: zeros. */
  readonly bias?: Float32Array;
  /** Name of the prediction and prefix of the head's nodes and parameters; default `predictionName`. */
  readonly name?: string;
  /** Written into the metadata: classes, unit, scale. */
  readonly task?: Task;
}

/**
 * A network that predicts a task: everything up to `features` stays, what only the old outputs needed goes, and a
 * linear head is appended: global average (where the features still have height and width), Flatten, Gemm.
 *
 * @param features name of a value [n, channels] or [n, channels, height, width]
 * @returns one output, [batch, outputs]
 */
export function withHead(network: Network, features: string, options: HeadOptions): Network {
  return withHeads(network, features, [options]);
}

/**
 * The same with several heads side by side on the same features, each an output of its own name.
 *
 * @returns one output for each head, in their order
 */
export function withHeads(network: Network, features: string, heads: readonly HeadOptions[]): Network {
  const trunk = cutAt(network, features);
  const shape = inferShapes(trunk).get(features);
  if (shape === undefined || (shape.length !== 2 && shape.length !== 4)) {
    throw new EtlError(
      "usage",
      `${network.name}: features "${features}" have the shape [${(shape ?? []).join(", ")}], [n, channels] or [n, channels, height, width] was needed`,
    );
  }
  const nodes: Node[] = [...trunk.nodes];
  const parameters = new Map(trunk.parameters);
  let x = features;
  const add = (op: string, output: string, inputs: string[], attributes: Node["attributes"]): void => {
    nodes.push({ name: output, op, domain: "", inputs, outputs: [output], attributes });
    x = output;
  };
  const [{ name: first = predictionName, task }] = heads;
  if (shape.length === 4) {
    if (shape[2] * shape[3] > 1) add("GlobalAveragePool", `${first}/pool`, [x], {});
    add("Flatten", `${first}/flat`, [x], { axis: { type: "int", value: 1 } });
  }
  const flat = x;
  for (const head of heads) {
    const { name = predictionName, outputs } = head;
    const { weight, bias } = weightsOf(head, shape[1], network);
    add("Gemm", name, [flat, `${name}.weight`, `${name}.bias`], { transB: { type: "int", value: 1 } });
    parameters
      .set(`${name}.weight`, float32([outputs, shape[1]], weight))
      .set(`${name}.bias`, float32([outputs], bias));
  }
  const headed: Network = {
    ...forget(trunk, ["embedding", "task", "tasks", "parts"]),
    outputs: heads.map(({ name = predictionName, outputs }) => ({
      name,
      type: "float32",
      shape: ["batch", outputs],
    })),
    nodes,
    parameters,
  };
  if (heads.length === 1) return describe(headed, { features, ...(task === undefined ? {} : { task }) });
  const tasks = heads.flatMap(({ name = predictionName, task: own }) =>
    own === undefined ? [] : [{ output: name, task: own }],
  );
  return describe(headed, { features, ...(tasks.length === 0 ? {} : { tasks }) });
}

function weightsOf(
  { outputs, name = predictionName, ...given }: HeadOptions,
  channels: number,
  network: Network,
): { weight: Float32Array; bias: Float32Array } {
  const weight = given.weight ?? new Float32Array(outputs * channels);
  const bias = given.bias ?? new Float32Array(outputs);
  if (weight.length === outputs * channels && bias.length === outputs) return { weight, bias };
  const found = `${weight.length} weights and ${bias.length} biases`;
  const needed = `${outputs} x ${channels} weights and ${outputs} biases were needed`;
  throw new EtlError("usage", `${network.name}: head "${name}" with ${found}, ${needed}`);
}

/** The network with `value` as its only output and nothing that it does not need. */
export function cutAt(network: Network, value: string): Network {
  const producers = producersOf(network);
  if (!producers.has(value)) {
    throw new EtlError(
      "usage",
      `${network.name}: no value "${value}", the name of a node's output was needed`,
    );
  }
  const cut = dropDead({ ...network, outputs: [{ name: value, type: "float32", shape: [] }] });
  const read = consumersOf(cut);
  const inputs = cut.inputs.filter(({ name }) => read.has(name));
  const shape = symbolicShapes({ ...cut, inputs, outputs: [] }).get(value) ?? [];
  return { ...cut, inputs, outputs: [{ name: value, type: "float32", shape }] };
}

/** The linear layer that makes a network's output. */
export interface HeadOfOutput {
  /** Output of the network. */
  readonly output: string;
  /** Value that the head reads, [n, channels]. */
  readonly input: string;
  /** Parameter name; [outputs, channels] where `transposed`, else [channels, outputs]. */
  readonly weight: string;
  readonly transposed: boolean;
  /** Parameter name, where there is one. */
  readonly bias?: string;
  /** Names of the head's nodes: the trunk is the rest. */
  readonly nodes: readonly string[];
}

/**
 * The linear layer at the end of a network, or undefined where its output is made otherwise.
 *
 * @param output name of an output; default: the first
 */
export function headOf(network: Network, output: string = network.outputs[0].name): HeadOfOutput | undefined {
  const producers = producersOf(network);
  const maker = producers.get(output);
  if (maker === undefined) return undefined;
  const isParameter = (name: string | undefined): name is string =>
    name !== undefined && network.parameters.has(name);
  if (maker.op === "Add") {
    const bias = maker.inputs.find(isParameter);
    const other = maker.inputs.find((name) => !network.parameters.has(name));
    const product = other === undefined ? undefined : producers.get(other);
    const inner = product?.op === "MatMul" ? headOf(network, product.outputs[0]) : undefined;
    if (bias === undefined || inner === undefined) return undefined;
    return { ...inner, output, bias, nodes: [...inner.nodes, maker.name] };
  }
  const [input, weight, bias] = maker.inputs;
  if ((maker.op !== "Gemm" && maker.op !== "MatMul") || !isParameter(weight)) return undefined;
  const transposed = maker.op === "Gemm" && intAttribute(maker, "transB", 0) === 1;
  const base = { output, input, weight, transposed, nodes: [maker.name] };
  return isParameter(bias) ? { ...base, bias } : base;
}

/**
 * The value a new head should be put on: what the metadata name; else the input of the linear layers at the end,
 * before flattening (so that it still has channels); else the output itself.
 */
export function featuresOf(network: Network): string {
  const producers = producersOf(network);
  const named = textOf(network, "features");
  if (named !== undefined && producers.has(named)) return named;
  let value = network.outputs[0].name;
  let maker = producers.get(value);
  while (maker !== undefined && factsOf(maker.op).answer === true) {
    value = maker.inputs[0];
    maker = producers.get(value);
  }
  const head = headOf(network, value);
  if (head === undefined) return value;
  value = head.input;
  maker = producers.get(value);
  while (maker !== undefined && factsOf(maker.op).features === true) {
    value = maker.inputs[0];
    maker = producers.get(value);
  }
  return value;
}
