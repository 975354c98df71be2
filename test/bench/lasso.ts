/**
 * LASSO paths of 100 lambdas against scikit-learn's with a precomputed Gram matrix, at the same duality gap, both in
 * one run, both from the Gram matrix on. Medians; CPU seconds beside wall seconds, because machines are shared.
 *
 *     npx tsx test/bench/lasso.ts [P...]        (PYTHON=python3 by default; needs scikit-learn)
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LassoPath, Moments } from "../../lib/core/artifacts.ts";
import { nowMs } from "../../lib/core/clock.ts";
import { lassoPathFromMoments } from "../../lib/lasso/path.ts";
import { median, peerEnvironment, report, round } from "./support.ts";

const n = 3750;
const gap = 1e-6;
const sizes = process.argv.length > 2 ? process.argv.slice(2).map(Number) : [64, 256, 512, 2048];
const peer = join(import.meta.dirname, "peers/lasso.py");

function python(...args: string[]): string {
  return execFileSync(process.env["PYTHON"] ?? "python3", [peer, ...args], {
    env: peerEnvironment(),
    encoding: "utf8",
  });
}

function numbers(path: string): Float64Array {
  const bytes = readFileSync(path);
  return new Float64Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}

const rows: Record<string, string | number>[] = [];
for (const p of sizes) {
  const folder = mkdtempSync(join(tmpdir(), "etl-bench-"));
  try {
    python("make", folder, String(n), String(p));
    const { yy } = JSON.parse(readFileSync(join(folder, "data.json"), "utf8")) as { yy: number };
    const moments: Moments = {
      n,
      p,
      q: 1,
      sumX: new Float64Array(p),
      sumY: new Float64Array(1),
      xx: numbers(join(folder, "gram.bin")),
      xy: numbers(join(folder, "xy.bin")),
      yy: Float64Array.of(yy),
    };
    const repeats = p > 1000 ? 1 : 7; // the larger one takes minutes on the other side
    const wall: number[] = [];
    const cpu: number[] = [];
    let path: LassoPath | undefined;
    for (let i = 0; i < repeats; i++) {
      const [start, before] = [nowMs(), process.cpuUsage()];
      path = lassoPathFromMoments(moments, { tol: gap });
      wall.push((nowMs() - start) / 1000);
      const used = process.cpuUsage(before);
      cpu.push((used.user + used.system) / 1e6);
    }
    const theirs = JSON.parse(python("solve", folder, String(repeats), String(gap))) as {
      wall: number[];
      cpu: number[];
      gap: number;
      version: string;
    };
    const ourGap = Math.max(...(path?.points ?? []).map((point) => point.gap)) / (yy / n);
    const [etl, sklearn] = [median(wall), median(theirs.wall)];
    const [etlCpu, sklearnCpu] = [median(cpu), median(theirs.cpu)];
    rows.push({
      ...{ p, repeats, sklearn: theirs.version },
      ...{ etlSeconds: round(etl), sklearnSeconds: round(sklearn), ratio: round(etl / sklearn) },
      ...{
        etlCpuSeconds: round(etlCpu),
        sklearnCpuSeconds: round(sklearnCpu),
        cpuRatio: round(etlCpu / sklearnCpu),
      },
      ...{ etlGap: ourGap.toExponential(1), sklearnGap: theirs.gap.toExponential(1) },
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}
await report("lasso", rows);
