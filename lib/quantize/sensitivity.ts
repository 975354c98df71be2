/** Which layers lose most in bytes: each by itself, all others in floats. */
import type { Engine, Tensors } from "../engine/engine.ts";
import type { Network } from "../network/network.ts";
import type { Seen } from "./calibrate.ts";
import { answersTo, outputDistance } from "./distance.ts";
import { placesOf } from "./places.ts";
import { firstPictures } from "./prepare.ts";
import { quantized } from "./rewrite.ts";
import type { WeightBits } from "./scales.ts";

/** Pictures that layers are told apart by: of one alone there is no spread to compare with. */
const PICTURES = 16;

interface Sensitivity {
  /** Names of layers that compute on bytes. */
  readonly candidates: readonly string[];
  readonly seen: Seen;
  readonly bits: WeightBits;
  readonly batches: () => AsyncIterable<Tensors> | Iterable<Tensors>;
  readonly signal?: AbortSignal | undefined;
}

/** The candidates, the one that moves the outputs of the first pictures most first. */
export async function worstLayers(
  engine: Engine,
  network: Network,
  { candidates, seen, bits, batches, signal }: Sensitivity,
): Promise<string[]> {
  const names = placesOf(network).layers.map(({ name }) => name);
  const answered = await answersTo(engine, network, firstPictures(batches(), PICTURES));
  const moved = new Map<string, number>();
  for (const name of candidates) {
    signal?.throwIfAborted();
    const alone = placesOf(network, new Set(names.filter((other) => other !== name)));
    const bytes = quantized(network, alone, { ...seen, bits });
    moved.set(name, await outputDistance(engine, bytes, answered));
  }
  return candidates.toSorted((a, b) => (moved.get(b) ?? 0) - (moved.get(a) ?? 0));
}
