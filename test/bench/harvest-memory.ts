/**
 * Peak memory, seconds and CPU seconds of `etl harvest` for growing numbers of drawn pictures: time grows in step,
 * memory does not.
 *
 *     npx tsx test/bench/harvest-memory.ts [SIZES 1000,5000,20000] [BACKBONE face-resnet]
 *
 * Every size runs in a process of its own, which says at its end what it used (getrusage): drawing and decoding all
 * pictures, and harvesting the `n` that are training pictures. `cpuMs` is for one more picture, from the size before:
 * a machine that does other work distorts it less than seconds. Decoded pictures go to a temporary cache.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { main } from "../../bin/main.ts";
import { decodeMoments } from "../../lib/math/moments-file.ts";
import { report, round } from "./support.ts";

const [sizes = "1000,5000,20000", backbone = "face-resnet", folder] = process.argv.slice(2);

if (folder !== undefined) await harvestIn(folder, sizes);
else {
  const rows: Record<string, string | number>[] = [];
  let before: Measured | undefined;
  for (const size of sizes.split(",")) {
    const found = measure(size);
    rows.push(rowOf(found, before));
    before = found;
  }
  await report("harvest-memory", rows);
}

interface Measured {
  readonly pictures: number;
  /** Pictures harvested. */
  readonly n: number;
  readonly peakBytes: number;
  /** Of the stage. */
  readonly harvestSeconds: number;
  /** Of the process. */
  readonly cpuSeconds: number;
}

/** In the child: harvests, and prints the peak of its memory in bytes and its CPU seconds. */
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
  const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage();
  console.log(JSON.stringify([maxRSS * 1024, (userCPUTime + systemCPUTime) / 1e6]));
}

function measure(size: string): Measured {
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
    const [peakBytes, cpuSeconds] = JSON.parse(text.trim().split("\n").at(-1) ?? "") as [number, number];
    const { stages } = JSON.parse(readFileSync(join(out, "run.json"), "utf8")) as {
      stages: { harvest: { seconds: number } };
    };
    const [{ folds }] = decodeMoments(readFileSync(join(out, "moments/taps.bin")));
    const n = folds.reduce((sum, fold) => sum + fold.n, 0);
    const harvestSeconds = stages.harvest.seconds;
    return { pictures: Number(size), n, peakBytes, harvestSeconds, cpuSeconds };
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

function rowOf(found: Measured, before: Measured | undefined): Record<string, string | number> {
  const { pictures, n, peakBytes, harvestSeconds, cpuSeconds } = found;
  const more = before && (1000 * (cpuSeconds - before.cpuSeconds)) / (pictures - before.pictures);
  return {
    ...{ pictures, n, backbone, peakMB: round(peakBytes / 1e6, 0), harvestSeconds: round(harvestSeconds, 1) },
    ...{ cpuSeconds: round(cpuSeconds, 1), cpuMs: more === undefined ? "-" : round(more, 2) },
  };
}
