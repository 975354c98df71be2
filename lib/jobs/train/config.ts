/** The options of `train` and `crossval` with a network's own settings filled in, checked. */
import { checkCrop } from "../../core/crop.ts";
import { EtlError } from "../../core/errors.ts";
import { architectureOf, architectures, checkSide, type Architecture } from "../../backbones/architecture.ts";
import {
  checkOptions,
  defaultsOf,
  ignoredIn,
  refuseIgnored,
  type Ignored,
  type Need,
  type Option,
} from "../run/option.ts";
import { withAbsolutePaths, commonDefaults, givenOptions, need } from "../run/options.ts";
import { backboneOf, tasksOf, trainTable, type TrainOptions } from "./options.ts";

type Optional =
  "weights" | "updateEvery" | "label" | "crop" | "width" | "limit" | "device" | "threads" | "cacheDir";

/** Options with every default filled in; what `run.json` keeps. */
export type TrainConfig = Readonly<
  Required<Omit<TrainOptions, "arch" | "progress" | "signal" | Optional>> &
    Pick<TrainOptions, Optional> & { readonly command: "train" | "crossval" }
>;

/**
 * Fills in the architecture's settings and the other defaults, and checks ranges.
 *
 * @throws EtlError `usage` that names the option, what was found and what was needed
 */
export function resolveTrainOptions(
  options: TrainOptions,
  command: TrainConfig["command"],
): { readonly config: TrainConfig; readonly architecture: Architecture } {
  const backbone = backboneOf(options);
  const architecture = architectureOf(backbone);
  const { epochs, learningRate, batchSize, dropout } = architecture.recipe;
  // Without the older name: `backbone` below says it.
  const entries = Object.entries(givenOptions(options)).filter(([name]) => name !== "arch");
  const given: Partial<TrainOptions> = Object.fromEntries(entries);
  const own = { epochs, learningRate, batchSize, dropout, size: architecture.side };
  const config = {
    ...commonDefaults,
    ...defaultsOf(trainTable),
    ...own,
    ...given,
    backbone,
    command,
  } as unknown as TrainConfig;
  checkOptions({ ...trainTable, width: { ...trainTable.width, need: widthOf(architecture) } }, config);
  if (config.crop !== undefined) checkCrop(config.crop);
  partsOf(config.split);
  checkIgnored(architecture, config);
  checkSide(architecture, config.size, config.width);
  const tasks = tasksOf(config);
  need(config.label === undefined || tasks.length < 2, "label", config.label, "one task beside it");
  need(tasks.length > 0, "task", `"${config.task}"`, "a task, for example attributes");
  if (tasks.length > 1 && (!architecture.joint || architecture.overSampling === undefined)) {
    const found = `${architecture.name} with ${tasks.length} tasks (${tasks.join(", ")})`;
    throw new EtlError("usage", `--task: ${found}, one was needed`, {
      hint: "lmtcnn-1-1 and lmtcnn-2-1 answer several at once",
    });
  }
  return { config: withAbsolutePaths(config), architecture };
}

/** @throws EtlError `usage` for a setting that would change nothing */
function checkIgnored(architecture: Architecture, config: TrainConfig): void {
  refuseIgnored(tableOf(architecture), config, ignoredBy(architecture, config));
}

/** The options, with what a network takes where nothing is said. */
function tableOf({ recipe }: Architecture): Readonly<Record<string, Option>> {
  const { dropout, learningRate } = trainTable;
  return {
    ...trainTable,
    dropout: { ...dropout, default: recipe.dropout },
    learningRate: { ...learningRate, default: recipe.learningRate },
  };
}

/** What would change nothing beside the other options. */
function ignoredBy({ name, takes }: Architecture, config: TrainConfig): (Ignored | false)[] {
  const ofOthers = (["heads", "dropout", "groups", "landmarks"] as const).map((key): Ignored | false => {
    const able = architectures.filter((each) => each.takes.includes(key)).map((each) => each.name);
    const needed = able.length === 1 ? able[0] : `one of ${able.join(", ")}`;
    return !takes.includes(key) && { names: [key], by: name, needed };
  });
  const fixed = config.thresholds === "fixed";
  return [
    ...ofOthers,
    config.epochs === 0 && {
      names: [
        ...(["learningRate", "positiveWeight", "thresholds", "lossWeights", "updateEvery"] as const),
        ...changesAsked(config),
      ],
      by: "--epochs 0",
      needed: "an epoch",
    },
    fixed && { names: ["thresholdRate"], by: "--thresholds fixed", needed: "--thresholds adaptive" },
    !config.augment && { names: changesAsked(config), by: "--no-augment", needed: "--augment" },
    fixed &&
      config.lossWeights === "equal" && {
        names: ["updateEvery"],
        by: "--thresholds fixed with --loss-weights equal",
        needed: "--thresholds adaptive or --loss-weights dynamic",
      },
    config.split !== "given" && {
      names: ["valFraction"],
      by: `--split ${config.split}`,
      needed: "--split given",
    },
  ];
}

/** Options without those that would change nothing beside the others: an older run may have been given some. */
export function withoutIdle(options: TrainOptions): TrainOptions {
  const architecture = architectureOf(backboneOf(options));
  const config = { ...defaultsOf(trainTable), ...givenOptions(options) } as TrainConfig;
  const found = ignoredIn(tableOf(architecture), config, ignoredBy(architecture, config));
  return found === undefined ? options : withoutIdle({ ...options, [found[0]]: undefined });
}

/** Changes of pictures that were asked for beyond the usual ones. */
export function changesAsked(
  config: Pick<TrainConfig, "shift" | "zoom" | "brightness">,
): ("shift" | "zoom" | "brightness")[] {
  const usual = defaultsOf(trainTable);
  return (["shift", "zoom", "brightness"] as const).filter(
    (name) => config[name] > 0 && config[name] !== usual[name],
  );
}

/** Widths that an architecture has. */
function widthOf({ widths, name }: Architecture): Need {
  if (widths === undefined) return { needed: `no width (${name} has none)`, holds: () => false };
  if (widths === "any") {
    return { needed: "a number in (0, 4]", holds: (value: number) => value > 0 && value <= 4 };
  }
  return { needed: `one of ${widths.join(", ")}`, holds: (value: number) => widths.includes(value) };
}

/** Shares of training, validation and test in a text like "7:2:1"; undefined for `given`. */
export function partsOf(split: string): readonly [train: number, val: number, test: number] | undefined {
  if (split === "given") return undefined;
  const parts = split.split(":").map(Number);
  const [train, val, test] = parts;
  const fits = parts.length === 3 && parts.every((part) => part > 0 && Number.isFinite(part));
  need(fits, "split", split, "given, or three positive numbers like 7:2:1");
  const all = train + val + test;
  return [train / all, val / all, test / all];
}
