/** What lies where a command is to write its files: nothing is lost that somebody may still need. */
import { existsSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { EtlError } from "./errors.ts";
import { readText, removeAbandoned, writeTogether } from "./files.ts";

/** How files are written where others may lie. */
export interface SpareOptions {
  /** Write over files that are there already. @defaultValue false */
  readonly replace?: boolean | undefined;
  /** Whether a file that is there may go all the same: one that can be made again. */
  readonly mayGo?: (content: Uint8Array) => boolean;
  /** What to do where one may not. */
  readonly hint?: string;
}

const withReplace = "choose another --out, or give --replace to write over it";

/** Files that a run or a sweep leaves beside those that its stages list. */
const results =
  /^(run|config|record|metrics|crossval|sweep)\.json$|^(parts|left-out|sweep)\.csv$|^report\.html$/;

/** A file of a run is told of by the run's record: another one in its place would make that a lie, asked for or not. */
async function needNoRun(path: string): Promise<void> {
  const [name, folder] = [basename(path), dirname(resolve(path))];
  for (const [root, listed] of [
    [folder, name],
    [dirname(folder), `${basename(folder)}/${name}`],
  ]) {
    if (!["run.json", "sweep.json"].some((each) => existsSync(join(root, each)))) continue;
    const text = await readText(join(root, "run.json")).catch(() => "");
    if (results.test(listed) || text.includes(JSON.stringify(listed)))
      throw new EtlError("usage", `${path}: a file of the run in ${root}, another place was needed`, {
        hint: "choose another --out",
      });
  }
}

/**
 * Looks, before the work, whether a file may be written. A file that takes long to make, and is never twice the same, says `new` needed.
 *
 * @throws EtlError `usage` for a folder, a file of a run, or one that is there
 */
export async function needSpare(
  path: string,
  { replace = false, mayGo, hint }: SpareOptions = {},
): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) return;
  if (found.isDirectory()) throw new EtlError("usage", `${path}: a folder, the name of a file was needed`);
  await needNoRun(path);
  if (replace || (mayGo !== undefined && found.isFile() && mayGo(await readFile(path)))) return;
  throw taken(path, hint);
}

function taken(path: string, hint = withReplace): EtlError {
  return new EtlError("usage", `${path}: is there already, a new name was needed`, { hint });
}

/**
 * Writes files that belong together (see {@link writeTogether}), and only where nothing is lost: a file that holds the same
 * already is left alone, another one stays unless it may go.
 *
 * @throws EtlError `usage` where a file that may not go is in the way
 */
export async function writeSpare(
  files: ReadonlyMap<string, Uint8Array>,
  options: SpareOptions = {},
): Promise<void> {
  for (const folder of new Set([...files.keys()].map(dirname)))
    await removeAbandoned(folder, new Set([...files.keys()].map((path) => basename(path))));
  let isSame = true;
  for (const [path, content] of files) {
    const found = await stat(path).catch(() => undefined);
    const before =
      found?.isFile() === true && found.size === content.length ? await readFile(path) : undefined;
    if (before?.equals(content) === true) continue;
    isSame = false;
    if (found === undefined) continue;
    await needSpare(path, options);
  }
  if (!isSame) await writeTogether(files);
}
