/** Loss terms and their gradients with respect to the outputs they look at. */
import { sizeOf } from "../network/network.ts";
import type { Shape } from "../network/shapes/context.ts";
import type { LossTerm } from "../core/artifacts.ts";
import { mul, neg, reshaped, scale, sub, sum } from "./arithmetic.ts";
import type { Graph, Value } from "./graph.ts";

export interface LossParts {
  /** The term, unweighted: a scalar. */
  readonly term: string;
  /** Gradient of the weighted term with respect to the output. */
  readonly gradient: Value;
}

/** Name of a fed tensor, reshaped to rows. */
type Feed = (name: string) => string;

/**
 * One loss term on an output whose first axis is the batch.
 *
 * @param feed gives the name of the graph's input for a target or mask of shape [n, elements of a row]
 */
export function buildLoss(graph: Graph, loss: LossTerm, output: Value, feed: Feed): LossParts {
  const [n] = output.shape;
  const rows: Shape = [n, sizeOf(output.shape) / n];
  const z = reshaped(graph, graph.plain(output), rows);
  const target = feed(loss.target);
  const mask = loss.mask === undefined ? undefined : feed(loss.mask);
  const { total, slope, count } = kinds[loss.kind](graph, { z, target, mask, rows });
  return {
    term: scale(graph, total, 1 / count),
    gradient: graph.value(
      output.shape,
      reshaped(graph, scale(graph, slope, loss.weight / count), output.shape),
    ),
  };
}

interface Terms {
  readonly z: string;
  readonly target: string;
  readonly mask: string | undefined;
  readonly rows: Shape;
}

interface Sums {
  /** Sum of all terms, a scalar. */
  readonly total: string;
  /** d total / dz */
  readonly slope: string;
  /** Number by which the sum is divided. */
  readonly count: number;
}

const masked = (g: Graph, name: string, mask: string | undefined): string =>
  mask === undefined ? name : mul(g, name, mask);

const sumAll = (g: Graph, name: string): string => sum(g, name, [0, 1], 0);

/** -sum t log softmax(z); slope softmax(z) sum(t) - t, with t masked. */
function softmaxCrossEntropy(g: Graph, { z, target, mask, rows }: Terms): Sums {
  const t = masked(g, target, mask);
  const logs = g.op("LogSoftmax", [z], { axis: 1 });
  const weights = sum(g, t, [1]);
  return {
    total: neg(g, sumAll(g, mul(g, t, logs))),
    slope: sub(g, mul(g, g.op("Exp", [logs]), weights), t),
    count: rows[0],
  };
}

/** log(1 + exp z) - z t = max(z, 0) - z t + log(1 + exp(-|z|)); slope sigmoid(z) - t. */
function sigmoidCrossEntropy(g: Graph, { z, target, mask, rows }: Terms): Sums {
  const tail = g.op("Log", [g.op("Add", [g.op("Exp", [neg(g, g.op("Abs", [z]))]), g.scalar(1)])]);
  const each = g.op("Add", [sub(g, g.op("Relu", [z]), mul(g, z, target)), tail]);
  return {
    total: sumAll(g, masked(g, each, mask)),
    slope: masked(g, sub(g, g.op("Sigmoid", [z]), target), mask),
    count: sizeOf(rows),
  };
}

/** (z - t)^2 / 2; slope z - t. */
function squared(g: Graph, { z, target, mask, rows }: Terms): Sums {
  const difference = sub(g, z, target);
  const slope = masked(g, difference, mask);
  return { total: scale(g, sumAll(g, mul(g, slope, difference)), 0.5), slope, count: sizeOf(rows) };
}

const kinds: Readonly<Record<LossTerm["kind"], (g: Graph, terms: Terms) => Sums>> = {
  "softmax-cross-entropy": softmaxCrossEntropy,
  "sigmoid-cross-entropy": sigmoidCrossEntropy,
  squared,
};
