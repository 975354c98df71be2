/** Reads mutated files in a process of its own, whose parent watches the time; says before each which one it is. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isEtlError } from "../../../lib/core/errors.ts";
import { createRandom } from "../../../lib/core/random.ts";
import { casesIn } from "./cases.ts";

/** What the child says. */
export type FuzzNews =
  | { readonly at: string }
  | { readonly failed: string }
  | {
      readonly done: string;
      readonly read: number;
      readonly refused: number;
      readonly peakBytes: number;
      /** Processor time of the one that took longest. */
      readonly slowestMs: number;
    };

const [root = "", only = "", first = "0", last = "1"] = process.argv.slice(2);
const say = (news: FuzzNews): unknown => process.send?.(news);

const inside = join(root, "inside");
await mkdir(inside, { recursive: true });
await mkdir(join(root, "victim"), { recursive: true });
await writeFile(join(root, "victim/thesis.txt"), "years of work");
for (const { name, mutate, seeds, read } of await casesIn(inside)) {
  if (only !== "" && only !== name) continue;
  let [fine, refused, slowestMs] = [0, 0, 0];
  for (const whole of seeds) {
    try {
      await read(whole);
    } catch (error) {
      say({ failed: `${name}, not mutated: ${error instanceof Error ? error.message : "?"}` });
    }
  }
  for (let i = Number(first); i < Number(last); i++) {
    say({ at: `${name} ${i}` });
    const before = process.cpuUsage();
    try {
      await read(mutate(seeds[i % seeds.length] ?? new Uint8Array(), createRandom(i).fork(name)));
      fine++;
    } catch (error) {
      refused++;
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      const sentence = isEtlError(error) && /^[^]+: [^]+/.test(error.message);
      if (!sentence) say({ failed: `${name} ${i}: ${text.slice(0, 1500)}` });
    }
    const { user, system } = process.cpuUsage(before);
    slowestMs = Math.max(slowestMs, (user + system) / 1000);
  }
  const victim = await readFile(join(root, "victim/thesis.txt"), "utf8").catch(() => "gone");
  if (victim !== "years of work") say({ failed: `${name}: a file outside was changed` });
  say({ done: name, read: fine, refused, peakBytes: 1024 * process.resourceUsage().maxRSS, slowestMs });
}
