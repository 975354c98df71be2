/** Asks for the locks of many folders at the same moments as its siblings: `lock-child.ts ROOT ROUNDS START-MS EVERY-MS`. */
import { open, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { isEtlError } from "../../lib/core/errors.ts";
import { lock } from "../../lib/jobs/run/lock.ts";

const [root, rounds, start, every] = [process.argv[2], ...process.argv.slice(3).map(Number)] as [
  string,
  number,
  number,
  number,
];
const now = (): number => performance.timeOrigin + performance.now();
const counts = { taken: 0, refused: 0, together: 0 };
for (let round = 0; round < rounds; round++) {
  const folder = join(root, String(round));
  const witness = join(root, `${round}.held`);
  await pause(Math.max(0, start + round * every - now() - 3));
  while (now() < start + round * every); // all at once
  try {
    const held = await lock(folder);
    const handle = await open(witness, "wx").catch(() => undefined);
    if (handle === undefined) counts.together++;
    else counts.taken++;
    await pause(every / 4);
    await held.check();
    await handle?.close();
    if (handle !== undefined) await rm(witness);
    await held.release();
  } catch (error) {
    if (!isEtlError(error, "usage")) throw error;
    counts.refused++;
  }
}
process.stdout.write(JSON.stringify(counts));
