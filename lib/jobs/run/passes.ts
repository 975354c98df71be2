/** Pictures through networks, alike in every job: the batches of an epoch of training, and a pass over rows. */
import type { Preprocessing } from "../../core/artifacts.ts";
import type { Progress } from "../../core/progress.ts";
import { batches, type Batch, type BatchOptions } from "../../data/images/batches.ts";
import type { Views } from "../../data/images/views.ts";
import type { ImageStore } from "../../data/images/store.ts";
import type { Tensors } from "../../engine/engine.ts";
import { predict, type Collected } from "../../evaluate/predict.ts";
import { picturesAtOnce, type Network } from "../../network/network.ts";
import type { World } from "./world.ts";

/** Steps of an epoch: its full batches. */
export const stepsIn = (rows: Uint32Array, batchSize: number): number =>
  Math.max(1, Math.floor(rows.length / batchSize));

/** Full batches of one epoch, shuffled; the rows that are left over wait for the next epoch's shuffle. */
export async function* epochBatches(
  store: ImageStore,
  rows: Uint32Array,
  options: BatchOptions & { readonly epoch: number },
): AsyncGenerator<Batch> {
  const steps = stepsIn(rows, options.batchSize);
  let done = 0;
  for await (const batch of batches(store, rows, { ...options, shuffle: true })) {
    if (done === steps) return;
    done += 1;
    yield batch;
  }
}

/** Outputs of a network for some rows in order: name -> [rows, width]. */
export async function passOver(
  world: Pick<World, "engine" | "store" | "recycler" | "signal">,
  network: Network,
  rows: Uint32Array,
  options: {
    readonly outputs: readonly string[];
    readonly preprocessing: Preprocessing;
    readonly batchSize?: number;
    readonly views?: Views | undefined;
    readonly progress?: Progress | undefined;
  },
): Promise<Record<string, Collected>> {
  const { engine, store, recycler, signal } = world;
  const { outputs, preprocessing, views, progress } = options;
  const batchSize = picturesAtOnce(network, options.batchSize ?? 32);
  const count = views?.count ?? 1;
  const runs = count * Math.ceil(rows.length / batchSize);
  const program = await engine.compile(network, { outputs, runs });
  const input = network.inputs[0].name;
  async function* inputs(): AsyncGenerator<Tensors> {
    for await (const { x } of batches(store, rows, { batchSize, preprocessing, recycler }))
      for (const shown of views?.of(x) ?? [x]) yield { [input]: shown };
  }
  try {
    // What a view shows is an array of its own, which the engine may keep.
    const give = views === undefined ? recycler : true;
    const combined = count > 1 && views !== undefined ? { views } : {};
    return await predict(program, inputs(), { outputs, give, signal, progress, ...combined });
  } finally {
    await program.dispose();
  }
}
