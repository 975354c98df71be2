/** What a training graph is fed with beside the state. */
import { EtlError } from "../../core/errors.ts";
import { sizeOf, type Tensor } from "../../network/network.ts";
import type { Shape } from "../../network/shapes-context.ts";
import type { LossTerm, StepResult, Tensors } from "../engine.ts";
import type { OptimizerPlan } from "./gradients/optimizers.ts";
import { OrtTensor } from "./session.ts";

/**
 * A target or mask of the given shape.
 *
 * @throws EtlError `usage` where it is missing or of another size
 */
export function fedTensor(inputs: Tensors, name: string, shape: Shape): Tensor {
  if (!(name in inputs)) {
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
