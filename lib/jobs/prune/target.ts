/** Targets instead of a guessed gamma: the gamma that reaches a cost, a latency or an accuracy, by bisection. */
import { plural } from "../../report/sections/facts.ts";
import { readJson, writeJson } from "../../core/files.ts";
import { writeOnnx } from "../../formats/onnx/write.ts";
import { bisectGamma, breakpoints, type GammaChoice } from "../../knee/targets.ts";
import type { TimeRecord } from "../../record/record.ts";
import { costOf } from "../../network/cost.ts";
import type { Network } from "../../network/network.ts";
import { applySurgery } from "../../surgery/apply.ts";
import { aimAtTime, asBytes, type TimedCandidate } from "../run/latency.ts";
import { clockStage, type RunClock } from "./clock.ts";
import type { RunContext } from "./context.ts";
import { cutWithHead, withEmptyHeads } from "./surgery.ts";
import { harvestKey, type Harvest } from "./harvest.ts";
import { targetsOf, type Target } from "./config.ts";
import { kneesAt, planAt, widthKey, type Curves, type Planned } from "./plan.ts";
import { meanOver } from "../run/tasks.ts";
import { predictRows, qualityOf } from "./tune.ts";

/** The gamma that was chosen. `target.json`. */
export interface Aim {
  /** The largest of those that the targets need. */
  readonly gamma: number;
  /** Whether every target is reached. */
  readonly reached: boolean;
  readonly targets: readonly Hit[];
}

/** The gamma that one target needs. */
export interface Hit {
  readonly target: Target;
  readonly gamma: number;
  /** What is left at this gamma, in the target's unit: share of the MACs, bytes, ms, share of the time, or accuracy. */
  readonly value: number;
  /** Of a time: what the latency table said, what was measured, and what the unpruned float network takes. */
  readonly time?: TimeRecord;
  readonly reached: boolean;
  /** Networks that were looked at. */
  readonly evaluations: number;
}

/** Gammas that are run on pictures at most: 2^5 take six evaluations. */
const judgedGammas = 32;

/**
 * The context with the gamma that reaches the targets in its configuration; the same context where gamma was given.
 * Costs come from the plans alone, times from a latency table and from measuring what it chose; accuracy is that of the cut network with its
 * closed-form head on the validation part, before any fine-tuning.
 */
export async function targetStage(
  context: RunContext,
  made: { readonly harvest: Harvest; readonly curves: Curves },
): Promise<{ readonly context: RunContext; readonly aim?: Aim }> {
  const { config, folder, progress } = context;
  const targets = targetsOf(config);
  if (targets.length === 0) return { context };
  const has = (kind: Target["kind"]): boolean => targets.some((target) => target.kind === kind);
  const { rmse, groupSelect, minFilters, scaling, reconstruct, refit } = config;
  const surgery = has("accuracy") ? { scaling, reconstruct, refit } : {};
  const clock = has("ms") || has("time") ? await clockStage(context) : undefined;
  const { int8 } = config;
  const measured = clock === undefined ? {} : { table: folder.state().stages["table"]?.key };
  await folder.stage("target", {
    from: ["curves", "joint", ...(clock === undefined ? [] : ["table"])],
    inputs: {
      harvest: harvestKey(context),
      targets,
      rmse,
      groupSelect,
      minFilters,
      ...widthKey(context),
      surgery,
      measured,
      ...(int8 && has("size") && { int8 }),
    },
    files: ["target.json"],
    produce: async () => {
      const hits: Hit[] = [];
      for (const target of targets) hits.push(await takeAim(context, target, { ...made, clock }));
      const aim: Aim = {
        gamma: Math.max(...hits.map(({ gamma }) => gamma)),
        reached: hits.every(({ reached }) => reached),
        targets: hits,
      };
      await writeJson(folder.file("target.json"), aim);
    },
  });
  const aim = (await readJson(folder.file("target.json"))) as Aim;
  const aimed: RunContext = { ...context, config: { ...config, gamma: aim.gamma } };
  await folder.remember(aimed.config);
  for (const hit of aim.targets) progress[hit.reached ? "note" : "warn"](aimSentence(hit));
  if (aim.targets.length > 1) progress.note(`gamma ${aim.gamma} is taken for all targets`);
  return { context: aimed, aim };
}

interface Made {
  readonly harvest: Harvest;
  readonly curves: Curves;
  readonly clock: RunClock | undefined;
}

async function takeAim(context: RunContext, given: Target, made: Made): Promise<Hit> {
  const { progress, signal } = context;
  const target = inBytes(context, given);
  const gammas = breakpoints(made.curves.curves, { rmse: context.config.rmse });
  let evaluations = 0;
  progress.start("target");
  const counted =
    (value: (planned: Planned) => number | Promise<number>) =>
    async (gamma: number): Promise<number> => {
      signal?.throwIfAborted();
      const found = await value(plannedAt(context, made.curves, gamma));
      progress.update(++evaluations, `gamma ${gamma}: ${found.toPrecision(4)}`);
      return found;
    };
  const choice = await choose(context, target, { ...made, gammas, counted });
  progress.finish(`gamma ${choice.gamma}`);
  const { gamma, cost: value, reached, time } = choice;
  return { target, gamma, value, reached, evaluations, ...(time && { time }) };
}

/** A size given as a share of the unpruned network's file, in bytes. */
function inBytes(context: RunContext, target: Target): Target {
  if (target.kind !== "size" || target.value > 1) return target;
  const whole = writeOnnx(withEmptyHeads(context, context.backbone.network)).length;
  return { ...target, value: Math.floor(target.value * whole) };
}

interface Search {
  readonly gammas: Float64Array;
  readonly counted: (
    value: (planned: Planned) => number | Promise<number>,
  ) => (gamma: number) => Promise<number>;
}

async function choose(
  context: RunContext,
  target: Target,
  search: Made & Search,
): Promise<GammaChoice & Pick<Hit, "time">> {
  const { gammas, counted } = search;
  switch (target.kind) {
    case "flops": {
      const whole = costOf(withEmptyHeads(context, context.backbone.network)).total.macs;
      const share = counted((planned) => costOf(bareCut(context, planned)).total.macs / whole);
      return bisectGamma(share, target.value, { gammas });
    }
    case "size": {
      const delivered = context.config.int8 ? asBytes : (cut: Network): Network => cut;
      const bytes = counted((planned) => writeOnnx(delivered(bareCut(context, planned))).length);
      return bisectGamma(bytes, target.value, { gammas });
    }
    case "ms":
    case "time":
      return chooseByTime(context, target, search);
    case "accuracy": {
      const judge = counted((planned) => validationAccuracy(context, search.harvest, planned));
      return largestGamma(judge, target.value, thin(gammas, judgedGammas));
    }
  }
}

/** By the table's prediction, corrected by what the chosen network takes where it can be measured. */
async function chooseByTime(
  context: RunContext,
  target: Target,
  { gammas, counted, clock, curves }: Made & Search,
): Promise<GammaChoice & Pick<Hit, "time">> {
  if (clock === undefined) throw new Error("a target of time without a clock");
  const { wholeMs, predict, measure } = clock;
  const unit = target.kind === "time" ? wholeMs : 1;
  const predicted = counted((planned) => predict(bareCut(context, planned)));
  const search = async (limit: number): Promise<TimedCandidate<number>> => {
    const { gamma, cost, reached } = await bisectGamma(predicted, limit, { gammas });
    return { item: gamma, predictedMs: cost, reached };
  };
  const measured =
    measure && ((gamma: number) => measure(bareCut(context, plannedAt(context, curves, gamma))));
  const { item, reached, predictedMs, measuredMs } = await aimAtTime(target.value * unit, search, measured);
  const time = { wholeMs, predictedMs, ...(measuredMs !== undefined && { measuredMs }) };
  return { gamma: item, cost: (measuredMs ?? predictedMs) / unit, reached, time };
}

function plannedAt(context: RunContext, { curves }: Curves, gamma: number): Planned {
  const knees = kneesAt(curves, gamma, context);
  return { knees, plan: planAt(context.backbone.network, knees, { context, curves }) };
}

/** The cut network with heads of the right sizes, for cost and time. */
function bareCut(context: RunContext, { plan }: Planned): Network {
  return withEmptyHeads(context, applySurgery(context.backbone.network, plan, context.coupling));
}

async function validationAccuracy(context: RunContext, harvest: Harvest, planned: Planned): Promise<number> {
  const network = await cutWithHead(context, { harvest, planned });
  const answers = await predictRows(context, network, context.rows.val);
  return meanOver(answers, (each) => qualityOf(each).accuracy);
}

/** At most `count` of the gammas, evenly spread, the first and the last among them. */
export function thin(gammas: Float64Array, count: number): Float64Array {
  if (gammas.length <= count) return gammas;
  return Float64Array.from(
    { length: count },
    (_, i) => gammas[Math.round((i * (gammas.length - 1)) / (count - 1))],
  );
}

/**
 * The largest gamma whose accuracy is at least `least`, by bisection: accuracy should fall as gamma rises. Where it
 * wobbles, the result still has the accuracy that was asked for.
 *
 * @returns the first gamma, not reached, where even that one falls short
 */
export async function largestGamma(
  accuracy: (gamma: number) => Promise<number>,
  least: number,
  gammas: Float64Array,
): Promise<GammaChoice> {
  let best = await accuracy(gammas[0]);
  if (best < least) return { gamma: gammas[0], cost: best, reached: false };
  let [low, high] = [0, gammas.length];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    const found = await accuracy(gammas[middle]);
    if (found >= least) [low, best] = [middle, found];
    else high = middle;
  }
  return { gamma: gammas[low], cost: best, reached: true };
}

/** What was asked for, and what gamma gives it, as one sentence. */
export function aimSentence({ target, gamma, value, reached, evaluations, time }: Hit): string {
  const percent = (x: number): string => `${(100 * x).toFixed(2)} %`;
  const [found, wanted] = {
    flops: [`${percent(value)} of the MACs`, `at most ${percent(target.value)}`],
    size: [`${value} bytes`, `at most ${target.value}`],
    ms: [timeSentence(time), `at most ${target.value} ms`],
    time: [
      `${percent(value)} of the unpruned network's time (${timeSentence(time)})`,
      `at most ${percent(target.value)} of the time`,
    ],
    accuracy: [
      `${percent(value)} validation accuracy before fine-tuning`,
      `at least ${percent(target.value)}`,
    ],
  }[target.kind];
  const verdict = reached ? "reached" : "not reached, the nearest is taken";
  return `target ${wanted}: ${verdict} at gamma ${gamma} with ${found} (${plural(evaluations, "network")} looked at)`;
}

/** "predicted 1.52 ms, measured 1.49 ms, the unpruned network takes 6.01 ms". */
function timeSentence(time: TimeRecord | undefined): string {
  if (time === undefined) return "";
  const { predictedMs, measuredMs, wholeMs } = time;
  const here = measuredMs === undefined ? "" : `, measured ${measuredMs.toFixed(3)} ms`;
  return `predicted ${predictedMs.toFixed(3)} ms${here}, the unpruned float network takes ${wholeMs.toFixed(3)} ms`;
}

/** A time that is so little above the target is the machine's mood. */
const TIME_TOLERANCE = 0.05;

/** How the finished network stands to the target; undefined where the plan has said it exactly already. */
export function outcomeSentence(
  { target }: Hit,
  pruned: {
    /** Of what is delivered: with int8 the network in bytes. */
    readonly medianMs: number | undefined;
    /** Of the unpruned float network. */
    readonly wholeMs: number | undefined;
    readonly fileBytes: number;
    readonly accuracy: number;
  },
): string | undefined {
  const verdict = (ok: boolean): string => (ok ? "reached" : "not reached");
  const ofTime = (found: number): string =>
    found <= (1 + TIME_TOLERANCE) * target.value && found > target.value
      ? `reached within ${100 * TIME_TOLERANCE} %`
      : verdict(found <= target.value);
  switch (target.kind) {
    case "flops":
      return undefined;
    case "size":
      return `target at most ${target.value} bytes: ${verdict(pruned.fileBytes <= target.value)}, the file has ${pruned.fileBytes}`;
    case "ms": {
      if (pruned.medianMs === undefined) return undefined;
      const found = `${pruned.medianMs.toFixed(3)} ms measured at the end`;
      return `target at most ${target.value} ms: ${ofTime(pruned.medianMs)}, ${found}`;
    }
    case "time": {
      if (pruned.medianMs === undefined || pruned.wholeMs === undefined) return undefined;
      const share = pruned.medianMs / pruned.wholeMs;
      const found = `${(100 * share).toFixed(2)} % measured at the end`;
      return `target at most ${(100 * target.value).toFixed(2)} % of the time: ${ofTime(share)}, ${found}`;
    }
    case "accuracy": {
      const found = `${(100 * pruned.accuracy).toFixed(2)} % on validation after fine-tuning`;
      return `target at least ${(100 * target.value).toFixed(2)} %: ${verdict(pruned.accuracy >= target.value)}, ${found}`;
    }
  }
}
