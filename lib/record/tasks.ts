/** A run whose networks answer several tasks, seen as one run for each. Pure. */
import type { ModelRecord, RunRecord } from "./record.ts";

/**
 * One record for each task of a run: the same networks, costs and training, each task's own answers, curves and labels.
 * Where there are several, the titles name them.
 */
export function recordsByTask(record: RunRecord): RunRecord[] {
  const { others = [], ...first } = record;
  if (others.length === 0) return [record];
  const titleOf = (name: string): string => (record.title === undefined ? name : `${record.title}: ${name}`);
  const together = [first.task, ...others.map(({ task }) => task)];
  // What the first task's labels say is nothing that another task could show.
  const common = { ...without(first, "responses", "groups", "faces"), together };
  return [
    { ...first, together, title: titleOf(first.task.name) },
    ...others.map(({ dataset, models, ...own }): RunRecord => ({
      ...common,
      ...own,
      title: titleOf(own.task.name),
      dataset: { ...common.dataset, ...dataset },
      models: common.models.map((model, i): ModelRecord => ({
        ...without(model, "versusBaseline", "versusPruned", "validation"),
        ...models[i],
      })),
    })),
  ];
}

function without<T extends object, K extends keyof T & string>(value: T, ...keys: readonly K[]): Omit<T, K> {
  const left = Object.entries(value).filter(([name]) => !(keys as readonly string[]).includes(name));
  return Object.fromEntries(left) as Omit<T, K>;
}
