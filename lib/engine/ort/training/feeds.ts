/** What a training graph is fed with, and what it reports. */
import { EtlError } from "../../../core/errors.ts";
import { own } from "../../../core/own.ts";
import { type Network, sizeOf, type Tensor } from "../../../network/network.ts";
import type { Shape } from "../../../network/shapes/context.ts";
import type { StepResult, Tensors } from "../../engine.ts";
import type { LossTerm } from "../../../core/artifacts.ts";
import type { OptimizerPlan } from "../../../gradients/optimizers.ts";
import { OrtTensor } from "../session.ts";
import type { TrainingState } from "./state.ts";

/**
 * The network's inputs, and the targets and masks of a graph for a batch of `rows` rows.
 *
 * @param feeds name -> shape, of which `rows` replaces the first dimension
 * @throws EtlError `usage` where a target or mask is missing or of another size
 */
export function fedTensors(
  network: Network,
  inputs: Tensors,
  { feeds, rows }: { readonly feeds: ReadonlyMap<string, Shape>; readonly rows?: number },
): Tensors {
  const fed = Object.fromEntries(network.inputs.map(({ name }) => [name, inputs[name]]));
  for (const [name, [first, ...row]] of feeds) fed[name] = fedTensor(inputs, name, [rows ?? first, ...row]);
  return fed;
}

/** All that a graph reads: what is given, else the state. */
export function withState(
  state: TrainingState,
  graph: Network,
  given: Readonly<Record<string, OrtTensor>>,
): Record<string, OrtTensor> {
  const read = graph.inputs.flatMap(({ name }) => {
    const tensor = own(given, name) ?? state.current(name);
    return tensor === undefined ? [] : [[name, tensor] as const];
  });
  return Object.fromEntries(read);
}

function fedTensor(inputs: Tensors, name: string, shape: Shape): Tensor {
  if (!Object.hasOwn(inputs, name)) {
    throw new EtlError(
      "usage",
      `${name}: not among the inputs, a target or mask of [${shape.join(", ")}] was needed`,
    );
  }
  const { data } = inputs[name];
  if (data.length === sizeOf(shape)) return { shape: [...shape], data };
  throw new EtlError(
    "usage",
    `${name}: ${data.length} values, ${sizeOf(shape)} for the shape [${shape.join(", ")}] were needed`,
  );
}

/** The optimiser's scalars under the names of a graph's inputs. `step` counts from 1. */
export function scalarFeeds(
  names: readonly string[],
  plan: OptimizerPlan,
  at: { readonly learningRate: number; readonly step: number },
): Record<string, OrtTensor> {
  const values = plan.values(at.learningRate, at.step);
  return Object.fromEntries(
    names.map((name, i) => [name, new OrtTensor("float32", Float32Array.of(values[i]), [])]),
  );
}

/** What a step reports, from the values of its loss terms. */
export function stepResult(losses: readonly LossTerm[], terms: readonly number[], norm: number): StepResult {
  return { loss: weightedSum(losses, terms), terms, gradientNorm: norm };
}

/** The loss: its terms by their weights. */
export function weightedSum(losses: readonly LossTerm[], terms: readonly number[]): number {
  return losses.reduce((sum, { weight }, i) => sum + weight * terms[i], 0);
}
