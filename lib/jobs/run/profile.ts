/** Stage profile: CPU time of a run's networks. */
import { writeJson } from "../../core/files.ts";
import type { Latency } from "../../record/record.ts";
import { profileModels, type ProfiledModel } from "../../evaluate/profile.ts";
import { sayThreads, timerWith, timingThreads, type TimingThreads } from "../../evaluate/timer.ts";
import type { Engine } from "../../engine/engine.ts";
import type { Network } from "../../network/network.ts";
import type { RunFolder } from "./folder.ts";
import type { World } from "./world.ts";
import { readStored } from "./stored.ts";

/** What something is measured of: the stages that made it, and all that it depends on. */
export interface Lineage {
  readonly from: readonly string[];
  readonly key: unknown;
}

/** What a run measures time with. */
type Timing = Pick<World, "engine" | "progress" | "signal"> & {
  readonly folder: RunFolder;
  readonly config: { readonly threads?: number | undefined };
};

/** Stage threads: `threads.json`, with how many a run times its networks; measured once, so that all its times are of as many. */
export async function timerStage(run: Timing, whole: Network): Promise<Engine> {
  const { folder, engine, progress, signal } = run;
  if (run.config.threads !== undefined) return engine;
  const file = "threads.json";
  await folder.stage("threads", {
    inputs: "auto",
    measures: true,
    files: [file],
    produce: async () => {
      const chosen = await timingThreads(engine, whole, { signal });
      sayThreads(engine, chosen, progress);
      await writeJson(folder.file(file), chosen);
    },
  });
  return timerWith(engine, await readStored<TimingThreads>(folder, file, "threads"));
}

/**
 * Times all networks, interleaved; leaves `latency.json`, by name.
 *
 * @param options.baseline name of the network that the others are compared with
 */
export async function profileStage(
  context: Pick<World, "progress" | "signal"> & {
    readonly folder: RunFolder;
    readonly config: { readonly runs: number };
    /** What times them, {@link timerStage}. */
    readonly timer: Engine;
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
