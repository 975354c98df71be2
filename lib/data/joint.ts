/** Several tasks in one data set: their labels stand side by side in every target row. Pure. */
import { createHash } from "node:crypto";
import { dirname, join, relative, sep } from "node:path";
import type { Task } from "../core/artifacts.ts";
import { EtlError } from "../core/errors.ts";
import type { Dataset, Item } from "./dataset.ts";

/** Where a task's labels stand in a target row. */
export interface TaskColumns {
  readonly task: Task;
  /** Its first column; it has `task.outputs`. */
  readonly start: number;
}

/** The tasks of a data set, and their columns. */
export function columnsOf({ task, tasks = [task] }: Pick<Dataset, "task" | "tasks">): TaskColumns[] {
  let next = 0;
  return tasks.map((each) => {
    const start = next;
    next += each.outputs;
    return { task: each, start };
  });
}

/** Length of a target row. */
export function widthOf({ task, tasks = [task] }: Pick<Dataset, "task" | "tasks">): number {
  return tasks.reduce((sum, { outputs }) => sum + outputs, 0);
}

/** The pictures that all sets have, in the order of the first: for each its items, beside the sets. */
export function commonItems(sets: readonly Dataset[]): Item[][] {
  const byFile = sets.map(({ items }) => new Map(items.map((item) => [item.file, item])));
  return sets[0].items
    .map(({ file }) => byFile.flatMap((items) => items.get(file) ?? []))
    .filter((items) => items.length === sets.length);
}

/**
 * One data set of several that were read from the same folder, each for a task of its own. A picture that lacks a label
 * of some task is left out; the parts are those of the first.
 */
export function joinTasks(sets: readonly Dataset[]): Dataset {
  const [first, ...others] = sets;
  if (others.length === 0) return first;
  const items = commonItems(sets).map((own): Item => {
    const masked = own.some(({ mask }) => mask !== undefined);
    return {
      ...own[0],
      target: concat(own.map(({ target }) => target)),
      ...(masked && { mask: concat(own.map(maskOf)) }),
    };
  });
  const names = sets.map(({ task }) => task.name).join(", ");
  if (items.length === 0)
    throw new EtlError("data", `${first.name}: no picture has labels of ${names}, at least one was needed`, {
      hint: "tasks with data of their own: --task gender=FOLDER,age=OTHER",
    });
  const left = Math.max(...sets.map((set) => set.items.length)) - items.length;
  const said =
    left > 0
      ? [
          `tasks: ${left === 1 ? "1 picture lacks" : `${left} pictures lack`} a label of one of ${names}, left out`,
        ]
      : [];
  return {
    ...first,
    tasks: sets.map(({ task }) => task),
    items,
    assumptions: [
      // The parts are those of the first: how the others would have been divided means nothing here.
      ...new Set(
        sets.flatMap(({ assumptions }, i) =>
          i === 0 ? assumptions : assumptions.filter((said) => !said.startsWith("split: ")),
        ),
      ),
      ...said,
    ],
    ...togetherSaid(sets),
    fingerprint: together(sets),
  };
}

/** How many pictures each part has, and where not all have a label of every task, how many of each. */
export function partsSentence(dataset: Pick<Dataset, "items" | "task" | "tasks">): string {
  const { items } = dataset;
  const count = (has: (item: Item) => boolean): string =>
    (["train", "val", "test"] as const)
      .map((part) => items.filter((item) => item.split === part && has(item)).length)
      .map((n, i) => `${n} ${["training", "validation", "test"][i]}`)
      .join(", ");
  const all = count(() => true);
  const own = columnsOf(dataset).map(({ task, start }) => ({
    name: task.name,
    counts: count(
      ({ mask }) => mask === undefined || mask.subarray(start, start + task.outputs).some((m) => m !== 0),
    ),
  }));
  const each = own.some(({ counts }) => counts !== all)
    ? `; with a label of ${own.map(({ name, counts }) => `${name}: ${counts}`).join("; ")}`
    : "";
  return `pictures: ${all}${each}`;
}

/** What is said of several sets of one folder: every problem and warning once. */
export function togetherSaid(sets: readonly Dataset[]): Pick<Dataset, "problems" | "warnings"> {
  const problems = new Map(
    sets.flatMap((set) => set.problems).map((each) => [`${each.file} ${each.problem}`, each]),
  );
  return { problems: [...problems.values()], ...warningsOf(sets) };
}

/**
 * One data set of several folders, each with tasks of its own: its pictures' labels of the other tasks are missing
 * (mask 0). The root is the folder that holds all of them.
 */
export function joinFolders(sets: readonly Dataset[]): Dataset {
  const [first, ...others] = sets;
  if (others.length === 0) return first;
  const drawn = sets.find(({ root }) => root === "");
  if (drawn !== undefined)
    throw new EtlError("usage", `--task: ${drawn.name} beside other data, folders were needed`, {
      hint: "drawn faces have every label: give --data synthetic once, for all tasks",
    });
  const tasks = sets.flatMap(({ task, tasks: own = [task] }) => own);
  const width = widthOf({ task: tasks[0], tasks });
  const root = commonFolder(sets.map((set) => set.root));
  let start = 0;
  const items = sets.flatMap((set, s) => {
    const from = start;
    start += widthOf(set);
    return set.items.map((item) => widened(item, { set, root, width, from, number: s }));
  });
  return {
    name: sets.map(({ name }) => name).join(" + "),
    root,
    layout: first.layout,
    task: tasks[0],
    tasks,
    items,
    crop: first.crop,
    groups: [],
    assumptions: sets.flatMap(({ name, assumptions }) => assumptions.map((text) => `${name}: ${text}`)),
    problems: sets.flatMap((set) =>
      set.problems.map(({ file, problem }) => ({ file: below(root, set.root, file), problem })),
    ),
    ...warningsOf(sets),
    fingerprint: together(sets),
  };
}

function warningsOf(sets: readonly Dataset[]): Pick<Dataset, "warnings"> {
  const warnings = [...new Set(sets.flatMap((set) => set.warnings ?? []))];
  return warnings.length > 0 ? { warnings } : {};
}

/** Which labels of a picture are known, beside its target. */
function maskOf({ mask, target }: Item): Float32Array {
  return mask ?? new Float32Array(target.length).fill(1);
}

function concat(parts: readonly Float32Array[]): Float32Array {
  return Float32Array.from(parts.flatMap((part) => Array.from(part)));
}

/** A picture of one folder as a row of all: the labels of other folders' tasks are missing. */
function widened(
  item: Item,
  to: {
    readonly set: Dataset;
    readonly root: string;
    readonly width: number;
    readonly from: number;
    readonly number: number;
  },
): Item {
  const { set, root, width, from, number } = to;
  const target = new Float32Array(width);
  const mask = new Float32Array(width);
  target.set(item.target, from);
  mask.set(maskOf(item), from);
  return {
    ...item,
    file: below(root, set.root, item.file),
    crop: item.crop ?? set.crop,
    target,
    mask,
    ...(item.identity === undefined ? {} : { identity: `${number} ${item.identity}` }),
  };
}

function below(root: string, folder: string, file: string): string {
  return relative(root, join(folder, file)).split(sep).join("/");
}

function commonFolder(folders: readonly string[]): string {
  const [first, ...others] = folders;
  let common = first;
  while (others.some((folder) => folder !== common && !folder.startsWith(join(common, sep))))
    common = dirname(common);
  return common;
}

function together(sets: readonly Dataset[]): string {
  const hash = createHash("sha256");
  for (const { fingerprint } of sets) hash.update(fingerprint);
  return hash.digest("hex").slice(0, 16);
}
