/** Predictions of a network in training: all its outputs at once, from whole pictures, their middle or ten parts of them. */
import { stopIfAborted } from "../../core/options.ts";
import type { Task } from "../../core/artifacts.ts";
import { batches } from "../../data/images/batches.ts";
import { centrePart, cutParts, tenParts, type Part } from "../../data/images/parts.ts";
import { runStream } from "../../engine/stream.ts";
import type { Network, Tensor } from "../../network/network.ts";
import { mayMirror } from "../world/changes.ts";
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
  const { data, engine, preprocessing } = setup;
  const { rows, heads } = what;
  const [from, side] = [data.store.width, preprocessing.width];
  // Where left and right mean something, a mirrored part has another answer.
  const sideless = mayMirror(setup.config) && heads.every(({ table }) => table.task.mirror === "keep");
  const ten = tenParts(from, side).filter(({ mirrored }) => sideless || !mirrored);
  const all = what.parts === "ten" ? ten : [centrePart(from, side)];
  const parts: readonly (Part | undefined)[] = from === side ? [undefined] : all;
  const batchSize = 32;
  const program = await engine.compile(network, {
    outputs: heads.map(({ output }) => output),
    runs: parts.length * Math.ceil(rows.length / batchSize),
  });
  async function* images(): AsyncGenerator<Tensor> {
    for await (const { x } of batches(data.store, rows, {
      batchSize,
      preprocessing: { ...preprocessing, width: from, height: from },
      recycler: setup.recycler,
    })) {
      for (const part of parts) yield part === undefined ? x : cutParts(x, side, () => part);
    }
  }
  const results = heads.map(({ table }) => new Float32Array(rows.length * table.task.outputs));
  const scores: Float32Array[][] = [];
  let done = 0;
  try {
    const give = parts[0] === undefined ? setup.recycler : true;
    for await (const { item, outputs } of runStream(program, images(), (image) => ({ image }), { give })) {
      stopIfAborted(setup.signal, "predict: stopped by the user");
      scores.push(heads.map(({ output }) => outputs[output].data));
      if (scores.length < parts.length) continue;
      const mean = meanScores(heads, scores.splice(0));
      heads.forEach(({ table }, k) => {
        results[k].set(mean[k], done * table.task.outputs);
      });
      done += item.shape[0];
    }
  } finally {
    await program.dispose();
  }
  return results;
}

/** Scores of one batch, beside `heads`, averaged over the parts as probabilities. */
function meanScores(heads: readonly TrainedHead[], runs: readonly Float32Array[][]): Float32Array[] {
  if (runs.length === 1) return runs[0];
  return heads.map((head, k) => {
    const { task } = head.table;
    const plain = head.labels !== "plain";
    return average(
      runs.map((run) => run[k]),
      plain ? undefined : task,
    );
  });
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
