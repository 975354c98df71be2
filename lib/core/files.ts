/** Files are written whole or not at all. */
import { randomUUID } from "node:crypto";
import { readFileSync, realpathSync, statSync } from "node:fs";
import { mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, relative, resolve } from "node:path";
import { EtlError, messageOf } from "./errors.ts";
import { parseJson } from "./parse-json.ts";

/**
 * Makes a folder and those above it, one by one. (Node's own recursive mkdir never returns on file systems that answer
 * ENOENT for a name they do not allow, /proc for example.)
 */
export async function makeFolder(path: string): Promise<void> {
  const missing: string[] = [];
  for (let at = resolve(path); !(await isFolder(at)); at = dirname(at)) {
    missing.push(at);
    if (dirname(at) === at) break;
  }
  for (const folder of missing.reverse()) {
    await mkdir(folder).catch(async (error: unknown) => {
      if (!(await isFolder(folder))) throw error; // else somebody else made it at the same time
    });
  }
}

async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
}

/**
 * Writes a file to a temporary name beside it, flushes it and renames it. On any failure the old file stays and the
 * temporary one is removed.
 *
 * @param content several parts are written one behind the other
 */
export async function writeWhole(
  path: string,
  content: string | Uint8Array | readonly Uint8Array[],
): Promise<void> {
  const temporary = temporaryName(path);
  try {
    await makeFolder(dirname(path));
    await writeFlushed(temporary, content);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw ioError("cannot write", path, error);
  }
}

/**
 * Writes files that make sense together only. A reader finds the old ones, none, or the new ones, never a mixture: all are written
 * beside their places first, and the first one, which names the others, is away while these change.
 *
 * @param files path -> content; the first is the one that is opened
 */
export async function writeTogether(files: ReadonlyMap<string, Uint8Array>): Promise<void> {
  const places = [...files].map(([path, content]) => ({ path, content, temporary: temporaryName(path) }));
  let at = places[0]?.path ?? "";
  try {
    for (const { path, content, temporary } of places) {
      at = path;
      await makeFolder(dirname(path));
      await writeFlushed(temporary, content);
    }
    if (places.length > 1) await rm(places[0].path, { force: true });
    for (const { path, temporary } of places.toReversed()) {
      at = path;
      await rename(temporary, path);
    }
  } catch (error) {
    for (const { temporary } of places) await rm(temporary, { force: true }).catch(() => undefined);
    throw ioError("cannot write", at, error);
  }
}

/** Says who writes: what a process that is gone has left may be removed, what another one writes just now may not. */
function temporaryName(path: string): string {
  return `${path}.${process.pid.toString(16)}-${randomUUID().slice(0, 8)}.tmp`;
}

async function writeFlushed(
  path: string,
  content: string | Uint8Array | readonly Uint8Array[],
): Promise<void> {
  const handle = await open(path, "wx");
  try {
    const parts = typeof content === "string" || content instanceof Uint8Array ? [content] : content;
    for (const part of parts) await handle.writeFile(part);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

const unfinished = /^(.*)\.(?:([0-9a-f]{1,8})-)?[0-9a-f]{8}\.tmp$/s;

/** Names of files in a folder that writes which were killed half way have left. */
export async function unfinishedIn(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  return names.filter((name) => unfinished.test(name));
}

/**
 * Removes what killed writes have left in a folder that no lock keeps to one process: only that of processes which are gone.
 *
 * @param of names of the files that were to be written; default: of all
 */
export async function removeAbandoned(folder: string, of?: ReadonlySet<string>): Promise<void> {
  for (const name of await unfinishedIn(folder)) {
    const [, file = "", writer] = unfinished.exec(name) ?? [];
    if (writer === undefined || isRunning(parseInt(writer, 16)) || of?.has(file) === false) continue;
    await rm(join(folder, name), { force: true }).catch(() => undefined);
  }
}

/** Whether a process of this machine still runs: what one that is gone has left may be taken or removed. */
export function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM"; // another user's
  }
}

/** {@link writeWhole}, but a file that holds just this already is left alone. @returns whether it was written */
export async function writeChanged(path: string, content: string): Promise<boolean> {
  await removeAbandoned(dirname(path), new Set([basename(path)]));
  const before = await readText(path).catch(() => undefined);
  if (before === content) return false;
  await writeWhole(path, content);
  return true;
}

/** A value as the JSON files of this program hold it: indented, with a line break at the end. */
export function jsonText(value: unknown): string {
  return `${JSON.stringify(value, null, 1)}\n`;
}

/** Writes `value` as indented JSON, whole or not at all. */
export async function writeJson(path: string, value: unknown): Promise<void> {
  await writeWhole(path, jsonText(value));
}

/** @throws EtlError `data` for a device, a pipe, a socket: to read one may never end */
export function needPlain(path: string, found: { isFile(): boolean; isDirectory(): boolean }): void {
  if (found.isFile()) return;
  const what = found.isDirectory() ? "a folder" : "no plain file (a pipe or a device)";
  throw new EtlError("data", `${path}: ${what}, a plain file was needed`);
}

/**
 * The bytes of a file that another file names, beside it or below. A link that the user named himself is followed, one that leads
 * out of the folder in which the named file really lies is not: a model from a stranger must not read what it likes.
 *
 * @param named the file that the user gave
 * @throws EtlError `data` for a name that leaves the folder, `io` for a file that is not there
 */
export function readBeside(named: string, name: string): Uint8Array {
  const path = insideOf(dirname(resolve(named)), name);
  try {
    const real = realpathSync(path);
    const way = relative(dirname(realpathSync(named)), real);
    const isBeside = !isAbsolute(way) && way.split(/[\\/]/)[0] !== "..";
    if (!isBeside) {
      throw new EtlError(
        "data",
        `${path}: a link that leads to another folder, a file beside ${named} was needed`,
        {
          hint: "copy the file there, if you trust who made the model",
        },
      );
    }
    needPlain(path, statSync(real));
    const { buffer, byteOffset, length } = readFileSync(real);
    return new Uint8Array(buffer, byteOffset, length);
  } catch (error) {
    if (error instanceof EtlError) throw error;
    const missing = "it belongs to the model: copy or download it to that place, too";
    throw ioError(`cannot read what ${named} names`, path, error, missing);
  }
}

/** Reads a whole file; a missing or unreadable one is an `io` error that names it. */
export async function readBytes(path: string): Promise<Uint8Array> {
  try {
    needPlain(path, await stat(path));
    const { buffer, byteOffset, length } = await readFile(path);
    return new Uint8Array(buffer, byteOffset, length); // not a Buffer: its slice() shares memory
  } catch (error) {
    if (error instanceof EtlError) throw error;
    throw ioError("cannot read", path, error);
  }
}

/** The first bytes of a file, at most so many. */
export async function readStart(path: string, bytes: number): Promise<Uint8Array> {
  try {
    needPlain(path, await stat(path));
    const handle = await open(path, "r");
    try {
      const { bytesRead, buffer } = await handle.read(new Uint8Array(bytes), 0, bytes, 0);
      return buffer.subarray(0, bytesRead);
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (error instanceof EtlError) throw error;
    throw ioError("cannot read", path, error);
  }
}

/** Reads a text file as UTF-8, or as UTF-16 where its byte order mark says so; without that mark. */
export async function readText(path: string): Promise<string> {
  const bytes = await readBytes(path);
  const mark = bytes.length >= 2 ? (bytes[0] << 8) | bytes[1] : 0;
  if (mark === 0xfffe) return new TextDecoder("utf-16le").decode(bytes);
  // Not every build of Node knows the other order.
  if (mark === 0xfeff)
    return new TextDecoder("utf-16le").decode(Buffer.from(bytes.subarray(0, bytes.length & ~1)).swap16());
  return new TextDecoder("utf-8").decode(bytes);
}

/** Reads and parses JSON; damage is a `format` error that names the file. */
export async function readJson(path: string): Promise<unknown> {
  return parseJson(await readText(path), path);
}

/**
 * The absolute path of `name` below `root`.
 *
 * @throws EtlError kind `data` where `name` is absolute or leaves `root`
 */
export function insideOf(root: string, name: string): string {
  const base = resolve(root);
  const path = resolve(base, name);
  const way = relative(base, path);
  if (isAbsolute(name) || way.startsWith("..") || isAbsolute(way) || name.includes("\0")) {
    throw new EtlError(
      "data",
      `${JSON.stringify(name)}: leaves its folder ${base}, a path inside it was needed`,
    );
  }
  return path;
}

/** What somebody who is no programmer is told of an error of the system or of its memory; undefined for any other error. */
export function everydayError(error: unknown): EtlError | undefined {
  if (!(error instanceof Error) || error instanceof EtlError) return undefined;
  const { code, syscall, path } = error as NodeJS.ErrnoException;
  if (typeof code === "string" && typeof syscall === "string" && /^E[A-Z]+$/.test(code))
    return ioError(`${syscall} failed`, path ?? "the system", error);
  if (!/could not allocate|allocation failed|out of memory|Cannot allocate memory/i.test(error.message))
    return undefined;
  return new EtlError("io", `memory: ${error.message}, more of it was needed`, {
    hint: "close other programs, take fewer --threads or smaller batches, or raise the limit (ulimit -v unlimited)",
    cause: error,
  });
}

/** Turns a file system error into one sentence with what to do. */
export function ioError(what: string, path: string, error: unknown, missing = "check the path"): EtlError {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const reasons: Record<string, [string, string]> = {
    ENOENT: ["there is no such file or folder", missing],
    EACCES: ["permission denied", "choose a folder you may use, or change its permissions"],
    EPERM: ["not permitted", "choose a folder you may use, or change its permissions"],
    EROFS: ["the file system is read-only", "choose another folder"],
    ENOSPC: ["the disk is full", "free some space and run the same command again: what was done is kept"],
    EDQUOT: [
      "the disk quota is used up",
      "free some space and run the same command again: what was done is kept",
    ],
    EISDIR: ["it is a folder", "name a file"],
    EFBIG: [
      "the file is larger than is allowed",
      "raise the limit (ulimit -f unlimited), or choose another disk",
    ],
    EIO: ["the disk or the network drive failed", "look after the disk, then run the same command again"],
    EMFILE: ["too many files are open", "raise the limit (ulimit -n 4096) and run the same command again"],
    ENFILE: ["too many files are open on this machine", "wait, then run the same command again"],
    ENOMEM: ["there is not enough memory", "close other programs, or raise the limit (ulimit -v)"],
    EBUSY: ["another program uses it", "close that program and run the same command again"],
    ETXTBSY: ["another program uses it", "close that program and run the same command again"],
    ELOOP: ["links that lead in a circle", "check the links"],
    ENAMETOOLONG: ["the name is too long for this disk", "choose a shorter name"],
    ESTALE: ["the network drive lost it", "run the same command again"],
    ETIMEDOUT: ["the network drive did not answer", "run the same command again"],
    EEXIST: ["a part of the path is a file, not a folder", "check the path"],
    ENOTDIR: ["a part of the path is a file, not a folder", "check the path"],
  };
  const [reason, hint] = reasons[code] ?? [messageOf(error), undefined];
  return new EtlError("io", `${path}: ${what}, ${reason}`, { hint, cause: error });
}
