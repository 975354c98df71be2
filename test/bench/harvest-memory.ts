/**
 * Peak memory and seconds of `etl harvest` for growing numbers of drawn pictures: time grows in step, memory does not.
 *
 *     npx tsx test/bench/harvest-memory.ts [SIZES 1000,20000] [BACKBONE face-resnet]
 *
 * Every size runs in a process of its own, which says at its end what it used at most (getrusage). `n` of the
 * pictures are training pictures and harvested. Decoded pictures go to a temporary cache.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { main } from "../../bin/main.ts";
import { decodeMoments } from "../../lib/core/moments-file.ts";
import { report, round } from "./support.ts";

const [sizes = "1000,20000", backbone = "face-resnet", folder] = process.argv.slice(2);

if (folder !== undefined) await harvestIn(folder, sizes);
else {
  const rows: Record<string, string | number>[] = [];
  for (const size of sizes.split(",")) rows.push(measure(size));
  await report("harvest-memory", rows);
}

/** In the child: harvests, and prints the peak of its memory in bytes. */
async function harvestIn(out: string, size: string): Promise<void> {
  const data = ["--task", "gender", "--data", `synthetic:${size}`, "--backbone", backbone];
  const code = await main([
    "harvest",
    ...data,
    "--out",
    out,
    "--cache-dir",
    join(out, "../cache"),
    "--quiet",
  ]);
  if (code !== 0) throw new Error(`etl harvest ended with ${code}`);
  console.log(process.resourceUsage().maxRSS * 1024);
}

function measure(size: string): Record<string, string | number> {
  const scratch = mkdtempSync(join(tmpdir(), "etl-memory-"));
  const out = join(scratch, "run");
  try {
    const text = execFileSync(
      process.execPath,
      [...process.execArgv, import.meta.filename, size, backbone, out],
      {
        encoding: "utf8",
        stdio: ["ignore", "pipe", "inherit"],
      },
    );
    const peakBytes = Number(text.trim().split("\n").at(-1));
    const { stages } = JSON.parse(readFileSync(join(out, "run.json"), "utf8")) as {
      stages: { harvest: { seconds: number } };
    };
    const [{ folds }] = decodeMoments(readFileSync(join(out, "moments/taps.bin")));
    const n = folds.reduce((sum, fold) => sum + fold.n, 0);
    const { seconds } = stages.harvest;
    return {
      ...{ pictures: Number(size), n, backbone, peakMB: round(peakBytes / 1e6, 0) },
      ...{ harvestSeconds: round(seconds, 1), msPerPicture: round((1000 * seconds) / n, 2) },
    };
  } finally {
    rmSync(scratch, { recursive: true });
  }
}
