/**
 * The run folder: one folder, one run. Every stage has a key, the fingerprint of all that went into it; a stage whose
 * key has not changed is not run again; where one changed, everything after it no longer counts, but its files stay until
 * the run is finished again. Files are written whole or not at all, so a killed run continues where it was.
 */
import { interrupted } from "../../core/options.ts";
import { existsSync } from "node:fs";
import { copyFile, link, mkdtemp, readdir, readFile, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve, sep } from "node:path";
import { nowMs, timestamp } from "../../core/clock.ts";
import { EtlError, isEtlError, shellWord } from "../../core/errors.ts";
import { silent, type Progress } from "../../core/progress.ts";
import { ioError, makeFolder, writeJson } from "../../core/files.ts";
import { SCHEMA } from "../../record/record.ts";
import { version } from "../../core/version.ts";
import { lock } from "./lock.ts";
import { aimNames, asOptions } from "./options.ts";
import { canonical, fingerprint, readRunState, type RunState } from "./state.ts";

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

/** How a run folder is opened. */
export interface OpenOptions {
  /**
   * `make` (default) leaves the results of exactly this configuration; `part` some of them, as far as they are not there; `look`
   * only answers a question: where an answer would put an end to later results, it is computed aside, and the folder stays.
   */
  readonly purpose?: "make" | "part" | "look";
  /** Whether a finished run with other options may be replaced. */
  readonly replace?: boolean | undefined;
  /** Told what is only looked at, and what of the state is damaged and made again. */
  readonly progress?: Progress | undefined;
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

/** Options that say where and how a run computes and what it shows, not what comes out. */
const placeOptions = new Set([
  ...["out", "cacheDir", "threads", "engine", "device", "strict", "withImages", "runs"],
  // More of these stand beside what is there.
  ...["controls", "archs"],
]);

/** Stages that only measure what is there: made again without further ado. */
const measuring = new Set(["evaluate", "profile", "responses", "report"]);

/** What a configuration asks for otherwise than the one before, "gamma 0.2 (it has 0.1)". */
function differences(
  before: Readonly<Record<string, unknown>>,
  now: Readonly<Record<string, unknown>>,
): string[] {
  // A target has chosen a gamma, which was written into the configuration.
  const aimed = aimNames.some((name) => now[name] !== undefined);
  const said = (value: unknown): string => (value === undefined ? "none" : canonical(value));
  return [...new Set([...Object.keys(before), ...Object.keys(now)])]
    .filter((name) => !placeOptions.has(name) && !(aimed && name === "gamma"))
    .filter((name) => name in before || aimNames.some((aim) => aim === name)) // an option that the older run did not have yet
    .filter((name) => canonical(before[name]) !== canonical(now[name]))
    .map((name) => `${name} ${said(now[name])} (it has ${said(before[name])})`);
}

function wouldReplace(root: string, how: string): EtlError {
  return new EtlError("usage", `${root}: a finished run ${how}, a folder of its own was needed`, {
    hint: "choose another --out, or give --replace to have this run made anew with the new options",
  });
}

/** @throws EtlError `usage` where a finished run would be replaced by one with other options or of another version */
function refuseReplacing(
  root: string,
  previous: RunState,
  { config, etlVersion, purpose }: Pick<RunState, "config" | "etlVersion"> & Pick<OpenOptions, "purpose">,
): void {
  const made = Object.keys(previous.stages).length > 0;
  if (made && previous.etlVersion !== etlVersion) {
    throw new EtlError(
      "usage",
      `${root}: a run of etl ${previous.etlVersion} (this is ${etlVersion}), a folder of its own was needed`,
      {
        hint: "report, compare, predict and evaluate read it; to run again choose another --out, or give --replace",
      },
    );
  }
  if (previous.status !== "finished" || purpose === "part") return;
  const other = differences(previous.config, config);
  if (other.length === 0) return;
  const some = other.slice(0, 4).join(", ") + (other.length > 4 ? ", ..." : "");
  throw wouldReplace(root, `with other options, ${some}`);
}

/**
 * Opens (or makes) a run folder and locks it. Nothing is written before a stage runs.
 *
 * @throws EtlError `usage` where the folder holds something else or a finished run with other options, or where another
 *   process uses it
 */
export async function openRunFolder(
  path: string,
  config: Readonly<Record<string, unknown>>,
  etlVersion: string,
  { purpose = "make", replace = false, progress = silent }: OpenOptions = {},
): Promise<RunFolder> {
  const root = resolve(path);
  try {
    await makeFolder(root);
  } catch (error) {
    throw ioError("cannot make the run folder", root, error);
  }
  const previous = await readRunState(root, (stage, why) => {
    progress.warn(
      `${join(root, "run.json")}: the entry of stage ${stage} is damaged (${why}), it is made again`,
    );
  });
  if (!previous) await refuseForeign(root);
  else if (purpose !== "look" && !replace) refuseReplacing(root, previous, { config, etlVersion, purpose });
  const release = await lock(root);
  const kept = previous?.etlVersion === etlVersion ? previous.stages : {};
  const lost = previous === undefined || kept === previous.stages ? [] : filesOf(previous.stages);
  let state: RunState = {
    schema: SCHEMA,
    etlVersion,
    createdAt: previous?.createdAt ?? timestamp(),
    config,
    stages: kept,
    status: previous?.status ?? "running",
    ...staleFiles(previous?.stale ?? [], lost, kept),
  };
  /** Where answers of a mere look lie, which files these are, and whether a stage is at work there. */
  let aside: { readonly folder: string; readonly files: Set<string>; atWork: boolean } | undefined;
  const file = (name: string): string => {
    if (aside?.atWork && !filesOf(state.stages).includes(name)) aside.files.add(name);
    return join(aside?.files.has(name) ? aside.folder : root, name);
  };
  const save = async (): Promise<void> => {
    if (aside !== undefined) return;
    await writeJson(join(root, "run.json"), state);
    await writeJson(join(root, "config.json"), asOptions(state.config));
  };

  /** Stages that count no longer once `name` is made anew. */
  const followersOf = (name: string): string[] => {
    const later = followers[baseOf(name)] ?? [];
    return Object.keys(state.stages).filter((stage) => later.includes(baseOf(stage)));
  };
  const forget = (name: string): void => {
    const gone = new Set([name, ...followersOf(name)]);
    const entries = Object.entries(state.stages);
    const stages = Object.fromEntries(entries.filter(([stage]) => !gone.has(stage)));
    const old = filesOf(Object.fromEntries(entries.filter(([stage]) => gone.has(stage))));
    state = { ...state, status: "running", stages, ...staleFiles(state.stale ?? [], old, stages) };
  };
  return {
    path: root,
    file,
    state: () => state,
    async stage(name, { inputs, files, scratch = [], produce }) {
      const key = fingerprint(inputs);
      const known = state.stages[name];
      if (known?.key === key && files.every((each) => existsSync(file(each)))) return false;
      const isOther = known !== undefined && known.key !== key && !measuring.has(baseOf(name));
      if (isOther && previous?.status === "finished" && purpose !== "look" && !replace)
        throw wouldReplace(root, `whose stage ${name} had other inputs`);
      const ends =
        followersOf(name).length > 0 || kept !== previous?.stages || previous.status === "finished";
      if (purpose === "look" && (aside !== undefined || (previous !== undefined && ends))) {
        aside ??= { folder: await mkdtemp(join(tmpdir(), "etl-look-")), files: new Set(), atWork: true };
        progress.note(`${name}: only looked at, what is in ${root} stays as it is`);
      }
      const marker = `checkpoints/${name}.key`;
      if (known !== undefined) forget(name);
      state = { ...state, status: "running" };
      await save();
      if (aside !== undefined) {
        aside.atWork = true;
        for (const each of files) await makeFolder(dirname(file(each)));
      }
      if ((await readOptional(file(marker))) !== key) {
        for (const old of scratch) await rm(file(old), { force: true });
        if (scratch.length > 0) await writeJson(file(marker), key);
      }
      const start = nowMs();
      await produce();
      const seconds = (nowMs() - start) / 1000;
      const stages = { ...state.stages, [name]: { key, seconds, files } };
      if (aside !== undefined) aside.atWork = false;
      state = { ...state, stages, ...staleFiles(state.stale ?? [], [], stages) };
      await save();
      for (const old of [...scratch, ...(scratch.length > 0 ? [marker] : [])])
        await rm(file(old), { force: true });
      return true;
    },
    async remember(chosen) {
      if (canonical(chosen) === canonical(state.config)) return;
      state = { ...state, config: chosen };
      await save();
    },
    async finish() {
      const { stale = [], ...rest } = state;
      const done: RunState = { ...rest, config: state.config, status: "finished" };
      if (aside !== undefined || (previous !== undefined && isSameRun(previous, done))) return;
      state = done;
      await save();
      for (const name of stale) await removeInside(root, name);
      await rm(join(root, "checkpoints"), { recursive: true, force: true });
    },
    async close() {
      if (aside !== undefined) await rm(aside.folder, { recursive: true, force: true });
      await release();
    },
  };
}

/** Whether nothing happened: a finished run that was asked for again. */
function isSameRun(previous: RunState, done: RunState): boolean {
  return (
    previous.status === "finished" &&
    canonical(previous.stages) === canonical(done.stages) &&
    differences(previous.config, done.config).length === 0
  );
}

/** Removes a file of the folder; nothing where a link leads out of it. */
async function removeInside(root: string, name: string): Promise<void> {
  const path = join(root, name);
  try {
    const [home, folder] = await Promise.all([realpath(root), realpath(dirname(path))]);
    if (folder === home || folder.startsWith(home + sep)) await rm(path, { force: true });
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
  }
}

function filesOf(stages: RunState["stages"]): string[] {
  return Object.values(stages).flatMap(({ files }) => files);
}

/** Files of earlier stages that no stage of now has written again. */
function staleFiles(
  before: readonly string[],
  more: readonly string[],
  stages: RunState["stages"],
): { readonly stale?: readonly string[] } {
  const current = new Set(filesOf(stages));
  const stale = [...new Set([...before, ...more])].filter((name) => !current.has(name));
  return { stale };
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

interface Work extends OpenOptions {
  readonly config: Readonly<Record<string, unknown>>;
  readonly signal?: AbortSignal | undefined;
  /** What an interruption says: what is kept, and how to go on. */
  readonly kept?: string;
  readonly hint?: string;
}

/** Opens a run folder, works in it and closes it. What is thrown after `signal` was aborted becomes `interrupted`. */
export async function inRunFolder<T>(
  path: string,
  { config, signal, kept = "what was done is kept", hint, ...how }: Work,
  work: (folder: RunFolder) => Promise<T>,
): Promise<T> {
  const folder = await openRunFolder(path, config, version, how);
  try {
    return await work(folder);
  } catch (error) {
    if (signal?.aborted !== true || isEtlError(error, "interrupted")) throw error;
    throw interrupted(
      signal,
      `${folder.path}: stopped by the user, ${kept}`,
      hint ?? `go on with the same command, or with: etl resume ${shellWord(folder.path)}`,
    );
  } finally {
    await folder.close();
  }
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
