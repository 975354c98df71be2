/**
 * `etl prune` against the same work in PyTorch and scikit-learn (peers/prune.py), stage by stage, runs alternating.
 *
 *     npx tsx test/bench/prune.ts DATA [--task gender] [--gamma 0.1] [--epochs 5] [--baseline-epochs 2] [--limit N]
 *         [--rmse train] [--learning-rate 1e-4,3e-4] [--threads 2] [--seed 0] [--rounds 1]
 *
 * DATA: a folder with labels.csv and dataset.json (CelebA). Both sides decode from nothing, and take the same stages,
 * epochs, steps and learning-rate trials; ours is the built program. Seconds are medians over rounds; `data` holds
 * decoding, start, evaluation on the test part and report.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { nowMs } from "../../lib/core/clock.ts";
import type { RunMetrics } from "../../lib/record/record.ts";
import { median, peerEnvironment, report, round } from "./support.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    task: { type: "string", default: "gender" },
    gamma: { type: "string", default: "0.1" },
    rmse: { type: "string", default: "train" },
    epochs: { type: "string", default: "5" },
    "baseline-epochs": { type: "string", default: "2" },
    "learning-rate": { type: "string", default: "1e-4,3e-4" },
    threads: { type: "string", default: "2" },
    seed: { type: "string", default: "0" },
    limit: { type: "string" },
    rounds: { type: "string", default: "1" },
  },
});
const [data] = positionals;
if (data === undefined) throw new Error("prune: no folder of labelled faces, one was needed");
const { rounds, ...shared } = values;
const common = ["--data", data, ...Object.entries(shared).flatMap(([name, value]) => [`--${name}`, value])];

const stages = ["data", "harvest", "path", "surgery", "finetune", "baseline", "evaluate", "total"] as const;
type Seconds = Readonly<Record<(typeof stages)[number], number>>;
interface Outcome {
  readonly seconds: Seconds;
  readonly accuracy: number;
  readonly macs: number;
}

/** What an installed user runs. */
const root = join(import.meta.dirname, "../..");
execFileSync("npm", ["run", "build"], { cwd: root, stdio: ["ignore", "ignore", "inherit"] });

function lastLine(text: string): unknown {
  return JSON.parse(text.trim().split("\n").at(-1) ?? "");
}

function ours(): Outcome {
  const scratch = mkdtempSync(join(tmpdir(), "etl-bench-"));
  const etl = join(root, "dist/bin/etl.js");
  const places = ["--out", join(scratch, "run"), "--cache-dir", join(scratch, "cache")];
  try {
    const start = nowMs();
    const text = execFileSync(process.execPath, [etl, "prune", ...common, ...places, "--json", "--quiet"], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "inherit"],
    });
    const total = (nowMs() - start) / 1000;
    const { seconds, pruned, baseline } = lastLine(text) as RunMetrics;
    const inStages = Object.values(seconds).reduce((sum, s) => sum + s, 0);
    return {
      seconds: { data: total - inStages, ...seconds, total },
      accuracy: pruned.accuracy,
      macs: pruned.macs / baseline.macs,
    };
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

function theirs(): Outcome {
  const script = join(import.meta.dirname, "peers/prune.py");
  const start = nowMs();
  const text = execFileSync(process.env["PYTHON"] ?? "python3", [script, ...common], {
    env: peerEnvironment(),
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  const total = (nowMs() - start) / 1000;
  const { seconds, pruned, reduction } = lastLine(text) as {
    seconds: Seconds;
    pruned: { accuracy: number };
    reduction: { macs: number };
  };
  const startUp = total - seconds.total;
  return {
    seconds: { ...seconds, data: seconds.data + startUp, total },
    accuracy: pruned.accuracy,
    macs: reduction.macs,
  };
}

const runs: { ours: Outcome[]; theirs: Outcome[] } = { ours: [], theirs: [] };
for (let i = 0; i < Number(rounds); i++) {
  runs.ours.push(ours());
  runs.theirs.push(theirs());
}
const middle = (side: readonly Outcome[], of: (outcome: Outcome) => number): number => median(side.map(of));
const rows = stages.map((stage) => {
  const [etl, torch] = [runs.ours, runs.theirs].map((side) => middle(side, ({ seconds }) => seconds[stage]));
  return { stage, etlSeconds: round(etl, 2), torchSeconds: round(torch, 2), ratio: round(etl / torch, 2) };
});
const quality = [runs.ours, runs.theirs].map((side) => ({
  accuracy: round(
    middle(side, ({ accuracy }) => accuracy),
    4,
  ),
  macs: round(
    middle(side, ({ macs }) => macs),
    3,
  ),
}));
await report("prune", [
  ...rows.map((row) => ({ ...row, rounds: Number(rounds) })),
  { side: "etl", ...quality[0] },
  { side: "torch", ...quality[1] },
]);
