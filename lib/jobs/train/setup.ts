/** What a training run works with: data, engine and the network it begins with. */
import type { Preprocessing } from "../../core/artifacts.ts";
import { silent, type Progress } from "../../core/progress.ts";
import type { Recycler } from "../../core/recycler.ts";
import type { Architecture } from "../../backbones/architecture.ts";
import type { Engine } from "../../engine/engine.ts";
import { closeWorld } from "../run/world.ts";
import { openTrainData, type TrainData } from "./data.ts";
import { checkOutputs, startingNetwork, type StartingNetwork } from "./network.ts";
import { resolveTrainOptions, type TrainConfig } from "./config.ts";
import type { TrainOptions } from "./options.ts";

/** What a training run works with. */
export interface TrainSetup {
  readonly config: TrainConfig;
  readonly architecture: Architecture;
  readonly data: TrainData;
  readonly engine: Engine;
  /** How pictures become the network's input. */
  readonly preprocessing: Preprocessing;
  /** Lends the arrays of pictures. */
  readonly recycler: Recycler;
  readonly progress: Progress;
  readonly signal: AbortSignal | undefined;
}

/**
 * A setup with the network it begins with. The caller closes its data with {@link closeWorld}.
 *
 * @param among tasks of which every picture needs a label, so that networks for some of them see the same pictures
 */
export async function openSetup(
  options: TrainOptions,
  command: "train" | "crossval" = "train",
  among?: readonly string[],
): Promise<TrainSetup & { readonly start: StartingNetwork }> {
  const { config, architecture } = resolveTrainOptions(options, command);
  const progress = options.progress ?? silent;
  const { overSampling, side } = architecture;
  const stored = overSampling === undefined ? config.size : Math.round((config.size * overSampling) / side);
  const plain = { width: stored, height: stored, color: "RGB", mean: [0, 0, 0], scale: [1, 1, 1] } as const;
  const landmarks = architecture.name === "dmm-cnn" && config.landmarks;
  const data = await openTrainData(config, plain, {
    landmarks,
    softmax: architecture.softmax === true,
    among,
    progress,
    signal: options.signal,
  });
  try {
    const start = await startingNetwork(config, architecture, data.tables);
    checkOutputs(start.network, data.tables);
    for (const note of start.notes) progress.note(note);
    const { preprocessing } = start;
    const { engine, recycler, signal } = data;
    return { config, architecture, data, engine, preprocessing, recycler, progress, signal, start };
  } catch (error) {
    await closeWorld(data);
    throw error;
  }
}

/** Everything a training depends on beside network and data. */
export function settingsOf({ config, architecture }: TrainSetup): object {
  const { epochs, learningRate, batchSize, positiveWeight, thresholds, thresholdRate, lossWeights } = config;
  const { augment, mirror, shift, zoom, brightness, seed } = config;
  const changes = { augment, mirror, shift, zoom, brightness };
  const { recipe } = architecture;
  const rates = { epochs, learningRate, batchSize, optimizer: recipe.optimizer, schedule: recipe.schedule };
  const { updateEvery } = config;
  const interval = updateEvery === undefined ? {} : { updateEvery };
  return { ...rates, positiveWeight, thresholds, thresholdRate, lossWeights, ...interval, ...changes, seed };
}
