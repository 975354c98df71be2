/** Reverse-mode differentiation of a network into ONNX operators. */
import { EtlError } from "../core/errors.ts";
import { nodesFor } from "../network/edit.ts";
import type { Network, Node } from "../network/network.ts";
import type { Constant, Shape } from "../network/shapes/context.ts";
import { add } from "./arithmetic.ts";
import type { Graph, Value } from "./graph.ts";
import { gradientRules } from "./rules.ts";
import { copyNode, type GradientRule, type Site, type TrainingHooks } from "./site.ts";

export interface ForwardOptions {
  readonly network: Network;
  readonly graph: Graph;
  readonly shapes: ReadonlyMap<string, Shape>;
  /** Values that do not depend on the inputs' contents. */
  readonly constants: ReadonlyMap<string, Constant>;
  /** Values that must be made. */
  readonly targets: readonly string[];
  /** Network inputs and trained parameters, by name. The other parameters become constants. */
  readonly given: ReadonlyMap<string, Value>;
  /** Parameters whose gradient is wanted. */
  readonly trained: ReadonlySet<string>;
  readonly hooks: TrainingHooks;
}

/** A node that was made, ready to be differentiated. */
interface Made {
  readonly rule: GradientRule;
  readonly site: Site;
  readonly outputs: readonly Value[];
}

export interface Forward {
  readonly value: (name: string) => Value;
  /** Nodes on a way from a trained parameter to a target, in order. */
  readonly made: readonly Made[];
}

/** Makes the forward pass in the graph. */
export function buildForward(options: ForwardOptions): Forward {
  const { network, graph, shapes, constants, given } = options;
  const values = new Map<string, Value>(given);
  const dependent = new Set(options.trained);
  const made: Made[] = [];
  const shapeOf = (node: Node, name: string): Shape => {
    const shape = shapes.get(name);
    if (shape === undefined) throw unsupported(node, `its output ${name} has no known shape`);
    return shape;
  };
  const valueOf = (name: string): Value => {
    let value = values.get(name);
    if (value === undefined) {
      value = constantValue(options, name);
      values.set(name, value);
    }
    return value;
  };

  for (const node of nodesFor(network.nodes, options.targets)) {
    if (node.outputs.every((output) => output === "" || constants.has(output))) continue;
    const rule =
      Object.hasOwn(gradientRules, node.op) && node.domain === "" ? gradientRules[node.op] : undefined;
    const isDependent = node.inputs.some((name) => dependent.has(name));
    const site: Site = {
      node,
      graph,
      inputs: node.inputs.map((name) => (name === "" ? undefined : valueOf(name))),
      outputShapes: node.outputs.filter((name) => name !== "").map((name) => shapeOf(node, name)),
      wants: (index) => dependent.has(node.inputs[index] ?? ""),
      constant: (index) => numbersOf(options, node.inputs[index]),
      parameter: (index) => {
        const name = node.inputs[index] ?? "";
        return options.trained.has(name) ? undefined : network.parameters.get(name);
      },
      fail: (found, needed) => {
        throw unsupported(node, found, needed);
      },
      training: options.hooks,
    };
    const isLowered = isDependent || node.op === "Dropout";
    const outputs = isLowered && rule?.forward ? rule.forward(site) : copyNode(site);
    outputs.forEach((value, i) => values.set(node.outputs[i] ?? "", value));
    if (!isDependent) continue;
    if (rule === undefined) throw unsupported(node, "no gradient rule for this operator");
    for (const output of node.outputs) dependent.add(output);
    made.push({ rule, site, outputs });
  }
  return { value: valueOf, made };
}

/**
 * Gradients of the trained parameters, from those of the targets.
 *
 * @param seeds gradient of the loss with respect to each target, by value name
 */
export function buildBackward(
  graph: Graph,
  { made }: Forward,
  seeds: ReadonlyMap<string, readonly Value[]>,
): Map<string, Value> {
  const gradients = new Map<string, Value>();
  const give = (name: string, value: Value): void => {
    const before = gradients.get(name);
    gradients.set(name, before === undefined ? value : sumOf(graph, before, value));
  };
  for (const [name, list] of seeds) for (const value of list) give(name, value);
  for (const { rule, site, outputs } of made.toReversed()) {
    const incoming = site.node.outputs.map((name) => gradients.get(name));
    if (incoming.every((gradient) => gradient === undefined)) continue;
    const back = rule.backward(site, outputs, incoming);
    site.node.inputs.forEach((name, i) => {
      const gradient = back[i];
      if (gradient !== undefined && site.wants(i)) give(name, gradient);
    });
  }
  return gradients;
}

function sumOf(graph: Graph, a: Value, b: Value): Value {
  return a.blockedName !== undefined || b.blockedName !== undefined
    ? graph.blockedValue(a.shape, add(graph, graph.blocked(a), graph.blocked(b)))
    : graph.value(a.shape, add(graph, graph.plain(a), graph.plain(b)));
}

function constantValue({ network, graph, constants }: ForwardOptions, name: string): Value {
  const parameter = network.parameters.get(name);
  if (parameter !== undefined) return graph.value(parameter.shape, graph.constant(parameter, name));
  const constant = constants.get(name);
  if (constant === undefined) {
    throw new EtlError(
      "format",
      `${name}: nothing makes this value, a node, an input or a parameter was needed`,
    );
  }
  const { shape, values, type } = constant;
  const wide = type === "int64" ? BigInt64Array.from(values, saturated) : undefined;
  const data =
    wide ??
    (type === "float32"
      ? Float32Array.from(values)
      : type === "float64"
        ? Float64Array.from(values)
        : type === "int32"
          ? Int32Array.from(values)
          : type === "int8"
            ? Int8Array.from(values)
            : Uint8Array.from(values));
  return graph.value(shape, graph.constant({ type, shape, data }, name));
}

const saturated = (value: number): bigint =>
  value >= 2 ** 63 ? 2n ** 63n - 1n : value <= -(2 ** 63) ? -(2n ** 63n) : BigInt(value);

function numbersOf({ network, constants }: ForwardOptions, name = ""): readonly number[] | undefined {
  const parameter = network.parameters.get(name);
  return parameter === undefined
    ? constants.get(name)?.values
    : Array.from(parameter.data as ArrayLike<number | bigint>, Number);
}

function unsupported(
  node: Node,
  found: string,
  needed = "an operator that can be trained through was needed",
): EtlError {
  return new EtlError("unsupported", `${node.name} (${node.op}): ${found}, ${needed}`, {
    hint: "freeze the parameters in front of this node, or train with another engine",
  });
}
