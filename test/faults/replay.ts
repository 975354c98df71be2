/** A command that is struck at one of its changes of files, and is then given again: what it leaves must be as if nothing had been. */
import { expect } from "chai";
import { spawn } from "node:child_process";
import { cp, mkdir, readdir, readFile, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { capture, type Captured } from "../support/program.ts";
import { isAt, systemError, watchDisk } from "./disk.ts";
import { extension, filesBelow, loader, resultsOf } from "./support.ts";

export interface Job {
  readonly name: string;
  /** The call, without --out. */
  readonly call: readonly string[];
  /** What is given to --out, below the folder that is looked at. */
  readonly out: string;
  /** Whether files that are there after a failure may differ from those of the end: a run that goes on. */
  readonly goesOn?: true;
}

/** A job that ran once, with what lay there before each of its changes. */
export interface Recorded extends Job {
  readonly root: string;
  readonly whole: Readonly<Record<string, string>>;
  /** Words of each change, and the folder as it was before. */
  readonly changes: readonly { readonly words: string; readonly files: string }[];
}

const codes = ["ENOSPC", "EIO", "EACCES", "EMFILE", "EROFS", "EDQUOT"];

const argumentsOf = ({ call, out }: Job, root: string): string[] => [...call, "--out", join(root, out)];

/** Runs the program in a process of its own; by the signal that ended it, or its exit code. */
function inProcess(args: readonly string[], given: Readonly<Record<string, string>>): Promise<unknown> {
  const script = join(import.meta.dirname, `killed${extension}`);
  const child = spawn(process.execPath, [...loader, script, ...args], {
    stdio: "ignore",
    env: { ...process.env, ...given },
  });
  return new Promise((resolve) =>
    child.on("close", (code, signal) => {
      resolve(signal ?? code);
    }),
  );
}

/** Runs a job once, in a process that is gone after it, and keeps what lay there before each change. */
export async function recorded(job: Job, place: string): Promise<Recorded> {
  const [root, keep] = [join(place, "out"), join(place, "kept")];
  await rm(place, { recursive: true, force: true });
  await mkdir(place, { recursive: true });
  const code = await inProcess(argumentsOf(job, root), { ETL_KILL_ROOT: root, ETL_KILL_KEEP: keep });
  expect(code, job.name).to.equal(0);
  const changes = await Promise.all(
    (await readdir(keep)).sort().map(async (n) => ({
      words: await readFile(join(keep, n, "words"), "utf8"),
      files: join(keep, n, "files"),
    })),
  );
  return { ...job, root, whole: await resultsOf(root), changes };
}

/** The folder as it was before a change. */
async function laidOut({ root, changes }: Recorded, at: number): Promise<void> {
  await rm(root, { recursive: true, force: true });
  const { files } = changes[at];
  if ((await stat(files).catch(() => undefined)) !== undefined)
    await cp(files, root, { recursive: true, preserveTimestamps: true });
  else await mkdir(dirname(root), { recursive: true });
}

/** One change fails; then the same command again. */
export async function failed(job: Recorded, at: number): Promise<void> {
  const { root, changes } = job;
  const code = codes[at % codes.length];
  const { words } = changes[at];
  const where = `${job.name}: ${code} at ${words} (${at})`;
  await laidOut(job, at);
  const before = await tmpIn(root);
  let hits = 0;
  const attempt = async (isHere: (n: number, call: string, path: string) => boolean): Promise<Captured> => {
    const watch = watchDisk(root, (n, call, path) =>
      hits === 0 && isHere(n, call, path) && ++hits > 0 ? systemError(code, call, path) : undefined,
    );
    return capture(argumentsOf(job, root)).finally(() => watch.end());
  };
  let first = await attempt((_, call, path) => isAt(words, root, { call, path }));
  if (hits === 0) {
    // what a run that goes on has no need of, one that begins does
    await rm(root, { recursive: true, force: true });
    first = await attempt((n) => n === at);
  }
  expect(hits, `${where}: was reached`).to.be.above(0);
  expect(first.stderr, where).to.not.match(/defect of etl|TypeError|undefined/);
  if (first.code !== 0) expect(first.stderr, where).to.match(/error: [^]+: [^]+/);
  const left = (await tmpIn(root)).filter((name) => !before.includes(name));
  // a run removes at its next start what it could not; a drive that fails may keep even that
  if (job.goesOn !== true && !words.startsWith("rm ")) expect(left, where).to.deep.equal([]);
  await onceMore(job, where);
}

/** Killed at one change; then the same command again. */
export async function killed(job: Recorded, at: number): Promise<void> {
  const { words } = job.changes[at];
  const where = `${job.name}: killed at ${words} (${at})`;
  await laidOut(job, at);
  const strike = (where: string): Promise<unknown> =>
    inProcess(argumentsOf(job, job.root), { ETL_KILL_ROOT: job.root, ETL_KILL_AT: where });
  let signal = await strike(words);
  if (signal === 0) {
    await rm(job.root, { recursive: true, force: true });
    signal = await strike(String(at));
  }
  expect(signal, where).to.equal("SIGKILL");
  await onceMore(job, where);
}

async function tmpIn(root: string): Promise<string[]> {
  const names = await filesBelow(root).catch(() => []);
  return names.filter((name) => /\.tmp$|^\.?lock|^checkpoints/.test(name));
}

/** What is there is whole; the same command ends well, with the same files and nothing beside them. */
async function onceMore(job: Recorded, where: string): Promise<void> {
  const { root, whole } = job;
  if (job.goesOn !== true) {
    for (const [name, hash] of Object.entries(await resultsOf(root).catch(() => ({}))))
      if (!name.endsWith(".tmp")) expect(hash, `${where}: ${name} is whole`).to.equal(whole[name]);
  }
  const again = await capture(argumentsOf(job, root));
  expect(again.code, `${where}, again: ${again.stderr.slice(-600)}`).to.equal(0);
  expect(await resultsOf(root), where).to.deep.equal(whole);
  expect(await tmpIn(root), where).to.deep.equal([]);
}

/** Where a long form that was stopped goes on: as many are taken as tried. */
const tried = Number(process.env["ETL_FAULTS_FROM"] ?? 0);

/** Tries each, goes on after one that did not hold, and says what was found; with counts where it takes long. */
export async function each<T>(
  what: string,
  of: readonly T[],
  attempt: (one: T) => Promise<void>,
): Promise<void> {
  const failures: string[] = [];
  for (const [i, one] of of.entries()) {
    if (i < tried) continue;
    await attempt(one).catch((error: unknown) => {
      failures.push(error instanceof Error ? error.message : String(error));
    });
    if (process.env["ETL_FAULTS"] === "long")
      console.log(`      ${what}: ${i + 1 - tried} tried, ${i + 1 - tried - failures.length} held`);
  }
  if (failures.length > 0)
    throw new Error(`${failures.length} of ${of.length}\n${failures.slice(0, 20).join("\n\n")}`);
}

/** Some of a list, spread evenly. */
export function spread<T>(of: readonly T[], count: number): T[] {
  const step = Math.max(1, of.length / count);
  return Array.from({ length: Math.min(count, of.length) }, (_, i) => of[Math.floor((i + 0.5) * step)]);
}
