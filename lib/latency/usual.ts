/** What networks take where nothing was timed: multiplications, and what goes with them on usual CPUs. Pure. */
import type { Network } from "../network/network.ts";
import { shared, shortSets, workOf } from "./features.ts";

/** Time of one unit of work, in multiplications of a dense convolution over a wide map (docs/decisions.md). */
const usual = { depthwise: 3, weights: 15, maps: 2 } as const;
/** What a multiplication in a set of one, two and three blocks costs beyond one in a whole set. */
const usualOfShort: readonly number[] = [0.5, 0.27, 0.1];

/** Channels that kernels of AVX2 compute at a time: one number, so that what follows from it is the same on every machine. */
const BLOCK = 8;

/** The time of one picture, in multiplications; what does not change with widths is left out. */
export function usualWork(network: Network): number {
  let sum = 0;
  for (const [kind, amount] of workOf(network, BLOCK)) sum += amount * rateOf(kind);
  return sum;
}

function rateOf(kind: string): number {
  const short = shortSets.indexOf(kind);
  if (short >= 0) return usualOfShort[short];
  if (kind === shared.nodes) return 0;
  if (kind === shared.maps) return usual.maps;
  if (kind === shared.weights) return usual.weights;
  return kind.startsWith("depthwise") ? usual.depthwise : 1;
}
