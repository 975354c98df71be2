/** The second half of a training step: gradients are clipped, the optimiser updates parameters and its own state. */
import type { Network, ValueInfo } from "../../../network/network.ts";
import type { Shape } from "../../../network/shapes/context.ts";
import { CLIP_EPSILON, slotKey } from "../../training.ts";
import type { TrainingSetup } from "../../worker/messages.ts";
import { add, mul, scale, sqrt } from "../../../gradients/arithmetic.ts";
import { createGraph, type Graph } from "../../../gradients/graph.ts";
import { planOptimizer } from "../../../gradients/optimizers.ts";

/** Global norm of the gradient before clipping, [1]. */
export const NORM = "gradient norm";

/** Trained tensor (parameter, running statistic or optimiser slot), an input of that name -> output with its new value. */
export type StateTensors = ReadonlyMap<string, string>;

export interface Update {
  /** Name of the graph's input for each optimiser scalar, in the optimiser's order. */
  readonly scalars: string[];
  readonly tensors: Map<string, string>;
}

/** How a graph takes in what an update needs. */
interface UpdateSite {
  readonly setup: TrainingSetup;
  /** Shape of a parameter as the graph keeps it. */
  readonly shapeOf: (parameter: string) => Shape;
  readonly addInput: (name: string, shape: Shape) => string;
}

/**
 * Adds the update to a graph that has the parameters as inputs.
 *
 * @param gradients parameter -> value that holds its gradient
 */
export function addUpdate(
  graph: Graph,
  gradients: ReadonlyMap<string, string>,
  { setup, shapeOf, addInput }: UpdateSite,
): Update {
  const plan = planOptimizer(setup.options.optimizer);
  const norm = globalNorm(graph, [...gradients.values()]);
  rename(graph, graph.op("Reshape", [norm, graph.ints([1])]), NORM);
  const clip = clipFactor(graph, norm, setup.options.clipNorm);
  const scalars = plan.scalars.map((name) => addInput(graph.fresh(`optimizer ${name}`), []));
  const tensors = new Map<string, string>();
  for (const [parameter, gradient] of gradients) {
    const state = plan.slots.map((slot) => addInput(slotKey(slot, parameter), shapeOf(parameter)));
    const update = plan.update(graph, {
      parameter,
      gradient: clip === undefined ? gradient : mul(graph, gradient, clip),
      state,
      scalars,
    });
    tensors.set(parameter, update.parameter);
    plan.slots.forEach((slot, i) => tensors.set(slotKey(slot, parameter), update.state[i]));
  }
  return { scalars, tensors };
}

export interface UpdateGraph extends Update {
  readonly network: Network;
}

/** Name of a parameter's gradient from part `part` of a batch, an input of the update. */
export const partKey = (part: number, parameter: string): string => `gradient ${part}/${parameter}`;

/** A graph of its own for the update by the sum of the gradients of several parts of a batch. */
export function buildUpdateGraph(options: {
  readonly setup: TrainingSetup;
  readonly opset: number;
  readonly shapeOf: (parameter: string) => Shape;
  readonly parts: number;
}): UpdateGraph {
  const { setup, opset, shapeOf, parts } = options;
  const graph = createGraph({ opset, block: 0, reserved: [NORM, ...setup.trainable] });
  const inputs: ValueInfo[] = [];
  const addInput = (name: string, shape: Shape): string => {
    inputs.push({ name, type: "float32", shape });
    return name;
  };
  const gradients = new Map<string, string>();
  for (const parameter of setup.trainable) {
    addInput(parameter, shapeOf(parameter));
    const own = Array.from({ length: parts }, (_, part) =>
      addInput(partKey(part, parameter), shapeOf(parameter)),
    );
    gradients.set(
      parameter,
      own.reduce((sum, one) => add(graph, sum, one)),
    );
  }
  const { scalars, tensors } = addUpdate(graph, gradients, { setup, shapeOf, addInput });
  const outputs = [NORM, ...tensors.values()];
  const network: Network = {
    name: "update",
    opset,
    inputs,
    outputs: outputs.map((name) => ({ name, type: "float32", shape: [] })),
    nodes: graph.nodes,
    parameters: graph.parameters,
    metadata: {},
  };
  return { network, scalars, tensors };
}

/** sqrt of the sum of all squares, a scalar. */
function globalNorm(graph: Graph, gradients: readonly string[]): string {
  const squares = gradients.map((name) => graph.op("ReduceSumSquare", [name], { keepdims: 0 }));
  return sqrt(graph, squares.length === 1 ? squares[0] : graph.op("Sum", squares));
}

/** min(1, limit / norm), or undefined where nothing is clipped. */
function clipFactor(graph: Graph, norm: string, limit: number | undefined): string | undefined {
  if (limit === undefined) return undefined;
  const larger = graph.op("Add", [norm, graph.scalar(CLIP_EPSILON)]);
  const ratio = scale(graph, graph.op("Reciprocal", [larger]), limit);
  return graph.op("Min", [ratio, graph.scalar(1)]);
}

/** Gives the last made node's output `from` the name `to`. */
export function rename(graph: Graph, from: string, to: string): void {
  graph.nodes.push({ name: to, op: "Identity", domain: "", inputs: [from], outputs: [to], attributes: {} });
}
