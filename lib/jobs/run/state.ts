/** What a run folder remembers of itself: `run.json`, read with suspicion. */
import { isRecord } from "../../core/own.ts";
import { existsSync } from "node:fs";
import { basename, dirname, isAbsolute, join, normalize, sep } from "node:path";
import { EtlError, shellWord } from "../../core/errors.ts";
import { fingerprint } from "../../core/fingerprint.ts";
import { jsonText, readJson, writeChanged } from "../../core/files.ts";
import { damageOf, isSeal, type Seal } from "../../core/seal.ts";
import { SCHEMA } from "../../record/record.ts";

/** What `run.json` remembers of one finished stage. */
export interface StageState {
  readonly key: string;
  readonly seconds: number;
  readonly files: readonly string[];
  /** Stages of which it took results. */
  readonly from?: readonly string[];
  /** What the files were when the stage had written them; absent in runs of earlier versions. */
  readonly seals?: Readonly<Record<string, Seal>>;
  /** It took long: in a run that is called with other options it is not made anew unasked. */
  readonly costly?: true;
  /** The files are damaged and about to be made again; the seals say what they were. */
  readonly again?: true;
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
  /** The last stage that was asked for, where it is not the whole job: `resume` goes on as far. */
  readonly until?: string;
  /** Files of stages that no longer count: kept until the run that replaces them is finished. */
  readonly stale?: readonly string[];
  /** What the record of a finished run was, `record.json`. */
  readonly results?: Readonly<Record<string, Seal>>;
}

/** Writes `run.json`: every stage, and all that is no stage, with a sum that tells whether it is what was written. */
export async function writeRunState(root: string, { stages, ...rest }: RunState): Promise<void> {
  const entries = Object.entries(stages).map(([name, stage]) => [
    name,
    { ...stage, check: checkOf(name, stage) },
  ]);
  const value = { ...rest, stages: Object.fromEntries(entries) as unknown, check: checkOf("run", rest) };
  await writeChanged(join(root, "run.json"), jsonText(value));
}

function checkOf(name: string, value: object): string {
  return fingerprint([name, value]);
}

/** How `run.json` is read. */
interface ReadOptions {
  /** Told which stages are left out, and why. */
  readonly damaged?: (stage: string, why: string) => void;
  /** Whether options and status are taken as they are, for a run that is made anew whatever it was. */
  readonly anew?: boolean;
}

/**
 * Reads `run.json`, undefined where there is none. A stage of which an entry makes no sense, or whose files are not names
 * inside the folder, counts as not done: it is made again. Folders come from strangers, too: no name is trusted.
 *
 * @throws EtlError `format` for a file that is no run record, a damaged one, or one of a newer schema
 */
export async function readRunState(
  root: string,
  { damaged, anew = false }: ReadOptions = {},
): Promise<RunState | undefined> {
  const path = join(root, "run.json");
  if (!existsSync(path)) return undefined;
  const value: unknown = await readJson(path);
  if (!isRunRecord(value)) {
    throw new EtlError(
      "format",
      `${path}: not a run record, an object with schema, config and stages was needed`,
      { hint: "the first command again with another --out makes the run anew" },
    );
  }
  const { stages: listed, check, ...rest } = value;
  const { schema } = value;
  if (schema > SCHEMA) {
    throw new EtlError("format", `${path}: schema ${schema}, at most ${SCHEMA} was needed`, {
      hint: "this run was made by a newer version of etl: update, or choose another --out",
    });
  }
  if (!anew && check !== undefined && check !== checkOf("run", rest)) {
    throw new EtlError(
      "format",
      `${path}: its options are not those that were written, a whole file was needed`,
      {
        hint: "run the first command again with --replace: what is whole of its results is kept",
      },
    );
  }
  const stages = new Map<string, StageState>();
  for (const [name, stage] of Object.entries(isRecord(listed) ? listed : {})) {
    const read = stageOf(name, stage);
    if (typeof read === "string") damaged?.(name, read);
    else stages.set(name, read);
  }
  const stale = Array.isArray(value["stale"]) ? value["stale"].filter(isInside) : undefined;
  const { results } = value;
  return {
    schema,
    etlVersion: text(value["etlVersion"]),
    createdAt: text(value["createdAt"]),
    config: renamed(value.config),
    stages: Object.fromEntries(stages),
    status: value["status"] === "finished" ? "finished" : "running",
    ...(typeof value["until"] === "string" && { until: value["until"] }),
    ...(stale !== undefined && { stale }),
    ...(areSeals(results) && { results }),
  };
}

/** Options that had another name when a run was made. */
const formerNames: ReadonlyMap<string, string> = new Map([
  ["arch", "backbone"],
  ["archs", "backbones"],
]);

function renamed(config: RunState["config"]): RunState["config"] {
  return Object.fromEntries(
    Object.entries(config).map(([name, value]) => [formerNames.get(name) ?? name, value]),
  );
}

/**
 * Looks whether a file of a run folder is what the run has written; a file that no run has written passes.
 *
 * @throws EtlError `format` for a damaged one
 */
export async function needWhole(path: string): Promise<void> {
  const [root, file] = [dirname(path), basename(path)];
  const listing = join(root, "run.json");
  if (!existsSync(listing) || !isRunRecord(await readJson(listing).catch(() => undefined))) return;
  const state = await readRunState(root);
  if (state === undefined) return;
  const stage = Object.values(state.stages).find(({ files }) => files.includes(file));
  const seals = new Map(Object.entries({ ...state.results, ...stage?.seals }));
  const seal = seals.get(file);
  const damage = seal && (await damageOf(path, seal));
  if (damage === undefined) return;
  throw new EtlError("format", `${path}: ${damage}, the file as the run left it was needed`, {
    hint: `make it again: etl resume ${shellWord(root)}`,
  });
}

function isRunRecord(value: unknown): value is Record<string, unknown> & Pick<RunState, "schema" | "config"> {
  return isRecord(value) && typeof value["schema"] === "number" && isRecord(value["config"]);
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "unknown";
}

/** An entry of a stage, or what is wrong with it. */
function stageOf(name: string, stage: unknown): StageState | string {
  if (!isRecord(stage)) return "no object";
  const { check, ...rest } = stage;
  const { key, seconds, files, from, seals, again, costly } = rest;
  if (typeof key !== "string" || typeof seconds !== "number") return "no key or time";
  if (!Array.isArray(files)) return "no list of files";
  if (!files.every(isInside)) return "a file that is not in the folder";
  if (seals !== undefined && !areSeals(seals)) return "sums of files that make no sense";
  if (check !== undefined && check !== checkOf(name, rest)) return "not what was written";
  if (from !== undefined && !(Array.isArray(from) && from.every((each) => typeof each === "string")))
    return "no list of stages it is made from";
  return {
    key,
    seconds,
    files,
    ...(from && { from }),
    ...(seals && { seals }),
    ...(again === true && { again }),
    ...(costly === true && { costly }),
  };
}

function areSeals(value: unknown): value is Readonly<Record<string, Seal>> {
  return isRecord(value) && Object.values(value).every(isSeal);
}

/** Whether a name stays inside the folder it is joined to. */
function isInside(name: unknown): name is string {
  if (typeof name !== "string" || name === "" || name.includes("\0") || isAbsolute(name)) return false;
  const path = normalize(name);
  return path !== "." && path !== ".." && !path.startsWith(`..${sep}`) && !/^[a-z]:/i.test(path);
}
