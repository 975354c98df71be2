/** The static shape of every value, and every value that is known before the run. */
import { own } from "../../core/own.ts";
import { isOverBudget, needWithin } from "../../core/budget.ts";
import { EtlError, isEtlError } from "../../core/errors.ts";
import { sizeOf, type Dim, type Network, type Node, type Parameter, type ValueInfo } from "../network.ts";
import { nodeError, type Constant, type OpContext, type Shape, type ShapeRules } from "./context.ts";
import { elementwiseShapes } from "./elementwise.ts";
import { folding } from "./fold.ts";
import { layout } from "./layout.ts";
import { mixing } from "./mixed.ts";
import { reducing } from "./reduce.ts";
import { windowed } from "./windows.ts";

/** Sizes of the named dimensions. `batch` (default 1) also stands for any other name in front of an input. */
export type Bindings = Readonly<Partial<Record<string, number>>>;

/** Tables larger than this are weights, not index tables: they are not followed. */
const LARGEST_TABLE = 1 << 16;

const rules: ShapeRules = { ...elementwiseShapes, ...windowed, ...layout, ...reducing, ...mixing };

/** Names of the operators with a shape rule, sorted. */
export const shapedOperators: readonly string[] = Object.keys(rules).sort();

export interface Propagated {
  readonly shapes: ReadonlyMap<string, Shape>;
  /** Values of node outputs that are known before the run (parameters are not repeated here). */
  readonly constants: ReadonlyMap<string, Constant>;
}

export interface PropagateOptions {
  readonly bindings?: Bindings;
  /**
   * `skip` leaves out what a node without a rule, or with one that fails, makes; `unknown` what one without a rule makes, or one
   * whose shape depends on data, and all that depends on it, but shapes that clash are an error. Default `throw`.
   */
  readonly onError?: "throw" | "skip" | "unknown";
  /** Largest table that is followed as a value, in elements. */
  readonly largest?: number;
}

/**
 * The shape of every input, parameter and node output, with the named dimensions bound.
 *
 * @param bindings sizes of the named dimensions; `batch` defaults to 1
 * @throws EtlError that names the node: `unsupported` for an operator without a rule, `format` for shapes that clash
 */
export function inferShapes(network: Network, bindings: Bindings = {}): Map<string, readonly number[]> {
  return new Map(propagate(network, { bindings }).shapes);
}

/** Shapes and known values, node by node in topological order. */
export function propagate(network: Network, options: PropagateOptions = {}): Propagated {
  const { bindings = {}, onError = "throw", largest = LARGEST_TABLE } = options;
  const shapes = new Map<string, Shape>();
  const constants = new Map<string, Constant>();
  for (const input of network.inputs) {
    const shape = bind(network, input, bindings);
    needWithin(`${network.name}: input "${input.name}"`, "picture", sizeOf(shape.slice(1)));
    shapes.set(input.name, shape);
  }
  for (const [name, parameter] of network.parameters) {
    shapes.set(name, parameter.shape);
  }
  const isKnown = (name: string): boolean =>
    constants.has(name) || (network.parameters.get(name)?.data.length ?? Infinity) <= largest;
  const constantOf = (name: string): Constant | undefined => {
    const parameter = network.parameters.get(name);
    if (parameter === undefined || parameter.data.length > largest) return constants.get(name);
    return toConstant(parameter);
  };
  for (const node of network.nodes) {
    if (onError === "unknown" && isUnknown(node, shapes)) continue;
    try {
      const op = contextOf(network, node, shapes, constantOf);
      const found = shapesOf(op);
      node.outputs.forEach((output, i) => {
        const shape = found[i];
        if (output !== "" && shape !== undefined) shapes.set(output, shape);
      });
      valuesOf(op, found, { isKnown, largest })?.forEach((value, i) => {
        const output = node.outputs[i];
        if (value !== undefined && output !== undefined && output !== "") constants.set(output, value);
      });
    } catch (error) {
      const isLeft = onError === "skip" || (onError === "unknown" && isEtlError(error, "unsupported"));
      if (!isLeft || !(error instanceof EtlError) || isOverBudget(error)) throw error;
    }
  }
  return { shapes, constants };
}

/** What a node's outputs hold, where that is known before the run. */
export function valuesOf(
  op: OpContext,
  shapes: readonly Shape[],
  { isKnown, largest }: { readonly isKnown: (name: string) => boolean; readonly largest: number },
): readonly (Constant | undefined)[] | undefined {
  const { node } = op;
  const rule = node.domain === "" && Object.hasOwn(folding, node.op) ? folding[node.op] : undefined;
  if (rule === undefined || shapes.some((shape) => sizeOf(shape) > largest)) return undefined;
  const needs = node.op === "Shape" || node.op === "Size" ? [] : node.inputs.filter((name) => name !== "");
  return needs.every(isKnown) ? rule(op, shapes) : undefined;
}

/** A node without a shape rule, or one that reads what such a node makes. */
function isUnknown(node: Node, shapes: ReadonlyMap<string, Shape>): boolean {
  return !Object.hasOwn(rules, keyOf(node)) || node.inputs.some((name) => name !== "" && !shapes.has(name));
}

/** Name of an operator in the table of rules. */
const keyOf = ({ domain, op }: Node): string => (domain === "" ? op : `${domain}:${op}`);

/** @throws EtlError that names the node */
export function shapesOf(op: OpContext): readonly Shape[] {
  const { node } = op;
  const key = keyOf(node);
  const rule = Object.hasOwn(rules, key) ? rules[key] : undefined;
  if (rule === undefined)
    return op.fail("an operator without a shape rule", "a supported one was needed", "unsupported");
  const shapes = rule(op);
  if (shapes.length < node.outputs.length) {
    op.fail(`${node.outputs.length} outputs`, `at most ${shapes.length} were needed`);
  }
  for (const shape of shapes) {
    needWithin(`node "${node.name}" (${node.op})`, "rank", shape.length);
    needWithin(`node "${node.name}" (${node.op})`, "elements", sizeOf(shape));
  }
  return shapes;
}

/** What the rules see of a node. */
export function contextOf(
  network: Pick<Network, "name" | "opset">,
  node: Node,
  shapes: ReadonlyMap<string, Shape>,
  constantOf: (name: string) => Constant | undefined,
): OpContext {
  const fail: OpContext["fail"] = (found, needed, kind) => {
    throw nodeError({ network: network.name, node }, found, needed, kind);
  };
  return {
    node,
    opset: network.opset,
    fail,
    has: (index) => (node.inputs[index] ?? "") !== "",
    input: (index) => {
      const name = node.inputs[index] ?? "";
      return (
        shapes.get(name) ??
        fail(name === "" ? `no input ${index}` : `the shape of "${name}" is not known`, "it was needed")
      );
    },
    constant: (index) => constantOf(node.inputs[index] ?? ""),
  };
}

function bind(network: Network, input: ValueInfo, bindings: Bindings): Shape {
  return input.shape.map((dim, axis) => {
    const size = sizeOfDim(dim, axis, bindings);
    if (size !== undefined && Number.isInteger(size) && size >= 0) return size;
    throw new EtlError(
      "usage",
      `${network.name}: input "${input.name}": dimension ${axis} is the name "${String(dim)}", a size for it was needed`,
      { hint: `bind it: inferShapes(network, { "${String(dim)}": 224 })` },
    );
  });
}

function sizeOfDim(dim: Dim, axis: number, bindings: Bindings): number | undefined {
  if (typeof dim === "number") return dim;
  return own(bindings, dim) ?? (axis === 0 || dim === "batch" ? (bindings["batch"] ?? 1) : undefined);
}

/** A parameter as a table of numbers. */
export function toConstant(parameter: Parameter): Constant {
  const values = Array.from(parameter.data as ArrayLike<number | bigint>, Number);
  return { type: parameter.type, shape: parameter.shape, values };
}
