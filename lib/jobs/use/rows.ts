/** A network over the rows of a store: what evaluating and verifying share. */
import { plural } from "../../core/printable.ts";
import { silent } from "../../core/progress.ts";
import { createRecycler } from "../../core/recycler.ts";
import { type ImageStore } from "../../data/images/store.ts";
import type { Engine } from "../../engine/engine.ts";
import { type ServiceOptions } from "../../engine/service.ts";
import { shownTo, type Model } from "../run/model.ts";
import { passOver } from "../run/passes.ts";

/** One output of a model for some pictures of a store, in order. @returns [rows, width] */
export async function collect(
  engine: Engine,
  model: Model,
  what: { store: ImageStore; rows: Uint32Array; options: ServiceOptions; output?: string },
): Promise<Float32Array> {
  const { store, rows, options } = what;
  const { signal, progress = silent } = options;
  const output = what.output ?? model.network.outputs[0].name;
  progress.start("run the network", rows.length);
  const world = { engine, store, signal, recycler: createRecycler() };
  const { read: preprocessing, views } = shownTo(model);
  const how = { outputs: [output], preprocessing, views, progress };
  const result = await passOver(world, model.network, rows, how);
  progress.finish(plural(rows.length, "picture"));
  return result[output].data;
}

/** The entries that are not undefined. */
export function defined<T extends object>(value: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, v]) => v !== undefined)) as never;
}
