/** What the record of every run says, whatever was done in it. */
import { createHash } from "node:crypto";
import { arch, cpus, platform, release } from "node:os";
import { jsonText } from "../../core/files.ts";
import { notFinite } from "../../record/finite.ts";
import type { Progress } from "../../core/progress.ts";
import { SCHEMA, type RunRecord } from "../../record/record.ts";
import type { Dataset } from "../../data/dataset.ts";
import type { ImageStore } from "../../data/images/store.ts";
import type { Engine } from "../../engine/engine.ts";
import type { PartRows } from "./parts.ts";
import type { RunFolder } from "./folder.ts";

/** Problems that a record names one by one. */
const namedProblems = 50;

/**
 * A record as its file will give it back. Numbers that are not finite become null there: that is said, and the report is made from
 * what the file holds.
 */
export function asWritten<T>(record: T, progress: Pick<Progress, "warn">): T {
  const odd = notFinite(record);
  if (odd.length > 0) progress.warn(`record.json: ${odd.join(", ")}: written as null, shown as –`);
  return JSON.parse(jsonText(record)) as T;
}

interface Framed {
  readonly folder: RunFolder;
  readonly engine: Engine;
  readonly dataset: Dataset;
  readonly store: ImageStore;
  readonly rows: PartRows;
}

/** Version, options, machine, data and seconds of a run. */
export function recordFrame(
  { folder, engine, dataset, store, rows }: Framed,
  labels: RunRecord["dataset"]["labels"],
): Pick<RunRecord, "schema" | "etlVersion" | "createdAt" | "config" | "environment" | "dataset" | "seconds"> {
  const state = folder.state();
  const problems = [...dataset.problems, ...store.problems];
  return {
    schema: SCHEMA,
    etlVersion: state.etlVersion,
    createdAt: state.createdAt,
    config: Object.fromEntries(
      Object.entries(state.config).map(([key, value]) => [
        key,
        Array.isArray(value) ? value.join(",") : (value as string | number | boolean),
      ]),
    ),
    environment: {
      engine: engine.description,
      threads: engine.threads,
      node: process.version,
      cpu: cpus()[0]?.model ?? "unknown",
      platform: `${platform()} ${release()} ${arch()}`,
    },
    dataset: {
      name: dataset.name,
      read: dataset.assumptions,
      fingerprint: dataset.fingerprint,
      testFingerprint: testFingerprint(dataset),
      train: rows.train.length,
      val: rows.val.length,
      test: rows.test.length,
      labels,
      problems: problems.slice(0, namedProblems),
      problemCount: problems.length,
    },
    seconds: Object.fromEntries(Object.entries(state.stages).map(([name, { seconds }]) => [name, seconds])),
  };
}

/** Hash of names and sizes of the test pictures; labels and face boxes do not count. */
function testFingerprint({ items }: Dataset): string {
  const hash = createHash("sha256");
  for (const { file, split, bytes } of items) if (split === "test") hash.update(`${file}\0${bytes}\n`);
  return hash.digest("hex").slice(0, 16);
}
