/** Stages curves and plan: LASSO paths, knees, and which channels stay. */
import type { Curve, Knee, TapMoments } from "../../core/artifacts.ts";
import { readBytes, writeJson, writeWhole } from "../../core/files.ts";
import { decodePlain, encodePlain } from "../../core/plain.ts";
import type { CurveRecord } from "../../record/record.ts";
import { chooseCurveKnee } from "../../knee/knee.ts";
import { stabilityOf } from "../../knee/stability.ts";
import { mergeMoments } from "../../math/moments.ts";
import type { Backbone } from "../../backbones/backbone.ts";
import type { Network } from "../../network/network.ts";
import { subnetwork } from "../../network/subnetwork.ts";
import { planKeeping, planSurgery, type Plan } from "../../surgery/plan.ts";
import type { RunContext } from "./context.ts";
import { withJointPaths } from "./joint.ts";
import { needStored } from "../run/stored.ts";
import { momentsByTask } from "../run/tasks.ts";
import { solveCurves } from "./solve.ts";
import { harvestKey, type Harvest } from "./harvest.ts";

/** Curves of all taps, for every task one after the other; knees lie beside them. */
export interface Curves {
  readonly curves: readonly Curve[];
  /** Beside the curves: what each was solved from. */
  readonly origins: readonly CurveOrigin[];
}

interface CurveOrigin {
  /** The convolution that ends in the tap. */
  readonly layer: string;
  readonly moments: TapMoments;
  /** Where a run has several. */
  readonly task?: string;
}

/** The curves as the record keeps them. @param knees beside the curves; none where no gamma was chosen yet */
export function curveRecords({ curves, origins }: Curves, knees: readonly Knee[] = []): CurveRecord[] {
  return curves.map((curve, i) => {
    const { layer, moments, task } = origins[i];
    return { ...curveRecord(curve, layer, moments, knees[i]), ...(task !== undefined && { task }) };
  });
}

/** The paths with their coefficients, as they were solved: what a run that goes on reads instead of solving again. */
const pathsFile = "paths.bin";
const jointFile = "paths-joint.bin";

/** Solves the path of every tap, or reads it back. Leaves `curves.json` and `paths.bin`. */
export async function curvesStage(context: RunContext, harvested: Harvest): Promise<Curves> {
  const { folder, progress, tasks } = context;
  const { taps } = harvested;
  const byTap = harvested.moments.map((all) => momentsByTask(all, context));
  const momentsOfTask = tasks.map((_, t) => byTap.map((own) => own[t]));
  const moments = momentsOfTask.flat();
  const origins = moments.map((own, i) => ({
    layer: taps[i % taps.length].layer,
    moments: own,
    ...(tasks.length > 1 && { task: tasks[Math.floor(i / taps.length)].task.name }),
  }));
  const inputs = { harvest: harvestKey(context), lambdas: 100, ratio: 1e4, tol: 1e-6 };
  const ran = await folder.stage("curves", {
    from: ["harvest"],
    inputs,
    files: ["curves.json", pathsFile],
    produce: async () => {
      const { threads } = context.engine;
      const curves = await solveCurves(moments, { threads, progress, signal: context.signal });
      // No gamma is chosen yet: the knees are in record.json, what stays in plan.json.
      const records = curveRecords({ curves, origins }).map(withoutKnee);
      await writeJson(folder.file("curves.json"), { schema: 1, curves: records });
      await writeWhole(folder.file(pathsFile), encodePlain(curves));
    },
  });
  if (!ran) progress.note("curves: done before, kept");
  const curves = await readCurves(folder.file(pathsFile));
  if (context.config.groupSelect !== "joint") return { curves, origins };
  await folder.stage("joint", {
    from: ["curves"],
    inputs,
    files: [jointFile],
    produce: async () =>
      writeWhole(folder.file(jointFile), encodePlain(await jointly(context, curves, momentsOfTask))),
  });
  return { curves: await readCurves(folder.file(jointFile)), origins };
}

async function readCurves(path: string): Promise<Curve[]> {
  const curves = decodePlain(await readBytes(path), path);
  needStored(curves, path, "curves");
  return curves as Curve[];
}

function withoutKnee(record: CurveRecord): Omit<CurveRecord, "knee" | "kneeFilters"> {
  const knee = new Set(["knee", "kneeFilters"]);
  const rest = Object.entries(record).filter(([name]) => !knee.has(name));
  return Object.fromEntries(rest) as Omit<CurveRecord, "knee" | "kneeFilters">;
}

/** The curves of every task with joint paths beside them. */
async function jointly(
  { coupling, progress }: RunContext,
  curves: readonly Curve[],
  momentsOfTask: readonly (readonly TapMoments[])[],
): Promise<Curve[]> {
  const solved: Curve[] = [];
  for (const moments of momentsOfTask) {
    const own = curves.slice(solved.length, solved.length + moments.length);
    solved.push(...(await withJointPaths(coupling, own, { moments, progress })));
  }
  return solved;
}

function curveRecord(curve: Curve, layer: string, moments: TapMoments, knee?: Knee): CurveRecord {
  const { path, heldOut } = curve;
  const all = mergeMoments(moments.folds);
  let yy = 0;
  for (let k = 0; k < all.q; k++) yy += all.yy[k * all.q + k] / all.n - (all.sumY[k] / all.n) ** 2;
  const at = knee?.index ?? -1;
  const chosen = at < 0 ? undefined : heldOut?.supports.map((supports) => supports[at]);
  const stability = chosen && stabilityOf(chosen, curve.total);
  return {
    tap: curve.tap,
    layer,
    total: curve.total,
    lambdas: Array.from(path.lambdas),
    filters: path.points.map((point) => point.support.length),
    trainRmse: path.points.map((point) => point.rmse),
    ...(heldOut && {
      heldOutRmse: Array.from(heldOut.mean),
      heldOutError: Array.from(heldOut.standardError),
    }),
    gap: Math.max(...path.points.map((point) => point.gap)) / yy,
    knee: knee?.index ?? -1,
    kneeFilters: knee?.keep.length ?? curve.total,
    ...(knee && { keep: Array.from(knee.keep) }),
    ...(stability !== undefined && { stability }),
  };
}

/** The knees of all taps at one gamma. */
export function kneesAt(
  curves: readonly Curve[],
  gamma: number,
  context: Pick<RunContext, "config">,
): Knee[] {
  const { rmse, minFilters } = context.config;
  return curves.map((curve) => chooseCurveKnee(curve, gamma, { rmse, minFilters }));
}

/** The plan at one gamma: pure, no weight is touched. */
export function planAt(
  network: Network,
  knees: readonly Knee[],
  {
    context,
    curves,
  }: {
    readonly context: Pick<RunContext, "config" | "block" | "coupling">;
    readonly curves: readonly Curve[];
  },
): Plan {
  return planSurgery(network, wantedBy(knees), {
    groupSelect: context.config.groupSelect,
    minFilters: context.config.minFilters,
    roundTo: context.block,
    rounding: "nearest",
    scores: entryScores(curves),
    coupling: context.coupling,
  });
}

/** What any task wants of each tap. */
function wantedBy(knees: readonly Knee[]): Map<string, Uint32Array> {
  const wanted = new Map<string, Uint32Array>();
  for (const { tap, keep } of knees) {
    const before = wanted.get(tap);
    wanted.set(tap, before === undefined ? keep : Uint32Array.from(new Set([...before, ...keep])).sort());
  }
  return wanted;
}

/** How early a filter enters the path of any task: the earlier, the higher its score. */
export function entryScores(curves: readonly Curve[]): Map<string, Float64Array> {
  const all = new Map<string, Float64Array>();
  for (const curve of curves) {
    const own = entryScoresOf(curve);
    all.set(curve.tap, all.get(curve.tap)?.map((score, j) => Math.max(score, own[j])) ?? own);
  }
  return all;
}

function entryScoresOf(curve: Curve): Float64Array {
  const scores = new Float64Array(curve.total);
  curve.path.points.forEach(({ support }, i) => {
    for (const filter of support) if (scores[filter] === 0) scores[filter] = 1 / (i + 1);
  });
  return scores;
}

export interface Planned {
  readonly knees: readonly Knee[];
  readonly plan: Plan;
}

/** How widths are rounded: part of the key of everything that a plan decides. */
export function widthKey({ block }: Pick<RunContext, "block">): object {
  return { roundTo: block, ...(block > 1 && { rounding: "nearest" }) };
}

export function planKey(context: RunContext): unknown {
  const { gamma, rmse, groupSelect, minFilters } = context.config;
  const { widths } = context;
  const choice = { gamma, rmse, groupSelect, minFilters, ...widthKey(context) };
  return { harvest: harvestKey(context), ...choice, ...(widths && { widths: widths.keep }) };
}

/** The plan that a target has decided. */
function planOfWidths({ widths, coupling, backbone }: RunContext): Plan | undefined {
  if (widths === undefined) return undefined;
  const keep = new Uint8Array(coupling.classes);
  for (const id of widths.keep) keep[id] = 1;
  const plan = planKeeping(backbone.network, coupling, keep);
  const { rounding } = widths;
  return { ...plan, ...(rounding !== undefined && { rounding }) };
}

/** Chooses the knees, plans the surgery and writes `plan.json`. */
export async function planStage(context: RunContext, curves: Curves): Promise<Planned> {
  const { folder, backbone, config, progress } = context;
  const knees = kneesAt(curves.curves, config.gamma, context);
  const plan = planOfWidths(context) ?? planAt(backbone.network, knees, { context, curves: curves.curves });
  const { rounding } = plan;
  progress.note(planSentence(backbone, plan, config.gamma));
  if (rounding !== undefined) progress.note(roundingSentence(rounding));
  await folder.stage("plan", {
    from: ["curves", "joint", "target"],
    inputs: planKey(context),
    files: ["plan.json"],
    produce: () => writeJson(folder.file("plan.json"), planFile(plan, config.gamma)),
  });
  return { knees, plan };
}

/** Names of the nodes that the tasks' networks have: the backbone's own classifier is part of none of them. */
export function trunkNames({ network, features }: Backbone): ReadonlySet<string> {
  return new Set(subnetwork(network, [features]).nodes.map(({ name }) => name));
}

/** What stays of the layers that the tasks' networks have, and where the least does. */
function planSentence(backbone: Backbone, plan: Plan, gamma: number): string {
  const trunk = trunkNames(backbone);
  const layers = plan.layers.filter(({ name }) => trunk.has(name));
  const sum = (of: (layer: Plan["layers"][number]) => number): number =>
    layers.reduce((total, layer) => total + of(layer), 0);
  const kept = sum(({ keptOutputs }) => keptOutputs.length);
  const share = (100 * plan.after.macs) / plan.before.macs;
  const [least] = [...layers].sort(
    (a, b) => a.keptOutputs.length / a.totalOutputs - b.keptOutputs.length / b.totalOutputs,
  );
  const narrowest =
    layers.length === 0
      ? ""
      : `; least of ${least.name}: ${least.keptOutputs.length} of ${least.totalOutputs}`;
  return `gamma ${gamma}: ${kept} of ${sum(({ totalOutputs }) => totalOutputs)} filters stay, ${share.toFixed(0)} % of the MACs${narrowest}`;
}

/** What rounding did to the choice. */
export function roundingSentence({ multiple, added, taken }: NonNullable<Plan["rounding"]>): string {
  return `widths in multiples of ${multiple}, which the kernels compute at a time: ${added} ${added === 1 ? "filter" : "filters"} added, ${taken} taken`;
}

/** `plan.json`: indices ascending, one entry per Conv, ConvTranspose, Gemm and MatMul with a parameter. */
function planFile(plan: Plan, gamma?: number): unknown {
  return {
    schema: 1,
    ...(gamma === undefined ? {} : { gamma }),
    ...(plan.rounding !== undefined && { rounding: plan.rounding }),
    before: plan.before,
    after: plan.after,
    layers: plan.layers.map(({ keptInputs, keptOutputs, ...layer }) => ({
      ...layer,
      keptInputs: Array.from(keptInputs),
      keptOutputs: Array.from(keptOutputs),
    })),
  };
}
