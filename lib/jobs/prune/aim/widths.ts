/** The widths that targets leave: gamma's with blocks put back where there is room, or chosen without it. */
import type { Cost } from "../../../core/artifacts.ts";
import type { Allocation } from "../options.ts";
import { errorByWidth } from "../../../knee/knee.ts";
import { costOf } from "../../../network/cost.ts";
import type { Network } from "../../../network/network.ts";
import { writeOnnx } from "../../../formats/onnx/write.ts";
import {
  keepBlocks,
  knapsackWidths,
  refillWidths,
  uniformWidths,
  widthGroups,
  type WidthGroup,
} from "../../../surgery/allocate.ts";
import { applySurgery } from "../../../surgery/apply.ts";
import { classScoresOf } from "../../../surgery/choose.ts";
import { cutNetwork } from "../../../surgery/cut.ts";
import { fillBlocks } from "../../../surgery/fill.ts";
import { planKeeping, widened, type Plan } from "../../../surgery/plan.ts";
import { vanishable } from "../../../surgery/vanish.ts";
import { aimAtTime, asBytes, type TimedCandidate } from "../../run/latency.ts";
import type { Hit, Target, Widths } from "../config.ts";
import type { RunContext } from "../context.ts";
import type { GammaCostRecord } from "../../../record/record.ts";
import { entryScores, kneesAt, planAt, trunkNames, type Curves } from "../plan.ts";
import { withEmptyHeads } from "../surgery.ts";
import type { RunClock } from "./clock.ts";

/** What says which network a plan makes. */
type Shaped = Pick<RunContext, "backbone" | "coupling" | "tasks">;

/** The cut network with heads of the right sizes. Its weights are not those that stay: for cost, size and predicted time. */
function cutShape(context: Shaped, { keep }: Pick<Plan, "keep">): Network {
  const { backbone, coupling } = context;
  return withEmptyHeads(context, cutNetwork(backbone.network, coupling, keep, "shapes"));
}

/** What a plan costs in the unit of a target: share of the MACs, bytes of the file, or milliseconds by the clock. */
export function costIn(
  context: RunContext,
  kind: Exclude<Target["kind"], "accuracy">,
  clock: RunClock | undefined,
): (plan: Pick<Plan, "keep">) => number {
  if (kind === "flops") {
    const whole = costOf(withEmptyHeads(context, context.backbone.network)).total.macs;
    return (plan) => costOf(cutShape(context, plan)).total.macs / whole;
  }
  if (kind === "size") {
    // the larger of the two ways in bytes: which is quicker is found at the end
    const delivered = (cut: Network): Network => (context.config.int8 ? asBytes(cut, "floats") : cut);
    return (plan) => writeOnnx(delivered(cutShape(context, plan))).length;
  }
  if (clock === undefined) throw new Error("a target of time without a clock");
  return (plan) => clock.predict(cutShape(context, plan));
}

/** Milliseconds of a plan's network here. */
export async function measuredMs(context: RunContext, plan: Plan, clock: RunClock): Promise<number> {
  const cut = applySurgery(context.backbone.network, plan, context.coupling);
  return (await clock.measure?.(withEmptyHeads(context, cut))) ?? NaN;
}

/** A target with the plan's cost in its unit, and the most that it may be. */
interface Budget {
  readonly hit: Hit;
  readonly isTime: boolean;
  readonly limit: number;
  readonly cost: (plan: Pick<Plan, "keep">) => number;
}

interface Given {
  readonly hits: readonly Hit[];
  /** What gamma leaves. */
  readonly plan: Plan;
  readonly curves: Curves;
  readonly clock: RunClock | undefined;
}

/** The widths that meet all targets with as little room left as blocks allow, and what they cost; none where gamma's are to stay. */
export async function widthsFor(
  context: RunContext,
  given: Given,
): Promise<{ readonly widths: Widths; readonly hits: readonly Hit[] } | undefined> {
  const { allocate } = context.config;
  const { hits, plan: gammas, clock } = given;
  const isFilled = context.block > 1 && hits.every(({ reached }) => reached);
  if (hits.some(({ target }) => target.kind === "accuracy") || (allocate === "gamma" && !isFilled))
    return undefined;
  const budgets = hits.map((hit) => budgetOf(context, hit, clock));
  const search = searchOf(context, given, budgets);
  const time = budgets.find(({ isTime }) => isTime);
  const bySearch = (limit: number): Promise<TimedCandidate<Plan>> => {
    const { plan, reached } = search(limit);
    return Promise.resolve({ item: plan, predictedMs: time?.cost(plan) ?? 0, reached });
  };
  const measure =
    clock?.measure && time !== undefined
      ? (plan: Plan): Promise<number> => measuredMs(context, plan, clock)
      : undefined;
  const found = await aimAtTime(time?.limit ?? Infinity, bySearch, measure);
  const { item: plan } = found;
  if (allocate === "gamma" && plan.keep.every((bit, id) => bit === gammas.keep[id])) return undefined;
  const { rounding } = plan;
  const keep = [...plan.keep.keys()].filter((id) => plan.keep[id] === 1);
  return {
    widths: { allocate, keep, ...(rounding !== undefined && { rounding }) },
    hits: budgets.map((budget) => hitBy(budget, plan, { found, clock })),
  };
}

function budgetOf(context: RunContext, hit: Hit, clock: RunClock | undefined): Budget {
  const { kind, value } = hit.target;
  if (kind === "accuracy") throw new Error("an accuracy is no budget");
  const cost = costIn(context, kind, clock);
  const limit = kind === "time" ? value * (clock?.wholeMs ?? NaN) : value;
  return { hit, cost, limit, isTime: kind === "time" || kind === "ms" };
}

/** What the plan gives a target. */
function hitBy(
  { hit, cost, limit, isTime }: Budget,
  plan: Plan,
  { found, clock }: { found: { readonly measuredMs?: number }; clock: RunClock | undefined },
): Hit {
  const predicted = cost(plan);
  if (!isTime) return { ...hit, value: predicted, reached: predicted <= limit };
  const { measuredMs: measured } = found;
  const ms = measured ?? predicted;
  const wholeMs = clock?.wholeMs ?? NaN;
  return {
    ...hit,
    value: hit.target.kind === "time" ? ms / wholeMs : ms,
    reached: ms <= limit,
    time: { wholeMs, predictedMs: predicted, ...(measured !== undefined && { measuredMs: measured }) },
  };
}

interface Searched {
  readonly plan: Plan;
  /** False: nothing smaller can be reached. */
  readonly reached: boolean;
}

/** Looks for a plan within all budgets, that of time at another limit of predicted milliseconds. */
function searchOf(
  context: RunContext,
  { plan: gammas, curves }: Given,
  budgets: readonly Budget[],
): (timeLimit: number) => Searched {
  const { backbone, coupling, block: roundTo, config } = context;
  const { network } = backbone;
  const scores = classScoresOf(network, coupling, entryScores(curves.curves));
  const within =
    (timeLimit: number) =>
    (plan: Pick<Plan, "keep">): boolean =>
      budgets.every(({ isTime, limit, cost }) => cost(plan) <= (isTime ? timeLimit : limit));
  const filled = (plan: Plan, fits: (plan: Pick<Plan, "keep">) => boolean): Plan => {
    if (roundTo === 1) return plan;
    const rest = { coupling, roundTo, scores, fits: (keep: Uint8Array) => fits({ keep }) };
    const { keep, added } = fillBlocks(plan.keep, rest);
    return added === 0 ? plan : widened(plan, planKeeping(network, coupling, keep), added);
  };
  if (config.allocate === "gamma") return (limit) => ({ plan: filled(gammas, within(limit)), reached: true });
  const { minFilters, rmse } = config;
  const losses = curves.curves.map((curve) => ({ tap: curve.tap, loss: errorByWidth(curve, rmse) }));
  const groups = widthGroups(coupling, {
    ...{ roundTo, minFilters, scores, losses },
    ...(config.allocate === "knapsack" && { mayVanish: vanishable(network, coupling) }),
  });
  const keepOf = (blocks: readonly number[]): { keep: Uint8Array } => ({
    keep: keepBlocks(coupling, groups, blocks),
  });
  const planOf = (blocks: readonly number[]): Plan => planKeeping(network, coupling, keepOf(blocks).keep);
  const steps = stepsOf(config.allocate, groups, (blocks) => dearest(budgets).cost(keepOf(blocks)));
  return (limit) => {
    const fits = within(limit);
    const at = steps.findIndex((blocks) => fits(keepOf(blocks)));
    if (at < 0) return { plan: planOf(steps[steps.length - 1]), reached: false };
    if (config.allocate === "uniform") return { plan: filled(planOf(steps[at]), fits), reached: true };
    return { plan: planOf(refillWidths(steps, at, (blocks) => fits(keepOf(blocks)))), reached: true };
  };
}

/** The budget in whose unit blocks are weighed: time where there is one. */
function dearest(budgets: readonly Budget[]): Budget {
  return budgets.find(({ isTime }) => isTime) ?? budgets[0];
}

function stepsOf(
  allocate: Exclude<Allocation, "gamma">,
  groups: readonly WidthGroup[],
  cost: (blocks: readonly number[]) => number,
): readonly (readonly number[])[] {
  return allocate === "uniform" ? uniformWidths(groups) : knapsackWidths(groups, cost);
}

/** A plan as the tasks' networks will have it. */
export function plannedNetwork(
  context: Shaped,
  plan: Plan,
): { readonly before: Cost; readonly after: Cost; readonly rows: Plan["rows"] } {
  const trunk = trunkNames(context.backbone);
  return {
    before: costOf(withEmptyHeads(context, context.backbone.network)).total,
    after: costOf(cutShape(context, plan)).total,
    rows: plan.rows.filter(({ name }) => trunk.has(name)),
  };
}

/** Gammas whose planned cost the report's slider shows. */
const sliderGammas = [
  0, 0.001, 0.003, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.7, 0.9,
];

/** Planned cost over a grid of gammas; nothing is trained. */
export function gammaCosts(context: RunContext, curves: Curves): GammaCostRecord[] {
  const gammas = [...new Set([...sliderGammas, context.config.gamma])].sort((a, b) => a - b);
  return gammas.map((gamma) => {
    const knees = kneesAt(curves.curves, gamma, context);
    const plan = planAt(context.backbone.network, knees, { context, curves: curves.curves });
    const { after, rows } = plannedNetwork(context, plan);
    return { gamma, ...after, filters: rows.reduce((sum, { kept }) => sum + kept, 0) };
  });
}
