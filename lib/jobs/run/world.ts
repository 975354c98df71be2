/** Pictures and what computes on them: opened once for a run, closed together. */
import { plural } from "../../core/printable.ts";
import type { Preprocessing } from "../../core/artifacts.ts";
import { worded } from "../../core/voice.ts";
import type { Progress } from "../../core/progress.ts";
import { createRecycler, type Recycler } from "../../core/recycler.ts";
import { lostClasses } from "../../data/coverage.ts";
import type { Dataset } from "../../data/dataset.ts";
import { partsSentence } from "../../data/joint.ts";
import { prepareImages, type ImageStore } from "../../data/images/store.ts";
import type { Engine, EngineName, EngineOptions } from "../../engine/engine.ts";
import { openEngine } from "../../engine/open.ts";
import { timerOf } from "../../evaluate/profile.ts";
import type { PartRows } from "./parts.ts";

/** What a network is trained and measured with. */
export interface World {
  readonly engine: Engine;
  /** The engine with the threads that networks are timed with. */
  readonly timer: Engine;
  readonly dataset: Dataset;
  readonly store: ImageStore;
  readonly rows: PartRows;
  /** Lends the arrays of pictures. */
  readonly recycler: Recycler;
  readonly progress: Progress;
  readonly signal: AbortSignal | undefined;
}

interface WorldConfig {
  readonly strict: boolean;
  readonly cacheDir?: string | undefined;
  readonly engine: EngineName | "auto";
  readonly device?: EngineOptions["device"] | undefined;
  readonly threads?: number | undefined;
}

/**
 * Decodes the pictures, looks whether they will do, and opens the engine. The caller closes with {@link closeWorld}.
 *
 * @param preprocessing size of the pictures in the store
 * @param options.items pictures that are decoded, where not all are
 * @param options.folds whether folds take the place of parts
 * @param options.rowsOf the parts of a run; throws where they are not enough
 */
export async function openWorld(
  dataset: Dataset,
  preprocessing: Preprocessing,
  options: Pick<World, "progress" | "signal"> & {
    readonly config: WorldConfig;
    readonly items?: Dataset["items"];
    readonly folds?: boolean;
    readonly rowsOf: (store: ImageStore) => PartRows;
  },
): Promise<World> {
  const { config, progress, signal, items = dataset.items } = options;
  const { strict, cacheDir, engine, device, threads } = config;
  const store = await prepareImages({ ...dataset, items }, preprocessing, {
    ...{ progress, signal, strict },
    ...(cacheDir !== undefined && { cacheDir }),
    ...(threads !== undefined && { threads }),
  });
  try {
    const lost = lostClasses({ ...dataset, items }, store.items);
    const rows = options.rowsOf(store);
    if (store.items.length < items.length && options.items === undefined)
      progress.note(
        options.folds === true
          ? `left: ${plural(store.items.length, "picture")}`
          : `left: ${partsSentence(store.dataset)}`,
      );
    for (const sentence of lost) progress.warn(worded(sentence));
    const opened = await openEngine({ engine, device, threads });
    return {
      ...{ dataset, store, rows, progress, signal },
      engine: opened,
      timer: timerOf(opened, threads),
      recycler: createRecycler(),
    };
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** Closes the store also where the engine cannot be. */
export async function closeWorld({ engine, store }: Pick<World, "engine" | "store">): Promise<void> {
  try {
    await engine.dispose();
  } finally {
    await store.close();
  }
}

/** Says what a data set assumes, how many pictures its parts have, what looks odd in it, and which rows are left out. */
export function announce(dataset: Dataset, progress: Progress, parts = partsSentence(dataset)): void {
  const { assumptions, warnings = [], problems } = dataset;
  for (const assumption of assumptions) progress.note(worded(assumption));
  progress.note(parts);
  for (const warning of warnings) progress.warn(worded(warning));
  if (problems.length === 0) return;
  const some = problems.slice(0, 5).map(({ file, problem }) => `${file}: ${problem}`);
  progress.warn(
    `${plural(problems.length, "row")} left out: ${some.join("; ")}${problems.length > 5 ? "; ... (all of them: left-out.csv in the run folder)" : ""}`,
  );
}
