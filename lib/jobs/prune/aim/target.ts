/** Targets instead of a guessed gamma: the gamma that reaches a cost, a latency or an accuracy, by bisection. */
import { writeJson } from "../../../core/files.ts";
import { writeOnnx } from "../../../formats/onnx/write.ts";
import { bisectGamma, breakpoints, type GammaChoice } from "../../../knee/targets.ts";
import { aimAtTime, type TimedCandidate } from "../../run/latency.ts";
import { clockStage, type RunClock } from "./clock.ts";
import { aimSentence } from "./sentences.ts";
import { costIn, measuredMs, widthsFor } from "./widths.ts";
import type { RunContext } from "../context.ts";
import { cutWithHead, withEmptyHeads } from "../surgery.ts";
import { harvestKey, type Harvest } from "../harvest.ts";
import { targetsOf, type Hit, type Target, type Widths } from "../config.ts";
import { kneesAt, planAt, widthKey, type Curves, type Planned } from "../plan.ts";
import { meanOver } from "../../run/tasks.ts";
import { predictRows, qualityOf } from "../tune.ts";
import { readStored } from "../../run/stored.ts";

/** The gamma that was chosen. `target.json`. */
export interface Aim {
  /** The largest of those that the targets need. */
  readonly gamma: number;
  /** Whether every target is reached. */
  readonly reached: boolean;
  readonly targets: readonly Hit[];
  /** Where something else than gamma's knees decides what stays. */
  readonly widths?: Widths;
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
  const { int8, allocate } = config;
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
      ...(allocate !== "gamma" && { allocate }),
    },
    files: ["target.json"],
    produce: async () => {
      const hits: Hit[] = [];
      for (const target of targets) hits.push(await takeAim(context, target, { ...made, clock }));
      const gamma = Math.max(...hits.map((hit) => hit.gamma));
      const { plan } = plannedAt(context, made.curves, gamma);
      const chosen = await widthsFor(context, { hits, plan, curves: made.curves, clock });
      const targetsHit = chosen?.hits ?? hits;
      const aim: Aim = {
        gamma,
        reached: targetsHit.every(({ reached }) => reached),
        targets: targetsHit,
        ...(chosen && { widths: chosen.widths }),
      };
      await writeJson(folder.file("target.json"), aim);
    },
  });
  const aim = await readStored<Aim>(folder, "target.json", "aim");
  const { widths } = aim;
  const aimed: RunContext = {
    ...context,
    config: { ...config, gamma: aim.gamma },
    ...(widths && { widths }),
  };
  await folder.remember(aimed.config);
  for (const hit of aim.targets) progress[hit.reached ? "note" : "warn"](aimSentence(hit, widths));
  if (aim.targets.length > 1 && (widths === undefined || widths.allocate === "gamma"))
    progress.note(`gamma ${aim.gamma} is taken for all targets`);
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
    case "flops":
    case "size": {
      const cost = costIn(context, target.kind, undefined);
      return bisectGamma(
        counted(({ plan }) => cost(plan)),
        target.value,
        { gammas },
      );
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
  const { wholeMs } = clock;
  const unit = target.kind === "time" ? wholeMs : 1;
  const cost = costIn(context, "time", clock);
  const predicted = counted(({ plan }) => cost(plan));
  const search = async (limit: number): Promise<TimedCandidate<number>> => {
    const { gamma, cost, reached } = await bisectGamma(predicted, limit, { gammas });
    return { item: gamma, predictedMs: cost, reached };
  };
  const measure =
    clock.measure && ((gamma: number) => measuredMs(context, plannedAt(context, curves, gamma).plan, clock));
  const aimed = await aimAtTime(target.value * unit, search, measure);
  const { item, reached, predictedMs, measuredMs: ms } = aimed;
  const time = { wholeMs, predictedMs, ...(ms !== undefined && { measuredMs: ms }) };
  return { gamma: item, cost: (ms ?? predictedMs) / unit, reached, time };
}

function plannedAt(context: RunContext, { curves }: Curves, gamma: number): Planned {
  const knees = kneesAt(curves, gamma, context);
  return { knees, plan: planAt(context.backbone.network, knees, { context, curves }) };
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
