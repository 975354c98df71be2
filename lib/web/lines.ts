/** What a page writes under a face: one line for each thing that the model says. */
import type { Task } from "../core/artifacts.ts";
import { yesProbability } from "../data/probability.ts";

/** "female", 0.98; "age", "31.2 years". */
export interface Line {
  readonly name: string;
  /** A value as text; a share has none. */
  readonly value?: string;
  /** In 0..1, for a bar. */
  readonly share?: number;
}

/** Classes that are named beside the first. */
const MOST_CLASSES = 3;
/** Numbers of a descriptor that are written out. */
const MOST_NUMBERS = 6;

/**
 * The lines of one output.
 *
 * @param outputs of the network, for one face
 * @param task undefined for a model that does not say what its numbers are
 */
export function linesOf(outputs: readonly number[], task: Task | undefined): Line[] {
  if (task === undefined || task.outputs !== outputs.length) return [numbers("output", outputs)];
  const { classes, columns, scale, unit } = task;
  switch (task.kind) {
    case "binary": {
      const share = yesProbability(task, outputs[0]);
      const answered = classes[1] === "yes" ? columns[0] : undefined;
      const said = (label: string): string => (answered === undefined ? label : `${answered}: ${label}`);
      return share >= 0.5
        ? [{ name: said(classes[1]), share }]
        : [{ name: said(classes[0]), share: 1 - share }];
    }
    case "categorical": {
      const shares = softmax(outputs);
      const order = [...shares.keys()].sort((a, b) => shares[b] - shares[a]);
      return order.slice(0, MOST_CLASSES).map((k) => ({ name: classes[k], share: shares[k] }));
    }
    case "multi-label":
      return classes.map((name, k) => ({ name, share: yesProbability(task, outputs[k]) }));
    case "regression": {
      if (unit === "crop") return [{ name: task.name, value: `${outputs.length / 2} points` }];
      if (outputs.length > MOST_NUMBERS) return [numbers(task.name, outputs)];
      return outputs.map((output, k) => ({
        name: outputs.length === 1 ? task.name : (columns[k] ?? task.name),
        value: [(output / scale).toFixed(2), unit ?? ""].join(" ").trim(),
      }));
    }
  }
}

function numbers(name: string, outputs: readonly number[]): Line {
  const first = outputs.slice(0, MOST_NUMBERS).map((output) => output.toPrecision(4));
  const rest = outputs.length > MOST_NUMBERS ? ` … (${outputs.length} numbers)` : "";
  return { name, value: `${first.join(" ")}${rest}` };
}

function softmax(logits: readonly number[]): number[] {
  const most = Math.max(...logits);
  const powers = logits.map((z) => Math.exp(z - most));
  const total = powers.reduce((a, b) => a + b);
  return powers.map((power) => power / total);
}
