/** What a run folder remembers of itself: `run.json`, read with suspicion. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { isAbsolute, join, normalize, sep } from "node:path";
import { EtlError } from "../../core/errors.ts";
import { readJson } from "../../core/files.ts";
import { SCHEMA } from "../../record/record.ts";

/** What `run.json` remembers of one finished stage. */
export interface StageState {
  readonly key: string;
  readonly seconds: number;
  readonly files: readonly string[];
}

/** `run.json`. */
export interface RunState {
  readonly schema: number;
  readonly etlVersion: string;
  readonly createdAt: string;
  /** The options as given, enough to run the same again. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly stages: Readonly<Record<string, StageState>>;
  readonly status: "running" | "finished";
  /** Files of stages that no longer count: kept until the run that replaces them is finished. */
  readonly stale?: readonly string[];
}

/** Fingerprint of any JSON value, independent of the order of keys. */
export function fingerprint(value: unknown): string {
  return createHash("sha256").update(canonical(value)).digest("hex").slice(0, 16);
}

/** JSON with sorted keys: equal texts for equal values. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value).filter(([, v]) => v !== undefined);
    entries.sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${entries.map(([k, v]) => `${JSON.stringify(k)}:${canonical(v)}`).join(",")}}`;
  }
  return JSON.stringify(value ?? null);
}

/**
 * Reads `run.json`, undefined where there is none. A stage of which an entry makes no sense, or whose files are not names
 * inside the folder, counts as not done: it is made again. Folders come from strangers, too: no name is trusted.
 *
 * @param damaged told which stages are left out, and why
 * @throws EtlError `format` for a file that is no run record, or one of a newer schema
 */
export async function readRunState(
  root: string,
  damaged?: (stage: string, why: string) => void,
): Promise<RunState | undefined> {
  const path = join(root, "run.json");
  if (!existsSync(path)) return undefined;
  const value: unknown = await readJson(path);
  if (!isObject(value) || typeof value["schema"] !== "number" || !isObject(value["config"])) {
    throw new EtlError(
      "format",
      `${path}: not a run record, an object with schema, config and stages was needed`,
    );
  }
  const { schema } = value;
  if (schema > SCHEMA) {
    throw new EtlError("format", `${path}: schema ${schema}, at most ${SCHEMA} was needed`, {
      hint: "this run was made by a newer version of etl: update, or choose another --out",
    });
  }
  const stages = new Map<string, StageState>();
  for (const [name, stage] of Object.entries(isObject(value["stages"]) ? value["stages"] : {})) {
    const why = faultOf(stage);
    if (why === undefined) stages.set(name, stage as StageState);
    else damaged?.(name, why);
  }
  const stale = Array.isArray(value["stale"]) ? value["stale"].filter(isInside) : undefined;
  return {
    schema,
    etlVersion: text(value["etlVersion"]),
    createdAt: text(value["createdAt"]),
    config: value["config"],
    stages: Object.fromEntries(stages),
    status: value["status"] === "finished" ? "finished" : "running",
    ...(stale !== undefined && { stale }),
  };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "unknown";
}

/** What is wrong with an entry; undefined for a good one. */
function faultOf(stage: unknown): string | undefined {
  if (!isObject(stage)) return "no object";
  const { key, seconds, files } = stage;
  if (typeof key !== "string" || typeof seconds !== "number") return "no key or time";
  if (!Array.isArray(files)) return "no list of files";
  const outside = files.find((name) => !isInside(name)) as unknown;
  return outside === undefined ? undefined : "a file that is not in the folder";
}

/** Whether a name stays inside the folder it is joined to. */
function isInside(name: unknown): name is string {
  if (typeof name !== "string" || name === "" || name.includes("\0") || isAbsolute(name)) return false;
  const path = normalize(name);
  return path !== "." && path !== ".." && !path.startsWith(`..${sep}`) && !/^[a-z]:/i.test(path);
}
