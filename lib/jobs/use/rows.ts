/** A network over the rows of a store: what evaluating and verifying share. */
import { silent } from "../../core/progress.ts";
import { createRecycler } from "../../core/recycler.ts";
import { batches } from "../../data/images/batches.ts";
import { type ImageStore } from "../../data/images/store.ts";
import type { Engine, Tensors } from "../../engine/engine.ts";
import { type ServiceOptions } from "../../engine/service.ts";
import { predict } from "../../evaluate/predict.ts";
import { type Model } from "../run/model.ts";

/** One output of a model for some pictures of a store, in order. @returns [rows, width] */
export async function collect(
  engine: Engine,
  model: Model,
  what: { store: ImageStore; rows: Uint32Array; options: ServiceOptions; output?: string },
): Promise<Float32Array> {
  const input = model.network.inputs[0].name;
  const output = what.output ?? model.network.outputs[0].name;
  const batchSize = 32;
  const runs = Math.ceil(what.rows.length / batchSize);
  const program = await engine.compile(model.network, { outputs: [output], runs });
  const recycler = createRecycler();
  async function* inputs(): AsyncGenerator<Tensors> {
    for await (const batch of batches(what.store, what.rows, {
      batchSize,
      preprocessing: model.preprocessing,
      recycler,
    })) {
      yield { [input]: batch.x };
    }
  }
  const progress = what.options.progress ?? silent;
  progress.start("run the network", what.rows.length);
  const result = await predict(program, inputs(), {
    outputs: [output],
    give: recycler,
    progress,
    signal: what.options.signal,
  });
  progress.finish(`${what.rows.length} pictures`);
  await program.dispose();
  return result[output].data;
}

/** The entries that are not undefined. */
export function defined<T extends object>(value: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, v]) => v !== undefined)) as never;
}
