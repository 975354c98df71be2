/** The inverse question: which gamma reaches a given cost? Exact, because only finitely many gammas differ. */
import type { Curve, LassoPath, RmseKind } from "../core/artifacts.ts";
import { EtlError } from "../core/errors.ts";
import { curveError } from "./knee.ts";

/**
 * One gamma for every different outcome, ascending, the first 0. Between two neighbours no knee changes.
 * Each is the shortest decimal of its interval, so that it can be typed again.
 */
export function breakpoints(
  curves: readonly Curve[],
  options: { readonly rmse?: RmseKind } = {},
): Float64Array {
  const paths = new Set(curves.flatMap(({ joint }) => (joint === undefined ? [] : [joint.path])));
  const edges = [
    ...curves
      .filter(({ joint }) => joint === undefined)
      .flatMap((curve) => edgesOf(curve.path, curveError(curve, options.rmse ?? "heldout"))),
    ...[...paths].flatMap((path) =>
      edgesOf(
        path,
        Float64Array.from(path.points, ({ rmse }) => rmse),
      ),
    ),
  ];
  const sorted = [...new Set(edges)].filter((edge) => edge < 1).sort((a, b) => a - b);
  return Float64Array.from([0, ...sorted.map((edge, i) => shortestBetween(edge, sorted[i + 1] ?? 1))]);
}

/** Gammas above which another point of the curve is within the bound and has fewer filters, or as many and less error. */
function edgesOf(path: LassoPath, rmse: Float64Array): number[] {
  const low = Math.min(...rmse);
  const high = Math.max(...rmse);
  if (high === low) return [0];
  const points = Array.from(rmse, (r, i) => ({
    edge: (r - low) / (high - low),
    filters: path.points[i].support.length,
  })).sort((a, b) => a.edge - b.edge || a.filters - b.filters);
  const edges: number[] = [];
  let fewest = Infinity;
  for (const { edge, filters } of points) {
    if (filters >= fewest) continue;
    fewest = filters;
    edges.push(edge);
  }
  return edges;
}

/** The decimal with the fewest digits in (low, high], below 1. */
function shortestBetween(low: number, high: number): number {
  for (let digits = 1; digits <= 15; digits++) {
    const unit = 10 ** digits;
    const value = (Math.floor(low * unit) + 1) / unit;
    if (value > low && value <= high && value < 1) return value;
  }
  return low + (Math.min(high, 1 - Number.EPSILON) - low) / 2;
}

export interface GammaChoice {
  readonly gamma: number;
  /** What `evaluate` said for it. */
  readonly cost: number;
  /** False: even the largest gamma costs more than the target; that one is returned. */
  readonly reached: boolean;
}

/**
 * The smallest gamma whose cost is at most `target`, by bisection over `gammas` (from {@link breakpoints}). The cost
 * should fall as gamma rises; where it wobbles, the result still meets the target.
 *
 * @param evaluate cost of a gamma: MACs, bytes, milliseconds
 */
export async function bisectGamma(
  evaluate: (gamma: number) => number | Promise<number>,
  target: number,
  options: { readonly gammas: Float64Array },
): Promise<GammaChoice> {
  const { gammas } = options;
  if (gammas.length === 0)
    throw new EtlError("usage", "target: no gammas to choose from, at least one was needed");
  if (!Number.isFinite(target)) throw new EtlError("usage", `target: ${target}, a finite number was needed`);
  let high = gammas.length - 1;
  let best = await evaluate(gammas[high]);
  if (best > target) return { gamma: gammas[high], cost: best, reached: false };
  let low = -1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    const cost = await evaluate(gammas[middle]);
    if (cost <= target) {
      high = middle;
      best = cost;
    } else low = middle;
  }
  return { gamma: gammas[high], cost: best, reached: true };
}
