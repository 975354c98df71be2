/** `etl profile`: cost and time of models. */
import { refuseUnknown } from "../../core/options.ts";
import { silent } from "../../core/progress.ts";
import type { Latency } from "../../record/record.ts";
import { serviceNames, withEngine, type ServiceOptions } from "../../engine/service.ts";
import { profileModels } from "../../evaluate/profile.ts";
import { costOf } from "../../network/cost.ts";
import { openModel } from "../run/model.ts";
import { defined } from "./rows.ts";

export interface Profile {
  readonly model: string;
  readonly engine: string;
  readonly batch: number;
  readonly latency: Latency;
  readonly cost: ReturnType<typeof costOf>;
}

export interface ProfileFilesOptions extends ServiceOptions {
  /** Timed runs per model. @defaultValue 50 */
  readonly runs?: number | undefined;
  /** Pictures per run. @defaultValue 1 */
  readonly batch?: number | undefined;
}

/** Cost and CPU time of models, interleaved. */
export async function profileFiles(
  names: readonly string[],
  options: ProfileFilesOptions = {},
): Promise<Profile[]> {
  refuseUnknown("profileFiles", options, { ...serviceNames, runs: true, batch: true });
  const models = await Promise.all(names.map((name) => openModel(name)));
  const progress = options.progress ?? silent;
  return withEngine(options, async (engine) => {
    progress.start("profile");
    const latency = await profileModels(
      engine,
      models.map(({ network }, i) => ({ name: names[i], network })),
      defined({ runs: options.runs, batch: options.batch, signal: options.signal }),
    );
    progress.finish();
    return models.map(({ network }, i) => {
      const measured = latency.get(names[i]);
      if (measured === undefined) throw new Error(`no latency of ${names[i]}`);
      return {
        model: names[i],
        engine: engine.description,
        batch: options.batch ?? 1,
        latency: measured,
        cost: costOf(network),
      };
    });
  });
}
