import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Version of this package, from the nearest package.json named etl-prune. */
export const version: string = findVersion(dirname(fileURLToPath(import.meta.url)));

function findVersion(folder: string): string {
  for (let at = folder; ; at = dirname(at)) {
    try {
      const found = JSON.parse(readFileSync(join(at, "package.json"), "utf8")) as {
        name?: string;
        version?: string;
      };
      if (found.name === "etl-prune") return found.version ?? "0.0.0";
    } catch {
      // no package.json here: look one folder up
    }
    if (at === dirname(at)) return "0.0.0";
  }
}
