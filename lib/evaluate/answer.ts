/** What a network's numbers mean, by the task of each output. */
import type { Task } from "../core/artifacts.ts";
import type { OutputTask } from "../backbones/metadata.ts";
import { yesProbability } from "../data/probability.ts";
import type { Tensors } from "../engine/engine.ts";

/** What one output of a model says of a picture. */
export interface Answer {
  /** The network's numbers: logits, target units of a regression, or a descriptor. */
  readonly outputs: readonly number[];
  /** What they mean, where the model says: a class, or the value in the label's unit. */
  readonly label?: string;
  /** The label column that a label of yes or no answers. */
  readonly column?: string;
  readonly probability?: number;
  readonly value?: number;
  readonly unit?: string;
}

/** The answer of the first output, and those of the others where there are several tasks. */
export interface Answers extends Answer {
  /** A model of several tasks: the one that is answered here, and the answers to the others. */
  readonly task?: string;
  readonly others?: readonly (Answer & { readonly task: string })[];
}

/**
 * What a model says of one picture of a batch.
 *
 * @param model its tasks, and the output that is read where it has none
 */
export function answersOf(
  { output: first, tasks }: { readonly output: string; readonly tasks: readonly OutputTask[] },
  result: Tensors,
  row: { readonly number: number; readonly of: number },
): Answers {
  const answer = (output: string, task: Task | undefined): Answer => {
    const { data } = result[output];
    const width = data.length / row.of;
    const outputs = Array.from(data.subarray(row.number * width, (row.number + 1) * width));
    return { outputs, ...meaning(outputs, task) };
  };
  const [one, ...others] = tasks.map(({ output, task }) => ({ task: task.name, ...answer(output, task) }));
  if (others.length > 0) return { ...one, others };
  return answer(first, tasks.at(0)?.task);
}

function meaning(outputs: readonly number[], task: Task | undefined): Partial<Answer> {
  if (task === undefined || outputs.length !== task.outputs) return {};
  if (task.kind === "binary") {
    const probability = yesProbability(task, outputs[0]);
    const column = task.classes[1] === "yes" ? { column: task.columns[0] } : {};
    return probability >= 0.5
      ? { label: task.classes[1], ...column, probability }
      : { label: task.classes[0], ...column, probability: 1 - probability };
  }
  if (task.kind === "categorical") {
    const best = outputs.indexOf(Math.max(...outputs));
    const total = outputs.reduce((sum, z) => sum + Math.exp(z - outputs[best]), 0);
    return { label: task.classes[best], probability: 1 / total };
  }
  if (task.kind === "regression" && task.outputs === 1) {
    return { value: outputs[0] / task.scale, ...(task.unit === undefined ? {} : { unit: task.unit }) };
  }
  if (task.kind === "regression" && task.unit !== undefined) return { unit: task.unit };
  return task.kind === "multi-label"
    ? { label: task.classes.filter((_, k) => outputs[k] > 0).join(", ") }
    : {};
}

/** "female (98.2 %)", "Smiling: yes (88.7 %)", "31.20 years", or the numbers as they are. */
export function answerText({ label, column, probability, value, unit, outputs }: Answer): string {
  // Landmarks are fractions of the face box, x and y in turn.
  if (unit === "crop") return `${outputs.length / 2} points`;
  const sure = probability === undefined ? "" : ` (${(100 * probability).toFixed(1)} %)`;
  const numbers = value === undefined ? outputs.map((x) => x.toPrecision(6)).join(" ") : value.toFixed(2);
  const of = column === undefined ? "" : `${column}: `;
  // Yes/no labels, all of them no.
  if (label === "") return `none of ${outputs.length}`;
  return `${of}${label ?? [numbers, unit ?? ""].join(" ").trim()}${sure}`;
}
