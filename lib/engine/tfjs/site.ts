/** What an operator sees of its node: shapes and settings when it is prepared, values when it runs. */
import type * as tf from "@tensorflow/tfjs-core";
import type { Node } from "../../network/network.ts";
import type { Shape } from "../../network/shapes/context.ts";
import type { TfjsValue } from "./value.ts";

/** One node at known shapes. */
export interface TfjsSite {
  readonly node: Node;
  readonly opset: number;
  /** Shape of input `index`, channels first; throws where the input is missing. */
  readonly input: (index: number) => Shape;
  readonly has: (index: number) => boolean;
  readonly outputs: readonly Shape[];
  /** Numbers of input `index` where they are known before the run. */
  readonly constant: (index: number) => readonly number[] | undefined;
  /** Throws `unsupported`: `<node> (<op>): <found>, <needed>`. */
  readonly fail: (found: string, needed: string) => never;
}

/** Things that only exist in training. */
export interface TfjsTrainingHooks {
  /** Whether input `index` of the node is a trained parameter. */
  readonly isTrained: (node: Node, index: number) => boolean;
  /** 0 (dropped) or 1 / (1 - ratio) (kept), row-major. */
  readonly dropoutMask: (node: Node, shape: Shape, ratio: number) => TfjsValue;
  /** New value of a parameter that is not trained by gradient (running statistics). */
  readonly update: (parameter: string, tensor: tf.Tensor) => void;
}

export type Inputs = readonly (TfjsValue | undefined)[];

/** Runs the node. `training` is absent at inference. */
export type Kernel = (inputs: Inputs, training: TfjsTrainingHooks | undefined) => readonly TfjsValue[];

export interface Operator {
  /** Refuses what cannot be computed, with a reason; what it gives back cannot fail on tensors of these shapes. */
  readonly prepare: (site: TfjsSite) => Kernel;
  /** Whether tfjs's gradient of it is right. */
  readonly trains: boolean;
}

/** Operator name -> how it is computed. */
export type Operators = Readonly<Record<string, Operator>>;

export const trained = (prepare: Operator["prepare"]): Operator => ({ prepare, trains: true });
export const untrained = (prepare: Operator["prepare"]): Operator => ({ prepare, trains: false });

/** Input `index` of a kernel. Inputs were checked against the shapes when the node was prepared. */
export function neededInput(inputs: Inputs, index: number): TfjsValue {
  const value = inputs[index];
  if (value === undefined) throw new Error(`input ${index} is missing`);
  return value;
}

/** Numbers of input `index`, which must be known before the run. */
export function knownInput(site: TfjsSite, index: number, what: string): readonly number[] {
  return (
    site.constant(index) ?? site.fail(`${what} that change from run to run`, `constant ${what} were needed`)
  );
}
