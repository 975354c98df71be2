/** A yes/no task as one of two classes: what a network with a softmax of two learns. */
import type { Task } from "../core/artifacts.ts";
import { EtlError } from "../core/errors.ts";
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

/**
 * The data set with labels beside the answers of a network: a yes/no label for two classes where it answers with two.
 *
 * @param task what the network answers
 * @throws EtlError `data` where the data have more or fewer values a picture
 */
export function asAnswered(dataset: Dataset, task: Task): Dataset {
  const own = task.kind === "categorical" && task.outputs === 2 ? asSoftmax(dataset) : dataset;
  const { outputs } = own.task;
  if (outputs === task.outputs) return own;
  throw new EtlError(
    "data",
    `${dataset.name}: ${outputs} label values a picture, ${task.outputs} were needed`,
  );
}
