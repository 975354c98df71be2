/** Rates of every kind of work from times of whole networks. Pure. */
import type { KernelTime } from "../engine/engine.ts";
import { median } from "../math/statistics.ts";
import type { Network } from "../network/network.ts";
import { productKind, shared, shortSets, workAndKinds, type Work } from "./features.ts";
import { layerTimes } from "./kernels.ts";

/** A network that was timed. */
export interface Timed {
  readonly work: Work;
  readonly ms: number;
}

/** Kind of work -> milliseconds of a unit. */
export type Rates = Readonly<Record<string, number>>;

/** Shares of a network's time that are expected of what is no layer, where the times do not say otherwise. */
const expected: Readonly<Partial<Record<string, number>>> = {
  [shared.maps]: 0.02,
  [shared.weights]: 0.02,
  [shared.nodes]: 0.2,
};
/** What a multiplication in sets of one, two and three blocks is expected to cost beyond one in a whole set, as shares of that. */
const expectedOfShort: readonly number[] = [0.5, 0.1, 0.2];
/** A multiplication of a product reads a weight of its own: some of a convolution's, no more than so many. */
const MOST_OF_PRODUCT = 20;
/** How much an unexpected rate weighs against a relative error of the times; more where kernels say what to expect. */
const [RIDGE, SEEN_RIDGE] = [3e-5, 3e-4];
const STEPS = 2000;

/**
 * What is expected of rates before whole networks are timed: layers cost what their kernels took in one run of one network.
 * Widths of a network's layers rise and fall together, so times of whole networks alone would give one kind of layer the time
 * of another, and a search for the cheapest widths would find just those.
 */
export interface KernelSums {
  /** Kind of layer -> milliseconds of its kernels. */
  readonly layers: ReadonlyMap<string, number>;
  /** Milliseconds of all kernels. */
  readonly all: number;
}

/**
 * The times of a network's kernels, by kind of layer.
 *
 * @param network in floats, as its work is counted
 * @param run what was run: the same, or the same in bytes, whose layers have the same names
 */
export function kernelSums(
  network: Network,
  run: Network,
  { block, kernels }: { readonly block: number; readonly kernels: readonly KernelTime[] },
): KernelSums {
  const { kinds } = workAndKinds(network, block);
  const layers = new Map<string, number>();
  for (const { name, ms } of layerTimes(run, kernels, block)) {
    const kind = kinds.get(name);
    if (kind !== undefined) layers.set(kind, (layers.get(kind) ?? 0) + ms);
  }
  return { layers, all: kernels.reduce((sum, { ms }) => sum + ms, 0) };
}

/** Expected milliseconds of a unit of each kind. */
function expectedRates(samples: readonly Timed[], kinds: readonly string[], seen?: KernelSums): number[] {
  const [first] = samples;
  const layers = kinds.filter((kind) => expected[kind] === undefined && !shortSets.includes(kind));
  const rest = kinds.reduce((sum, kind) => sum + (expected[kind] ?? 0), 0);
  const layerWork = (work: Work): number => layers.reduce((sum, kind) => sum + (work.get(kind) ?? 0), 0);
  // of a middling sample: one that was disturbed says nothing
  const perMac = median(samples.map(({ work, ms }) => ms / layerWork(work))) ?? 0;
  const whole = perMac * layerWork(first.work);
  return kinds.map((kind) => {
    const short = shortSets.indexOf(kind);
    if (short >= 0) return expectedOfShort[short] * perMac;
    const work = first.work.get(kind) ?? 1;
    const share = expected[kind];
    if (share !== undefined) return (share * whole) / work;
    const own = seen?.layers.get(kind) ?? 0;
    if (seen === undefined || own === 0) return (1 - rest) * perMac;
    const rate = ((1 - rest) * first.ms * own) / seen.all / work;
    // A head of one output takes what any node takes: as a rate that would be hundreds for one of many.
    return kind.startsWith(productKind) ? Math.min(rate, MOST_OF_PRODUCT * perMac) : rate;
  });
}

/**
 * Rates, none negative, with the least squares of relative errors; where the times leave a rate open, it is near what is
 * expected.
 *
 * @param samples the whole network first
 * @param seen kernels of the whole network; default: all layers alike
 */
export function fitRates(samples: readonly Timed[], seen?: KernelSums): Rates {
  const kinds = [...new Set(samples.flatMap(({ work }) => [...work.keys()]))];
  const prior = expectedRates(samples, kinds, seen);
  const ridge = (seen === undefined ? RIDGE : SEEN_RIDGE) * samples.length;
  const a = samples.map(({ work, ms }) => kinds.map((kind, k) => ((work.get(kind) ?? 0) * prior[k]) / ms));
  const x = kinds.map(() => 1);
  const residual = a.map((row) => 1 - row.reduce((sum, value, k) => sum + value * x[k], 0));
  for (let round = 0; round < STEPS; round++) {
    for (const k of kinds.keys()) {
      let [up, down] = [ridge, ridge];
      a.forEach((row, i) => {
        up += row[k] * (residual[i] + row[k] * x[k]);
        down += row[k] * row[k];
      });
      const next = Math.max(0, up / down);
      a.forEach((row, i) => {
        residual[i] -= row[k] * (next - x[k]);
      });
      x[k] = next;
    }
  }
  return Object.fromEntries(kinds.map((kind, k) => [kind, x[k] * prior[k]]));
}

/** Milliseconds; undefined where a kind of work has no rate. */
export function predictMs(work: Work, rates: Rates): number | undefined {
  let ms = 0;
  for (const [kind, amount] of work) {
    const rate = rateOf(kind, rates);
    if (rate === undefined) return undefined;
    ms += amount * rate;
  }
  return ms;
}

/**
 * Of the kind, or of one of another form: a depthwise convolution that is cut to one channel is a dense one. Where no
 * network had short sets, they cost nothing more.
 */
function rateOf(kind: string, rates: Rates): number | undefined {
  if (Object.hasOwn(rates, kind)) return rates[kind];
  if (shortSets.includes(kind)) return 0;
  const [, layer] = kind.split(": ");
  const other =
    layer === undefined ? undefined : Object.keys(rates).find((one) => one.endsWith(`: ${layer}`));
  return other === undefined ? undefined : rates[other];
}

/** How far predictions are off on networks that the rates were not fitted to: every fourth is left out in turn. */
export function heldOutErrors(samples: readonly Timed[], sums?: KernelSums): number[] {
  const errors: number[] = [];
  for (let part = 0; part < 4; part++) {
    // The first, the whole network, belongs to every fit.
    const seen = samples.filter((_, i) => i === 0 || i % 4 !== part);
    const rates = fitRates(seen, sums);
    for (const [i, { work, ms }] of samples.entries())
      if (i > 0 && i % 4 === part) errors.push(Math.abs((predictMs(work, rates) ?? Infinity) / ms - 1));
  }
  return errors.sort((one, other) => one - other);
}
