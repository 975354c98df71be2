/** What the answers to a task are judged by: the one home of it, for the report, tables, comparisons and `metrics.json`. Pure. */
import type { Task } from "../core/artifacts.ts";
import type { Metrics } from "./record.ts";

/** The measure of a task, and which of two values is the better one. */
export interface Measure {
  readonly name: "accuracy" | "mae";
  readonly better: "higher" | "lower";
  /** Of an error: that of the label; empty where it has none, and for shares. */
  readonly unit: string;
}

/** Numbers are judged by their mean absolute error: a share within some distance says nothing of what lies beyond. */
export function measureOf({ kind, unit }: Pick<Task, "kind" | "unit">): Measure {
  return kind === "regression"
    ? { name: "mae", better: "lower", unit: unit ?? "" }
    : { name: "accuracy", better: "higher", unit: "" };
}

/**
 * How good answers are, by the task's own measure.
 *
 * @returns share in 0..1, or mean absolute error in the unit of the label; undefined where it is no finite number (a network
 *   that diverged; JSON has null for it)
 */
export function valueOf(
  task: Pick<Task, "kind">,
  test: Pick<Metrics, "accuracy" | "mae">,
): number | undefined {
  const value = test[measureOf(task).name];
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}

/** Whether `one` is at least as good as `other`; nothing is better than what has no value. */
export function isAsGood({ better }: Measure, one: number | undefined, other: number | undefined): boolean {
  if (other === undefined) return true;
  if (one === undefined) return false;
  return better === "higher" ? one >= other : one <= other;
}
