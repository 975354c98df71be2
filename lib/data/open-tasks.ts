/** Opens the data of one or several tasks as one data set. */
import { createHash } from "node:crypto";
import { resolve } from "node:path";
import { createRandom } from "../core/random.ts";
import { withPartsNow } from "./coverage.ts";
import type { Dataset, OpenDatasetOptions } from "./dataset.ts";
import { joinFolders, joinTasks } from "./joint.ts";
import { openDataset } from "./open.ts";
import { isSynthetic } from "./synthetic/name.ts";

/** A task, and the folder with its labels. */
export interface TaskData {
  readonly task: string;
  /** As {@link OpenDatasetOptions.data}. */
  readonly data: string;
}

/** Tasks of one folder share its pictures; each folder's pictures know the tasks of their own folder only. */
export async function openTasks(
  tasks: readonly TaskData[],
  options: Omit<OpenDatasetOptions, "task" | "data">,
): Promise<Dataset> {
  const folders = new Map<string, TaskData[]>();
  for (const { task, data } of tasks) {
    const key = isSynthetic(data) ? data : resolve(data);
    folders.set(key, [...(folders.get(key) ?? []), { task, data }]);
  }
  const joined: Dataset[] = [];
  for (const own of folders.values()) joined.push(await openTogether(own, options));
  return joinFolders(joined);
}

/** The tasks of one folder. A limit is drawn once, from the pictures that all of them can use. */
async function openTogether(
  tasks: readonly TaskData[],
  { limit, ...options }: Omit<OpenDatasetOptions, "task" | "data">,
): Promise<Dataset> {
  if (tasks.length === 1)
    return openDataset({ ...options, ...tasks[0], ...(limit !== undefined && { limit }) });
  const sets: Dataset[] = [];
  for (const own of tasks) sets.push(await openDataset({ ...options, ...own }));
  return withPartsNow(drawnItems(joinTasks(sets), limit, options.seed), sets);
}

/** At most so many pictures of a data set, drawn by seed. */
export function drawnItems(whole: Dataset, limit: number | undefined, seed: number): Dataset {
  if (limit === undefined || whole.items.length <= limit) return whole;
  const chosen = createRandom(seed)
    .fork("limit")
    .shuffle(whole.items.map((_, i) => i))
    .slice(0, limit)
    .sort((a, b) => a - b);
  const items = chosen.map((i) => whole.items[i]);
  // How many were cut off counts those that are left.
  const said = (assumption: string): string =>
    assumption.replace(
      /^(split: )\d+(?= pictures are cut off as (\w+))/,
      (_, before: string, part: string) => `${before}${items.filter(({ split }) => split === part).length}`,
    );
  return {
    ...whole,
    items,
    assumptions: whole.assumptions.map(said),
    fingerprint: createHash("sha256")
      .update(`${whole.fingerprint} ${chosen.join(",")}`)
      .digest("hex")
      .slice(0, 16),
  };
}
