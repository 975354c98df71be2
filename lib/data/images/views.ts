/** Pictures shown in parts: the answer of a network that learnt pieces of pictures is the mean of its answers to some of them. */
import type { Preprocessing, Task } from "../../core/artifacts.ts";
import type { Tensor } from "../../network/network.ts";
import { centrePart, cutParts, tenParts } from "./parts.ts";

/** Several ways to show a batch, one after the other, and how their answers become one. */
export interface Views {
  readonly count: number;
  readonly of: (x: Tensor) => readonly Tensor[];
  readonly combine: (output: string, answers: readonly Float32Array[]) => Float32Array;
}

/** How a network that learnt parts of pictures is asked. */
export interface SeenParts {
  /** Side in pixels that a picture is resized to before parts are cut: more than that of the network's input. */
  readonly side: number;
  /** Whether mirrored parts count too: not where left and right mean something. */
  readonly mirrored: boolean;
}

/** How a picture is read for a network: larger than its input where parts are cut out of it. */
export function readAt(preprocessing: Preprocessing, parts: SeenParts | undefined): Preprocessing {
  return parts === undefined ? preprocessing : { ...preprocessing, width: parts.side, height: parts.side };
}

/** The part in the middle alone. */
export function centreView(from: number, side: number): Views {
  const part = centrePart(from, side);
  return { count: 1, of: (x) => [cutParts(x, side, () => part)], combine: (_, [answer]) => answer };
}

/**
 * The four corners and the centre, and the same mirrored: ten parts, or five (Krizhevsky et al. 2012; LMTCNN, section 3.2).
 *
 * @param side of the network's input
 * @param taskOf what an output answers: scores are averaged as probabilities; undefined: as the numbers they are
 * @param thresholds of an output, taken off before probabilities are averaged
 */
export function partViews(
  { side: from, mirrored }: SeenParts,
  side: number,
  taskOf: (output: string) => Task | undefined,
  thresholds: (output: string) => readonly number[] | undefined = () => undefined,
): Views {
  const parts = tenParts(from, side).filter((part) => mirrored || !part.mirrored);
  return {
    count: parts.length,
    of: (x) => parts.map((part) => cutParts(x, side, () => part)),
    combine: (output, answers) => {
      const off = thresholds(output);
      const scores =
        off === undefined ? answers : answers.map((run) => run.map((z, i) => z - off[i % off.length]));
      return meanScore(scores, taskOf(output));
    },
  };
}

/** One answer for each output out of those to all views of the same pictures. */
export function combined(
  { combine }: Views,
  answers: readonly Readonly<Record<string, Tensor>>[],
): Record<string, Tensor> {
  return Object.fromEntries(
    Object.entries(answers[0]).map(([name, { shape }]) => {
      const data = combine(
        name,
        answers.map((each) => each[name].data),
      );
      return [name, { shape, data }];
    }),
  );
}

/** Mean over runs: of probabilities, given back as logits, or of the numbers themselves. */
function meanScore(runs: readonly Float32Array[], task: Task | undefined): Float32Array {
  const kind = task === undefined || task.scores === "signed" ? "regression" : task.kind;
  const probabilities = runs.map((run) =>
    kind === "categorical"
      ? softmax(run, task?.outputs ?? 1)
      : kind === "regression"
        ? run
        : run.map(sigmoid),
  );
  const mean = probabilities[0].map(
    (_, i) => probabilities.reduce((sum, run) => sum + run[i], 0) / runs.length,
  );
  const tiny = 1e-12;
  if (kind === "regression") return mean;
  return kind === "categorical"
    ? mean.map((p) => Math.log(Math.max(p, tiny)))
    : mean.map((p) => Math.log(Math.max(p, tiny) / Math.max(1 - p, tiny)));
}

const sigmoid = (z: number): number => 1 / (1 + Math.exp(-z));

function softmax(logits: Float32Array, q: number): Float32Array {
  const out = new Float32Array(logits.length);
  for (let i = 0; i < logits.length; i += q) {
    const row = logits.subarray(i, i + q);
    const largest = row.reduce((most, z) => Math.max(most, z), -Infinity);
    const total = row.reduce((sum, z) => sum + Math.exp(z - largest), 0);
    row.forEach((z, k) => (out[i + k] = Math.exp(z - largest) / total));
  }
  return out;
}
