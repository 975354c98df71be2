/** Options of every command. */
import type { Options } from "yargs";
import { engineNames } from "../lib/engine/engine.ts";

export const globalOptions = {
  json: { type: "boolean", default: false, describe: "Print one JSON object on stdout, and nothing else" },
  config: {
    type: "string",
    describe: "JSON file of options, by their names in the library",
    defaultDescription: "none",
  },
  quiet: { type: "boolean", default: false, describe: "Warnings only, no progress" },
  verbose: { type: "boolean", default: false, describe: "Show the stack of an error" },
  seed: { type: "number", default: 0, describe: "Seed of everything random" },
  threads: { type: "number", describe: "Compute threads", defaultDescription: "all cores" },
  engine: { choices: ["auto", ...engineNames], default: "auto", describe: "What computes" },
  device: { choices: ["cpu", "cuda"], describe: "On what", defaultDescription: "see etl doctor" },
} as const satisfies Readonly<Record<string, Options>>;

/** What yargs adds: these take no value. */
export const builtIn = ["help", "version"] as const;
