/**
 * The run folder: one folder, one run. Every stage has a key, the fingerprint of all that went into it; a stage whose
 * key has not changed is not run again; where one changed, everything after it no longer counts, but its files stay until
 * the run is finished again. Files are written whole or not at all, so a killed run continues where it was.
 */
import { interrupted } from "../../core/options.ts";
import { existsSync } from "node:fs";
import { copyFile, link, mkdtemp, readdir, realpath, rm, rmdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve, sep } from "node:path";
import { nowMs, timestamp } from "../../core/clock.ts";
import { EtlError, isEtlError, shellWord } from "../../core/errors.ts";
import { canonical, fingerprint } from "../../core/fingerprint.ts";
import { silent, type Progress } from "../../core/progress.ts";
import {
  everydayError,
  ioError,
  jsonText,
  makeFolder,
  readText,
  unfinishedIn,
  writeChanged,
  writeJson,
} from "../../core/files.ts";
import { SCHEMA } from "../../record/record.ts";
import { version } from "../../core/version.ts";
import { refuseFileName, refuseForeign } from "./foreign.ts";
import { lock } from "./lock.ts";
import { asOptions } from "./options.ts";
import { differences, isSameConfig, isSameRun } from "./same.ts";
import { damageAmong, filesOf, laterStages, sealsOf, staleFiles } from "./stages.ts";
import { readRunState, writeRunState, type RunState } from "./state.ts";

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
  /** The run is done. @param results what the run leaves beside its stages and reads back later */
  finish(results?: readonly string[]): Promise<void>;
  close(): Promise<void>;
}

interface StageOptions {
  /** Everything the result depends on; any JSON value. */
  readonly inputs: unknown;
  /** Stages of which it takes results: where one of them comes out otherwise, this one no longer counts. */
  readonly from?: readonly string[];
  /** It takes long: with other inputs it is made anew in an unfinished run, too, only where that was asked for. */
  readonly costly?: true;
  /** It only measures what is there: in a finished run it is made again without further ado. */
  readonly measures?: true;
  /** Files (relative) the stage leaves. */
  readonly files: readonly string[];
  /** Files (relative) that it leaves only where there is reason to; none of an earlier time stays. */
  readonly maybe?: readonly string[];
  /** Files (relative) of a stage under way, removed when the inputs changed or the stage is done. */
  readonly scratch?: readonly string[];
  readonly produce: () => Promise<void>;
}

/** How a run folder is opened. */
export interface OpenFolderOptions {
  /**
   * `make` (default) leaves the results of exactly this configuration; `part` some of them, as far as they are not there; `look`
   * only answers a question: where an answer would put an end to later results, it is computed aside, and the folder stays.
   */
  readonly purpose?: "make" | "part" | "look";
  /** What becomes of {@link RunState.until}; default: the whole job. */
  readonly until?: ((before: RunState | undefined) => string | undefined) | undefined;
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
  for (const file of filesOf(stages)) {
    await makeFolder(dirname(join(to, file)));
    await rm(join(to, file), { force: true });
    await link(join(from, file), join(to, file)).catch(() => copyFile(join(from, file), join(to, file)));
  }
  await writeRunState(to, { ...source, stages, status: "running" });
}

function wouldReplace(root: string, how: string, status: RunState["status"] = "finished"): EtlError {
  const run = status === "finished" ? "a finished run" : "a run";
  return new EtlError("usage", `${root}: ${run} ${how}, a folder of its own was needed`, {
    hint: "choose another --out, or give --replace to have this run made anew with the new options",
  });
}

/** "a run of etl 0.1.0 (this is 0.2.0)": what another build made; undefined where this one did. */
export function otherBuild(previous: RunState, etlVersion: string): string | undefined {
  const stages = Object.values(previous.stages);
  // Before 0.1.0 was out, its builds changed what a folder holds without another number: those left no sums.
  const early = stages.some(({ files, seals }) => files.length > 0 && !seals);
  if (stages.length === 0 || (previous.etlVersion === etlVersion && !early)) return undefined;
  const same = previous.etlVersion === etlVersion ? " of an earlier build" : "";
  return `a run of etl ${previous.etlVersion}${same} (this is ${etlVersion})`;
}

/** @throws EtlError `usage` where a finished run would be replaced by one with other options or of another version */
function refuseReplacing(
  root: string,
  previous: RunState,
  {
    config,
    etlVersion,
    purpose,
  }: Pick<RunState, "config" | "etlVersion"> & Pick<OpenFolderOptions, "purpose">,
): void {
  const build = otherBuild(previous, etlVersion);
  if (build !== undefined) {
    throw new EtlError("usage", `${root}: ${build}, a folder of its own was needed`, {
      hint: "report, compare, predict and evaluate read it; to run again choose another --out, or give --replace",
    });
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
  options: OpenFolderOptions = {},
): Promise<RunFolder> {
  return open(path, config, { ...options, etlVersion }).catch((error: unknown) => {
    throw everydayError(error) ?? (error as Error);
  });
}

async function open(
  path: string,
  config: Readonly<Record<string, unknown>>,
  how: OpenFolderOptions & { readonly etlVersion: string },
): Promise<RunFolder> {
  const { etlVersion, purpose = "make", replace = false, progress = silent } = how;
  const root = resolve(path);
  try {
    await makeFolder(root);
  } catch (error) {
    throw ioError("cannot make the run folder", root, error);
  }
  const readState = (): Promise<RunState | undefined> =>
    readRunState(root, {
      anew: replace,
      damaged: (stage, why) => {
        progress.warn(
          `${join(root, "run.json")}: the entry of stage ${stage} is damaged (${why}), it is made again`,
        );
      },
    });
  if (!existsSync(join(root, "run.json"))) await refuseForeign(root);
  const held = await lock(root);
  let previous: RunState | undefined; // read under the lock: another run may just have ended
  try {
    await removeUnfinished(root);
    previous = await readState();
    if (previous !== undefined && purpose !== "look" && !replace)
      refuseReplacing(root, previous, { config, etlVersion, purpose });
  } catch (error) {
    await held.release();
    throw error;
  }
  /** Whether `run.json` is there: a folder that lost it was removed. */
  let isListed = previous !== undefined;
  const ensureOurs = (): Promise<void> => held.check(isListed ? join(root, "run.json") : undefined);
  const kept = previous?.etlVersion === etlVersion ? previous.stages : {};
  const lost = previous === undefined || kept === previous.stages ? [] : filesOf(previous.stages);
  /** A configuration in the words of the run before, where it is the same: files that list it stay as they are. */
  const asBefore = (now: RunState["config"]): RunState["config"] =>
    previous !== undefined && isSameConfig(previous, now) ? previous.config : now;
  const until = how.until?.(previous);
  let state: RunState = {
    schema: SCHEMA,
    etlVersion,
    createdAt: previous?.createdAt ?? timestamp(),
    config: asBefore(config),
    stages: kept,
    status: previous?.status ?? "running",
    ...(until !== undefined && { until }),
    ...staleFiles(previous?.stale ?? [], lost, kept),
    ...(previous?.results && { results: previous.results }),
  };
  /** Stages whose files were looked at, or written, since the folder was opened. */
  const looked = new Set<string>();
  /** Where answers of a mere look lie, which files these are, and whether a stage is at work there. */
  let aside: { readonly folder: string; readonly files: Set<string>; atWork: boolean } | undefined;
  const file = (name: string): string => {
    if (aside?.atWork && !filesOf(state.stages).includes(name)) aside.files.add(name);
    return join(aside?.files.has(name) ? aside.folder : root, name);
  };
  /** The options beside the results. @returns whether they were not there as they are now */
  const writeOptions = (): Promise<boolean> =>
    writeChanged(file("config.json"), jsonText(asOptions(state.config)));
  const save = async (): Promise<void> => {
    if (aside !== undefined) return;
    await ensureOurs();
    await writeRunState(root, state);
    await writeOptions();
    isListed = true;
  };

  const followersOf = (name: string): string[] => laterStages(state.stages, name);
  const forget = (names: readonly string[]): void => {
    const gone = new Set(names);
    const entries = Object.entries(state.stages);
    const stages = Object.fromEntries(entries.filter(([stage]) => !gone.has(stage)));
    const old = filesOf(Object.fromEntries(entries.filter(([stage]) => gone.has(stage))));
    const { stale: before = [], ...rest } = state;
    state = { ...rest, status: "running", stages, ...staleFiles(before, old, stages) };
  };
  return {
    path: root,
    file,
    state: () => state,
    async stage(name, options) {
      const { inputs, from = [], costly, measures = false, maybe = [], scratch = [], produce } = options;
      const key = fingerprint(inputs);
      const known = state.stages[name];
      const isSame = known?.key === key;
      if (isSame && known.again !== true) {
        const left = [...new Set([...options.files, ...known.files])];
        const damage = await damageAmong(left, looked.has(name) ? {} : known, file);
        looked.add(name);
        if (damage === undefined) return false;
        progress.warn(`${damage}: stage ${name} is made again`);
        looked.delete(name);
      }
      const isOther = known !== undefined && known.key !== key && !measures;
      if (isOther && previous !== undefined && purpose !== "look" && !replace) {
        const { status } = previous;
        const lost = [name, ...followersOf(name)].filter((each) => state.stages[each]?.costly === true);
        if (status === "finished" || lost.length > 0)
          throw wouldReplace(root, `whose stage ${lost[0] ?? name} had other inputs`, status);
      }
      const ends =
        followersOf(name).length > 0 || kept !== previous?.stages || previous.status === "finished";
      if (purpose === "look" && (aside !== undefined || (previous !== undefined && ends))) {
        aside ??= { folder: await mkdtemp(join(tmpdir(), "etl-look-")), files: new Set(), atWork: true };
        progress.note(`${name}: only looked at, what is in ${root} stays as it is`);
      }
      const marker = `checkpoints/${name}.key`;
      // What follows a damaged stage still counts where the same comes out again.
      const before = isSame ? known.seals : undefined;
      if (known !== undefined && before === undefined) forget([name, ...followersOf(name)]);
      else if (known !== undefined)
        state = { ...state, stages: { ...state.stages, [name]: { ...known, again: true } } };
      state = { ...state, status: "running" };
      await save();
      if (aside !== undefined) {
        aside.atWork = true;
        for (const each of options.files) await makeFolder(dirname(file(each)));
      } else for (const each of maybe) await removeInside(root, each);
      if ((await readOptional(file(marker))) !== key) {
        for (const old of scratch) await rm(file(old), { force: true });
        if (scratch.length > 0) await writeJson(file(marker), key);
      }
      const start = nowMs();
      await produce();
      const seconds = (nowMs() - start) / 1000;
      const files = [...options.files, ...maybe.filter((each) => existsSync(file(each)))];
      const seals = await sealsOf(files, file);
      if (before !== undefined && canonical(before) !== canonical(seals)) {
        const later = followersOf(name);
        if (later.length > 0) progress.note(`${name}: came out otherwise, what follows is made again`);
        forget(later);
      }
      const stages = {
        ...state.stages,
        [name]: { key, seconds, files, ...(from.length > 0 && { from }), seals, ...(costly && { costly }) },
      };
      if (aside !== undefined) aside.atWork = false;
      looked.add(name);
      const { stale = [], ...rest } = state;
      state = { ...rest, stages, ...staleFiles(stale, [], stages) };
      await save();
      for (const old of [...scratch, ...(scratch.length > 0 ? [marker] : [])])
        await rm(file(old), { force: true });
      return true;
    },
    async remember(chosen) {
      if (canonical(chosen) === canonical(state.config)) return;
      state = { ...state, config: asBefore(chosen) };
      await save();
    },
    async finish(results = []) {
      const { stale = [], ...rest } = state;
      const sealed = results.length > 0 && { results: await sealsOf(results, file) };
      await ensureOurs();
      const done: RunState = { ...rest, config: state.config, status: "finished", ...sealed };
      if (aside !== undefined) return;
      if (previous !== undefined && isSameRun(previous, done)) {
        if (await writeOptions())
          progress.warn(`${file("config.json")}: not the options of this run, written again`);
        return;
      }
      state = done;
      await save();
      for (const name of stale) await removeInside(root, name);
      await rm(join(root, "checkpoints"), { recursive: true, force: true });
    },
    async close() {
      await held.release();
      if (aside !== undefined) await rm(aside.folder, { recursive: true, force: true });
    },
  };
}

/** Removes what writes that were killed half way have left, in the folder and those of its stages. */
async function removeUnfinished(root: string): Promise<void> {
  const entries = await readdir(root, { withFileTypes: true });
  for (const folder of ["", ...entries.flatMap((entry) => (entry.isDirectory() ? [entry.name] : []))]) {
    for (const name of await unfinishedIn(join(root, folder))) await removeInside(root, join(folder, name));
  }
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

async function readOptional(path: string): Promise<string | undefined> {
  try {
    return (JSON.parse(await readText(path)) as string | null) ?? undefined;
  } catch {
    return undefined; // no marker, or a torn one: the scratch files are not trusted
  }
}

interface Work extends OpenFolderOptions {
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
  const isNew = !existsSync(path);
  if (isNew) refuseFileName(path);
  const folder = await openRunFolder(path, config, version, how);
  try {
    return await work(folder);
  } catch (thrown) {
    const error = everydayError(thrown) ?? thrown;
    if (signal?.aborted !== true || (isEtlError(error, "interrupted") && error.hint !== undefined))
      throw error;
    throw interrupted(
      signal,
      `${folder.path}: stopped by the user, ${kept}`,
      hint ?? `go on with the same command, or with: etl resume ${shellWord(folder.path)}`,
    );
  } finally {
    await folder.close();
    // A call that failed before anything was made leaves no empty folder.
    if (isNew) await rmdir(folder.path).catch(() => undefined);
  }
}
