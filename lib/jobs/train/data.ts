/** The data of a training run: pictures, parts, and the labels of one or several tasks. */
import { plural } from "../../core/printable.ts";
import type { Preprocessing, Task } from "../../core/artifacts.ts";
import { worded } from "../../core/voice.ts";
import { silent, type Progress } from "../../core/progress.ts";
import { createRandom } from "../../core/random.ts";
import type { Dataset, Item } from "../../data/dataset.ts";
import { withPartsNow } from "../../data/coverage.ts";
import { commonItems, togetherSaid } from "../../data/joint.ts";
import { asSoftmax } from "../../data/softmax.ts";
import { drawnItems } from "../../data/open-tasks.ts";
import { openDataset, readTable } from "../../data/open.ts";
import { splitItems } from "../../data/splits.ts";
import type { ImageStore } from "../../data/images/store.ts";
import { checkVaries, partRows } from "../run/parts.ts";
import { announce, openWorld, type World } from "../run/world.ts";
import { gather } from "../run/units.ts";
import { partsOf, type TrainConfig } from "./config.ts";
import { checkSettings } from "./settings.ts";
import { tasksOf } from "./options.ts";

/** Labels of one task by row of the store. */
export interface TargetTable {
  readonly task: Task;
  /** [rows, task.outputs], target units. */
  readonly targets: Float32Array;
  /** [rows, task.outputs], 0 = label missing; absent where all are known. */
  readonly mask?: Float32Array;
}

/** The labels of some rows, [rows.length, task.outputs], and which of them are known. */
export function labelsAt(
  { task, targets, mask }: TargetTable,
  rows: Uint32Array,
): { readonly targets: Float32Array; readonly mask: Float32Array | undefined } {
  const q = task.outputs;
  return { targets: gather(targets, rows, q), mask: mask && gather(mask, rows, q) };
}

export interface TrainData extends World {
  /** The main task first. */
  readonly tables: readonly TargetTable[];
}

interface OpenData {
  readonly landmarks: boolean;
  readonly softmax: boolean;
  readonly among?: readonly string[] | undefined;
}

/**
 * Opens labels, pictures and engine. The caller closes with {@link closeWorld}.
 *
 * @param preprocessing size of the pictures in the store
 * @param options.landmarks also read landmarks, where the data have them
 * @param options.softmax two classes have an output each
 * @param options.among tasks of which every picture needs a label, whether or not they are learnt here
 */
export async function openTrainData(
  config: TrainConfig,
  preprocessing: Preprocessing,
  options: OpenData & {
    readonly progress?: Progress | undefined;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<TrainData> {
  const progress = options.progress ?? silent;
  const learnt = tasksOf(config);
  const [main, ...all] = await openTasks(config, options, progress);
  const folds = config.command === "crossval";
  const cut = resplit(drawnItems(together(main, all), config.limit, config.seed), config);
  const dataset = withPartsNow(cut, [main, ...all], !folds);
  announce(dataset, progress, folds ? `pictures: ${dataset.items.length}, in folds` : undefined);
  const parts = config.valFraction > 0 ? undefined : (["train", "test"] as const);
  const others = all.filter(({ task }) => learnt.includes(task.name) || task.unit === "crop");
  checkSettings(
    config,
    [main, ...others].map(({ task }) => task),
  );
  let tables: TargetTable[] = [];
  const world = await openWorld(dataset, preprocessing, {
    ...{ config, progress, signal: options.signal, folds },
    rowsOf: (store) => {
      const rows = partRows(store, "check the split column of labels.csv, --split and --limit", parts);
      tables = [main, ...others].map((each) => tableOf(each, store));
      for (const { task, targets, mask } of tables) {
        const of = (values: Float32Array): Float32Array => gather(values, rows.train, task.outputs);
        checkVaries(dataset.name, task, { targets: of(targets), mask: mask && of(mask) });
      }
      return rows;
    },
  });
  if (world.rows.val === world.rows.train)
    progress.warn(
      worded(
        "no validation part: the best epoch, thresholds and weights follow the training part (--val-fraction 0)",
      ),
    );
  return { ...world, tables };
}

/** One data set for every task, of the same folder. */
async function openTasks(
  config: TrainConfig,
  { landmarks, softmax, among = [] }: OpenData,
  progress: Progress,
): Promise<[Dataset, ...Dataset[]]> {
  const table = await readTable(config.data);
  const has = (name: string): boolean => table.columns.some((column) => column.toLowerCase() === name);
  const [first, ...more] = tasksOf(config);
  const also = among.filter((task) => task !== first && !more.includes(task));
  // Of several tasks a limit is drawn once, from the pictures that all of them can use.
  const several = more.length + also.length > 0 || (landmarks && has("x0"));
  const open = async (task: string, label?: string, crop = config.crop): Promise<Dataset> => {
    const dataset = await openDataset({
      data: config.data,
      task,
      seed: config.seed,
      valFraction: config.valFraction,
      strict: config.strict,
      ...(label === undefined ? {} : { label }),
      ...(crop === undefined ? {} : { crop }),
      ...(config.limit === undefined || several ? {} : { limit: config.limit }),
    });
    return softmax ? asSoftmax(dataset) : dataset;
  };
  const opened: [Dataset, ...Dataset[]] = [await open(first, config.label)];
  for (const task of [...more, ...also]) opened.push(await open(task));
  if (!landmarks) return opened;
  if (has("x0") && has("y0")) {
    // In fractions of the boxes that the pictures are cut to, not of boxes around the landmarks.
    const { items, crop } = opened[0];
    const boxes = items.some((item) => item.crop !== undefined);
    opened.push(await open("landmarks", undefined, boxes ? config.crop : crop));
  } else {
    progress.warn(
      worded(
        `landmarks: ${table.name} has no columns x0, y0, ...: the branch that learns them is left out (etl align --landmarks writes them; --no-landmarks says so)`,
      ),
    );
  }
  return opened;
}

/** The main data set with only the pictures that every task has a label for. */
function together(main: Dataset, others: readonly Dataset[]): Dataset {
  if (others.length === 0) return main;
  const items = commonItems([main, ...others]).map(([item]) => item);
  const left = main.items.length - items.length;
  const names = others.map(({ task }) => task.name).join(", ");
  const said =
    left === 0
      ? []
      : [
          `tasks: ${plural(left, "picture")} of ${main.task.name} ${left === 1 ? "has" : "have"} no label of ${names}, left out`,
        ];
  return {
    ...main,
    items,
    assumptions: [...main.assumptions, ...said],
    ...togetherSaid([main, ...others]),
    fingerprint: [main, ...others].map(({ fingerprint }) => fingerprint).join("+"),
  };
}

/** Parts cut anew by seed, where asked for: whole persons where they are known. */
function resplit(dataset: Dataset, { split, seed, command }: TrainConfig): Dataset {
  const parts = partsOf(split);
  // What is said of the data's own parts is not true of new ones, and folds take the place of any.
  const said = dataset.assumptions.filter((text) => !text.startsWith("split:"));
  if (command === "crossval") return { ...dataset, assumptions: said };
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
    assumptions: [...said, `split: ${split} by seed ${seed}`, ...assumptions],
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
