/** The lock of a run folder: one run at a time. */
import { open, readFile, rm } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { EtlError } from "../../core/errors.ts";
import { ioError } from "../../core/files.ts";

/**
 * Takes the lock of a folder.
 *
 * @returns what releases it
 * @throws EtlError `usage` where another process holds it
 */
export async function lock(root: string): Promise<() => Promise<void>> {
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
