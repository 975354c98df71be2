/**
 * What the choice of filters is worth, layer by layer, before any training.
 *
 *     npx tsx test/bench/selection.ts RUN [DRAWS 3] [THREADS 2]
 *
 * RUN is the folder of a finished `etl prune`. Filters that can take each other's place without a change of any width
 * (those of a layer, or of the layers that are tied together) are a group. For every group, its filters are drawn at random
 * while all other groups keep LASSO's; the first rows draw all groups, and those of either half of the network. Every cut
 * goes through reconstruction, refit and closed-form head as in the run, and is judged on validation and test pictures,
 * none of which it has seen. `worth` is the accuracy with LASSO's filters in the group minus without, in points, mean over
 * draws; `spread` the standard deviation of a draw, 0 where there is one.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createRandom } from "../../lib/core/random.ts";
import { writeJson } from "../../lib/core/files.ts";
import { lossValue } from "../../lib/finetune/losses.ts";
import { readOnnx } from "../../lib/formats/onnx.ts";
import { analyseCoupling } from "../../lib/network/coupling/analyse.ts";
import type { Coupling } from "../../lib/network/coupling/types.ts";
import { closeContext, openContext, type RunContext } from "../../lib/pipeline/context.ts";
import { cutWithHead } from "../../lib/pipeline/cutting.ts";
import { harvestStage, type Harvest } from "../../lib/pipeline/harvesting.ts";
import { resolveOptions, type PruneOptions } from "../../lib/pipeline/options.ts";
import { originOf } from "../../lib/pipeline/origin.ts";
import { curvesStage, planStage, type Planned } from "../../lib/pipeline/planning.ts";
import { inRunFolder, readRunState } from "../../lib/pipeline/run-folder.ts";
import { predictRows, qualityOf } from "../../lib/pipeline/training.ts";
import { interchangeable } from "../../lib/surgery/choose.ts";
import { planSurgery } from "../../lib/surgery/plan.ts";
import { selectSameShape } from "../../lib/surgery/same-shape.ts";
import { report, round } from "./support.ts";

/** Accuracy in per cent, and loss (cross-entropy; of numbers the mean error). */
interface Quality {
  readonly accuracy: number;
  readonly loss: number;
}

interface Group {
  /** Layers whose filters they are. */
  readonly layers: readonly string[];
  readonly classes: readonly number[];
  readonly kept: number;
}

interface From {
  readonly context: RunContext;
  readonly harvest: Harvest;
  readonly planned: Planned;
}

/** Judges cuts of one run; the same choice of filters is cut once. */
class Cuts {
  readonly groups: readonly Group[];
  readonly #known = new Map<string, Promise<Quality>>();
  readonly #coupling: Coupling;
  readonly #from: From;

  constructor(from: From) {
    const { context, planned } = from;
    const coupling = analyseCoupling(context.backbone.network);
    this.#coupling = coupling;
    this.#from = from;
    this.groups = interchangeable(coupling).flatMap((classes) => {
      const free = classes.filter((id) => !coupling.frozen.has(id));
      const kept = free.filter((id) => planned.plan.keep[id] === 1).length;
      if (kept === 0 || kept === free.length) return [];
      const has = new Set(free);
      const layers = coupling.layers.filter(({ outputs }) =>
        outputs.some((atom) => has.has(coupling.classOf[atom])),
      );
      return [{ layers: layers.map(({ name }) => name), classes: free, kept }];
    });
  }

  /** The cut whose filters are drawn in some of the groups, and LASSO's in all others. */
  quality(drawn: readonly Group[], draw: number): Promise<Quality> {
    const { planned, context } = this.#from;
    const { keep } = planned.plan;
    const score = Float64Array.from(keep);
    const random = createRandom(context.config.seed).fork(`selection ${draw}`);
    const ranks = score.map(() => random.uniform());
    for (const { classes } of drawn) for (const id of classes) score[id] = ranks[id];
    const selection = selectSameShape(this.#coupling, keep, score);
    const key = JSON.stringify(Array.from(selection, ([layer, channels]) => [layer, [...channels]]));
    const known = this.#known.get(key) ?? this.#judge(selection);
    this.#known.set(key, known);
    return known;
  }

  async #judge(selection: ReturnType<typeof selectSameShape>): Promise<Quality> {
    const { context, harvest, planned } = this.#from;
    const { network } = context.backbone;
    const plan = planSurgery(network, selection, { coupling: this.#coupling });
    const cut = await cutWithHead(context, { harvest, planned: { ...planned, plan }, control: "random" });
    const rows = Uint32Array.from([...context.rows.val, ...context.rows.test]);
    const [answers] = await predictRows(context, cut, rows);
    const { accuracy, mae } = qualityOf(answers);
    const loss = mae ?? lossValue(answers.task.kind, answers, answers.task.outputs);
    return { accuracy: 100 * accuracy, loss };
  }
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function deviation(values: readonly number[]): number {
  const middle = mean(values);
  return Math.sqrt(values.reduce((sum, v) => sum + (v - middle) ** 2, 0) / Math.max(1, values.length - 1));
}

async function study(cuts: Cuts, draws: number, keep: (rows: Row[]) => Promise<void>): Promise<void> {
  const rows: Row[] = [];
  const seeds = Array.from({ length: draws }, (_, draw) => draw);
  const lasso = await cuts.quality([], 0);
  const all = await each(seeds, (draw) => cuts.quality(cuts.groups, draw));
  rows.push({ ...rowOf("all", lasso, all), ...sizeOf(cuts.groups) });
  await keep(rows);
  const half = cuts.groups.length >> 1;
  const parts = [cuts.groups.slice(0, half), cuts.groups.slice(half), ...cuts.groups.map((group) => [group])];
  for (const [i, groups] of parts.entries()) {
    const without = await each(seeds, (draw) => cuts.quality(groups, draw));
    const name = i < 2 ? `${["first", "second"][i]} half` : groups[0].layers.join(", ");
    rows.push({ ...rowOf(name, lasso, without), ...sizeOf(groups) });
    await keep(rows);
  }
}

type Row = Record<string, string | number>;

function rowOf(layers: string, lasso: Quality, without: readonly Quality[]): Row {
  const gains = without.map(({ accuracy }) => lasso.accuracy - accuracy);
  return {
    ...{ layers, accuracy: round(lasso.accuracy, 2), draws: without.length },
    ...{ worth: round(mean(gains), 2), spread: round(deviation(gains), 2) },
    lossWorth: round(mean(without.map(({ loss }) => loss)) - lasso.loss, 4),
  };
}

function sizeOf(groups: readonly Group[]): { readonly kept: number; readonly filters: number } {
  const sum = (size: (group: Group) => number): number =>
    groups.reduce((total, group) => total + size(group), 0);
  return { kept: sum(({ kept }) => kept), filters: sum(({ classes }) => classes.length) };
}

async function each<T>(items: readonly number[], work: (item: number) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (const item of items) results.push(await work(item));
  return results;
}

const [run, ...numbers] = process.argv.slice(2);
const [draws = 3, threads = 2] = numbers.map(Number);
const state = await readRunState(run);
if (state === undefined)
  throw new Error(`${run}: no run folder; the folder of a finished etl prune was needed`);
const config = resolveOptions({ ...(state.config as unknown as PruneOptions), out: run });
await inRunFolder(run, { config, signal: undefined }, async (folder) => {
  const opened = await openContext({ ...config, threads }, folder, {});
  try {
    const harvest = await harvestStage(opened);
    const planned = await planStage(opened, await curvesStage(opened, harvest));
    const baseline = readOnnx(await readFile(join(run, "baseline.onnx")), { name: "baseline.onnx" });
    const context = originOf(opened, { network: baseline, bestEpoch: 1 });
    const name = `selection-${config.task}`;
    await study(new Cuts({ context, harvest, planned }), draws, async (rows) => {
      await writeJson(join(run, `${name}.json`), rows);
      await report("selection", rows, name);
    });
  } finally {
    await closeContext(opened);
  }
});
