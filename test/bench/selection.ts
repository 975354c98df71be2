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
import { spread } from "../../lib/math/statistics.ts";
import { lossValue } from "../../lib/finetune/losses.ts";
import { readOnnx } from "../../lib/formats/onnx/read.ts";
import { analyseCoupling } from "../../lib/network/coupling/analyse.ts";
import type { Coupling } from "../../lib/network/coupling/types.ts";
import { closeWorld } from "../../lib/jobs/run/world.ts";
import { openContext, type RunContext } from "../../lib/jobs/prune/context.ts";
import { cutWithHead } from "../../lib/jobs/prune/surgery.ts";
import { harvestStage, type Harvest } from "../../lib/jobs/prune/harvest.ts";
import { resolveOptions } from "../../lib/jobs/prune/config.ts";
import { type PruneOptions } from "../../lib/jobs/prune/options.ts";
import { originOf } from "../../lib/jobs/prune/origin.ts";
import { curvesStage, planStage, type Planned } from "../../lib/jobs/prune/plan.ts";
import { inRunFolder } from "../../lib/jobs/run/folder.ts";
import { readRunState } from "../../lib/jobs/run/state.ts";
import { predictRows, qualityOf } from "../../lib/jobs/prune/tune.ts";
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

/** Filters among which there is a choice, by what can take their place. */
function groupsOf(coupling: Coupling, keep: Uint8Array): Group[] {
  return interchangeable(coupling).flatMap((classes) => {
    const free = classes.filter((id) => !coupling.frozen.has(id));
    const kept = free.filter((id) => keep[id] === 1).length;
    if (kept === 0 || kept === free.length) return [];
    const has = new Set(free);
    const layers = coupling.layers.filter(({ outputs }) =>
      outputs.some((atom) => has.has(coupling.classOf[atom])),
    );
    return [{ layers: layers.map(({ name }) => name), classes: free, kept }];
  });
}

/** Quality of the cut whose filters are drawn in some groups, and LASSO's in all others. */
async function qualityWith(
  { context, harvest, planned }: From,
  coupling: Coupling,
  { drawn, draw }: { readonly drawn: readonly Group[]; readonly draw: number },
): Promise<Quality> {
  const { keep } = planned.plan;
  const score = Float64Array.from(keep);
  const random = createRandom(context.config.seed).fork(`selection ${draw}`);
  const ranks = score.map(() => random.uniform());
  for (const { classes } of drawn) for (const id of classes) score[id] = ranks[id];
  const selection = selectSameShape(coupling, keep, score);
  const plan = planSurgery(context.backbone.network, selection, { coupling });
  const cut = await cutWithHead(context, { harvest, planned: { ...planned, plan }, control: "random" });
  const rows = Uint32Array.from([...context.rows.val, ...context.rows.test]);
  const [answers] = await predictRows(context, cut, rows);
  const { accuracy, mae } = qualityOf(answers);
  const loss = mae ?? lossValue(answers.task.kind, answers, answers.task.outputs);
  return { accuracy: 100 * accuracy, loss };
}

async function study(from: From, draws: number, keep: (rows: Row[]) => Promise<void>): Promise<void> {
  const coupling = analyseCoupling(from.context.backbone.network);
  const groups = groupsOf(coupling, from.planned.plan.keep);
  const half = groups.length >> 1;
  const parts: readonly (readonly [string, readonly Group[]])[] = [
    ["all", groups],
    ["first half", groups.slice(0, half)],
    ["second half", groups.slice(half)],
    ...groups.map((group) => [group.layers.join(", "), [group]] as const),
  ];
  const lasso = await qualityWith(from, coupling, { drawn: [], draw: 0 });
  const rows: Row[] = [];
  for (const [name, drawn] of parts) {
    const without: Quality[] = [];
    for (let draw = 0; draw < draws; draw++) without.push(await qualityWith(from, coupling, { drawn, draw }));
    rows.push({ ...rowOf(name, lasso, without), ...sizeOf(drawn) });
    await keep(rows);
  }
}

type Row = Record<string, string | number>;

function rowOf(layers: string, lasso: Quality, without: readonly Quality[]): Row {
  const gains = spread(without.map(({ accuracy }) => lasso.accuracy - accuracy));
  return {
    ...{ layers, accuracy: round(lasso.accuracy, 2), draws: without.length },
    ...{ worth: round(gains.mean, 2), spread: round(gains.sd, 2) },
    lossWorth: round(spread(without.map(({ loss }) => loss)).mean - lasso.loss, 4),
  };
}

function sizeOf(groups: readonly Group[]): { readonly kept: number; readonly filters: number } {
  const sum = (size: (group: Group) => number): number =>
    groups.reduce((total, group) => total + size(group), 0);
  return { kept: sum(({ kept }) => kept), filters: sum(({ classes }) => classes.length) };
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
    await study({ context, harvest, planned }, draws, (rows) =>
      report("selection", rows, `selection-${config.task}`),
    );
  } finally {
    await closeWorld(opened);
  }
});
