/** A yes/no task as one of two classes: what a network with a softmax of two learns. */
import type { Task } from "../core/artifacts.ts";
import type { Dataset } from "./dataset.ts";

/** A data set of two classes with an output for each; any other stays as it is. */
export function asSoftmax(dataset: Dataset): Dataset {
  const { task } = dataset;
  if (task.kind !== "binary") return dataset;
  const two: Task = { ...task, kind: "categorical", outputs: 2 };
  return {
    ...dataset,
    task: two,
    items: dataset.items.map((item) => ({
      ...item,
      target: Float32Array.of(1 - item.target[0], item.target[0]),
    })),
    fingerprint: `${dataset.fingerprint}-softmax`,
  };
}
