/** A network made ready for inputs of known shapes: which kernels run in which order, and what is known beforehand. */
import * as tf from "@tensorflow/tfjs-core";
import { EtlError, isEtlError, messageOf } from "../../core/errors.ts";
import { hasOpenSizes, type ElementType, type Network, type Node } from "../../network/network.ts";
import type { Constant, Shape } from "../../network/shapes/context.ts";
import { propagate } from "../../network/shapes/infer.ts";
import { dropDead } from "../../network/edit.ts";
import { operators } from "./operators/table.ts";
import type { Kernel, Operator, TfjsSite, TfjsTrainingHooks } from "./site.ts";
import { TfjsValue } from "./value.ts";

export interface Step {
  readonly node: Node;
  readonly kernel: Kernel;
}

export interface TfjsPlan {
  /** Nodes whose results are not known before the run, in order. */
  readonly steps: readonly Step[];
  /** Values that are known before the run. */
  readonly constants: ReadonlyMap<string, Constant>;
  readonly shapes: ReadonlyMap<string, Shape>;
}

/** The error of a node: `<node> (<op>): <found>, <needed>`. */
function refused(node: Node, found: string, needed: string): EtlError {
  return new EtlError("unsupported", `${node.name} (${node.op}): ${found}, ${needed}`, {
    hint: "use --engine ort",
  });
}

/** The operator of a node. */
export function operatorOf(node: Node): Operator {
  const operator = node.domain === "" && Object.hasOwn(operators, node.op) ? operators[node.op] : undefined;
  if (operator !== undefined) return operator;
  const name = node.domain === "" ? "this operator" : `an operator of ${node.domain}`;
  throw refused(node, `the tfjs engine does not know ${name}`, "a supported one was needed");
}

/** The part of a network that makes `outputs`. */
export function partFor(network: Network, outputs: readonly string[]): Network {
  const infos = outputs.map((name) => ({ name, type: "float32" as const, shape: [] }));
  return { ...dropDead({ ...network, outputs: infos }), outputs: infos };
}

/** @param network every dimension of its inputs a number */
export function planNetwork(network: Network): TfjsPlan {
  const { shapes, constants } = propagate(network);
  const steps = network.nodes.flatMap((node): Step[] => {
    if (node.outputs.every((output) => output === "" || constants.has(output))) return [];
    return [{ node, kernel: operatorOf(node).prepare(siteOf(network, node, { shapes, constants })) }];
  });
  return { steps, constants, shapes };
}

function siteOf(network: Network, node: Node, { shapes, constants }: Omit<TfjsPlan, "steps">): TfjsSite {
  const fail: TfjsSite["fail"] = (found, needed) => {
    throw refused(node, found, needed);
  };
  const shapeOf = (name: string): Shape =>
    shapes.get(name) ?? fail(`the shape of "${name}" is not known`, "it was needed");
  return {
    node,
    opset: network.opset,
    fail,
    has: (index) => (node.inputs[index] ?? "") !== "",
    input: (index) => shapeOf(node.inputs[index] ?? ""),
    outputs: node.outputs.filter((name) => name !== "").map(shapeOf),
    constant: (index) => {
      const name = node.inputs[index] ?? "";
      const parameter = network.parameters.get(name);
      return parameter === undefined
        ? constants.get(name)?.values
        : Array.from(parameter.data as ArrayLike<number | bigint>, Number);
    },
  };
}

/**
 * Refuses a network that cannot run, before it does: operators by name, and where only the batch is open every setting, by
 * preparing it for one picture. Shapes that clash at one picture are left to the run.
 */
export function checkNetwork(network: Network): void {
  for (const node of network.nodes) {
    const isKnown = node.outputs.every((output) => output === "");
    if (!isKnown && !foldable.has(node.op)) operatorOf(node);
  }
  if (hasOpenSizes(network)) return;
  const inputs = network.inputs.map((input) => ({
    ...input,
    shape: input.shape.map((dim) => (typeof dim === "number" ? dim : 1)),
  }));
  try {
    planNetwork({ ...network, inputs });
  } catch (error) {
    if (!isEtlError(error, "format") || network.inputs.every(({ shape }) => typeof shape[0] === "number"))
      throw error;
  }
}

/** Operators without a kernel, whose results are known once the shapes are. */
const foldable = new Set(["Shape", "Size", "Constant", "ConstantOfShape", "Range"]);

/** tfjs has integers of 32 bits. */
function typeOf(type: ElementType): "float32" | "int32" | "bool" {
  if (type === "float32" || type === "float64") return "float32";
  return type === "bool" ? "bool" : "int32";
}

/** A constant or parameter as a value that is made when it is first needed, and lives until it is disposed. */
export function constantValue(
  name: string,
  type: ElementType,
  shape: Shape,
  data: ArrayLike<number | bigint>,
): TfjsValue {
  const make = (): tf.Tensor => {
    if (type === "float32" && data instanceof Float32Array) return tf.tensor(data, [...shape], "float32");
    const numbers = Array.from(data, Number);
    const kind = typeOf(type);
    if (kind === "float32") return tf.tensor(Float32Array.from(numbers), [...shape], kind);
    if (kind === "bool") return tf.tensor(Uint8Array.from(numbers), [...shape], kind);
    const large = numbers.find((value) => Math.abs(value) >= 2 ** 31);
    if (large !== undefined) {
      throw new EtlError("unsupported", `${name}: the integer ${large}, one of 32 bits was needed`, {
        hint: "use --engine ort",
      });
    }
    return tf.tensor(Int32Array.from(numbers), [...shape], kind);
  };
  return new TfjsValue(shape, make, { kept: true });
}

/** Runs one node; what tfjs throws is given the node's name. */
export function runStep(
  { node, kernel }: Step,
  valueOf: (name: string) => TfjsValue,
  training?: TfjsTrainingHooks,
): readonly TfjsValue[] {
  try {
    return kernel(
      node.inputs.map((name) => (name === "" ? undefined : valueOf(name))),
      training,
    );
  } catch (error) {
    if (isEtlError(error)) throw error;
    throw new EtlError(
      "engine",
      `${node.name} (${node.op}): tfjs failed (${messageOf(error)}), inputs that fit the operator were needed`,
      { cause: error },
    );
  }
}
