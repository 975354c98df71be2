/**
 * Stage responses: how single filters respond to the label (the paper's figure 2). To classes from the moments of the
 * harvest, to numbers on a sample of training pictures.
 */
import { plural } from "../../core/printable.ts";
import type { Moments, Task, TapMoments } from "../../core/artifacts.ts";
import { writeJson } from "../../core/files.ts";
import { createRandom } from "../../core/random.ts";
import { mergeMoments } from "../../math/moments.ts";
import type { ResponseRecord } from "../../record/record.ts";
import { spread } from "../../math/statistics.ts";
import { responsesByClass } from "../../harvest/by-class.ts";
import { correlationRanking } from "../../lasso/ranking.ts";
import { subnetwork } from "../../network/subnetwork.ts";
import { withPooledTaps, type Tap } from "../../network/taps.ts";
import { runStream } from "../../engine/stream.ts";
import { batchesOf, pictures, type RunContext, type RunParts } from "./context.ts";
import { harvestKey, type Harvest } from "./harvest.ts";
import { isLabelled, labelsOf, momentsByTask, type RunTask } from "../run/tasks.ts";
import { readStored } from "../run/stored.ts";

/** Training pictures that are looked at, taps that are shown, and groups of labels of a regression. */
const [sampleSize, shownTaps, groupCount] = [1000, 6, 12];

interface Chosen {
  readonly tap: string;
  readonly layer: string;
  readonly channels: number;
  readonly filter: number;
  readonly correlation: number;
  /** Of the whole tap and the task, over all folds. */
  readonly moments: Moments;
}

/**
 * Responses by label of the filter that correlates most with it, at some taps from first to last.
 *
 * @returns for every task; none for tasks of several labels
 */
export async function responsesStage(context: RunContext, harvest: Harvest): Promise<ResponseRecord[][]> {
  const moments = harvest.moments.map((all) => momentsByTask(all, context));
  const responses: ResponseRecord[][] = [];
  for (const [t, of] of context.tasks.entries()) {
    const own = moments.map((byTask) => byTask[t]);
    responses.push(await responsesTo(context, of, chosenFilters(harvest.taps, own)));
  }
  return responses;
}

async function responsesTo(
  context: RunContext,
  of: RunTask,
  chosen: readonly Chosen[],
): Promise<ResponseRecord[]> {
  const { folder, tasks } = context;
  const { name, kind, outputs } = of.task;
  if (kind === "multi-label" || (kind === "regression" && outputs > 1)) return [];
  const alone = tasks.length === 1;
  const file = alone ? "responses.json" : `responses-${name}.json`;
  await folder.stage(alone ? "responses" : `responses:${name}`, {
    from: ["harvest"],
    measures: true,
    inputs: { harvest: harvestKey(context), sampleSize, shownTaps, groupCount, schema: 3 },
    files: [file],
    produce: async () =>
      writeJson(
        folder.file(file),
        kind === "regression" ? await toNumbers(context, of, chosen) : toClasses(of.task, chosen),
      ),
  });
  return readStored<ResponseRecord[]>(folder, file, "responses");
}

/** The most correlated filter of `shownTaps` taps, spread evenly over the depth. */
function chosenFilters(taps: readonly Tap[], moments: readonly TapMoments[]): Chosen[] {
  return shownAmong(taps.length).map((t) => {
    const merged = mergeMoments(moments[t].folds);
    const { rho, order } = correlationRanking(merged);
    const { tap, layer, channels } = taps[t];
    return { tap, layer, channels, filter: order[0], correlation: rho[order[0]], moments: merged };
  });
}

/** The training rows of a task that are looked at, drawn by seed, ascending. */
export function sampledRows(
  { config, rows, store }: Pick<RunParts, "config" | "rows" | "store">,
  of: RunTask,
): Uint32Array {
  const labelled = Array.from(rows.train).filter((row) => isLabelled(store.items[row], of));
  const shuffled = createRandom(config.seed).fork("responses").shuffle(labelled);
  return Uint32Array.from(shuffled.slice(0, sampleSize)).sort();
}

/** Evenly spread places among `count` taps, from the first to the last. */
export function shownAmong(count: number): number[] {
  const shown = Math.min(shownTaps, count);
  const at = Array.from({ length: shown }, (_, i) => Math.round((i * (count - 1)) / Math.max(1, shown - 1)));
  return [...new Set(at)];
}

/**
 * Pooled responses of whole taps.
 *
 * @returns beside `taps`, each [rows.length, channels]
 */
export async function pooledResponses(
  context: RunParts,
  taps: readonly { readonly tap: string; readonly channels: number }[],
  rows: Uint32Array,
): Promise<readonly Float32Array[]> {
  const { engine, backbone } = context;
  const pooled = withPooledTaps(backbone.network, taps);
  const outputs = taps.map(({ tap }) => pooled.outputs.get(tap) ?? tap);
  const program = await engine.compile(subnetwork(pooled.network, outputs), {
    outputs,
    runs: batchesOf(context, rows.length),
  });
  const values = taps.map(({ channels }) => new Float32Array(rows.length * channels));
  const input = backbone.network.inputs[0].name;
  const give = context.recycler;
  let done = 0;
  context.progress.start("responses", rows.length);
  try {
    const stream = runStream(program, pictures(context, rows), ({ x }) => ({ [input]: x }), { give });
    for await (const { item, outputs: result } of stream) {
      taps.forEach(({ channels }, t) => {
        values[t].set(result[outputs[t]].data, done * channels);
      });
      done += item.rows.length;
      context.progress.update(done);
      context.signal?.throwIfAborted();
    }
  } finally {
    await program.dispose();
  }
  context.progress.finish(`${plural(taps.length, "tap")}, ${plural(rows.length, "picture")}`);
  return values;
}

/** Responses to each class, of all training pictures. */
function toClasses({ classes: labels }: Task, chosen: readonly Chosen[]): ResponseRecord[] {
  return chosen.map(({ tap, layer, filter, correlation, moments }) => {
    const { mean, sd, classes } = responsesByClass(moments, filter);
    const points = classes.map((of, k) => ({ label: labels[k], ...of }));
    return { tap, layer, filter, correlation, mean, sd, points };
  });
}

/** Responses to ranges of a number, of a sample of training pictures. */
async function toNumbers(
  context: RunContext,
  of: RunTask,
  chosen: readonly Chosen[],
): Promise<ResponseRecord[]> {
  const sample = sampledRows(context, of);
  const groups = groupsOf(of.task, labelsOf(context.store, of, sample).targets);
  const values = await pooledResponses(context, chosen, sample);
  return chosen.map(({ tap, layer, channels, filter, correlation }, t) => {
    const all = Array.from(sample, (_, i) => values[t][i * channels + filter]);
    const points = groups.names.map((label, g) => {
      const own = all.filter((_, i) => groups.of[i] === g);
      const n = own.length;
      const { mean, sd } = n === 0 ? { mean: 0, sd: 0 } : spread(own);
      return { label, mean, error: n === 0 ? 0 : sd / Math.sqrt(n), n };
    });
    return { tap, layer, filter, correlation, ...spread(all), points };
  });
}

/** The group of every sampled row: one of at most `groupCount` ranges of the label, or of a few more labels. */
function groupsOf(task: Task, known: Float32Array): { names: number[]; of: Int32Array } {
  const labels = Array.from(known, (value) => value / task.scale);
  const distinct = [...new Set(labels.map((label) => Number(label.toPrecision(6))))].sort((a, b) => a - b);
  if (distinct.length <= 2 * groupCount) {
    return {
      names: distinct,
      of: Int32Array.from(labels, (label) => distinct.indexOf(Number(label.toPrecision(6)))),
    };
  }
  const low = distinct[0];
  const width = (distinct[distinct.length - 1] - low) / groupCount;
  return {
    names: Array.from({ length: groupCount }, (_, g) => Number((low + (g + 0.5) * width).toPrecision(3))),
    of: Int32Array.from(labels, (label) => Math.min(groupCount - 1, Math.floor((label - low) / width))),
  };
}
