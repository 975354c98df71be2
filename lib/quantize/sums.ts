/**
 * Sums of bytes that every runtime rounds alike. Kernels multiply both bytes by the ratio of their scale to the sum's, add, and round.
 * Floats round those products and halves stand for the byte above in one runtime, for the even one in another: single bytes differ, and
 * roundings that follow amplify that to a few per cent of an answer. Ratios of few bits, none of whose sums is a half, leave no choice.
 */
import type { Network } from "../network/network.ts";
import type { Places } from "./places.ts";
import { quantizerOf, type Range } from "./scales.ts";

/** A sum of two bytes times ratios below {@link SMALL}, in steps of 1 / ONE, has no more than the 24 bits of a float. */
const [ONE, SMALL] = [2 ** 14, 4];
/** Ratios on either side of the nearest that are looked at. */
const REACH = 12;

/** Offsets of two ratios, in steps: the nearest first. */
const offsets: readonly (readonly [number, number])[] = Array.from(
  { length: (2 * REACH + 1) ** 2 },
  (_, i) => [(i % (2 * REACH + 1)) - REACH, Math.floor(i / (2 * REACH + 1)) - REACH] as const,
).toSorted(([a, b], [c, d]) => a * a + b * b - c * c - d * d);

/** The range with another scale: made wider or narrower by as much. */
function withScale(range: Range, scale: number): Range {
  const low = (Math.min(0, range.low) * scale) / quantizerOf(range).scale;
  return { low, high: low + 255 * scale };
}

/**
 * Whether a sum of two bytes lies half way between two bytes.
 *
 * @param ratios whole numbers: times ONE
 * @param zeros bytes that mean 0: of both, and of the sum
 */
function hasHalves([a, b]: readonly number[], [first, second, zero]: readonly number[]): boolean {
  const [low, high] = [(-0.5 - zero) * ONE, (255.5 - zero) * ONE];
  for (let i = -first; i <= 255 - first; i++) {
    for (let j = -second; j <= 255 - second; j++) {
      const sum = i * a + j * b;
      if ((sum & (ONE - 1)) === ONE / 2 && sum > low && sum < high) return true;
    }
  }
  return false;
}

/** Scales of a sum and of what is added. */
interface Scales {
  readonly sum: number;
  readonly inputs: readonly [number, number];
}

/**
 * Scales near those given.
 *
 * @param zeros bytes that mean 0: of both inputs, and of the sum
 * @param given which of the inputs keeps its scale, if any
 * @returns undefined where none was found
 */
function stableScales({ sum, inputs }: Scales, zeros: readonly number[], given?: 0 | 1): Scales | undefined {
  const near = inputs.map((scale) => Math.round((ONE * scale) / sum));
  if (near.some((ratio) => ratio <= REACH || ratio >= SMALL * ONE)) return undefined;
  for (const offset of offsets) {
    const ratios = near.map((ratio, i) => ratio + offset[i]);
    const own = given === undefined ? sum : Math.fround((ONE * inputs[given]) / ratios[given]);
    const [first, second] = ratios.map((ratio, i) =>
      i === given ? inputs[i] : Math.fround((ratio / ONE) * own),
    );
    // the ratio that a kernel computes of two scales
    const isExact = [first, second].every((scale, i) => Math.fround(scale / own) * ONE === ratios[i]);
    if (isExact && !hasHalves(ratios, zeros)) return { sum: own, inputs: [first, second] };
  }
  return undefined;
}

/**
 * Ranges whose scales leave no choice wherever two values are added. A sum of a sum takes its scale from that; a value that was not
 * added before takes its scale from the sum.
 *
 * @param ranges by value; those that nobody adds stay as they are, and so do those of a sum of two sums, or of very unlike values
 */
export function stableSums(
  network: Network,
  { values, results }: Pick<Places, "values" | "results">,
  ranges: ReadonlyMap<string, Range>,
): ReadonlyMap<string, Range> {
  const chosen = new Map(ranges);
  const settled = new Set<string>();
  for (const node of network.nodes) {
    const stored = results.get(node);
    if (node.op !== "Add" || node.domain !== "" || stored === undefined) continue;
    const names = [...node.inputs, ...stored].map((value) => values.get(value) ?? value);
    const own = names.map((name) => chosen.get(name));
    const isFixed = names.slice(0, 2).map((name) => settled.has(name));
    for (const name of names) settled.add(name);
    if (new Set(names).size < 3 || (isFixed[0] && isFixed[1])) continue;
    const [first, second, sum] = own.map((range) => range && quantizerOf(range));
    if (first === undefined || second === undefined || sum === undefined) continue;
    const scales = stableScales(
      { sum: sum.scale, inputs: [first.scale, second.scale] },
      [first.zero, second.zero, sum.zero],
      isFixed[0] ? 0 : isFixed[1] ? 1 : undefined,
    );
    if (scales === undefined) continue;
    for (const [i, scale] of [...scales.inputs, scales.sum].entries()) {
      const range = own[i];
      if (range !== undefined && !(isFixed[i] ?? false)) chosen.set(names[i], withScale(range, scale));
    }
  }
  // What is handed on unchanged has its own range where a layer in front of it computes in floats: the same bytes then.
  for (const [value, from] of values) {
    const [own, before, after] = [ranges.get(value), ranges.get(from), chosen.get(from)];
    if (own === undefined || before === undefined || after === undefined || value === from) continue;
    const [one, other] = [own, before].map(quantizerOf);
    if (one.scale === other.scale && one.zero === other.zero) chosen.set(value, after);
  }
  return chosen;
}
