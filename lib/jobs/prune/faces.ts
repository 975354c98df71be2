/** The faces that kept filters respond to most: pictures of people, made only where they were asked for. */
import { join } from "node:path";
import { EtlError } from "../../core/errors.ts";
import { worded } from "../../core/voice.ts";
import { createMomentsAccumulator } from "../../math/moments.ts";
import type { Progress } from "../../core/progress.ts";
import type { FacePicture, FilterFaces, RunRecord } from "../../record/record.ts";
import { spread } from "../../math/statistics.ts";
import { thumbnail } from "../../data/images/decode.ts";
import { correlationRanking } from "../../lasso/ranking.ts";
import { openParts, type RunParts } from "./context.ts";
import { asGiven, resolveOptions } from "./config.ts";
import { type PruneOptions } from "./options.ts";
import { pooledResponses, sampledRows, shownAmong } from "./respond.ts";
import { readRunState } from "../run/state.ts";
import { closeWorld } from "../run/world.ts";
import { labelsOf, type RunTask } from "../run/tasks.ts";

/** Kept filters that are shown of a tap, faces of each, and the side of a thumbnail in pixels. */
const [shownFilters, highestFaces, lowestFaces, side] = [2, 8, 4, 64];

/** What is said wherever pictures go into a report. */
export function imagesWarning(dataset: string): string {
  return worded(
    `--with-images: the report holds pictures of people from ${dataset}; mind their terms before you pass it on`,
  );
}

/**
 * Looks at a sample of training pictures through the filters that the run kept: at some taps from first to last, the
 * kept filters that correlate most with the label (of the run's first task).
 */
export async function filterFaces(
  context: RunParts,
  curves: RunRecord["curves"],
): Promise<readonly FilterFaces[]> {
  const kept = curves.filter(({ keep, knee }) => keep !== undefined || knee < 0);
  const taps = shownAmong(kept.length).map((t) => {
    const { tap, layer, total, keep } = kept[t];
    return { tap, layer, channels: total, keep: keep ?? Array.from({ length: total }, (_, i) => i) };
  });
  const [of] = context.tasks;
  const rows = sampledRows(context, of);
  const values = await pooledResponses(context, taps, rows);
  const { targets } = labelsOf(context.store, of, rows);
  const pictureOf = pictureMaker(context, of);
  const found: FilterFaces[] = [];
  for (const [t, { tap, layer, channels, keep }] of taps.entries()) {
    const sums = createMomentsAccumulator(channels, of.task.outputs);
    sums.add(values[t], targets, rows.length);
    const { rho, order } = correlationRanking(sums.moments());
    const own = new Set(keep);
    for (const filter of Array.from(order)
      .filter((each) => own.has(each))
      .slice(0, shownFilters)) {
      const responses = Array.from(rows, (_, i) => values[t][i * channels + filter]);
      const { mean, sd } = spread(responses);
      if (!(sd > 0)) continue;
      const ranked = Array.from(rows.keys()).sort((a, b) => responses[b] - responses[a]);
      const facesOf = (places: readonly number[]): Promise<FacePicture[]> =>
        Promise.all(places.map((i) => pictureOf(rows[i], (responses[i] - mean) / sd)));
      found.push({
        tap,
        layer,
        filter,
        correlation: rho[filter],
        n: rows.length,
        highest: await facesOf(ranked.slice(0, highestFaces)),
        lowest: await facesOf(ranked.slice(highestFaces).slice(-lowestFaces)),
      });
    }
  }
  return found;
}

/** Thumbnails of rows, each made once. */
function pictureMaker(
  { store }: RunParts,
  { task, start }: RunTask,
): (row: number, response: number) => Promise<FacePicture> {
  const made = new Map<number, Promise<string>>();
  const webpOf = async (row: number): Promise<string> => {
    const pixels = await store.read([row]);
    return Buffer.from(await thumbnail(pixels, store, side)).toString("base64");
  };
  const labelOf = (target: Float32Array): string => {
    if (task.kind === "binary") return task.classes[target[0] >= 0.5 ? 1 : 0];
    if (task.kind === "categorical") return task.classes[target.indexOf(Math.max(...target))];
    if (task.kind === "multi-label" || task.outputs > 1) return "";
    return `${Number((target[0] / task.scale).toPrecision(3))} ${task.unit ?? ""}`.trim();
  };
  return async (row, response) => {
    const webp = made.get(row) ?? webpOf(row);
    made.set(row, webp);
    return {
      response,
      label: labelOf(store.items[row].target.subarray(start, start + task.outputs)),
      webp: await webp,
    };
  };
}

/** The faces for a finished run: its data are opened again. @throws EtlError `usage` for a run of another kind */
export async function facesOfRun(
  run: string,
  record: RunRecord,
  options: { readonly progress: Progress; readonly signal?: AbortSignal },
): Promise<readonly FilterFaces[]> {
  const state = await readRunState(run);
  if (state === undefined || record.curves.length === 0) {
    throw new EtlError(
      "usage",
      `${join(run, "run.json")}: no filters were chosen, a run of etl prune was needed`,
      {
        hint: "leave --with-images out for this run",
      },
    );
  }
  const config = resolveOptions(asGiven({ ...(state.config as unknown as PruneOptions), out: run }));
  const context = await openParts(config, options);
  try {
    if (context.dataset.fingerprint !== record.dataset.fingerprint) {
      throw new EtlError("data", `${config.data}: not the data of ${run} any more, the same were needed`);
    }
    options.progress.warn(imagesWarning(context.dataset.name));
    return await filterFaces(context, record.curves);
  } finally {
    await closeWorld(context);
  }
}
