/** Rates of every kind of work from times of whole networks. Pure. */
import { median } from "../math/statistics.ts";
import { shared, type Work } from "./features.ts";

/** A network that was timed. */
export interface Timed {
  readonly work: Work;
  readonly ms: number;
}

/** Kind of work -> milliseconds of a unit. */
export type Rates = Readonly<Record<string, number>>;

/** Shares of a network's time that are expected of what is no layer, where the times do not say otherwise. */
const expected: Readonly<Partial<Record<string, number>>> = {
  [shared.maps]: 0.15,
  [shared.weights]: 0.05,
  [shared.nodes]: 0.05,
};
/** How much an unexpected rate weighs against a relative error of the times. */
const RIDGE = 1e-4;
const ROUNDS = 2000;

/**
 * Rates, none negative, with the least squares of relative errors; where the times leave a rate open, it is near what they say
 * of all layers alike.
 */
export function fitRates(samples: readonly Timed[]): Rates {
  const [first] = samples;
  const kinds = [...first.work.keys()];
  const layers = kinds.filter((kind) => expected[kind] === undefined);
  const rest = kinds.reduce((sum, kind) => sum + (expected[kind] ?? 0), 0);
  const layerWork = (work: Work): number => layers.reduce((sum, kind) => sum + (work.get(kind) ?? 0), 0);
  // of a middling sample: one that was disturbed says nothing
  const perMac = median(samples.map(({ work, ms }) => ms / layerWork(work))) ?? 0;
  const whole = perMac * layerWork(first.work);
  const prior = kinds.map((kind) => {
    const share = expected[kind];
    return share === undefined ? (1 - rest) * perMac : (share * whole) / (first.work.get(kind) ?? 1);
  });
  const a = samples.map(({ work, ms }) => kinds.map((kind, k) => ((work.get(kind) ?? 0) * prior[k]) / ms));
  const x = kinds.map(() => 1);
  const residual = a.map((row) => 1 - row.reduce((sum, value, k) => sum + value * x[k], 0));
  for (let round = 0; round < ROUNDS; round++) {
    for (const k of kinds.keys()) {
      let [up, down] = [RIDGE * samples.length, RIDGE * samples.length];
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

/** Of the kind, or of one of another form: a depthwise convolution that is cut to one channel is a dense one. */
function rateOf(kind: string, rates: Rates): number | undefined {
  if (Object.hasOwn(rates, kind)) return rates[kind];
  const [, layer] = kind.split(": ");
  const other =
    layer === undefined ? undefined : Object.keys(rates).find((one) => one.endsWith(`: ${layer}`));
  return other === undefined ? undefined : rates[other];
}

/** How far predictions are off on networks that the rates were not fitted to: every fourth is left out in turn. */
export function heldOutErrors(samples: readonly Timed[]): number[] {
  const errors: number[] = [];
  for (let part = 0; part < 4; part++) {
    // The first, the whole network, belongs to every fit.
    const seen = samples.filter((_, i) => i === 0 || i % 4 !== part);
    const rates = fitRates(seen);
    for (const [i, { work, ms }] of samples.entries())
      if (i > 0 && i % 4 === part) errors.push(Math.abs((predictMs(work, rates) ?? Infinity) / ms - 1));
  }
  return errors.sort((one, other) => one - other);
}
