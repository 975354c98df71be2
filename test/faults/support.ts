/** A run that takes seconds, and ways to harm the files it leaves. */
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { extname, join, relative } from "node:path";
import { silent, type Progress } from "../../lib/core/progress.ts";
import type { PruneOptions } from "../../lib/jobs/prune/options.ts";
import { writeSmallBackbone } from "../support/small-backbone.ts";

/** Of the tests' files, and what Node needs to run one: the sources, or what was built of them, which starts in half the time. */
export const extension = extname(import.meta.filename);
export const loader: readonly string[] = extension === ".ts" ? ["--import", "tsx"] : [];

/** Options of a run of the small backbone on drawn faces. */
export async function smallRun(root: string): Promise<PruneOptions> {
  await mkdir(root, { recursive: true });
  return {
    backbone: await writeSmallBackbone(join(root, "small.onnx")),
    task: "gender",
    data: "synthetic:80",
    out: join(root, "run"),
    cacheDir: join(root, "cache"),
    gamma: 0.3,
    epochs: 2,
    baselineEpochs: 1,
    learningRates: [1e-4],
    controls: ["l1"],
    roundTo: 1,
    runs: 2,
    seed: 3,
    threads: 1,
    engine: "ort",
  };
}

/** Every file below a folder, relative, sorted. */
export async function filesBelow(root: string): Promise<string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => relative(root, join(parentPath, name)))
    .sort();
}

/** What a run computed, by file: times and places, which are never the same twice, are left out. */
export async function resultsOf(root: string): Promise<Record<string, string>> {
  const names = (await filesBelow(root)).filter(
    (name) => !/^(run\.json|latency\.json|report\.html)$/.test(name),
  );
  const entries = await Promise.all(
    names.map(async (name) => {
      const bytes = await readFile(join(root, name));
      const text = name.endsWith(".json") ? timeless(JSON.parse(bytes.toString())) : bytes;
      return [name, createHash("sha256").update(text).digest("hex")] as const;
    }),
  );
  return Object.fromEntries(entries);
}

function timeless(value: unknown): string {
  const times = ["seconds", "latency", "cpuMs", "createdAt", "out", "config", "reduction"];
  return JSON.stringify(value, (key, each: unknown) => (times.includes(key) ? undefined : each));
}

/** Bytes, and with them the seal, of every file below a folder. */
export async function bytesOf(root: string): Promise<Record<string, string>> {
  const entries = (await filesBelow(root)).map(async (name) => {
    const hash = createHash("sha256").update(await readFile(join(root, name)));
    return [name, hash.digest("hex")] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}

/** Ways in which a disk loses a file's content. */
export const damages: Readonly<Record<string, (bytes: Buffer) => Buffer>> = {
  "one flipped bit": (bytes) => {
    const at = bytes.length >> 1;
    bytes[at] ^= 1;
    return bytes;
  },
  "a flipped bit near the end": (bytes) => {
    const at = Math.max(0, bytes.length - 3);
    bytes[at] ^= 4;
    return bytes;
  },
  truncated: (bytes) => bytes.subarray(0, bytes.length >> 1),
  emptied: () => Buffer.alloc(0),
};

export async function damage(path: string, how: string): Promise<void> {
  await writeFile(path, damages[how](await readFile(path)));
}

/** Progress that keeps the warnings. */
export function listening(): { readonly progress: Progress; readonly warnings: string[] } {
  const warnings: string[] = [];
  return { progress: { ...silent, warn: (text) => void warnings.push(text) }, warnings };
}

/** Content and time of writing of every file below a folder: what a program that changes nothing leaves the same. */
export async function untouched(root: string): Promise<Record<string, string>> {
  const entries = Object.entries(await bytesOf(root)).map(async ([name, hash]) => {
    const { mtimeMs, ino } = await stat(join(root, name));
    return [name, `${hash} ${mtimeMs} ${ino}`] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}
