/** Classes without a test picture: a mean over classes says nothing there, and is not shown. */
import type { Metrics, RunRecord } from "./record.ts";

/** The classes (of yes/no labels: the labels) that the test part has no picture of, or nothing else but. */
export function absentClasses(test: Metrics, classes: readonly string[]): readonly string[] {
  if (test.perOutput !== undefined)
    return test.perOutput.flatMap(({ name, positives, n }) =>
      positives === 0 || positives === n ? [name] : [],
    );
  return (test.confusion ?? []).flatMap((row, c) =>
    row.every((count) => count === 0) ? [classes[c] ?? `class ${c}`] : [],
  );
}

/** What is to be shown of metrics: without means over classes where one of them is not there. */
export function shownMetrics(test: Metrics): Metrics {
  if (absentClasses(test, []).length === 0) return test;
  const means = new Set(["balancedAccuracy", "f1", "precision", "recall"]);
  return Object.fromEntries(Object.entries(test).filter(([name]) => !means.has(name))) as unknown as Metrics;
}

/** Why a figure is not there, one sentence for each run; empty where all are. */
export function absentNotes(records: readonly RunRecord[]): readonly string[] {
  const notes = records.flatMap(({ task, models }) =>
    models.slice(0, 1).flatMap(({ test }) => {
      const names = absentClasses(test, task.classes);
      if (names.length === 0) return [];
      const list = names.map((name) => `“${name}”`).join(", ");
      return [
        test.perOutput === undefined
          ? `${task.name}: the test part has no picture of ${list}, so no balanced accuracy, F1, precision and recall are shown`
          : `${task.name}: all test pictures have the same answer for ${list}, so no balanced accuracy, F1, precision and recall are shown`,
      ];
    }),
  );
  return [...new Set(notes)];
}

/** Why means over classes are undefined for one evaluation; undefined where they are not. @param absent as {@link absentClasses} */
export function undefinedBecause(
  absent: readonly string[],
  { perOutput, confusion = [] }: Metrics,
  classes: readonly string[],
): string | undefined {
  if (absent.length === 0) return undefined;
  const said = "balanced accuracy, F1, precision and recall are undefined";
  const names = absent.map((name) => `"${name}"`).join(", ");
  if (perOutput !== undefined) return `${said} as all pictures have the same answer for ${names}`;
  const there = confusion.flatMap((row, c) => (row.some((count) => count > 0) ? [c] : []));
  return there.length === 1
    ? `${said} as only one class is there ("${classes[there[0]] ?? `class ${there[0]}`}")`
    : `${said} as no picture of ${names} is there`;
}
