/** One graph for a whole training step: forward, losses, gradients, clipping, optimiser update. */
import { EtlError } from "../../../core/errors.ts";
import { dropDead } from "../../../network/edit.ts";
import type { Network, Node, ValueInfo } from "../../../network/network.ts";
import { sizeOf } from "../../../network/network.ts";
import type { Shape } from "../../../network/shapes/context.ts";
import { propagate } from "../../../network/shapes/infer.ts";
import { runningStatistics, usesBatchStatistics, withInputShapes } from "../../training.ts";
import type { TrainingSetup } from "../../worker/messages.ts";
import { buildBackward, buildForward } from "../../../gradients/differentiate.ts";
import { createGraph, type Graph, type Value } from "../../../gradients/graph.ts";
import { buildLoss } from "../../../gradients/losses.ts";
import { weightForms } from "../../../gradients/packing.ts";
import { fuseConvolutions } from "../../../gradients/fuse.ts";
import { centreNorms, poolFirst } from "../../../gradients/simplify.ts";
import type { TrainingHooks } from "../../../gradients/site.ts";
import type { SessionSettings } from "../session.ts";
import { addUpdate, NORM, rename, type StateTensors, type Update } from "./update.ts";

export interface TrainingGraphOptions {
  readonly network: Network;
  readonly setup: TrainingSetup;
  /** Shapes of the fed network inputs. */
  readonly inputShapes: Readonly<Record<string, Shape>>;
  /** `step` updates; `gradients` gives the gradients. */
  readonly mode: "step" | "gradients";
  /** Channels per block of the blocked layout; 0: not used. */
  readonly block: number;
}

/** A dropout mask to be drawn at each step. */
interface DropoutMask {
  readonly name: string;
  readonly node: string;
  readonly shape: Shape;
  readonly ratio: number;
}

export interface TrainingGraph {
  readonly network: Network;
  /** Targets and masks that are fed: name -> shape. */
  readonly feeds: ReadonlyMap<string, Shape>;
  readonly dropout: readonly DropoutMask[];
  /** Name of the graph's input for each optimiser scalar. */
  readonly scalars: readonly string[];
  readonly tensors: StateTensors;
  /** Parameter -> output that holds its gradient. */
  readonly gradients: ReadonlyMap<string, string>;
}

export const TERMS = "loss terms";

/**
 * How sessions of training graphs are built: in the blocked layout there is nothing left to fuse, and looking for it
 * takes most of the compile time.
 */
export function trainingSettings(block: number): Pick<SessionSettings, "optimization"> {
  return { optimization: block > 0 ? "disabled" : "all" };
}

/** Builds the graph for fixed input shapes. */
export function buildTrainingGraph(options: TrainingGraphOptions): TrainingGraph {
  const { setup, inputShapes } = options;
  const { losses } = setup.options;
  const targets = [...new Set(losses.map(({ output }) => output))];
  const trained = new Set(setup.trainable);
  const seen = new Set(targets);
  const usesBatch = (node: Node): boolean => usesBatchStatistics(node, trained);
  const network = centreNorms(poolFirst(options.network, seen), usesBatch, seen);
  const graph = createGraph({
    opset: network.opset,
    block: options.block,
    reserved: [TERMS, NORM, ...network.inputs.map(({ name }) => name), ...network.parameters.keys()],
  });
  const inputs: ValueInfo[] = [];
  const addInput = (name: string, shape: Shape): string => {
    inputs.push({ name, type: "float32", shape });
    return name;
  };

  const given = new Map<string, Value>();
  for (const { name } of network.inputs) {
    const shape = inputShapes[name];
    given.set(name, graph.value(shape, addInput(name, shape)));
  }
  const running = runningStatistics(network, trained);
  const forms = weightForms(network, setup.trainable, options.block);
  const shapeOf = (name: string): Shape =>
    forms.get(name)?.packedShape ?? network.parameters.get(name)?.shape ?? [];
  for (const name of [...setup.trainable, ...running]) {
    addInput(name, shapeOf(name));
    const form = forms.get(name);
    given.set(name, form ? { shape: form.shape, packedName: name } : graph.value(shapeOf(name), name));
  }

  const dropout: DropoutMask[] = [];
  const masks = new Map<string, string>();
  const updates = new Map<string, string>();
  const hooks: TrainingHooks = {
    dropoutMask: (node, shape, ratio) => {
      let name = masks.get(node.name);
      if (name === undefined) {
        name = addInput(graph.fresh(`mask of ${node.name}`), shape);
        masks.set(node.name, name);
        dropout.push({ name, node: node.name, shape, ratio });
      }
      return name;
    },
    isTrained: (node: Node, index: number) => trained.has(node.inputs[index] ?? ""),
    update: (parameter, value) => updates.set(parameter, value),
  };

  const { shapes, constants } = propagate(
    withInputShapes(network, inputShapes, new Set([...trained, ...running])),
  );
  const forward = buildForward({ network, graph, shapes, constants, targets, given, trained, hooks });

  const feeds = new Map<string, Shape>();
  const feedsOf = (rows: Shape) => (name: string) => {
    const known = feeds.get(name);
    if (known === undefined) {
      if (inputs.some((input) => input.name === name)) return name;
      feeds.set(name, rows);
      return addInput(name, rows);
    }
    if (known.join() !== rows.join()) {
      throw new EtlError(
        "usage",
        `${name}: rows of ${known[1]} and of ${rows[1]} values, one width was needed`,
      );
    }
    return name;
  };
  const seeds = new Map<string, Value[]>();
  const terms: string[] = [];
  for (const loss of losses) {
    const output = forward.value(loss.output);
    const [n] = output.shape;
    const parts = buildLoss(graph, loss, output, feedsOf([n, sizeOf(output.shape) / n]));
    terms.push(graph.op("Reshape", [parts.term, graph.ints([1])]));
    seeds.set(loss.output, [...(seeds.get(loss.output) ?? []), parts.gradient]);
  }
  const backward = buildBackward(graph, forward, seeds);
  const gradients = new Map<string, string>();
  for (const name of setup.trainable) {
    const gradient = backward.get(name);
    gradients.set(
      name,
      gradient === undefined ? zeros(graph, shapeOf(name)) : (gradient.packedName ?? graph.plain(gradient)),
    );
  }

  rename(graph, terms.length === 1 ? terms[0] : graph.op("Concat", terms, { axis: 0 }), TERMS);
  const outputs = [TERMS];
  let update: Update = { scalars: [], tensors: new Map() };
  if (options.mode === "step") {
    update = addUpdate(graph, gradients, { setup, shapeOf, addInput });
    for (const [name, output] of updates) update.tensors.set(name, output);
    outputs.push(NORM, ...update.tensors.values());
  } else {
    outputs.push(...gradients.values());
  }
  return {
    network: finish(network, graph, inputs, [...new Set(outputs)]),
    feeds,
    dropout,
    gradients,
    ...update,
  };
}

function zeros(graph: Graph, shape: Shape): string {
  return graph.op("Identity", [graph.floats(shape, new Float32Array(sizeOf(shape)))]);
}

/** The graph as a network, without what nobody reads. */
function finish(source: Network, graph: Graph, inputs: ValueInfo[], outputs: readonly string[]): Network {
  const { nodes, parameters, ...rest } = dropDead({
    name: `${source.name} training`,
    opset: source.opset,
    inputs,
    outputs: outputs.map((name) => ({ name, type: "float32", shape: [] })),
    nodes: graph.nodes,
    parameters: graph.parameters,
    metadata: {},
  });
  return { ...rest, nodes: fuseConvolutions(nodes, parameters, new Set(outputs)), parameters };
}
