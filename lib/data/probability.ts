/** What the number of a yes/no label says of its probability. */
import type { Task } from "../core/artifacts.ts";

/** The probability of yes: of a logit, or of a number that was learnt as -1 (no) or 1 (yes), whose mean is 2 p - 1. */
export function yesProbability({ scores }: Pick<Task, "scores">, output: number): number {
  if (scores === "signed") return Math.min(1, Math.max(0, (1 + output) / 2));
  return 1 / (1 + Math.exp(-output));
}
