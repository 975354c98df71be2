/** Stage profile: CPU time of a run's networks. */
import { writeJson } from "../../core/files.ts";
import type { Latency } from "../../record/record.ts";
import { profileModels, type ProfiledModel } from "../../evaluate/profile.ts";
import type { RunFolder } from "./folder.ts";
import type { World } from "./world.ts";
import { readStored } from "./stored.ts";

/** What something is measured of: the stages that made it, and all that it depends on. */
export interface Lineage {
  readonly from: readonly string[];
  readonly key: unknown;
}

/**
 * Times all networks, interleaved; leaves `latency.json`, by name.
 *
 * @param options.baseline name of the network that the others are compared with
 */
export async function profileStage(
  context: Pick<World, "timer" | "progress" | "signal"> & {
    readonly folder: RunFolder;
    readonly config: { readonly runs: number };
  },
  models: readonly ProfiledModel[],
  { from, key, baseline }: Lineage & { readonly baseline?: string },
): Promise<Readonly<Record<string, Latency>>> {
  const { folder, timer, progress, signal } = context;
  const { runs } = context.config;
  const file = "latency.json";
  await folder.stage("profile", {
    from,
    measures: true,
    inputs: { key, runs, threads: timer.threads, engine: timer.description },
    files: [file],
    produce: async () => {
      progress.start("profile");
      const options = { runs, signal, ...(baseline !== undefined && { baseline }) };
      const measured = await profileModels(timer, models, options);
      await writeJson(folder.file(file), Object.fromEntries(measured));
      progress.finish(
        [...measured].map(([name, { medianMs }]) => `${name} ${medianMs.toFixed(2)} ms`).join(", "),
      );
    },
  });
  return readStored<Record<string, Latency>>(folder, file, "latencies");
}
