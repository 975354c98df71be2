/**
 * Optimiser updates as operators. Scalars that change from step to step (learning rate, bias corrections) are computed
 * outside and fed, so that each parameter costs as few passes over its elements as possible.
 */
import type { Optimizer } from "../core/artifacts.ts";
import { add, div, mul, sqrt, square, sub } from "./arithmetic.ts";
import type { Graph } from "./graph.ts";

interface Update {
  readonly parameter: string;
  /** New values of the optimiser's state, in the order of `slots`. */
  readonly state: readonly string[];
}

/** An optimiser as the training graph sees it. */
export interface OptimizerPlan {
  /** Names of the tensors kept per parameter, each of the parameter's shape and zero at the start. */
  readonly slots: readonly string[];
  /** Names of the scalars that are fed at each step. */
  readonly scalars: readonly string[];
  /** Values of the scalars. `step` counts from 1. */
  readonly values: (learningRate: number, step: number) => readonly number[];
  readonly update: (
    g: Graph,
    names: { parameter: string; gradient: string; state: readonly string[]; scalars: readonly string[] },
  ) => Update;
}

/** The plan of an optimiser; defaults are PyTorch's. */
export function planOptimizer(optimizer: Optimizer): OptimizerPlan {
  return optimizer.kind === "adamw" ? adamw(optimizer) : sgd(optimizer);
}

/**
 * AdamW (Loshchilov and Hutter 2019, algorithm 2) with decoupled weight decay. The moments are kept without their
 * factors, M = m / (1 - beta1) and V = v / (1 - beta2), so that M <- beta1 M + g; the factors, the bias corrections
 * and the learning rate are one number `a` and one `e`: p <- p decay - a M / (sqrt(V) + e).
 */
function adamw(options: Extract<Optimizer, { kind: "adamw" }>): OptimizerPlan {
  const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weightDecay = 0.01 } = options;
  return {
    slots: ["first", "second"],
    scalars: ["rate", "epsilon", "decay"],
    values: (learningRate, step) => {
      const first = (1 - beta1) / (1 - beta1 ** step);
      const second = Math.sqrt((1 - beta2) / (1 - beta2 ** step));
      return [(learningRate * first) / second, epsilon / second, 1 - learningRate * weightDecay];
    },
    update: (g, { parameter, gradient, state: [first, second], scalars: [rate, tiny, decay] }) => {
      const m = add(g, mul(g, first, g.scalar(beta1)), gradient);
      const v = add(g, mul(g, second, g.scalar(beta2)), square(g, gradient));
      const move = div(g, mul(g, m, rate), g.op("Add", [sqrt(g, v), tiny]));
      const kept = weightDecay === 0 ? parameter : mul(g, parameter, decay);
      return { parameter: sub(g, kept, move), state: [m, v] };
    },
  };
}

/** SGD: g <- g + decay p; M <- momentum M + g; p <- p - lr M, or lr (g + momentum M) with Nesterov. */
function sgd(options: Extract<Optimizer, { kind: "sgd" }>): OptimizerPlan {
  const { momentum = 0, nesterov = false, weightDecay = 0 } = options;
  return {
    slots: momentum === 0 ? [] : ["momentum"],
    scalars: ["rate"],
    values: (learningRate) => [learningRate],
    update: (g, { parameter, gradient, state, scalars: [rate] }) => {
      const decayed =
        weightDecay === 0 ? gradient : add(g, gradient, mul(g, parameter, g.scalar(weightDecay)));
      if (momentum === 0) return { parameter: sub(g, parameter, mul(g, decayed, rate)), state: [] };
      const velocity = add(g, mul(g, state[0], g.scalar(momentum)), decayed);
      const direction = nesterov ? add(g, decayed, mul(g, velocity, g.scalar(momentum))) : velocity;
      return { parameter: sub(g, parameter, mul(g, direction, rate)), state: [velocity] };
    },
  };
}
