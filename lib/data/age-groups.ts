/** Ages in years as the eight groups of Adience, which age classifiers are trained on. */
import type { Task } from "../core/artifacts.ts";
import type { Dataset } from "./dataset.ts";

/** Name and last year of each group; a year between two groups goes to the nearer, to the younger where both are near. */
const groups: readonly (readonly [name: string, last: number])[] = [
  ["0-2", 3],
  ["4-6", 7],
  ["8-13", 14],
  ["15-20", 22],
  ["25-32", 35],
  ["38-43", 45],
  ["48-53", 56],
  ["60+", Infinity],
];

/** The groups' names, youngest first. */
export const ageGroupNames: readonly string[] = groups.map(([name]) => name);

/** The group of an age in years. */
export function ageGroupOf(years: number): number {
  return groups.findIndex(([, last]) => Math.floor(years) <= last);
}

/** A data set opened for the task `age` (years) as one for `age-group` (eight classes). */
export function asAgeGroups(dataset: Dataset): Dataset {
  const { columns, scale, mirror } = dataset.task;
  const task: Task = {
    name: "age-group",
    kind: "categorical",
    columns,
    classes: ageGroupNames,
    outputs: groups.length,
    scale: 1,
    mirror,
  };
  return {
    ...dataset,
    task,
    items: dataset.items.map((item) => {
      const target = new Float32Array(groups.length);
      target[ageGroupOf(item.target[0] / scale)] = 1;
      return { ...item, target };
    }),
    assumptions: [
      ...dataset.assumptions,
      `age groups: made from the years in "${columns[0]}", years between two groups go to the nearer one`,
    ],
    fingerprint: `${dataset.fingerprint}-groups`,
  };
}
