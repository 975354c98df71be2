import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const found = findPackage(dirname(fileURLToPath(import.meta.url)));

/** Version of this package, from the nearest package.json named etl-prune. */
export const version: string = found.version;

/** The folder of this package. */
export const packageFolder: string = found.folder;

function findPackage(start: string): { readonly version: string; readonly folder: string } {
  for (let at = start; ; at = dirname(at)) {
    try {
      const { name, version: own } = JSON.parse(readFileSync(join(at, "package.json"), "utf8")) as {
        name?: string;
        version?: string;
      };
      if (name === "etl-prune") return { version: own ?? "0.0.0", folder: at };
    } catch {
      // no package.json here: look one folder up
    }
    if (at === dirname(at)) return { version: "0.0.0", folder: start };
  }
}
