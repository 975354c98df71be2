/** Opens the data of one or several tasks as one data set. */
import { resolve } from "node:path";
import type { Dataset, OpenOptions } from "./dataset.ts";
import { joinFolders, joinTasks } from "./joint.ts";
import { openDataset } from "./open.ts";
import { isSynthetic } from "./synthetic/table.ts";

/** A task, and the folder with its labels. */
export interface TaskData {
  readonly task: string;
  /** As {@link OpenOptions.data}. */
  readonly data: string;
}

/** Tasks of one folder share its pictures; each folder's pictures know the tasks of their own folder only. */
export async function openTasks(
  tasks: readonly TaskData[],
  options: Omit<OpenOptions, "task" | "data">,
): Promise<Dataset> {
  const folders = new Map<string, Dataset[]>();
  for (const { task, data } of tasks) {
    const key = isSynthetic(data) ? data : resolve(data);
    folders.set(key, [...(folders.get(key) ?? []), await openDataset({ ...options, task, data })]);
  }
  return joinFolders([...folders.values()].map(joinTasks));
}
