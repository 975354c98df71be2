/** What reading labels gives, and what the readers of classes and of numbers share. */
import type { Task, TaskKind } from "../core/artifacts.ts";
import type { RawTable } from "./dataset.ts";
import { isMissing } from "./codes.ts";
import type { TaskPlan } from "./tasks.ts";

/** A label as numbers, or the reason why there is none. */
export type Label =
  { readonly target: Float32Array; readonly mask?: Float32Array } | { readonly problem: string };

export interface Labels {
  readonly task: Task;
  /** Beside `table.rows`. Landmarks are still in pixels of the picture. */
  readonly labels: readonly Label[];
  readonly assumptions: readonly string[];
  /** Labels that are none of the classes, and how many rows have each. */
  readonly unknown?: ReadonlyMap<string, number>;
  /** The classes are the task's own, whether or not the data have all of them. */
  readonly fixed?: boolean;
}

/** Layout whose only labels are names of folders. */
export const FOLDER_LAYOUT = "image folder";

/** Whether a label says that there is none; the name of a folder never does, nor what `dataset.json` gives a meaning. */
export function missingIn(table: RawTable, { declared }: TaskPlan): (value: string) => boolean {
  const { values = {}, missing } = declared;
  if (table.layout === FOLDER_LAYOUT) return (value) => value === "" || missing?.includes(value) === true;
  // "-1" stands for "-1.0" as well
  const numbers = new Set((missing ?? []).filter(isNumber).map(Number));
  const isNone = (value: string): boolean =>
    isMissing(value, missing) || (numbers.size > 0 && isNumber(value) && numbers.has(Number(value)));
  return (value) => !Object.hasOwn(values, value) && isNone(value);
}

const isNumber = (text: string): boolean => text !== "" && Number.isFinite(Number(text));

/** Whether somebody wrote the labels into a table of their own: what the numbers of a public set mean is known. */
export function isTyped({ layout }: RawTable): boolean {
  return layout === "labels.csv";
}

/** A task of the plan, with what its labels say of it. */
export function taskOf(
  plan: TaskPlan,
  kind: TaskKind,
  rest: Pick<Task, "classes" | "outputs"> & Partial<Task>,
): Task {
  return {
    name: plan.spec.name,
    kind,
    columns: plan.columns,
    scale: 1,
    mirror: plan.declared.mirror ?? plan.spec.mirror,
    ...rest,
  };
}
