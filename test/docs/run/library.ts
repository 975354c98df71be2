/** The "etl-prune" of the ts blocks: the package's own surface, its runs made small. */
import { prune as whole, sweep as many } from "../../../lib/index.ts";
import { smallOptions } from "./small.ts";

export * from "../../../lib/index.ts";

export const prune: typeof whole = (options) =>
  whole(smallOptions(options, process.env["ETL_DOCS_BACKBONE"] ?? "face-resnet"));

export const sweep: typeof many = (options) =>
  many(smallOptions(options, process.env["ETL_DOCS_BACKBONE"] ?? "face-resnet"));
