/** Before a network is written in bytes: which ranges its values get, and whether channels are made alike. Decided by the outputs. */
import type { Engine, Tensors } from "../engine/engine.ts";
import type { Network } from "../network/network.ts";
import { calibrate, type Seen } from "./calibrate.ts";
import { answersTo, outputDistance } from "./distance.ts";
import { equalised } from "./equalise.ts";
import { placesOf } from "./places.ts";
import { chooseRanges, rangeRules, type RangeRule } from "./ranges.ts";
import { quantized } from "./rewrite.ts";
import type { WeightBits } from "./scales.ts";
import { stableSums } from "./sums.ts";

/** Pictures that say which ranges are best, at most. */
const RANGE_PICTURES = 32;

interface PrepareOptions {
  /** Pictures, from the start each time. */
  readonly batches: () => AsyncIterable<Tensors> | Iterable<Tensors>;
  readonly bits: WeightBits;
  readonly signal?: AbortSignal | undefined;
}

/** What {@link prepare} chose. */
export interface Prepared {
  /** The float network, its channels alike where that helps. */
  readonly network: Network;
  readonly seen: Seen;
  readonly rule: RangeRule;
  readonly isEqualised: boolean;
  /** Per cent of their spread that outputs move by, all layers in bytes. */
  readonly distance: number;
}

/** Ranges, and channels made alike, as they move the outputs of a few pictures least. */
export async function prepare(
  engine: Engine,
  plain: Network,
  { batches, bits, signal }: PrepareOptions,
): Promise<Prepared> {
  const few = (): AsyncGenerator<Tensors> => firstPictures(batches(), RANGE_PICTURES);
  const alike = await equalised(engine, plain, few());
  const candidates: Prepared[] = [];
  for (const network of alike === undefined ? [plain] : [plain, alike]) {
    const places = placesOf(network);
    const seen = await calibrate(engine, network, places, batches());
    const answered = await answersTo(engine, network, few());
    const ranges = await chooseRanges(engine, network, seen, few());
    for (const rule of rangeRules) {
      signal?.throwIfAborted();
      const own: Seen = { ...seen, ranges: stableSums(network, places, ranges[rule]) };
      const bytes = quantized(network, places, { ...own, bits });
      const distance = await outputDistance(engine, bytes, answered);
      candidates.push({ network, seen: own, rule, isEqualised: network === alike, distance });
    }
  }
  return candidates.reduce((a, b) => (b.distance < a.distance ? b : a));
}

const ruleNames: Readonly<Record<RangeRule, string>> = {
  extremes: "from the smallest to the largest value",
  percentile: "of 99.99 % of the values",
  squares: "of the least squared error",
};

/** "of 99.99 % of the values on 128 pictures, channels made alike". */
export function rangesOf(rule: RangeRule, pictures: number, isEqualised: boolean): string {
  return `${ruleNames[rule]} on ${pictures} pictures${isEqualised ? ", channels made alike" : ""}`;
}

/** Batches until they hold `count` pictures. */
export async function* firstPictures(
  batches: AsyncIterable<Tensors> | Iterable<Tensors>,
  count: number,
): AsyncGenerator<Tensors> {
  let seen = 0;
  for await (const batch of batches) {
    yield batch;
    seen += Object.values(batch)[0].shape[0];
    if (seen >= count) return;
  }
}
