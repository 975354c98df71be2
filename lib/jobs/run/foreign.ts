/** Folders that hold something else than a run, or a sweep, are left alone. */
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { basename, extname, join } from "node:path";
import { EtlError, shellWord } from "../../core/errors.ts";
import { readJson } from "../../core/files.ts";
import { isRecord } from "../../core/own.ts";

/** What a sweep that was killed before its first sweep.json has left: its options, and folders of seeds. */
async function isOfSweep(path: string): Promise<boolean> {
  if (basename(path) !== "config.json")
    return (await readdir(path).catch(() => [""])).every((name) => /^seed-\d+$/.test(name));
  const options = await readJson(path).catch(() => undefined);
  return isRecord(options) && Array.isArray(options["tasks"]) && Array.isArray(options["gammas"]);
}

/** @throws EtlError `usage` where a new folder would have the name of a file: what was meant is the network in it */
export function refuseFileName(path: string): void {
  const ending = extname(path).toLowerCase();
  if (
    existsSync(path) ||
    !["onnx", "h5", "keras", "json", "html", "csv", "png", "jpg"].includes(ending.slice(1))
  )
    return;
  throw new EtlError("usage", `--out: ${path}, the name of a folder was needed`, {
    hint: `did you mean ${shellWord(path.slice(0, -ending.length))}? What is written lies in it`,
  });
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
