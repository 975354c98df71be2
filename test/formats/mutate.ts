import type { Random } from "../../lib/core/random.ts";

/** One to four edits: bit flips, bytes, runs of 0xff, cuts, insertions, moved pieces, a truncation now and then. */
export function mutate(bytes: Uint8Array, random: Random): Uint8Array {
  let result = Uint8Array.from(bytes);
  const edits = 1 + random.integer(4);
  for (let i = 0; i < edits && result.length > 0; i++) {
    const at = random.integer(result.length);
    const length = 1 + random.integer(12);
    const [before, after] = [result.subarray(0, at), result.subarray(at)];
    const joined = (...parts: Uint8Array[]): Uint8Array<ArrayBuffer> => Uint8Array.from(Buffer.concat(parts));
    const kind = random.integer(12);
    if (kind < 4) result[at] ^= 1 << random.integer(8);
    else if (kind < 7) result[at] = random.integer(256);
    else if (kind < 9) result.fill(0xff, at, Math.min(result.length, at + length));
    else if (kind < 10) result = joined(before, after.subarray(length));
    else if (kind < 11)
      result = joined(
        before,
        Uint8Array.from({ length }, () => random.integer(256)),
        after,
      );
    else result = random.integer(2) === 0 ? joined(before) : joined(before, before.subarray(-length), after);
  }
  return result;
}
