import { existsSync } from "node:fs";
import { resolve } from "node:path";
import type { Context } from "mocha";

/** Where the real faces are, when they are there. */
const sharedData = resolve(import.meta.dirname, "../../../shared/data");

/**
 * Skips the running test, visibly, where something optional is missing; fails it where `ETL_REQUIRE` (a comma list)
 * names what is missing.
 */
export function requireOrSkip(context: Context, what: string, available: boolean): void {
  if (available) return;
  const required = (process.env["ETL_REQUIRE"] ?? "").split(",").includes(what);
  if (required) throw new Error(`ETL_REQUIRE names "${what}", but it is not available`);
  context.skip();
}

/** Skips where the real face pictures are not beside the project. */
export function requireData(context: Context, folder = ""): string {
  const path = resolve(sharedData, folder);
  requireOrSkip(context, "data", existsSync(path));
  return path;
}
