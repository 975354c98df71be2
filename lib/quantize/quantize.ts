/** A float network in bytes, where that is faster and costs no quality; else the reason why it stays in floats. */
import { silent, type Progress } from "../core/progress.ts";
import type { Engine, Tensors } from "../engine/engine.ts";
import { needFloats } from "../network/bytes.ts";
import { foldBatchNorm } from "../network/fold-batch-norm.ts";
import type { Network } from "../network/network.ts";
import type { Latency } from "../record/record.ts";
import { createFit, type Fit } from "./answers.ts";
import type { Seen } from "./calibrate.ts";
import { placesOf } from "./places.ts";
import { prepare, rangesOf } from "./prepare.ts";
import { costsNothing, holds, qualitySentence, type Quality } from "./quality.ts";
import type { RangeRule } from "./ranges.ts";
import { readyForBytes } from "./ready.ts";
import { inBytes } from "./in-bytes.ts";
import type { WeightBits } from "./scales.ts";
import { worstLayers } from "./sensitivity.ts";
import { entryLayers } from "./whole.ts";

/**
 * For which CPUs: `portable` weights have 7 bits, as products of 8 bits saturate without VNNI; `this` has 8 and asks nothing of
 * others; `auto` is portable where that costs no quality.
 */
export type Int8For = "auto" | "portable" | "this";

export interface QuantizeOptions {
  /** Pictures for the ranges, from the start each time. */
  readonly batches: () => AsyncIterable<Tensors> | Iterable<Tensors>;
  /** How good a network is; beside each other for every network. */
  readonly judge: (network: Network) => Promise<readonly Quality[]>;
  /** Times networks in turns, beside them. */
  readonly time: (networks: readonly Network[]) => Promise<readonly Latency[]>;
  /** Default `auto`. */
  readonly int8For?: Int8For;
  /** Whether quality and time decide. Default true; if not, the network in bytes is given whatever they are. */
  readonly check?: boolean;
  readonly progress?: Progress;
  readonly signal?: AbortSignal | undefined;
}

/** What came out. */
export interface Quantized {
  /** Absent: the network stays in floats. */
  readonly network?: Network;
  /** Why. */
  readonly reason?: string;
  readonly bits?: WeightBits;
  /** Layers in bytes, and those that stay in floats because they cost too much quality. */
  readonly layers: number;
  readonly inFloat: readonly string[];
  /** Those of the layers in bytes that kernels of floats compute, on whole numbers, as that is faster: what reads the picture, often. */
  readonly fasterInFloat?: readonly string[];
  readonly before: readonly Quality[];
  readonly after?: readonly Quality[];
  readonly latency?: { readonly before: Latency; readonly after: Latency };
  /** Pictures the ranges come from. */
  readonly pictures: number;
  /** How ranges were chosen; absent where nothing was to be stored as bytes. */
  readonly ranges?: RangeRule;
  /** Whether channels were made alike before. */
  readonly equalised?: boolean;
  /** Layers that were fitted to the answers in floats. */
  readonly fitted?: readonly string[];
}

const metadataKey = "etl.int8";

/**
 * Calibrates, writes the network in bytes, and looks whether it is as good and faster. Where whole int8 costs too much quality, the
 * layers that cost most stay in floats.
 */
export async function quantize(engine: Engine, given: Network, options: QuantizeOptions): Promise<Quantized> {
  const { batches, judge, int8For = "auto", check = true, progress = silent, signal } = options;
  needFloats(given, given.name);
  const plain = readyForBytes(given);
  if (placesOf(plain).layers.length === 0) {
    const reason = "it has no layer between its input and its last one that computes on bytes";
    return { reason, layers: 0, inFloat: [], before: [], pictures: 0 };
  }
  progress.start("int8");
  const before = await judge(plain);
  const how = { batches, bits: bitsFor[int8For][0], signal };
  const { network, seen, rule, isEqualised, distance } = await prepare(engine, plain, how);
  progress.update(
    1,
    `ranges ${rangesOf(rule, seen.pictures, isEqualised)}: outputs ${distance.toFixed(2)} % off`,
  );
  const fasterInFloat = check ? await fasterInFloats(network, { seen, time: options.time }) : [];
  if (fasterInFloat.length > 0)
    progress.update(1, `${fasterInFloat.join(", ")} on kernels of floats, which are faster there`);
  const found = await search(engine, network, {
    seen,
    fasterInFloat,
    given,
    before,
    judge,
    check,
    int8For,
    progress,
    batches,
    signal,
    fit: createFit(engine, network, batches),
  });
  const { layers, inFloat, fitted } = found;
  const common = {
    ...{ layers, inFloat, before },
    fasterInFloat: fasterInFloat.filter((name) => !inFloat.includes(name)),
    ...{ pictures: seen.pictures, ranges: rule, equalised: isEqualised, fitted },
  };
  progress.finish(found.after === undefined ? "" : qualitySentence(before, found.after));
  if (found.network === undefined) {
    const reason = `int8 costs too much quality (${qualitySentence(before, found.after)})`;
    return { ...common, reason, after: found.after };
  }
  const { bits, after } = found;
  const made = { ...common, bits, after };
  if (!check) return { ...made, network: found.network };
  const latency = await compared(options.time, [foldBatchNorm(given), found.network]);
  const [float, int8] = [latency.before.medianMs, latency.after.medianMs];
  if (int8 < float) return { ...made, network: found.network, latency };
  const reason = `int8 is not faster here: ${int8.toFixed(3)} ms, ${float.toFixed(3)} ms in floats`;
  return { ...made, latency, reason };
}

/** Comparisons of two networks: where they are about as fast, one says what the machine did just then. */
const COMPARISONS = 5;
/** Times further apart than this share are told apart by one comparison. */
const CLEAR = 0.15;

type Compared = NonNullable<Quantized["latency"]>;

/** Times of two networks: the comparison in the middle of several. */
async function compared(time: QuantizeOptions["time"], networks: readonly Network[]): Promise<Compared> {
  const shareOf = ({ before, after }: Compared): number => after.medianMs / before.medianMs;
  const found: Compared[] = [];
  while (found.length < COMPARISONS) {
    const [before, after] = await time(networks);
    found.push({ before, after });
    if (Math.abs(shareOf(found[0]) - 1) > CLEAR) break;
  }
  return found.toSorted((a, b) => shareOf(a) - shareOf(b))[found.length >> 1];
}

/** Layers that read pictures, where the network is faster with those on kernels of floats. */
async function fasterInFloats(
  network: Network,
  { seen, time }: Pick<QuantizeOptions, "time"> & { readonly seen: Seen },
): Promise<string[]> {
  const entries = entryLayers(network, placesOf(network));
  if (entries.length === 0) return [];
  const [all, others] = [[], entries].map((whole) => inBytes(network, { whole, ...seen, bits: 8 }).network);
  const { before, after } = await compared(time, [all, others]);
  return after.medianMs < before.medianMs ? entries : [];
}

interface Found {
  /** Undefined where none holds. */
  readonly network: Network | undefined;
  readonly bits: WeightBits;
  readonly layers: number;
  readonly inFloat: readonly string[];
  readonly fitted: readonly string[];
  readonly after: readonly Quality[];
}

interface Search extends Pick<QuantizeOptions, "judge" | "batches" | "signal"> {
  readonly seen: Seen;
  readonly fasterInFloat: readonly string[];
  /** As it was before anything was made a convolution. */
  readonly given: Network;
  readonly before: readonly Quality[];
  readonly check: boolean;
  readonly int8For: Int8For;
  readonly progress: Progress;
  readonly fit: Fit;
}

const bitsFor = { auto: [7, 8], portable: [7], this: [8] } as const;

/**
 * All layers with the fewest bits that cost nothing; or else those that cost least of what is allowed, the fewest where none is better
 * by what counts; then with ever more of the worst layers in floats.
 */
async function search(engine: Engine, network: Network, how: Search): Promise<Found> {
  const { seen, before, judge, check, int8For, progress, fit, signal, fasterInFloat, given } = how;
  const counted = new Set(placesOf(given).layers.map(({ name }) => name));
  const attempt = async (bits: WeightBits, inFloat: readonly string[]): Promise<Found> => {
    signal?.throwIfAborted();
    const { network: rewritten, layers: all } = inBytes(network, {
      whole: fasterInFloat,
      inFloat,
      ...seen,
      bits,
    });
    const made = await fit(rewritten);
    const bytes = described(made.network, { bits, inFloat, seen });
    const { fitted } = made;
    const layers = all.filter((name) => counted.has(name)).length;
    const found = { bits, layers, inFloat, fitted, network: bytes, after: await judge(bytes) };
    progress.update(2, `${bits} bits: ${qualitySentence(before, found.after)}`);
    return found;
  };
  const choices = bitsFor[int8For];
  let [best, within]: (Found | undefined)[] = [];
  for (const bits of choices) {
    best = await attempt(bits, []);
    if (!check || costsNothing(before, best.after)) return best;
    // what 7 bits cost more than 8 has to count, as 8 are for fewer CPUs
    const isBetter = within === undefined || !costsNothing(best.after, within.after);
    if (isBetter && holds(before, best.after)) within = best;
  }
  if (within !== undefined) return within;
  const bits = choices[choices.length - 1];
  const norms = new Set(given.nodes.filter(({ op }) => op === "BatchNormalization").map(({ name }) => name));
  const candidates = placesOf(network)
    .layers.map(({ name }) => name)
    .filter((name) => counted.has(name) || norms.has(name));
  const worst = await worstLayers(engine, network, { candidates, seen, bits, batches: how.batches, signal });
  const most = Math.floor(worst.length / 2);
  for (let count = 1; count <= most; count = count < most ? Math.min(2 * count, most) : most + 1) {
    best = await attempt(bits, worst.slice(0, count));
    if (holds(before, best.after)) return best;
  }
  if (best === undefined) throw new Error("nothing was tried");
  return { ...best, network: undefined };
}

/** What the file says about itself. */
function described(
  network: Network,
  made: { readonly bits: WeightBits; readonly inFloat: readonly string[]; readonly seen: Seen },
): Network {
  const { bits, inFloat, seen } = made;
  const value = JSON.stringify({ weightBits: bits, inFloat, pictures: seen.pictures });
  return { ...network, metadata: { ...network.metadata, [metadataKey]: value } };
}
