/** Commands on the light networks of the literature: train. */
import { join } from "node:path";
import { architectures } from "../../lib/backbones/nets/light.ts";
import type { TrainResult } from "../../lib/jobs/train/train.ts";
import type { TrainOptions } from "../../lib/jobs/train/options.ts";
import { flag, number, requiredText, text, type Arguments, type Command, type Context } from "../command.ts";
import { dataOptions, jobOptions, present } from "../options.ts";
import { count, percent, table } from "../table.ts";

/** What `train` and `crossval` share. */
export const architectureOptions = {
  ...dataOptions,
  task: {
    type: "string",
    describe: "attributes, gender, age, age-group, ...; several with a comma for lmtcnn-*",
    demandOption: true,
  },
  arch: {
    choices: architectures.map(({ name }) => name),
    describe: "Architecture",
    demandOption: true,
  },
  out: { type: "string", describe: "Run folder", demandOption: true },
  weights: { type: "string", describe: "Weight file of the trunk, .safetensors (default: from nothing)" },
  epochs: { type: "number", describe: "Epochs (the paper's, see docs/light-networks.md)" },
  "learning-rate": { type: "number", describe: "Learning rate (the paper's)" },
  "batch-size": { type: "number", describe: "Pictures in a batch (the paper's)" },
  dropout: { type: "number", describe: "Share of features dropped before the head (the paper's)" },
  size: { type: "number", describe: "Side of the picture: the resolution multiplier times 224" },
  width: { type: "number", describe: "Width multiplier" },
  augment: {
    type: "boolean",
    describe: "Shift and brighten training pictures a little (default; --no-augment)",
  },
  runs: { type: "number", describe: "Timed runs (50)" },
} as const;

export const trainCommand: Command = {
  usage: "train",
  describe: "Train a light network of the literature, measure it, report",
  options: {
    ...architectureOptions,
    heads: { choices: ["one", "forty"] as const, describe: "One layer for all labels, or a head for each" },
    "positive-weight": { type: "boolean", describe: "Weight yes labels by negatives / positives" },
    thresholds: {
      choices: ["fixed", "adaptive"] as const,
      describe: "Decision thresholds: 0, or following validation (DMM-CNN, eq. 6)",
    },
    "threshold-rate": { type: "number", describe: "gamma of eq. 6 (0.01)" },
    "loss-weights": {
      choices: ["equal", "dynamic", "relative"] as const,
      describe: "Weights of the labels: 1, by DMM-CNN's eq. 4, or these with a mean of 1",
    },
    landmarks: { type: "boolean", describe: "dmm-cnn: learn landmarks too where there are some (default)" },
    groups: { type: "boolean", describe: "dmm-cnn: objective and subjective branches (default)" },
    "val-fraction": { type: "number", describe: "Share of the training part kept for validation (0.15)" },
    split: { type: "string", describe: "given, or shares of train:val:test by seed: 7:2:1" },
  },
  examples: [
    [
      "etl train --arch mobilenet-v1 --width 0.5 --size 128 --task attributes --data ~/celeba --out runs/mobilenet",
      "A small network from nothing",
    ],
    [
      "etl train --arch lmtcnn-1-1 --task age-group,gender --data ~/utkface --out runs/lmtcnn",
      "Two tasks at once",
    ],
  ],
  run: async (args, context) => {
    const { train } = await import("../../lib/jobs/train/train.ts");
    const result = await train(trainingOptions(args, context));
    show(result, requiredText(args, "out"), context);
    return result;
  },
};

/** Options of a training from parsed arguments. */
export function trainingOptions(args: Arguments, context: Context): TrainOptions {
  return {
    ...jobOptions(args, context),
    arch: requiredText(args, "arch"),
    task: requiredText(args, "task"),
    ...present({
      weights: text(args, "weights"),
      epochs: number(args, "epochs"),
      learningRate: number(args, "learning-rate"),
      heads: text(args, "heads"),
      dropout: number(args, "dropout"),
      positiveWeight: flag(args, "positive-weight"),
      thresholds: text(args, "thresholds"),
      thresholdRate: number(args, "threshold-rate"),
      lossWeights: text(args, "loss-weights"),
      landmarks: flag(args, "landmarks"),
      groups: flag(args, "groups"),
      size: number(args, "size"),
      width: number(args, "width"),
      split: text(args, "split"),
    }),
  };
}

function quality({
  accuracy,
  balancedAccuracy,
}: {
  readonly accuracy: number;
  readonly balancedAccuracy?: number | undefined;
}): string {
  return `${percent(accuracy)}${balancedAccuracy === undefined ? "" : `, balanced ${percent(balancedAccuracy)}`}`;
}

/** The last words of a training: every label where there are many, then the whole. */
export function show(result: TrainResult, folder: string, context: Context): void {
  const { labels, trained, balancedAccuracy, atZero, others } = result;
  if (labels !== undefined && labels.labels.length > 1) {
    const rows = labels.labels.map(({ name, accuracy, f1, positives, n }) => [
      name,
      percent(accuracy),
      percent(Math.max(positives, n - positives) / n),
      percent(f1),
      String(positives),
    ]);
    context.print(table(["label", "accuracy", "always the commoner", "F1", "positives"], rows));
    const { precision, recall, f1, majority, line } = labels;
    context.print(
      `weighted by support: precision ${percent(precision)}, recall ${percent(recall)}, F1 ${percent(f1)}`,
    );
    if (line !== undefined)
      context.print(`accuracy over the share of positives: slope ${line.slope.toFixed(3)}`);
    context.print(`always the commoner answer: ${percent(majority)}`);
  }
  const main = quality({ accuracy: trained.accuracy, balancedAccuracy });
  context.print(`${result.task}: ${main}, best epoch ${result.bestEpoch}`);
  if (atZero !== undefined) context.print(`the same outputs decided at 0: ${quality(atZero)}`);
  for (const { task, test } of others) context.print(`${task}: ${percent(test.accuracy)}`);
  const { macs, params, bytes, cpuMs } = trained;
  context.print(
    `${count(macs)} MACs, ${count(params)} parameters, ${count(bytes)} bytes, ${cpuMs.toFixed(2)} ms a picture`,
  );
  context.print(`n = ${result.dataset.test} test pictures; report: ${join(folder, "report.html")}`);
}
