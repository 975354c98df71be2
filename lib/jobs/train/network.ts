/** The network of a training run: built for its tasks, filled from a file or fresh, and made ready for use afterwards. */
import type { Preprocessing } from "../../core/artifacts.ts";
import type { CropChoice } from "../../core/crop.ts";
import { EtlError } from "../../core/errors.ts";
import { predictionName } from "../../backbones/head.ts";
import { initialise } from "../../backbones/initialise.ts";
import type { Architecture } from "../../backbones/architecture.ts";
import { describe, preprocessingOf } from "../../backbones/metadata.ts";
import type { SeenParts } from "../../data/images/views.ts";
import { float32, producersOf, type Network } from "../../network/network.ts";
import { withOrigin } from "../run/model.ts";
import { affineOutput } from "../run/units.ts";
import type { TargetTable } from "./data.ts";
import { answeredTask, headsOf, type TrainedHead } from "./heads.ts";
import type { TrainConfig } from "./config.ts";
import { withWeights } from "./weights.ts";

/** A network that is about to be trained, and what the user should know of its weights. */
export interface StartingNetwork {
  readonly network: Network;
  readonly preprocessing: Preprocessing;
  readonly notes: readonly string[];
}

/** Builds an architecture for some tasks; weights come from `config.weights` as far as they fit, the others are drawn by seed. */
export async function startingNetwork(
  config: TrainConfig,
  architecture: Architecture,
  tables: readonly TargetTable[],
): Promise<StartingNetwork> {
  const { size: side, width, dropout, seed, weights } = config;
  const built = architecture.build({
    heads: headsOf(tables),
    side,
    width,
    dropout,
    headKind: config.heads === "forty" ? "each" : "one",
    names: tables[0].task.classes,
    ungrouped: !config.groups,
  });
  const preprocessing = preprocessingOf(built);
  if (preprocessing === undefined) throw new Error(`${architecture.name} does not say how it sees pictures`);
  const plain = withQuietLayers(initialise(built, seed));
  const fresh = architecture.recipe.loss === "squared" ? withQuietBranches(plain) : plain;
  if (weights === undefined) {
    const note = `${architecture.name}: random weights (seed ${seed}), nothing is pretrained`;
    return { network: fresh, preprocessing, notes: [note] };
  }
  const tasks = tables.map(({ task }) => task);
  const { network, note } = await withWeights(fresh, weights, { trunk: architecture.trunk, tasks });
  return { network, preprocessing, notes: [note] };
}

/**
 * The network with the weights of its linear layers drawn as PyTorch does: uniform with variance 1 / (3 fan-in), less than
 * {@link initialise} gives them. Answers begin near 0, so that the learning rates of the papers do not diverge.
 */
function withQuietLayers(network: Network): Network {
  const parameters = new Map(network.parameters);
  for (const { op, inputs } of network.nodes) {
    const weight = op === "Gemm" ? parameters.get(inputs[1]) : undefined;
    if (weight?.type !== "float32") continue;
    const data = weight.data as Float32Array;
    const fanIn = weight.shape[1];
    const variance = data.reduce((sum, value) => sum + value * value, 0) / data.length;
    const factor = Math.sqrt(1 / (3 * fanIn * variance));
    if (Number.isFinite(factor))
      parameters.set(
        inputs[1],
        float32(
          weight.shape,
          data.map((w) => w * factor),
        ),
      );
  }
  return { ...network, parameters };
}

/**
 * The network with every residual branch silent at first: the batch norm that ends it has a scale of 0 (Goyal et al. 2017;
 * torchvision's `zero_init_residual`). Else the features of a fresh ResNet are so large that squared errors summed over 40
 * labels grow four- to sevenfold in every step at DMM-CNN's rate of 0.001, in PyTorch as here (docs/light-networks.md).
 */
function withQuietBranches(network: Network): Network {
  const producers = producersOf(network);
  const parameters = new Map(network.parameters);
  for (const { op, inputs } of network.nodes) {
    // The builder of the ResNets adds the shortcut to the branch.
    const end = op === "Add" ? producers.get(inputs[0]) : undefined;
    if (end?.op !== "BatchNormalization") continue;
    const scale = parameters.get(end.inputs[1]);
    if (scale !== undefined)
      parameters.set(end.inputs[1], float32(scale.shape, new Float32Array(scale.data.length)));
  }
  return { ...network, parameters };
}

/**
 * The trained network as it is handed on: the answers to all its tasks, each in target units, the main one's thresholds taken
 * off (so that above 0 always means yes), with the tasks, the face box and the parts of a picture to look at in its metadata. One task alone is answered by
 * `prediction`, several by outputs of their own names.
 *
 * @param thresholds in the units of the main task's output
 */
export function finishedNetwork(
  network: Network,
  heads: readonly TrainedHead[],
  facts: {
    readonly thresholds?: readonly number[] | undefined;
    readonly crop: CropChoice;
    readonly parts?: SeenParts | undefined;
    readonly provenance: object;
  },
): Network {
  const [main] = heads;
  let finished = network;
  for (const { output, labels, units } of heads)
    if (labels === "standard")
      finished = affineOutput(finished, output, { scale: units.std, offset: units.mean });
  const { thresholds } = facts;
  if (thresholds?.some((tau) => tau !== 0) === true) {
    const offset = Float64Array.from(thresholds, (tau) => -tau);
    finished = affineOutput(finished, main.output, { scale: offset.map(() => 1), offset });
  }
  const several = heads.length > 1;
  if (several) finished = renamedOutput(finished, main.output, main.table.task.name);
  const tasks = heads.map((head, k) => {
    const task = answeredTask(head);
    return { output: k === 0 ? task.name : head.output, task };
  });
  const what = several ? { tasks } : { task: answeredTask(main) };
  const described = describe(finished, { ...what, ...(facts.parts && { parts: facts.parts }) });
  return withOrigin(described, facts.crop, facts.provenance);
}

/** The network with another name for an output; a value inside that has this name gets another one. */
function renamedOutput(network: Network, from: string, to: string): Network {
  const inside = `${to}/inside`;
  const rename = (name: string): string => (name === from ? to : name === to ? inside : name);
  return {
    ...network,
    outputs: network.outputs.map((output) => ({ ...output, name: rename(output.name) })),
    nodes: network.nodes.map((node) => ({
      ...node,
      inputs: node.inputs.map(rename),
      outputs: node.outputs.map(rename),
    })),
  };
}

/** @throws EtlError where a network's outputs are not those of the tables */
export function checkOutputs(network: Network, tables: readonly TargetTable[]): void {
  const widths = headsOf(tables).map(({ name, outputs }) => `${name} ${outputs}`);
  const found = network.outputs.map(({ name, shape }) => `${name} ${String(shape[1])}`);
  if (widths.every((each) => found.includes(each)) && found.some((each) => each.startsWith(predictionName)))
    return;
  throw new EtlError(
    "unsupported",
    `${network.name}: outputs ${found.join(", ")}, ${widths.join(", ")} were needed`,
  );
}
