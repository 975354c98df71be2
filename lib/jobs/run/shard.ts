/** Shards: contiguous stretches of the training part, the same on every machine. Pure. */
import { EtlError } from "../../core/errors.ts";
import type { Dataset, Item } from "../../data/dataset.ts";

/** Shard `index` (from 1) of `of`. */
export interface Shard {
  readonly index: number;
  readonly of: number;
}

/**
 * Reads "3/8".
 *
 * @throws EtlError `usage`
 */
export function parseShard(text: string): Shard {
  const [, index = 0, of = 0] = (/^(\d+)\/(\d+)$/.exec(text.trim()) ?? []).map(Number);
  if (index >= 1 && index <= of && Number.isSafeInteger(of)) return { index, of };
  throw new EtlError("usage", `--shard: ${JSON.stringify(text)}, i/n with 1 <= i <= n was needed`, {
    hint: "the first of eight shards: --shard 1/8",
  });
}

/** Name of a shard's stage and files. */
export function shardName({ index, of }: Shard): string {
  return `shard-${index}-of-${of}`;
}

/**
 * The training pictures of a shard, in the order of the labels: shard i of n holds those from (i - 1) N / n up to
 * i N / n, rounded down, so that sizes differ by one at most.
 *
 * @throws EtlError `usage` where the shard is empty
 */
export function shardOf(dataset: Pick<Dataset, "name" | "items">, { index, of }: Shard): Item[] {
  const training = dataset.items.filter(({ split }) => split === "train");
  const edge = (i: number): number => Math.floor((i * training.length) / of);
  const items = training.slice(edge(index - 1), edge(index));
  if (items.length > 0) return items;
  throw new EtlError(
    "usage",
    `--shard: ${index}/${of} holds none of the ${training.length} training pictures of ${dataset.name}, at most ${training.length} shards were needed`,
  );
}
