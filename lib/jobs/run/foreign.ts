/** Folders that hold something else than a run, or a sweep, are left alone. */
import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { EtlError } from "../../core/errors.ts";
import { readJson } from "../../core/files.ts";
import { isRecord } from "../../core/own.ts";

/** What a sweep that was killed before its first sweep.json has left: its options, and folders of seeds. */
async function isOfSweep(path: string): Promise<boolean> {
  if (basename(path) !== "config.json")
    return (await readdir(path).catch(() => [""])).every((name) => /^seed-\d+$/.test(name));
  const options = await readJson(path).catch(() => undefined);
  return isRecord(options) && Array.isArray(options["tasks"]) && Array.isArray(options["gammas"]);
}

/**
 * @param listing the file that names what a run or a sweep has left, which is not there
 * @throws EtlError `usage` where the folder holds files that none has left
 */
export async function refuseForeign(
  root: string,
  listing: "run.json" | "sweep.json" = "run.json",
): Promise<void> {
  const names = (await readdir(root)).filter((name) => !/^lock\.json$|^\.lock-|\.tmp$/.test(name));
  const others: string[] = [];
  for (const name of names)
    if (listing === "run.json" || !(await isOfSweep(join(root, name)))) others.push(name);
  if (others.length === 0) return;
  throw new EtlError(
    "usage",
    `${root}: holds ${others.slice(0, 3).join(", ")} but no ${listing}, an empty or new folder was needed`,
    {
      hint: "choose another --out",
    },
  );
}
