/**
 * The run folder: one folder, one run. Every stage has a key, the fingerprint of all that went into it; a stage whose
 * key has not changed is not run again, one whose key changed takes everything after it along. Files are written
 * whole or not at all, so a killed run continues where it was.
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { copyFile, link, open, readdir, readFile, rm } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname, join, resolve } from "node:path";
import { nowMs, timestamp } from "../../core/clock.ts";
import { EtlError, isEtlError } from "../../core/errors.ts";
import { ioError, makeFolder, readJson, writeJson } from "../../core/files.ts";
import { SCHEMA } from "../../record/record.ts";
import { version } from "../../core/version.ts";

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
}

/** An open run folder; holds a lock until it is closed. */
export interface RunFolder {
  readonly path: string;
  /** Absolute path of a file in the folder. */
  file(name: string): string;
  state(): RunState;
  /**
   * Runs a stage, or skips it where its key and files are there already. Returns whether it ran.
   * `produce` writes the files; the stage counts only once it returned.
   */
  stage(name: string, options: StageOptions): Promise<boolean>;
  /** Writes another configuration into `run.json`: the one given, with what was chosen on the way. */
  remember(config: Readonly<Record<string, unknown>>): Promise<void>;
  finish(): Promise<void>;
  close(): Promise<void>;
}

export interface StageOptions {
  /** Everything the result depends on; any JSON value. */
  readonly inputs: unknown;
  /** Files (relative) the stage leaves. */
  readonly files: readonly string[];
  /** Files (relative) of a stage under way, removed when the inputs changed or the stage is done. */
  readonly scratch?: readonly string[];
  readonly produce: () => Promise<void>;
}

/** Fingerprint of any JSON value, independent of the order of keys. */
export function fingerprint(value: unknown): string {
  return createHash("sha256").update(canonical(value)).digest("hex").slice(0, 16);
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value).filter(([, v]) => v !== undefined);
    entries.sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${entries.map(([k, v]) => `${JSON.stringify(k)}:${canonical(v)}`).join(",")}}`;
  }
  return JSON.stringify(value ?? null);
}

/**
 * Gives a new run folder the finished stages of another: their files (linked where the disk allows it, files are never
 * changed in place) and their keys. Stages count only where their keys fit; a folder that is a run already is left alone.
 */
export async function adoptStages(from: string, to: string, names: readonly string[]): Promise<void> {
  const [source, target] = [await readRunState(from), await readRunState(to)];
  if (source === undefined || target !== undefined) return;
  const stages = Object.fromEntries(Object.entries(source.stages).filter(([name]) => names.includes(name)));
  const extra = existsSync(join(from, "history.json")) ? ["history.json"] : [];
  for (const file of [...Object.values(stages).flatMap(({ files }) => files), ...extra]) {
    await makeFolder(dirname(join(to, file)));
    await rm(join(to, file), { force: true });
    await link(join(from, file), join(to, file)).catch(() => copyFile(join(from, file), join(to, file)));
  }
  await writeJson(join(to, "run.json"), { ...source, stages, status: "running" });
}

/** What goes with a stage whose inputs changed. `surgery:l1` stands where `surgery` does. */
const measured = ["evaluate", "profile", "report"];
const followers: Readonly<Partial<Record<string, readonly string[]>>> = {
  harvest: ["curves", "responses", "target", "plan", "surgery", "baseline", "finetune", ...measured],
  curves: ["target", "plan", "surgery", "finetune", ...measured],
  target: ["plan", "surgery", "finetune", ...measured],
  plan: ["surgery", "finetune", ...measured],
  surgery: ["finetune", ...measured],
  baseline: measured,
  finetune: measured,
  evaluate: ["report"],
  profile: ["report"],
};

/**
 * Opens (or makes) a run folder and locks it.
 *
 * @throws EtlError `usage` where the folder holds something else, or another process uses it
 */
export async function openRunFolder(
  path: string,
  config: Readonly<Record<string, unknown>>,
  etlVersion: string,
): Promise<RunFolder> {
  const root = resolve(path);
  try {
    await makeFolder(root);
  } catch (error) {
    throw ioError("cannot make the run folder", root, error);
  }
  const previous = await readRunState(root);
  if (!previous) await refuseForeign(root);
  const release = await lock(root);
  let state: RunState = {
    schema: SCHEMA,
    etlVersion,
    createdAt: previous?.createdAt ?? timestamp(),
    config,
    stages: previous?.etlVersion === etlVersion ? previous.stages : {},
    status: "running",
  };
  const file = (name: string): string => join(root, name);
  const save = (): Promise<void> => writeJson(file("run.json"), state);
  try {
    await save();
  } catch (error) {
    await release();
    throw error;
  }

  const forget = async (name: string): Promise<void> => {
    const later = followers[baseOf(name)] ?? [];
    const gone = Object.keys(state.stages).filter((stage) => stage === name || later.includes(baseOf(stage)));
    for (const stage of gone) {
      for (const old of state.stages[stage]?.files ?? []) await rm(file(old), { force: true });
    }
    const stages = Object.fromEntries(
      Object.entries(state.stages).filter(([stage]) => !gone.includes(stage)),
    );
    state = { ...state, stages };
    await save();
  };
  return {
    path: root,
    file,
    state: () => state,
    async stage(name, { inputs, files, scratch = [], produce }) {
      const key = fingerprint(inputs);
      const known = state.stages[name];
      if (known?.key === key && files.every((each) => existsSync(file(each)))) return false;
      const marker = `checkpoints/${name}.key`;
      if (known !== undefined) await forget(name);
      if ((await readOptional(file(marker))) !== key) {
        for (const old of scratch) await rm(file(old), { force: true });
        if (scratch.length > 0) await writeJson(file(marker), key);
      }
      const start = nowMs();
      await produce();
      const seconds = (nowMs() - start) / 1000;
      state = { ...state, stages: { ...state.stages, [name]: { key, seconds, files } } };
      await save();
      for (const old of [...scratch, ...(scratch.length > 0 ? [marker] : [])])
        await rm(file(old), { force: true });
      return true;
    },
    async remember(config) {
      state = { ...state, config };
      await save();
    },
    async finish() {
      state = { ...state, status: "finished" };
      await rm(file("checkpoints"), { recursive: true, force: true });
      await save();
    },
    close: release,
  };
}

/** `surgery:l1` -> `surgery`. */
function baseOf(stage: string): string {
  return stage.split(":")[0] ?? stage;
}

async function readOptional(path: string): Promise<string | undefined> {
  try {
    return (JSON.parse(await readFile(path, "utf8")) as string | null) ?? undefined;
  } catch {
    return undefined; // no marker, or a torn one: the scratch files are not trusted
  }
}

interface Work {
  readonly config: Readonly<Record<string, unknown>>;
  readonly signal?: AbortSignal | undefined;
  /** What an interruption says: what is kept, and how to go on. */
  readonly kept?: string;
  readonly hint?: string;
}

/** Opens a run folder, works in it and closes it. What is thrown after `signal` was aborted becomes `interrupted`. */
export async function inRunFolder<T>(
  path: string,
  { config, signal, kept = "what was done is kept", hint }: Work,
  work: (folder: RunFolder) => Promise<T>,
): Promise<T> {
  const folder = await openRunFolder(path, config, version);
  try {
    return await work(folder);
  } catch (error) {
    if (signal?.aborted !== true || isEtlError(error, "interrupted")) throw error;
    throw new EtlError("interrupted", `${folder.path}: stopped by the user, ${kept}`, {
      hint: hint ?? `go on with the same command, or with: etl resume ${folder.path}`,
      cause: error,
    });
  } finally {
    await folder.close();
  }
}

/** Reads `run.json`, undefined where there is none. A newer schema or a damaged file is an error. */
export async function readRunState(root: string): Promise<RunState | undefined> {
  const path = join(root, "run.json");
  if (!existsSync(path)) return undefined;
  const value = (await readJson(path)) as Partial<RunState> | null;
  if (
    typeof value?.schema !== "number" ||
    typeof value.config !== "object" ||
    typeof value.stages !== "object"
  ) {
    throw new EtlError(
      "format",
      `${path}: not a run record, an object with schema, config and stages was needed`,
    );
  }
  if (value.schema > SCHEMA) {
    throw new EtlError("format", `${path}: schema ${value.schema}, at most ${SCHEMA} was needed`, {
      hint: "this run was made by a newer version of etl: update, or choose another --out",
    });
  }
  return value as RunState;
}

async function refuseForeign(root: string): Promise<void> {
  const names = (await readdir(root)).filter((name) => name !== "lock.json" && !name.endsWith(".tmp"));
  if (names.length === 0) return;
  throw new EtlError(
    "usage",
    `${root}: holds ${names.slice(0, 3).join(", ")} but no run.json, an empty or new folder was needed`,
    {
      hint: "choose another --out",
    },
  );
}

async function lock(root: string): Promise<() => Promise<void>> {
  const path = join(root, "lock.json");
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      const handle = await open(path, "wx");
      await handle.writeFile(JSON.stringify({ pid: process.pid, host: hostname() }));
      await handle.close();
      return () => rm(path, { force: true });
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) {
        throw ioError("cannot lock the run folder", root, error);
      }
    }
    const owner = await lockOwner(path);
    if (owner !== undefined) {
      throw new EtlError(
        "usage",
        `${root}: in use by process ${owner}, a folder of its own was needed for each run`,
        {
          hint: `wait for it, choose another --out, or remove ${path} where no such process runs`,
        },
      );
    }
    await rm(path, { force: true }); // left behind by a process that was killed
  }
  throw new EtlError("io", `${path}: cannot be taken, another process keeps taking it`);
}

/** Who holds the lock; undefined where the process is gone (or the lock was torn by a crash). */
async function lockOwner(path: string): Promise<string | undefined> {
  let owner: { pid?: number; host?: string };
  try {
    owner = JSON.parse(await readFile(path, "utf8")) as { pid?: number; host?: string };
  } catch {
    return undefined;
  }
  if (owner.host !== hostname()) return `${owner.pid ?? "?"} on ${owner.host ?? "another machine"}`;
  if (owner.pid === undefined || owner.pid === process.pid) return undefined;
  try {
    process.kill(owner.pid, 0);
    return String(owner.pid);
  } catch {
    return undefined;
  }
}
