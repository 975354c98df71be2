/** Normalising over axes, and the gradient through mean and deviation. */
import type { Shape } from "../network/shapes/context.ts";
import { mean, mul, shift, sqrt, square, sub } from "./arithmetic.ts";
import type { Graph } from "./graph.ts";

/** What the forward pass of a normalisation keeps for its gradient. */
export interface Normalised {
  /** (x - mean) / deviation */
  readonly xhat: string;
  /** 1 / deviation, broadcastable. */
  readonly inverse: string;
}

/** x normalised over `axes`, with the statistics. */
export function standardised(
  g: Graph,
  x: string,
  { shape, axes, epsilon }: { shape: Shape; axes: readonly number[]; epsilon: number },
): Normalised & { mean: string; variance: string } {
  const average = mean(g, x, shape, axes);
  const centred = sub(g, x, average);
  const variance = mean(g, square(g, centred), shape, axes);
  const inverse = g.op("Reciprocal", [sqrt(g, shift(g, variance, epsilon))]);
  return { xhat: mul(g, centred, inverse), inverse, mean: average, variance };
}

/** dx = (d - mean(d) - xhat mean(d xhat)) / deviation, with d = gradient of xhat. */
export function throughStatistics(
  g: Graph,
  d: string,
  { xhat, inverse }: Normalised,
  shape: Shape,
  axes: number[],
): string {
  const centre = mean(g, d, shape, axes);
  const along = mean(g, mul(g, d, xhat), shape, axes);
  return mul(g, sub(g, sub(g, d, centre), mul(g, xhat, along)), inverse);
}
