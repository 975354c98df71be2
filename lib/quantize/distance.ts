/** How far the outputs of networks in bytes are from those of the float network. */
import type { Engine, Tensors } from "../engine/engine.ts";
import type { Network } from "../network/network.ts";
import { createDistance, type Distance } from "./quality.ts";

/** Pictures, and what the float network answers to them. */
interface Answered {
  readonly inputs: Tensors;
  readonly expected: Tensors;
}

/** Answers to a few pictures, all of which are held: many networks in bytes are compared with them. */
export async function answersTo(
  engine: Engine,
  network: Network,
  batches: AsyncIterable<Tensors> | Iterable<Tensors>,
): Promise<Answered[]> {
  const program = await engine.compile(network);
  const answered: Answered[] = [];
  try {
    for await (const inputs of batches) answered.push({ inputs, expected: await program.run(inputs) });
  } finally {
    await program.dispose();
  }
  return answered;
}

/**
 * Per cent of the spread of each output between pictures (root mean squares); of the output that moves most.
 *
 * @param bytes inputs and outputs are those of the float network that answered
 */
export async function outputDistance(
  engine: Engine,
  bytes: Network,
  answered: readonly Answered[],
): Promise<number> {
  const program = await engine.compile(bytes);
  const distances = new Map<string, Distance>();
  try {
    for (const { inputs, expected } of answered) {
      const found = await program.run(inputs);
      for (const [name, { data, shape }] of Object.entries(expected)) {
        const own = distances.get(name) ?? createDistance(data.length / shape[0]);
        distances.set(name, own);
        own.add(found[name].data, data);
      }
    }
  } finally {
    await program.dispose();
  }
  return Math.max(...Array.from(distances.values(), (distance) => distance.percent()));
}
