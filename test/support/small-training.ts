/** A training that takes seconds: a narrow MobileNet on drawn faces, with thresholds and loss weights that move. */
import { join } from "node:path";
import type { TrainOptions } from "../../lib/jobs/train/options.ts";

/** @param root folder for the run and for its pictures */
export function smallTraining(root: string): TrainOptions {
  return {
    arch: "mobilenet-v1", // the older name: it stays understood
    task: "gender",
    data: "synthetic:100",
    out: join(root, "run"),
    cacheDir: join(root, "cache"),
    width: 0.25,
    size: 32,
    epochs: 2,
    batchSize: 16,
    runs: 2,
    thresholds: "adaptive",
    lossWeights: "dynamic",
    seed: 3,
  };
}
