/** The options of `train` and `crossval` with a network's own settings filled in, checked. */
import { checkCrop } from "../../core/crop.ts";
import { EtlError } from "../../core/errors.ts";
import { architectureOf, architectures, checkSide, type Architecture } from "../../backbones/architecture.ts";
import { checkOptions, defaultsOf, type Need } from "../run/option.ts";
import { absoluteData, commonDefaults, givenOptions, need } from "../run/options.ts";
import { backboneOf, tasksOf, trainTable, type TrainOptions } from "./options.ts";

type Optional = "weights" | "label" | "crop" | "width" | "limit" | "device" | "threads" | "cacheDir";

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
  const { arch: _older, ...given } = givenOptions(options);
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
  return { config: { ...config, data: absoluteData(config.data) }, architecture };
}

/** @throws EtlError `usage` for a setting that would change nothing */
function checkIgnored({ name, takes, recipe }: Architecture, config: TrainConfig): void {
  const plain: Record<string, unknown> = { ...defaultsOf(trainTable), dropout: recipe.dropout };
  const refuse = (key: keyof typeof trainTable, where: string, needed: string): never => {
    const value = config[key as keyof TrainConfig];
    const { flag, kind } = trainTable[key];
    const given = kind === "switch" && value === false ? `--no-${flag}` : `--${flag} ${String(value)}`;
    throw new EtlError("usage", `${given}: ${where} ignores it, ${needed} was needed`);
  };
  for (const key of ["heads", "dropout", "groups", "landmarks"] as const) {
    if (takes.includes(key) || config[key] === plain[key]) continue;
    const able = architectures.filter((each) => each.takes.includes(key)).map((each) => each.name);
    refuse(key, name, able.length === 1 ? able[0] : `one of ${able.join(", ")}`);
  }
  if (config.thresholds === "fixed" && config.thresholdRate !== plain["thresholdRate"])
    refuse("thresholdRate", "--thresholds fixed", "--thresholds adaptive");
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
