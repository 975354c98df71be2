/** What a gradient rule sees of its node. */
import type { Node, Parameter } from "../network/network.ts";
import type { Shape } from "../network/shapes/context.ts";
import type { Graph, Value } from "./graph.ts";

export interface Site {
  readonly node: Node;
  readonly graph: Graph;
  /** Values of the inputs; undefined where an optional input is omitted. */
  readonly inputs: readonly (Value | undefined)[];
  /** Shapes of the outputs. */
  readonly outputShapes: readonly Shape[];
  /** Whether the gradient of input `index` is wanted. */
  readonly wants: (index: number) => boolean;
  /** Numbers of input `index` where they are known before the run. */
  readonly constant: (index: number) => readonly number[] | undefined;
  /** The constant tensor of input `index`, where it is one. */
  readonly parameter: (index: number) => Parameter | undefined;
  /** Throws `<node> (<op>): <found>, <needed>`. */
  readonly fail: (found: string, needed: string) => never;
  /** Things that only exist in training. */
  readonly training: TrainingHooks;
}

/** How rules reach what is outside the graph. */
export interface TrainingHooks {
  /** Name of a graph input that holds 0 (dropped) or 1 / (1 - ratio) (kept), anew in each step. */
  readonly dropoutMask: (node: Node, shape: Shape, ratio: number) => string;
  /** Whether input `index` of the node is a trained parameter. */
  readonly isTrained: (node: Node, index: number) => boolean;
  /** New value of a parameter that is not trained by gradient (running statistics). */
  readonly update: (parameter: string, value: string) => void;
}

/** Input `index`, which must be given. */
export function input(site: Site, index: number): Value {
  const value = site.inputs[index];
  return value ?? site.fail(`input ${index} is missing`, "a value was needed");
}

/** Row-major name of input `index`. */
export function plainInput(site: Site, index: number): string {
  return site.graph.plain(input(site, index));
}

/** The node as it is, on row-major inputs. */
export function copyNode({ node, graph, inputs, outputShapes }: Site): Value[] {
  const names = node.outputs.map((name) => (name === "" ? "" : graph.fresh(name)));
  graph.nodes.push({
    ...node,
    inputs: inputs.map((value) => (value === undefined ? "" : graph.plain(value))),
    outputs: names,
  });
  return names.filter((name) => name !== "").map((name, i) => graph.value(outputShapes[i], name));
}

/** Gradients of the inputs, beside them; undefined where there is none. */
export type InputGradients = readonly (Value | undefined)[];

export interface GradientRule {
  /** Makes the outputs; default: the node as it is, on row-major inputs. */
  readonly forward?: (site: Site) => readonly Value[];
  /**
   * Vector-Jacobian product.
   *
   * @param outputs values of the outputs
   * @param gradients gradients of the loss with respect to the outputs; at least one is given
   */
  readonly backward: (
    site: Site,
    outputs: readonly Value[],
    gradients: readonly (Value | undefined)[],
  ) => InputGradients;
}

export type Rules = Readonly<Record<string, GradientRule>>;
