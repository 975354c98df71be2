/** What a training step is made of, whatever engine runs it. */
import { EtlError } from "../core/errors.ts";
import { createRandom } from "../core/random.ts";
import {
  type Network,
  type Node,
  producersOf,
  sizeOf,
  type Tensor,
  type ValueInfo,
} from "../network/network.ts";
import { factsOf } from "../network/operators/facts.ts";
import type { Shape } from "../network/shapes/context.ts";
import type { TrainerState, TrainingOptions } from "./engine.ts";

/** Added to the norm before dividing by it, as PyTorch does. */
export const CLIP_EPSILON = 1e-6;

/**
 * Float32 parameters that a loss depends on and that `trainable` accepts, in the order of the network. Scalars (the 3
 * and the 6 of a written-out hard swish) and settings are constants. Running statistics of batch normalisation follow
 * the batches, not the gradient.
 */
export function trainableParameters(network: Network, options: TrainingOptions): string[] {
  const producers = producersOf(network);
  const reached = new Set<string>();
  const pending = options.losses.map(({ output }) => output);
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    if (reached.has(name)) continue;
    reached.add(name);
    const node = producers.get(name);
    if (node) pending.push(...node.inputs);
  }
  for (const { output } of options.losses) {
    if (!producers.has(output)) {
      throw new EtlError("usage", `${output}: no node makes this value, an output to train on was needed`);
    }
  }
  const settings = new Set(
    network.nodes.flatMap(({ op, inputs }) =>
      [...(factsOf(op).settings ?? []), ...(factsOf(op).statistics ?? [])].map(
        (index) => inputs[index] ?? "",
      ),
    ),
  );
  return [...network.parameters]
    .filter(
      ([name, { type, shape }]) =>
        type === "float32" && shape.length > 0 && reached.has(name) && !settings.has(name),
    )
    .map(([name]) => name)
    .filter((name) => options.trainable?.(name) ?? true);
}

/**
 * The values of one tensor of a trainer's state.
 *
 * @throws EtlError `usage` where it is missing or of another size
 */
export function stateValues({ tensors }: TrainerState, name: string, shape: Shape): Tensor["data"] {
  if (!Object.hasOwn(tensors, name)) {
    throw new EtlError(
      "usage",
      `${name}: not in the state, a state of this network and optimiser was needed`,
    );
  }
  const { data } = tensors[name];
  if (data.length === sizeOf(shape)) return data;
  throw new EtlError("usage", `${name}: ${data.length} values in the state, ${sizeOf(shape)} were needed`);
}

/** Key of an optimiser slot in a trainer's state. */
export const slotKey = (slot: string, parameter: string): string => `${slot}/${parameter}`;

/** Whether a node is a batch normalisation whose scale or bias is trained: it takes the statistics of the batch. */
export function usesBatchStatistics({ op, inputs }: Node, trained: ReadonlySet<string>): boolean {
  return op === "BatchNormalization" && inputs.slice(1, 3).some((name) => trained.has(name));
}

/** Batch normalisation layers whose scale or bias is trained: their running statistics follow the batches. */
export function runningStatistics(network: Network, trained: ReadonlySet<string>): string[] {
  return network.nodes
    .filter((node) => usesBatchStatistics(node, trained))
    .flatMap((node) => node.inputs.slice(3, 5));
}

/** The network with the fed inputs' sizes in place of named dimensions, and with inputs in place of what is trained. */
export function withInputShapes(
  network: Network,
  inputShapes: Readonly<Record<string, Shape>>,
  changing: ReadonlySet<string>,
): Network {
  const entries = [...network.parameters];
  const inputs: ValueInfo[] = entries
    .filter(([name]) => changing.has(name))
    .map(([name, { type, shape }]) => ({ name, type, shape }));
  return {
    ...network,
    parameters: new Map(entries.filter(([name]) => !changing.has(name))),
    inputs: [
      ...network.inputs.map((input) => {
        const shape = inputShapes[input.name];
        const fits =
          shape.length === input.shape.length &&
          input.shape.every((dim, i) => typeof dim === "string" || dim === shape[i]);
        if (!fits) {
          throw new EtlError(
            "usage",
            `${input.name}: shape [${shape.join(", ")}], [${input.shape.join(", ")}] was needed`,
          );
        }
        return { ...input, shape };
      }),
      ...inputs,
    ],
  };
}

/** A dropout mask of one step: 0 (dropped) or 1 / (1 - ratio) (kept), from the seed, the step and the node's name. */
export function dropoutMask(
  shape: Shape,
  { seed, step, node, ratio }: { seed: number; step: number; node: string; ratio: number },
): Float32Array {
  const random = createRandom(seed).fork(step).fork(node);
  const kept = 1 / (1 - ratio);
  return Float32Array.from({ length: sizeOf(shape) }, () => (random.uniform() < ratio ? 0 : kept));
}
