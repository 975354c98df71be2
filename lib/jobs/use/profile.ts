/** `etl profile`: cost and time of models. */
import { EtlError } from "../../core/errors.ts";
import { refuseUnknown } from "../../core/options.ts";
import { silent } from "../../core/progress.ts";
import type { Latency } from "../../record/record.ts";
import { serviceNames, withEngine, type ServiceOptions } from "../../engine/service.ts";
import { noiseFor, profileModels, timerOf } from "../../evaluate/profile.ts";
import { layerTimes, type LayerTime } from "../../latency/kernels.ts";
import { costOf } from "../../network/cost.ts";
import type { SaidSizes } from "../../network/fit.ts";
import type { Network } from "../../network/network.ts";
import { openNetwork, settled } from "../run/model.ts";
import { defined } from "./rows.ts";

export interface Profile {
  readonly model: string;
  readonly engine: string;
  readonly batch: number;
  readonly latency: Latency;
  readonly cost: ReturnType<typeof costOf>;
  /** Every kernel of a run, in its order; where asked for. */
  readonly layers?: readonly LayerTime[];
}

export interface ProfileFilesOptions extends ServiceOptions {
  /** Timed runs per model. @defaultValue 50 */
  readonly runs?: number | undefined;
  /** Pictures per run; default: as many as the files are made for, else 1. */
  readonly batch?: number | undefined;
  /** Also the time of every layer. Not told by tfjs. @defaultValue false */
  readonly layers?: boolean | undefined;
  /** Of pictures, where files leave it open. */
  readonly size?: SaidSizes["size"];
  /** Numbers for open dimensions, by the names that the file gives them. */
  readonly bind?: SaidSizes["bind"];
}

/** Cost and CPU time of models, interleaved. */
export async function profileFiles(
  names: readonly string[],
  options: ProfileFilesOptions = {},
): Promise<Profile[]> {
  refuseUnknown("profileFiles", options, {
    ...serviceNames,
    ...{ runs: true, batch: true, size: true, bind: true, layers: true },
  });
  for (const name of ["runs", "batch"] as const) {
    const value = options[name] ?? 1;
    if (!Number.isSafeInteger(value) || value < 1)
      throw new EtlError("usage", `--${name}: ${value}, a whole number of at least 1 was needed`);
  }
  const models = await Promise.all(names.map(async (name) => settled(await openNetwork(name), options)));
  const progress = options.progress ?? silent;
  for (const note of new Set(models.flatMap(({ notes }) => notes))) progress.note(note);
  const fixed = fixedBatch(models.map(({ network }) => network));
  const batch = options.batch ?? fixed;
  if (fixed > 1) progress.note(`made for ${fixed} pictures at a time: MACs are of all of them, times of one`);
  return withEngine(options, async (engine) => {
    const timer = timerOf(engine, options.threads);
    progress.start("profile");
    const latency = await profileModels(
      timer,
      models.map(({ network }, i) => ({ name: names[i], network })),
      defined({ runs: options.runs, batch, signal: options.signal }),
    );
    progress.finish();
    const { runs = 50 } = options;
    const layers: LayerTime[][] = [];
    for (const { network } of options.layers === true ? models : []) {
      const kernels = await timer.kernels(network, noiseFor(network, batch), { runs });
      layers.push(layerTimes(network, kernels, engine.channelBlock));
    }
    return models.map(({ network }, i) => {
      const measured = latency.get(names[i]);
      if (measured === undefined) throw new Error(`no latency of ${names[i]}`);
      return {
        model: names[i],
        engine: engine.description,
        batch,
        latency: measured,
        cost: costOf(network, { onUnknown: "skip" }),
        ...(options.layers === true && { layers: layers[i] }),
      };
    });
  });
}

/** The batch that all files are fixed to; 1 where they are open, or differ. */
function fixedBatch(networks: readonly Network[]): number {
  const [first, ...others] = new Set(
    networks.map(({ inputs: [{ shape }] }) =>
      shape.length === 4 && typeof shape[0] === "number" ? shape[0] : 1,
    ),
  );
  return others.length === 0 ? first : 1;
}
