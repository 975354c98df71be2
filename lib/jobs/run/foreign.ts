/** Folders that hold something else than a run are left alone. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { EtlError } from "../../core/errors.ts";
import { readStart } from "../../core/files.ts";

/** @throws EtlError `usage` where a folder without a run holds files that no run has left */
export async function refuseForeign(root: string): Promise<void> {
  const names = (await readdir(root)).filter((name) => !/^lock\.json$|^\.lock-|\.tmp$/.test(name));
  // what a run that was killed before its first run.json has left
  const isOurs = async (name: string): Promise<boolean> => {
    if (name !== "parts.csv") return false;
    const start = await readStart(join(root, name), 10).catch(() => new Uint8Array());
    return new TextDecoder().decode(start) === "file,part\n";
  };
  if ((await Promise.all(names.map(isOurs))).every(Boolean)) return;
  throw new EtlError(
    "usage",
    `${root}: holds ${names.slice(0, 3).join(", ")} but no run.json, an empty or new folder was needed`,
    {
      hint: "choose another --out",
    },
  );
}
