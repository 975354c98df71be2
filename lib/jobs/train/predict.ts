/** Predictions of a network in training: all its outputs at once, from whole pictures, their middle or ten parts of them. */
import type { Task } from "../../core/artifacts.ts";
import { centrePart, cutParts, tenParts } from "../../data/images/parts.ts";
import type { Network } from "../../network/network.ts";
import { mayMirror } from "../run/changes.ts";
import { passOver } from "../run/passes.ts";
import type { TrainedHead } from "./heads.ts";
import type { TrainSetup } from "./setup.ts";

/**
 * Outputs of every head, beside `heads`, [rows, q] in the network's units.
 *
 * @param what.parts where the network sees less than the stored picture: the middle, or the mean score of ten parts
 */
export async function predictHeads(
  setup: Pick<TrainSetup, "config" | "data" | "engine" | "preprocessing" | "recycler" | "signal">,
  network: Network,
  what: {
    readonly rows: Uint32Array;
    readonly heads: readonly TrainedHead[];
    readonly parts: "centre" | "ten";
  },
): Promise<Float32Array[]> {
  const { data, preprocessing } = setup;
  const { rows, heads } = what;
  const [from, side] = [data.store.width, preprocessing.width];
  // Where left and right mean something, a mirrored part has another answer.
  const sideless = mayMirror(setup.config) && heads.every(({ table }) => table.task.mirror === "keep");
  const ten = tenParts(from, side).filter(({ mirrored }) => sideless || !mirrored);
  const parts = what.parts === "ten" ? ten : [centrePart(from, side)];
  const headOf = new Map(heads.map((head) => [head.output, head]));
  const collected = await passOver({ ...setup, store: data.store }, network, rows, {
    outputs: [...headOf.keys()],
    preprocessing: { ...preprocessing, width: from, height: from },
    views:
      from === side
        ? undefined
        : {
            count: parts.length,
            of: (x) => parts.map((part) => cutParts(x, side, () => part)),
            combine: (output, runs) => meanScores(headOf.get(output), runs),
          },
  });
  return heads.map(({ output }) => collected[output].data);
}

/** Scores of one batch, averaged over the parts: as probabilities where they are logits. */
function meanScores(head: TrainedHead | undefined, runs: readonly Float32Array[]): Float32Array {
  return average(runs, head?.labels === "plain" ? head.table.task : undefined);
}

/** Mean over runs: of probabilities, given back as logits, or of the numbers themselves. */
function average(runs: readonly Float32Array[], task: Task | undefined): Float32Array {
  const kind = task?.kind;
  const q = task?.outputs ?? 1;
  const probabilities = runs.map((run) =>
    kind === "categorical"
      ? softmax(run, q)
      : kind === "regression" || kind === undefined
        ? run
        : run.map(sigmoid),
  );
  const mean = probabilities[0].map(
    (_, i) => probabilities.reduce((sum, run) => sum + run[i], 0) / runs.length,
  );
  if (kind === "regression" || kind === undefined) return mean;
  const tiny = 1e-12;
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
