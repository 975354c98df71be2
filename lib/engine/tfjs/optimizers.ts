/**
 * Optimiser updates, with the same recurrences as the ort engine's (see lib/gradients/optimizers.ts), so that
 * both follow one path and a state of one goes on with the other.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { Optimizer } from "../../core/artifacts.ts";

interface Update {
  readonly parameter: tf.Tensor;
  /** New values of the optimiser's state, in the order of `slots`. */
  readonly state: readonly tf.Tensor[];
}

export interface OptimizerPlan {
  /** Names of the tensors kept per parameter, each of the parameter's shape and zero at the start. */
  readonly slots: readonly string[];
  /** Makes the update of one step; `step` counts from 1. */
  readonly at: (
    learningRate: number,
    step: number,
  ) => (parameter: tf.Tensor, gradient: tf.Tensor, state: readonly tf.Tensor[]) => Update;
}

/** The plan of an optimiser; defaults are PyTorch's. */
export function planOptimizer(optimizer: Optimizer): OptimizerPlan {
  return optimizer.kind === "adamw" ? adamw(optimizer) : sgd(optimizer);
}

/** M <- beta1 M + g, V <- beta2 V + g^2, p <- p decay - a M / (sqrt(V) + e) */
function adamw(options: Extract<Optimizer, { kind: "adamw" }>): OptimizerPlan {
  const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weightDecay = 0.01 } = options;
  return {
    slots: ["first", "second"],
    at: (learningRate, step) => {
      const first = (1 - beta1) / (1 - beta1 ** step);
      const second = Math.sqrt((1 - beta2) / (1 - beta2 ** step));
      return (parameter, gradient, [moment, square]) => {
        const m = tf.add(tf.mul(moment, beta1), gradient);
        const v = tf.add(tf.mul(square, beta2), tf.mul(gradient, gradient));
        const move = tf.div(tf.mul(m, (learningRate * first) / second), tf.add(tf.sqrt(v), epsilon / second));
        const kept = weightDecay === 0 ? parameter : tf.mul(parameter, 1 - learningRate * weightDecay);
        return { parameter: tf.sub(kept, move), state: [m, v] };
      };
    },
  };
}

/** g <- g + decay p; M <- momentum M + g; p <- p - lr M, or lr (g + momentum M) with Nesterov. */
function sgd(options: Extract<Optimizer, { kind: "sgd" }>): OptimizerPlan {
  const { momentum = 0, nesterov = false, weightDecay = 0 } = options;
  return {
    slots: momentum === 0 ? [] : ["momentum"],
    at:
      (learningRate) =>
      (parameter, gradient, [before]) => {
        const decayed = weightDecay === 0 ? gradient : tf.add(gradient, tf.mul(parameter, weightDecay));
        const move = (direction: tf.Tensor): tf.Tensor => tf.sub(parameter, tf.mul(direction, learningRate));
        if (momentum === 0) return { parameter: move(decayed), state: [] };
        const velocity = tf.add(tf.mul(before, momentum), decayed);
        const direction = nesterov ? tf.add(decayed, tf.mul(velocity, momentum)) : velocity;
        return { parameter: move(direction), state: [velocity] };
      },
  };
}
