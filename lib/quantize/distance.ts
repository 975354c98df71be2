/** How far the outputs of a network in bytes are from those of the float network, over a stream of pictures. */
import type { Engine, Tensors } from "../engine/engine.ts";
import type { Network } from "../network/network.ts";
import { createDistance, type Distance } from "./quality.ts";

/**
 * Per cent of the spread of each output between pictures (root mean squares); of the output that moves most.
 *
 * @param network and `bytes`: same inputs, same outputs
 */
export async function outputDistance(
  engine: Engine,
  { network, bytes }: { readonly network: Network; readonly bytes: Network },
  batches: AsyncIterable<Tensors> | Iterable<Tensors>,
): Promise<number> {
  const programs = [await engine.compile(network), await engine.compile(bytes)];
  const distances = new Map<string, Distance>();
  try {
    for await (const inputs of batches) {
      const [expected, found] = await Promise.all(programs.map((program) => program.run(inputs)));
      for (const [name, { data, shape }] of Object.entries(expected)) {
        const own = distances.get(name) ?? createDistance(data.length / shape[0]);
        distances.set(name, own);
        own.add(found[name].data, data);
      }
    }
  } finally {
    await Promise.all(programs.map((program) => program.dispose()));
  }
  return Math.max(...Array.from(distances.values(), (distance) => distance.percent()));
}
