/** What the benches share: medians, a Python process that answers line by line, results as JSON files. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { availableParallelism, cpus, loadavg } from "node:os";
import { basename, join } from "node:path";
import { timestamp } from "../../lib/core/clock.ts";
import { writeJson } from "../../lib/core/files.ts";
import { ortVersion } from "../../lib/engine/ort/open.ts";

export const resultsFolder = join(import.meta.dirname, "results");

/** What every file of `results/` holds. */
export interface BenchResult {
  /** Name of the bench's file without ".ts". */
  readonly bench: string;
  /** As called, for example "npx tsx test/bench/lasso.ts 256". */
  readonly command: string;
  readonly measuredAt: string;
  readonly machine: {
    readonly cpu: string;
    readonly cores: number;
    /** Load average of the last minute, before and after. */
    readonly load: readonly [before: number, after: number];
    readonly node: string;
    readonly onnxruntime: string;
  };
  readonly rows: readonly Readonly<Record<string, string | number>>[];
}

const loadBefore = loadavg()[0];

/** Writes `results/NAME.json` and prints the rows as one JSON line. */
export async function report(bench: string, rows: BenchResult["rows"], name = bench): Promise<void> {
  const result: BenchResult = {
    bench,
    // Where folders lie on the machine that measured is nobody's business.
    command: ["npx tsx", `test/bench/${bench}.ts`, ...process.argv.slice(2).map(withoutPlace)].join(" "),
    measuredAt: timestamp(),
    machine: {
      cpu: (cpus()[0]?.model ?? "unknown").trim(),
      cores: availableParallelism(),
      load: [Number(loadBefore.toFixed(2)), Number(loadavg()[0].toFixed(2))],
      node: process.version,
      onnxruntime: ortVersion(),
    },
    rows,
  };
  await writeJson(join(resultsFolder, `${name}.json`), result);
  console.log(JSON.stringify(rows));
}

function withoutPlace(argument: string): string {
  return argument.startsWith("/") ? basename(argument) : argument;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

export function round(value: number, digits = 3): number {
  return Number(value.toFixed(digits));
}

/** The environment of a Python peer: settings for BLAS are left to its own defaults. */
export function peerEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([key]) => !key.startsWith("OPENBLAS_")));
}

/** A process that answers line by line: `hello` is its first line, `ask` sends a line and reads the answer, both JSON. */
export interface Peer {
  readonly hello: unknown;
  ask(line: string): Promise<unknown>;
  /** Settles when the process is gone. */
  end(): Promise<void>;
}

/** Starts `peers/SCRIPT` in Python. */
export function startPeer(script: string, args: readonly string[]): Promise<Peer> {
  const path = join(import.meta.dirname, "peers", script);
  return startProcess(process.env["PYTHON"] ?? "python3", [path, ...args]);
}

/** Starts any program that speaks so. */
export async function startProcess(program: string, args: readonly string[]): Promise<Peer> {
  const child = spawn(program, args, { env: peerEnvironment(), stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const gone = once(child, "exit").then(() => undefined);
  const read = async (): Promise<unknown> => {
    const next = await lines.next();
    if (next.done === true) throw new Error(`${program} ended early`);
    return JSON.parse(next.value);
  };
  return {
    hello: await read(),
    ask: (line) => {
      child.stdin.write(`${line}\n`);
      return read();
    },
    end: () => {
      child.stdin.end();
      return gone;
    },
  };
}
