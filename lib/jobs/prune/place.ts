/** What a call without data and run folder means: drawn faces, and a folder named after the task. */
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { version } from "../../core/version.ts";
import { worded } from "../../core/voice.ts";
import { silent } from "../../core/progress.ts";
import { differences } from "../run/same.ts";
import { readRunState } from "../run/state.ts";
import { resolveOptions } from "./config.ts";
import type { PruneOptions } from "./options.ts";

/** The options of a run of which only the task has to be said. */
export type OpenPruneOptions = Omit<PruneOptions, "out"> & { readonly out?: string };

/** So many that the whole run takes less than two minutes of two cores without AVX-512. */
const DRAWN = "synthetic:500";

/**
 * Fills in data and run folder. A task without data gets drawn faces. The folder is `runs/TASK`: one that holds a run with these
 * options is continued, or shown where it is finished; else the next name that is free is taken.
 */
export async function placed(given: OpenPruneOptions): Promise<PruneOptions> {
  const { progress = silent } = given;
  const entries = given.task.split(",").map((entry) => entry.trim());
  const needsData = given.data === undefined && entries.some((entry) => !entry.includes("="));
  if (needsData) {
    progress.warn(
      worded(
        `no --data: faces are drawn (--data ${DRAWN}), what a network learns from them says nothing of photographs; --data FOLDER takes your own`,
      ),
    );
  }
  const options = { ...given, ...(needsData && { data: DRAWN }) };
  if (options.out !== undefined) return { ...options, out: options.out };
  const name = entries.map((entry) => entry.split("=")[0].replaceAll(/[^\w.-]+/g, "-")).join("-");
  for (let i = 1; ; i++) {
    const out = join("runs", i === 1 ? name : `${name}-${i}`);
    const state = await stateOf(out, { ...options, out });
    if (state === "other") continue;
    progress.note(
      {
        free: worded(`no --out: the run goes to ${out}`),
        unfinished: worded(`no --out: ${out} holds an unfinished run with these options, it is continued`),
        finished: worded(`no --out: ${out} holds a finished run with these options, it is shown`),
      }[state],
    );
    return { ...options, out };
  }
}

/** What a folder holds, as seen from a run with these options. */
async function stateOf(
  out: string,
  options: PruneOptions,
): Promise<"free" | "unfinished" | "finished" | "other"> {
  const config = resolveOptions(options);
  if (!existsSync(out)) return "free";
  const state = await readRunState(out).catch(() => undefined);
  if (state === undefined)
    return (await readdir(out).catch(() => ["a file"])).length === 0 ? "free" : "other";
  const isSame =
    state.etlVersion === version &&
    typeof state.config["task"] === "string" &&
    differences(state.config, { ...config }).length === 0;
  if (!isSame) return "other";
  return state.status === "finished" ? "finished" : "unfinished";
}
