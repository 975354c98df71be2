/**
 * The lock of a run folder: one run at a time. `lock.json` is linked into place with its content, names its owner (process, its
 * start, machine, token) and is written again every few seconds while the owner lives: from its age others see whether it does,
 * on whichever machine. Times are compared as the file system gives them, so clocks of machines need not agree.
 */
import { randomUUID } from "node:crypto";
import {
  link,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  writeFile,
  type FileHandle,
} from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { EtlError } from "../../core/errors.ts";
import { ioError, isRunning, readText } from "../../core/files.ts";

/** A lock that was taken. */
export interface Lock {
  /**
   * Makes sure that the lock is still this one's; takes it again where it was removed by hand.
   *
   * @param known a file that the folder must hold: without it the folder was removed and is not the one that was locked
   * @throws EtlError `io` where another process took it over, or the folder is gone
   */
  check(known?: string): Promise<void>;
  release(): Promise<void>;
}

const beatMs = 5_000;
/** A lock that was not written for so long has no owner. */
const deadMs = 60_000;
/** How often a lock that changes hands is asked for again, and after how long. */
const [attempts, waitMs] = [100, 10];

interface Owner {
  readonly pid: number;
  readonly host: string;
  readonly token: string;
  /** Start of the machine and of the process, where the system says them: a number given to another process is told apart. */
  readonly boot?: string;
  readonly started?: string;
}

/**
 * Takes the lock of a folder, also from an owner that is gone.
 *
 * @throws EtlError `usage` where another run holds it
 */
export async function lock(root: string): Promise<Lock> {
  const [path, token] = [join(root, "lock.json"), randomUUID()];
  const [own, text] = [join(root, `.lock-${token}`), await ownText(token)];
  try {
    await writeFile(own, text, { flag: "wx" });
    try {
      await take(root, path, own);
    } finally {
      await removed(own);
    }
    const handle = await open(path, "r+").catch(async (error: unknown) => {
      await removed(path);
      throw error;
    });
    await removeLeft(root).catch(() => undefined); // nothing that a run needs
    return held(root, { path, token, text, handle });
  } catch (error) {
    if (error instanceof EtlError) throw error;
    throw ioError("cannot lock the run folder", root, error);
  }
}

async function take(root: string, path: string, own: string): Promise<void> {
  for (let attempt = 0; attempt < attempts; attempt++) {
    if (await linked(own, path)) return;
    const found = await readOwner(path, own);
    if (found !== undefined && !found.isGone) {
      const where = found.owner === undefined ? "" : ` ${found.owner.pid} on ${found.owner.host}`;
      throw new EtlError(
        "usage",
        `${root}: in use by process${where}, a folder of its own was needed for each run`,
        { hint: "wait for it or choose another --out; a process that is gone is noticed within a minute" },
      );
    }
    if (found?.owner !== undefined && (await takeOver(root, { path, own, token: found.owner.token }))) return;
    if (found !== undefined && found.owner === undefined) await rm(path, { force: true }); // torn, and old
    await pause(waitMs);
  }
  throw new EtlError("io", `${path}: cannot be taken, other processes keep taking it`, {
    hint: "start one run for each folder",
  });
}

/** Gives a file a second name, if nobody else has that name. */
async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    const code = codeOf(error);
    if (code === "EEXIST") return false;
    if (code === "ENOENT") throw error;
    // a file system without links: the content follows a moment later
    const made = await writeFile(to, await readFile(from), { flag: "wx" }).catch((other: unknown) => other);
    if (made === undefined) return true;
    if (codeOf(made) === "EEXIST") return false;
    throw made as Error;
  }
}

/** Replaces the lock of an owner that is gone. Of several that try, one gets the claim to it. */
async function takeOver(
  root: string,
  { path, own, token }: { readonly path: string; readonly own: string; readonly token: string },
): Promise<boolean> {
  const claim = join(root, `.lock-${/^[\w-]{1,64}$/.test(token) ? token : "torn"}.claim`);
  if (!(await linked(own, claim))) {
    const [there, mine] = await Promise.all([stat(claim).catch(() => undefined), stat(own)]);
    if (there !== undefined && mine.mtimeMs - there.mtimeMs > deadMs) await rm(claim, { force: true });
    return false;
  }
  try {
    if ((await readOwner(path, own))?.owner?.token !== token) return false; // it was another's already
    await rename(claim, path);
    return true;
  } finally {
    await rm(claim, { force: true });
  }
}

/** Who holds a lock; undefined where there is none. */
async function readOwner(
  path: string,
  own: string,
): Promise<{ readonly owner: Owner | undefined; readonly isGone: boolean } | undefined> {
  await writeFile(own, await readFile(own)); // its time is now what the file system takes for now
  return ownerAt(path, (await stat(own)).mtimeMs);
}

/** Who wrote a lock, or asked for one, and whether he is gone. */
async function ownerAt(
  path: string,
  nowMs: number,
): Promise<{ readonly owner: Owner | undefined; readonly isGone: boolean } | undefined> {
  const there = await stat(path).catch(() => undefined);
  if (there === undefined) return undefined;
  const isOld = nowMs - there.mtimeMs > deadMs;
  const owner = await readText(path).then(parseOwner, () => undefined);
  if (owner === undefined) return { owner, isGone: isOld };
  const isHere =
    owner.host === hostname() && (owner.boot === undefined || owner.boot === (await bootOfMachine()));
  if (isHere && !isRunning(owner.pid)) return { owner, isGone: true };
  const started = isHere ? await startOf(owner.pid) : undefined;
  if (started === undefined || owner.started === undefined) return { owner, isGone: isOld };
  return { owner, isGone: started !== owner.started };
}

function parseOwner(text: string): Owner | undefined {
  try {
    const value = JSON.parse(text) as Partial<Owner> | null;
    if (typeof value?.pid !== "number" || typeof value.host !== "string") return undefined;
    return {
      ...value,
      pid: value.pid,
      host: value.host,
      token: typeof value.token === "string" ? value.token : "none",
    };
  } catch {
    return undefined;
  }
}

/** The lock in the hands of this run: kept fresh, given back only where it still is this run's. */
function held(
  root: string,
  own: { readonly path: string; readonly token: string; readonly text: string; readonly handle: FileHandle },
): Lock {
  const { path, token, text, handle } = own;
  // Writes to the file that was locked, whatever lies at its name by now.
  const beat = setInterval(() => void handle.write(text, 0).catch(() => undefined), beatMs);
  beat.unref();
  const owner = (): Promise<Owner | undefined> => readText(path).then(parseOwner, () => undefined);
  return {
    async check(known) {
      const found = await owner();
      if (found?.token === token) return;
      const gone = known !== undefined && (await stat(known).catch(() => undefined)) === undefined;
      if (found === undefined && !gone) {
        const again = join(root, `.lock-${token}`);
        await writeFile(again, text, { flag: "wx" });
        const isTaken = await linked(again, path);
        await rm(again, { force: true });
        if (isTaken) return;
      }
      throw new EtlError(
        "io",
        gone
          ? `${root}: removed while the run was going on, the folder was needed until its end`
          : `${root}: taken over by process ${found?.pid ?? "?"} on ${found?.host ?? "?"}, this run had stopped answering`,
        { hint: gone ? "run the same command again" : "let one of the two go on" },
      );
    },
    async release() {
      clearInterval(beat);
      await handle.close();
      if ((await owner())?.token === token) await removed(path);
    },
  };
}

/** Removes a lock, at the second attempt where the first one fails. One that stays has an owner that is gone, soon. */
async function removed(path: string): Promise<void> {
  await rm(path, { force: true }).catch(() => rm(path, { force: true }).catch(() => undefined));
}

/** Removes what processes that were killed while they asked for the lock have left. */
async function removeLeft(root: string): Promise<void> {
  const now = (await stat(join(root, "lock.json"))).mtimeMs;
  for (const name of await readdir(root)) {
    if (!name.startsWith(".lock-")) continue;
    const path = join(root, name);
    if ((await ownerAt(path, now))?.isGone === true) await rm(path, { force: true });
  }
}

async function ownText(token: string): Promise<string> {
  const owner: Owner = { pid: process.pid, host: hostname(), token };
  const [boot, started] = [await bootOfMachine(), await startOf(process.pid)];
  return JSON.stringify({ ...owner, ...(boot && { boot }), ...(started && { started }) });
}

async function bootOfMachine(): Promise<string | undefined> {
  const text = await readFile("/proc/sys/kernel/random/boot_id", "utf8").catch(() => undefined);
  return text?.trim();
}

/** When a process started, in the system's own unit; undefined where the system does not say. */
async function startOf(pid: number): Promise<string | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  // the name of the program may hold anything: fields are counted behind its closing bracket
  return text?.slice(text.lastIndexOf(")") + 2).split(" ")[19];
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}
