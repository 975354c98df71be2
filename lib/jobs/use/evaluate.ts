/** `etl evaluate`: the quality of a model on labelled faces. */
import { refuseUnknown, type OptionNames } from "../../core/options.ts";
import { worded } from "../../core/voice.ts";
import { existsSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Crop } from "../../core/artifacts.ts";
import type { CropChoice } from "../../core/crop.ts";
import { plainCell } from "../../core/csv.ts";
import { EtlError, isEtlError } from "../../core/errors.ts";
import { silent } from "../../core/progress.ts";
import { absentClasses, shownMetrics, undefinedBecause } from "../../record/absent.ts";
import type { Metrics } from "../../record/record.ts";
import type { OutputTask } from "../../backbones/metadata.ts";
import type { Dataset, Item, OpenDatasetOptions, Split } from "../../data/dataset.ts";
import { openDataset } from "../../data/open.ts";
import { asAnswered } from "../../data/softmax.ts";
import { prepareImages, rowsOf } from "../../data/images/store.ts";
import { serviceNames, withEngine, type ServiceOptions } from "../../engine/service.ts";
import { computeMetrics } from "../../evaluate/metrics.ts";
import type { SaidSizes } from "../../network/fit.ts";
import { openModel, provenanceOf, shownTo, type Model } from "../run/model.ts";
import { absoluteData } from "../run/options.ts";
import { readParts } from "../run/used.ts";
import { readRunState } from "../run/state.ts";
import { labelsOf } from "../run/tasks.ts";
import { collect, defined } from "./rows.ts";

export interface EvaluateOptions extends ServiceOptions {
  readonly data: string;
  /** Of a model of several tasks: only these, with commas; default: all that the data have labels of. */
  readonly task?: string | undefined;
  readonly label?: string | undefined;
  readonly crop?: CropChoice | undefined;
  /** Of pictures, where the file leaves it open. */
  readonly size?: SaidSizes["size"];
  /** Numbers for open dimensions, by the names that the file gives them. */
  readonly bind?: SaidSizes["bind"];
  /** Only this part; default: all labelled pictures, of the data that the model itself was made from the test part. */
  readonly split?: Split | "all" | undefined;
  readonly seed?: number | undefined;
  readonly limit?: number | undefined;
  readonly strict?: boolean | undefined;
  readonly cacheDir?: string | undefined;
}

const optionNames: OptionNames<EvaluateOptions> = {
  ...serviceNames,
  ...{
    data: true,
    size: true,
    bind: true,
    task: true,
    label: true,
    crop: true,
    split: true,
    seed: true,
    limit: true,
    strict: true,
    cacheDir: true,
  },
};

/** Quality of a model on a folder of labelled faces. */
export interface Evaluation extends Metrics {
  readonly model: string;
  readonly task: string;
  readonly dataset: string;
  readonly split: Split | "all";
  readonly crop: Crop;
  readonly problems: number;
  /** Of numbers: that of the label, and of `mae` and `tolerance`. */
  readonly unit?: string;
  /** Why balanced accuracy, F1, precision and recall are not there: a class that no picture has. */
  readonly undefinedBecause?: string;
  /** A model of several tasks: the quality of the others. */
  readonly others?: readonly Evaluation[];
}

/**
 * Evaluates a model on all labelled pictures of a folder (or one split). Labels are matched to classes by name. Of a model
 * of several tasks every task is evaluated that the data have labels of.
 */
export async function evaluateModel(nameOrPath: string, options: EvaluateOptions): Promise<Evaluation> {
  refuseUnknown("evaluateModel", options, optionNames);
  const model = await openModel(nameOrPath, options);
  const asked = tasksToEvaluate(model, nameOrPath, options.task);
  const evaluations: Evaluation[] = [];
  let missing: unknown;
  for (const head of asked) {
    try {
      evaluations.push(await evaluateTask(model, head, options));
    } catch (error) {
      if (asked.length === 1 || options.task !== undefined || !isEtlError(error, "usage")) throw error;
      missing ??= error;
      options.progress?.note(`${head.task.name} is left out: ${error.message}`);
    }
  }
  const [first, ...others] = evaluations;
  if (evaluations.length === 0) throw missing;
  return others.length === 0 ? first : { ...first, others };
}

/** The model's tasks that were asked for. */
function tasksToEvaluate({ tasks }: Model, model: string, wanted: string | undefined): readonly OutputTask[] {
  if (tasks.length === 0) {
    throw new EtlError(
      "usage",
      `${model}: the model does not say which task it predicts, a model made by etl was needed`,
      basename(model) === "outputs.onnx" && existsSync(join(dirname(model), "model.onnx"))
        ? {
            hint: `these are the numbers of training; the answers are in ${join(dirname(model), "model.onnx")}`,
          }
        : {},
    );
  }
  if (wanted === undefined) return tasks;
  const names = tasks.map(({ task }) => task.name);
  return wanted.split(",").flatMap((name) => {
    const found = tasks.filter(({ task }) => task.name === name.trim());
    if (found.length > 0) return found;
    throw new EtlError("usage", `--task: ${JSON.stringify(name)}, one of ${names.join(", ")} was needed`);
  });
}

async function evaluateTask(
  model: Model,
  { task, output }: OutputTask,
  options: EvaluateOptions,
): Promise<Evaluation> {
  const progress = options.progress ?? silent;
  const known = await ownData(model, task.name, options.data);
  const { parts, ...own } = known ?? {};
  let split = options.split ?? (known === undefined ? "all" : "test");
  const how: OpenDatasetOptions = {
    data: options.data,
    task: task.name,
    seed: options.seed ?? 0,
    valFraction: 0,
    ...own,
    ...defined({
      label: options.label,
      crop: options.crop,
      split: split === "all" || parts !== undefined ? undefined : split,
      limit: parts === undefined ? options.limit : undefined,
      strict: options.strict,
    }),
    ...(task.classes.length > 0 ? { classes: task.classes } : {}),
  };
  const plain = await openDataset(how);
  // Of data that the model was made from, elsewhere than in its run: the box that it learnt, not the one that is usual for them.
  const learntBox = known === undefined && options.crop === undefined && isOfItsName(model, plain);
  const crop = learntBox && String(model.crop) !== String(plain.crop) ? model.crop : undefined;
  const opened = crop === undefined ? plain : await openDataset({ ...how, crop });
  const labelled = asAnswered(opened, task);
  const looksOwn = known === undefined && isOfItsName(model, opened);
  const given = looksOwn && options.split === undefined ? givenTest(labelled) : undefined;
  if (given !== undefined) split = "test";
  const dataset =
    parts === undefined ? (given ?? labelled) : inParts(labelled, { parts, split, limit: options.limit });
  for (const assumption of dataset.assumptions) progress.note(assumption);
  for (const warning of dataset.warnings ?? []) progress.warn(warning);
  const store = await prepareImages(dataset, shownTo(model).read, {
    progress,
    signal: options.signal,
    ...defined({ cacheDir: options.cacheDir, threads: options.threads, strict: options.strict }),
  });
  if (looksOwn) {
    const learnt =
      "the model was made from data of this name, and nothing says which of these pictures it learnt from";
    if (given !== undefined)
      progress.warn(
        worded(`${learnt}: only the test part that the data give counts (--split all for all of them)`),
      );
    else if (split !== "test")
      progress.warn(
        worded(`${learnt}: some of these pictures may be those it was trained on (--split test)`),
      );
  }
  if (known !== undefined) {
    const trained = dataset.items.filter((item) => item.split === "train").length;
    if (split === "all")
      progress.warn(
        worded(
          `${trained} of the ${dataset.items.length} pictures are those it was trained on (--split test)`,
        ),
      );
    else if (options.split === undefined)
      progress.note(
        worded(
          "the model was made from these data: only the test part counts, not what it was trained on (--split all)",
        ),
      );
  }
  try {
    const rows = split === "all" ? Uint32Array.from(store.items.keys()) : rowsOf(store, split);
    const collected = await withEngine(options, (engine) =>
      collect(engine, model, { store, rows, options, output }),
    );
    const { targets, mask } = labelsOf(store, { task, start: 0 }, rows);
    const quality = computeMetrics(task, collected, targets, mask ? { mask } : {});
    const why = undefinedBecause(absentClasses(quality, task.classes), quality, task.classes);
    return {
      model: model.name,
      task: task.name,
      dataset: dataset.name,
      split,
      crop: dataset.crop,
      problems: dataset.problems.length + store.problems.length,
      ...(task.unit !== undefined && { unit: task.unit }),
      ...shownMetrics(quality),
      ...(why !== undefined && { undefinedBecause: why }),
    };
  } finally {
    await store.close();
  }
}

/** Whether a model says that it was made from data that are called so: a copy of the run's own, or a model taken out of its folder. */
function isOfItsName({ network }: Model, { name }: Dataset): boolean {
  return provenanceOf(network)["dataset"] === name;
}

/** The test part where the data themselves say which it is; undefined where they do not. */
function givenTest(dataset: Dataset): Dataset | undefined {
  const items = dataset.items.filter(({ split }) => split === "test");
  if (!dataset.assumptions.includes("split: as given") || items.length === 0) return undefined;
  return { ...dataset, items, fingerprint: `${dataset.fingerprint}-test-${items.length}` };
}

/**
 * How the data were opened when the model was made from them, so that its parts are cut in the same way; undefined for
 * other data.
 */
export async function ownData(
  { path }: Model,
  task: string,
  data: string,
): Promise<(Partial<OpenDatasetOptions> & { readonly parts?: ReadonlyMap<string, Split> }) | undefined> {
  if (path === undefined) return undefined;
  const config = (await readRunState(dirname(path)))?.config;
  if (config === undefined) return undefined;
  const { seed, valFraction, limit, label, crop } = config as Partial<OpenDatasetOptions>;
  const listed = typeof config["task"] === "string" ? config["task"].split(",") : [];
  const named = listed.find((entry) => entry.startsWith(`${task}=`))?.slice(task.length + 1);
  if ((named ?? config["data"]) !== absoluteData(data)) return undefined;
  // The parts as they were: a run of several tasks, or of parts cut anew, has others than each of its tasks alone.
  const parts = named === undefined ? await readParts(path) : undefined;
  const opened = { seed, valFraction, label, crop };
  return defined(parts === undefined ? { ...opened, limit } : { ...opened, parts });
}

/** The pictures of a run's data in the parts that the run had them in; pictures it did not use are in none. */
export function inParts(
  dataset: Dataset,
  what: {
    readonly parts: ReadonlyMap<string, Split>;
    readonly split: Split | "all";
    readonly limit: number | undefined;
  },
): Dataset {
  const { parts, split, limit } = what;
  const items = dataset.items.flatMap((item): Item[] => {
    const part = parts.get(plainCell(item.file));
    return part === undefined || (split !== "all" && part !== split) ? [] : [{ ...item, split: part }];
  });
  if (items.length === 0)
    throw new EtlError(
      "data",
      `${dataset.name}: no picture of the run's ${split} part is left, at least one was needed`,
      { hint: "parts.csv in the run folder names them" },
    );
  const assumptions = dataset.assumptions.filter((text) => !text.startsWith("split:"));
  return {
    ...dataset,
    items: limit === undefined ? items : items.slice(0, limit),
    assumptions: [...assumptions, "split: as the run had it (parts.csv)"],
    fingerprint: `${dataset.fingerprint}-${split}-${items.length}`,
  };
}
