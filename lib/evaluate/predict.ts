/** Runs a compiled network over batches. */
import { stopIfAborted } from "../core/options.ts";
import { EtlError } from "../core/errors.ts";
import { silent, type Progress } from "../core/progress.ts";
import type { Program, RunOptions, Tensors } from "../engine/engine.ts";
import { runStream } from "../engine/stream.ts";
import { sizeOf } from "../network/network.ts";

export interface PredictOptions {
  /** Values to collect; default: all that the program gives. */
  readonly outputs?: readonly string[];
  /** The arrays of the batches are the engine's, as in `RunOptions`. */
  readonly give?: RunOptions["give"];
  /**
   * `count` batches one after the other show the same rows, each in another way; `combine` makes one answer of theirs, each
   * [rows of the batch, width].
   */
  readonly views?: {
    readonly count: number;
    readonly combine: (output: string, answers: readonly Float32Array[]) => Float32Array;
  };
  readonly progress?: Progress | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** One value over all rows: `data` is row-major [rows, width]. */
export interface Collected {
  readonly rows: number;
  /** Elements of one row (the product of all dimensions but the first). */
  readonly width: number;
  readonly data: Float32Array;
}

/**
 * Runs `program` batch by batch and collects its outputs, in order. While a batch is computed the next ones are
 * fetched (decoded), so that neither side waits for the other.
 *
 * @param batches the inputs of each run; all inputs of a batch have the same number of rows
 * @returns value name -> all rows
 */
export async function predict(
  program: Program,
  batches: AsyncIterable<Tensors> | Iterable<Tensors>,
  options: PredictOptions = {},
): Promise<Record<string, Collected>> {
  const { progress = silent, signal, give, views } = options;
  const count = views?.count ?? 1;
  const parts = new Map<string, { width: number; chunks: Float32Array[]; rows: number }>();
  let [done, seen] = [0, 0];
  for await (const { item, outputs } of runStream(program, batches, (inputs) => inputs, { give })) {
    stopIfAborted(signal, "predict: stopped by the user");
    for (const name of options.outputs ?? Object.keys(outputs)) {
      if (!Object.hasOwn(outputs, name)) {
        const given = Object.keys(outputs).join(", ");
        throw new EtlError("usage", `predict: no output "${name}", one of ${given} was needed`);
      }
      const { shape, data } = outputs[name];
      const width = sizeOf(shape.slice(1));
      const part = parts.get(name) ?? { width, chunks: [], rows: 0 };
      part.chunks.push(data);
      if (seen % count === count - 1) {
        if (views !== undefined) part.chunks.push(views.combine(name, part.chunks.splice(-count)));
        part.rows += shape[0];
      }
      parts.set(name, part);
    }
    seen += 1;
    if (seen % count > 0) continue;
    done += Object.values(item)[0]?.shape[0] ?? 0;
    progress.update(done);
  }
  return Object.fromEntries(
    [...parts].map(([name, { width, chunks, rows }]) => {
      const data = new Float32Array(rows * width);
      let offset = 0;
      for (const chunk of chunks) {
        data.set(chunk, offset);
        offset += chunk.length;
      }
      return [name, { rows, width, data }];
    }),
  );
}
