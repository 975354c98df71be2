/** The data of a training run: pictures, parts, and the labels of one or several tasks. */
import type { Preprocessing, Task } from "../../core/artifacts.ts";
import { silent, type Progress } from "../../core/progress.ts";
import { createRandom } from "../../core/random.ts";
import { asAgeGroups } from "../../data/age-groups.ts";
import type { Dataset, Item } from "../../data/dataset.ts";
import { commonItems } from "../../data/joint.ts";
import { openDataset, readTable } from "../../data/open.ts";
import { splitItems } from "../../data/splits.ts";
import { prepareImages, type ImageStore } from "../../data/images/store.ts";
import { checkVaries, partRows, type PartRows } from "../run/parts.ts";
import { gather } from "../run/units.ts";
import { partsOf, tasksOf, type TrainConfig } from "./options.ts";

/** Labels of one task by row of the store. */
export interface TargetTable {
  readonly task: Task;
  /** [rows, task.outputs], target units. */
  readonly targets: Float32Array;
  /** [rows, task.outputs], 0 = label missing; absent where all are known. */
  readonly mask?: Float32Array;
}

export interface TrainData {
  readonly dataset: Dataset;
  readonly store: ImageStore;
  readonly rows: PartRows;
  /** The main task first. */
  readonly tables: readonly TargetTable[];
}

/**
 * Opens labels and pictures. Whoever opens, closes the store.
 *
 * @param preprocessing size of the pictures in the store
 * @param landmarks also read landmarks, where the data have them
 */
export async function openTrainData(
  config: TrainConfig,
  preprocessing: Preprocessing,
  options: {
    readonly landmarks: boolean;
    readonly progress?: Progress | undefined;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<TrainData> {
  const progress = options.progress ?? silent;
  const [main, ...others] = await openTasks(config, options.landmarks);
  // Folds take the place of the parts.
  const crossed = config.command === "crossval";
  const said = main.assumptions.filter((text) => !crossed || !text.startsWith("split:"));
  for (const assumption of said) progress.note(assumption);
  const matched = together(main, others);
  const dataset = resplit(matched, config);
  const store = await prepareImages(dataset, preprocessing, {
    progress,
    signal: options.signal,
    strict: config.strict,
    ...(config.cacheDir === undefined ? {} : { cacheDir: config.cacheDir }),
    ...(config.threads === undefined ? {} : { threads: config.threads }),
  });
  try {
    const rows = partRows(store, "check the split column of labels.csv, --split and --limit");
    const tables = [main, ...others].map((each) => tableOf(each, store));
    for (const { task, targets, mask } of tables) {
      const of = (values: Float32Array): Float32Array => gather(values, rows.train, task.outputs);
      checkVaries(dataset.name, task, { targets: of(targets), mask: mask && of(mask) });
    }
    return { dataset, store, rows, tables };
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** One data set for every task, of the same folder. */
async function openTasks(config: TrainConfig, landmarks: boolean): Promise<[Dataset, ...Dataset[]]> {
  const table = await readTable(config.data);
  const has = (name: string): boolean => table.columns.some((column) => column.toLowerCase() === name);
  const open = async (task: string, label?: string): Promise<Dataset> => {
    const groups = task === "age-group" && !has("age_group") && !has("age-group") && has("age");
    const dataset = await openDataset({
      data: config.data,
      task: groups ? "age" : task,
      seed: config.seed,
      valFraction: config.valFraction,
      strict: config.strict,
      ...(label === undefined ? {} : { label }),
      ...(config.crop === undefined ? {} : { crop: config.crop }),
      ...(config.limit === undefined ? {} : { limit: config.limit }),
    });
    return groups ? asAgeGroups(dataset) : dataset;
  };
  const [first, ...more] = tasksOf(config);
  const opened: [Dataset, ...Dataset[]] = [await open(first, config.label)];
  for (const task of more) opened.push(await open(task));
  if (landmarks && has("x0") && has("y0")) opened.push(await open("landmarks"));
  return opened;
}

/** The main data set with only the pictures that every task has a label for. */
function together(main: Dataset, others: readonly Dataset[]): Dataset {
  return { ...main, items: commonItems([main, ...others]).map(([item]) => item) };
}

/** Parts cut anew by seed, where asked for: whole persons where they are known. */
function resplit(dataset: Dataset, { split, seed }: TrainConfig): Dataset {
  const parts = partsOf(split);
  if (parts === undefined) return dataset;
  const [train, val, test] = parts;
  const classes = dataset.task.kind === "binary" || dataset.task.kind === "categorical";
  const { splits, assumptions } = splitItems(
    dataset.items.map(({ identity, target }) => ({
      ...(identity === undefined ? {} : { identity }),
      ...(classes ? { stratum: target.join() } : {}),
    })),
    {
      testFraction: test,
      valFraction: val / (train + val),
      random: createRandom(seed).fork(`split ${split}`),
    },
  );
  return {
    ...dataset,
    items: dataset.items.map((item, i): Item => ({ ...item, split: splits[i] })),
    assumptions: [...dataset.assumptions, `split: ${split} by seed ${seed}`, ...assumptions],
    fingerprint: `${dataset.fingerprint}-${split}-${seed}`,
  };
}

function tableOf({ task, items }: Dataset, store: ImageStore): TargetTable {
  const q = task.outputs;
  const byFile = new Map(items.map((item) => [item.file, item]));
  const targets = new Float32Array(store.items.length * q);
  const mask = new Float32Array(targets.length).fill(1);
  let masked = false;
  store.items.forEach(({ file }, row) => {
    const item = byFile.get(file);
    if (item === undefined) return;
    targets.set(item.target, row * q);
    if (item.mask === undefined) return;
    mask.set(item.mask, row * q);
    masked = true;
  });
  return { task, targets, ...(masked ? { mask } : {}) };
}
