/** Which layers lose most in bytes: each by itself, all others in floats. */
import type { Engine, Tensors } from "../engine/engine.ts";
import type { Network } from "../network/network.ts";
import type { Seen } from "./calibrate.ts";
import { placesOf } from "./places.ts";
import { outputQuality } from "./quality.ts";
import { quantized } from "./rewrite.ts";
import type { WeightBits } from "./scales.ts";

/** Names of the candidates, of layers that compute on bytes, the one that moves the outputs of the first pictures most first. */
export async function worstLayers(
  engine: Engine,
  network: Network,
  {
    candidates,
    seen,
    bits,
    batches,
  }: {
    readonly candidates: readonly string[];
    readonly seen: Seen;
    readonly bits: WeightBits;
    readonly batches: () => AsyncIterable<Tensors> | Iterable<Tensors>;
  },
): Promise<string[]> {
  const names = placesOf(network).layers.map(({ name }) => name);
  for await (const inputs of batches()) {
    const answers = async (one: Network): Promise<Tensors> => {
      const program = await engine.compile(one);
      try {
        return await program.run(inputs);
      } finally {
        await program.dispose();
      }
    };
    const reference = await answers(network);
    const moved = new Map<string, number>();
    for (const name of candidates) {
      const alone = placesOf(network, new Set(names.filter((other) => other !== name)));
      const found = await answers(quantized(network, alone, { ...seen, bits }));
      const distances = Object.entries(reference).map(([output, { data, shape }]) => {
        const width = data.length / shape[0];
        return outputQuality(found[output].data, data, { width }).value;
      });
      moved.set(name, Math.max(...distances));
    }
    return candidates.toSorted((a, b) => (moved.get(b) ?? 0) - (moved.get(a) ?? 0));
  }
  return [...candidates];
}
