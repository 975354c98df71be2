/** What the record says of a network and of labels. */
import { stat } from "node:fs/promises";
import type { EpochRecord, Task } from "../../core/artifacts.ts";
import type { Latency, ModelRecord, RunRecord, PairedDifference } from "../../record/record.ts";
import { costOf } from "../../network/cost.ts";
import { paperCost } from "../../network/formulas.ts";
import type { Network } from "../../network/network.ts";
import type { RunFolder } from "./folder.ts";

/** A network of a run, before it becomes a record. */
export interface MadeModel {
  readonly name: string;
  readonly title: string;
  readonly network: Network;
  /** File in the run folder, where the network was written. */
  readonly file?: string;
  readonly history: readonly EpochRecord[];
  readonly bestEpoch?: number;
  readonly learningRate?: number;
}

/** A network with its cost, its training and what was measured of it. */
export async function modelRecord(
  folder: Pick<RunFolder, "file">,
  { name, title, network, file, history, bestEpoch, learningRate }: MadeModel,
  measured: Pick<ModelRecord, "test" | "validation"> & {
    readonly latency: Latency | undefined;
    readonly versusBaseline?: PairedDifference;
    readonly versusPruned?: PairedDifference;
  },
): Promise<ModelRecord> {
  const { test, validation, latency, versusBaseline, versusPruned } = measured;
  const { total, trunk, head } = costOf(network);
  const { flops, bytes } = paperCost(network);
  return {
    name,
    title,
    cost: { total, trunk, head },
    paperCost: { flops, bytes },
    fileBytes: file === undefined ? total.bytes : (await stat(folder.file(file))).size,
    ...(latency === undefined ? {} : { latency }),
    ...(validation && { validation }),
    test,
    history,
    ...(bestEpoch === undefined ? {} : { bestEpoch }),
    ...(learningRate === undefined ? {} : { learningRate }),
    ...(versusBaseline === undefined ? {} : { versusBaseline }),
    ...(versusPruned === undefined ? {} : { versusPruned }),
  };
}

/**
 * How many pictures have each label; of one number, how many lie in each tenth of its range in training.
 *
 * @param train targets of the training part, row-major [n, task.outputs]
 * @param test those of the test part
 */
export function labelCounts(
  task: Task,
  train: Float32Array,
  test: Float32Array,
): RunRecord["dataset"]["labels"] {
  if (task.kind === "regression" && task.outputs > 1) return [];
  const rowsOf = (targets: Float32Array): Float32Array[] =>
    Array.from({ length: targets.length / task.outputs }, (_, i) =>
      targets.subarray(i * task.outputs, (i + 1) * task.outputs),
    );
  const names = labelNames(task, [...rowsOf(train), ...rowsOf(test)]);
  const count = (part: readonly Float32Array[]): number[] => {
    const counts = new Array<number>(names.names.length).fill(0);
    for (const target of part) for (const k of names.of(target)) counts[k] += 1;
    return counts;
  };
  const [inTrain, inTest] = [count(rowsOf(train)), count(rowsOf(test))];
  return names.names.map((label, k) => ({ label, train: inTrain[k], test: inTest[k] }));
}

interface Ranges {
  readonly names: readonly string[];
  /** The range that a number lies in. */
  readonly at: (value: number) => number;
}

/** At most ten ranges of equally many whole numbers, each named by its first and its last: no number is in two. */
function wholeRanges(low: number, high: number): Ranges {
  const width = Math.ceil((high - low + 1) / 10);
  const names = Array.from({ length: Math.ceil((high - low + 1) / width) }, (_, k) => {
    const [first, last] = [low + k * width, Math.min(high, low + (k + 1) * width - 1)];
    return first === last ? String(first) : `${first} to ${last}`;
  });
  return { names, at: (value) => (Math.round(value) - low) / width };
}

/** Ten ranges of the same width, with as many decimals as keep their ends apart. */
function evenRanges(low: number, high: number): Ranges {
  const width = Math.max(1e-9, high - low) / 10;
  const decimals = Math.max(0, Math.min(9, 1 - Math.floor(Math.log10(width))));
  const end = (k: number): string => (low + k * width).toFixed(decimals);
  return {
    names: Array.from({ length: 10 }, (_, k) => `${end(k)} to ${end(k + 1)}`),
    at: (value) => (value - low) / width,
  };
}

function labelNames(
  task: Task,
  rows: readonly Float32Array[],
): {
  names: readonly string[];
  of: (target: Float32Array) => number[];
} {
  if (task.kind === "binary") return { names: task.classes, of: (target) => [target[0] >= 0.5 ? 1 : 0] };
  if (task.kind !== "regression") {
    return { names: task.classes, of: (target) => Array.from(target.keys()).filter((k) => target[k] >= 0.5) };
  }
  const values = rows.map(([value]) => value / task.scale);
  const [low, high] = values.reduce(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [Infinity, -Infinity]);
  const { names, at } = values.every((value) => Math.abs(value - Math.round(value)) < 1e-4)
    ? wholeRanges(Math.round(low), Math.round(high))
    : evenRanges(low, high);
  return {
    names,
    of: (target) => [Math.min(names.length - 1, Math.max(0, Math.floor(at(target[0] / task.scale))))],
  };
}
