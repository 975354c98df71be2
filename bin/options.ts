/** Options that several commands share. */
import type { Options } from "yargs";
import type { Crop } from "../lib/core/artifacts.ts";
import { EtlError } from "../lib/core/errors.ts";
import type { JobOptions } from "../lib/jobs/run/options.ts";
import type { PruneOptions } from "../lib/jobs/prune/options.ts";
import { flag, number, requiredText, text, texts, type Arguments, type Context } from "./command.ts";

export const dataOptions = {
  data: {
    type: "string",
    describe: "Folder of labelled faces (labels.csv, CelebA, one folder per class, ...), or synthetic",
    demandOption: true,
  },
  task: { type: "string", describe: "gender, emotion, head-pose, age, attributes, ...", demandOption: true },
  label: { type: "string", describe: "Label column, where it is not the task's usual one" },
  crop: { type: "string", describe: "Face box x0,y0,x1,y1 in fractions of the picture" },
  limit: { type: "number", describe: "Use at most so many pictures (drawn by seed)" },
  strict: { type: "boolean", describe: "Stop at the first broken or unlabelled picture" },
  "cache-dir": {
    type: "string",
    describe: "Folder of the decoded cache (default: ETL_CACHE or ~/.cache/etl-prune)",
  },
} as const satisfies Record<string, Options>;

export const backboneOptions = {
  backbone: { type: "string", describe: "Backbone by name (see etl backbones), or a model file" },
  weights: { type: "string", describe: "Weight file of the backbone" },
} as const satisfies Record<string, Options>;

export const harvestOptions = {
  ...dataOptions,
  data: { ...dataOptions.data, demandOption: false },
  task: {
    type: "string",
    describe:
      "gender, emotion, head-pose, age, attributes, ...; one trunk for several: gender,age or gender=DIR,age=DIR",
    demandOption: true,
  },
  ...backboneOptions,
  out: { type: "string", describe: "Run folder", demandOption: true },
  folds: { type: "number", describe: "Folds of the held-out error (5)" },
  "val-fraction": { type: "number", describe: "Share of the training part kept for validation (0.15)" },
  "batch-size": { type: "number", describe: "Pictures in a batch (32)" },
} as const satisfies Record<string, Options>;

export const planOptions = {
  ...harvestOptions,
  gamma: { type: "number", describe: "Allowed increase of error along each curve, in [0, 1) (0.01)" },
  "target-flops": { type: "number", describe: "Instead of gamma: share of the MACs that is left at most" },
  "target-size": {
    type: "string",
    describe: "Instead of gamma: largest file, in bytes, or 10MB, 500kB, or 12% of the unpruned one's",
  },
  "target-ms": {
    type: "number",
    describe: "Instead of gamma: largest CPU time of a picture in ms, measured",
  },
  "min-accuracy": {
    type: "number",
    describe: "Instead of gamma: least validation accuracy before fine-tuning, in (0, 1]",
  },
  rmse: { choices: ["heldout", "train"] as const, describe: "Error that the knee reads (train)" },
  "group-select": {
    choices: ["union", "last", "joint"] as const,
    describe: "Selection of coupled channels (union)",
  },
  "min-filters": { type: "number", describe: "At least so many filters stay in every layer" },
  "round-to": { type: "number", describe: "Every layer keeps a multiple of so many filters (1)" },
} as const satisfies Record<string, Options>;

export const trainOptions = {
  ...planOptions,
  control: {
    type: "string",
    describe: "Controls of the same widths beside it: l1,random,correlation,scratch",
  },
  start: {
    choices: ["baseline", "backbone"] as const,
    describe: "Whose weights are cut, refitted to and distilled (baseline: the fine-tuned full network)",
  },
  scaling: {
    choices: ["paper", "compensated", "none"] as const,
    describe: "Scaling of kept filters (ETL, eq. 5; none)",
  },
  reconstruct: {
    type: "boolean",
    describe: "Predict removed filters from kept ones (default; --no-reconstruct)",
  },
  refit: { type: "boolean", describe: "Fit the kept filters again, layer by layer (default; --no-refit)" },
  epochs: { type: "number", describe: "Epochs of the pruned network" },
  "baseline-epochs": { type: "number", describe: "Epochs of the baseline" },
  "learning-rate": { type: "string", describe: "One rate, or candidates: 1e-4,3e-4 (validation picks)" },
  "baseline-learning-rate": { type: "string", describe: "The same for the baseline (as --learning-rate)" },
  distill: { type: "number", describe: "Weight of the distance to the unpruned features; 0 = off" },
  "distill-outputs": {
    type: "number",
    describe: "Weight of the distance to the baseline's outputs; 0 = off",
  },
  augment: {
    type: "boolean",
    describe: "Shift and brighten training pictures a little (default; --no-augment)",
  },
  shift: { type: "number", describe: "Largest shift of a training picture, as a share of its side (0.03)" },
  zoom: { type: "number", describe: "Largest zoom of a training picture, in or out (0)" },
  runs: { type: "number", describe: "Timed runs per network (50)" },
} as const satisfies Record<string, Options>;

/** The options of every job on labelled faces (see `JobOptions`), as far as they were given. */
export function jobOptions(args: Arguments, context: Context): JobOptions {
  return {
    data: requiredText(args, "data"),
    out: requiredText(args, "out"),
    seed: context.seed,
    engine: context.engine,
    progress: context.progress,
    signal: context.signal,
    ...present({
      label: text(args, "label"),
      crop: cropOption(args),
      batchSize: number(args, "batch-size"),
      augment: flag(args, "augment"),
      valFraction: number(args, "val-fraction"),
      limit: number(args, "limit"),
      strict: flag(args, "strict"),
      runs: number(args, "runs"),
      device: context.device,
      threads: context.threads,
      cacheDir: text(args, "cache-dir"),
    }),
  };
}

/** Of the commands that write a report. */
export const imagesOptions = {
  "with-images": {
    type: "boolean",
    describe: "Show the faces that kept filters respond to most: the report then holds pictures of people",
  },
} as const satisfies Record<string, Options>;

/** The entries that are there. */
export function present(options: Readonly<Record<string, unknown>>): object {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

/** Options of a pipeline run from parsed arguments. */
export function pruneOptions(args: Arguments, context: Context): PruneOptions {
  const { data, ...job } = jobOptions(args, context);
  return {
    ...job,
    task: requiredText(args, "task"),
    ...present({
      data: data === "" ? undefined : data,
      backbone: text(args, "backbone"),
      weights: text(args, "weights"),
      gamma: number(args, "gamma"),
      targetFlops: number(args, "target-flops"),
      targetSize: sizeOption(args, "target-size"),
      targetMs: number(args, "target-ms"),
      minAccuracy: number(args, "min-accuracy"),
      start: text(args, "start"),
      scaling: text(args, "scaling"),
      reconstruct: flag(args, "reconstruct"),
      refit: flag(args, "refit"),
      rmse: text(args, "rmse"),
      groupSelect: text(args, "group-select"),
      minFilters: number(args, "min-filters"),
      roundTo: number(args, "round-to"),
      controls: namesOption(args, "control"),
      epochs: number(args, "epochs"),
      baselineEpochs: number(args, "baseline-epochs"),
      learningRates: numbersOption(args, "learning-rate"),
      baselineLearningRates: numbersOption(args, "baseline-learning-rate"),
      distill: number(args, "distill"),
      distillOutputs: number(args, "distill-outputs"),
      shift: number(args, "shift"),
      zoom: number(args, "zoom"),
      folds: number(args, "folds"),
      withImages: flag(args, "with-images"),
    }),
  };
}

/** --crop as four numbers. */
export function cropOption(args: Arguments): Crop | undefined {
  const values = numbersOption(args, "crop");
  if (values === undefined) return undefined;
  if (values.length !== 4) {
    throw new EtlError("usage", `--crop: ${values.length} numbers, four (x0,y0,x1,y1) were needed`, {
      hint: "fractions of the picture, for example --crop 0.18,0.35,0.82,0.87",
    });
  }
  return [values[0], values[1], values[2], values[3]];
}

/** A comma list of numbers. */
export function numbersOption(args: Arguments, name: string): number[] | undefined {
  const given = texts(args, name);
  if (given.length === 0) return undefined;
  return given
    .flatMap((each) => each.split(","))
    .map((each) => {
      const value = Number(each);
      if (each.trim() === "" || !Number.isFinite(value)) {
        throw new EtlError("usage", `--${name}: ${JSON.stringify(each)}, a number was needed`);
      }
      return value;
    });
}

/** A comma list of names. */
function namesOption(args: Arguments, name: string): string[] | undefined {
  const given = texts(args, name);
  if (given.length === 0) return undefined;
  return [...new Set(given.flatMap((each) => each.split(",")).map((each) => each.trim()))];
}

/** A number of bytes: 500000, 500kB, 2.5MB, 1GB (powers of 1000), 2MiB (of 1024). */
export function bytesOption(args: Arguments, name: string): number | undefined {
  const given = text(args, name);
  if (given === undefined) return undefined;
  const [, amount, prefix = "", binary = ""] = /^\s*([\d.]+)\s*(?:([kmg])(i?))?b?\s*$/i.exec(given) ?? [];
  const power = ["", "k", "m", "g"].indexOf(prefix.toLowerCase());
  const bytes = Math.floor(Number(amount) * (binary === "" ? 1000 : 1024) ** power);
  if (bytes > 0 && Number.isSafeInteger(bytes)) return bytes;
  throw new EtlError("usage", `--${name}: ${JSON.stringify(given)}, a number of bytes was needed`, {
    hint: "for example 2500000, 2.5MB or 2MiB",
  });
}

/** A number of bytes, or a share: 12%. */
function sizeOption(args: Arguments, name: string): number | undefined {
  const [, percent] = /^\s*([\d.]+)\s*%\s*$/.exec(text(args, name) ?? "") ?? [];
  return percent === undefined ? bytesOption(args, name) : Number(percent) / 100;
}
