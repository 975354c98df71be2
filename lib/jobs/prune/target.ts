/** Targets instead of a guessed gamma: the gamma that reaches a cost, a latency or an accuracy, by bisection. */
import { readJson, writeJson } from "../../core/files.ts";
import { profileModels } from "../../evaluate/profile.ts";
import { writeOnnx } from "../../formats/onnx/write.ts";
import { bisectGamma, breakpoints, type GammaChoice } from "../../knee/targets.ts";
import { costOf } from "../../network/cost.ts";
import type { Network } from "../../network/network.ts";
import { applySurgery } from "../../surgery/apply.ts";
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
  /** What is left at this gamma, in the target's unit: share of the MACs, bytes, ms, or accuracy. */
  readonly value: number;
  readonly reached: boolean;
  /** Networks that were looked at. */
  readonly evaluations: number;
}

/** Gammas that are measured or run on pictures at most: 2^6 take seven evaluations, 2^5 six. */
const timedGammas = 64;
const judgedGammas = 32;

/**
 * The context with the gamma that reaches the targets in its configuration; the same context where gamma was given.
 * Costs come from the plans alone; latency is measured on cut networks; accuracy is that of the cut network with its
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
  const measured = has("ms") ? { engine: context.engine.description, threads: context.engine.threads } : {};
  await folder.stage("target", {
    inputs: {
      harvest: harvestKey(context),
      targets,
      rmse,
      groupSelect,
      minFilters,
      ...widthKey(context),
      surgery,
      measured,
    },
    files: ["target.json"],
    produce: async () => {
      const hits: Hit[] = [];
      for (const target of targets) hits.push(await takeAim(context, target, made));
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

async function takeAim(
  context: RunContext,
  given: Target,
  made: { readonly harvest: Harvest; readonly curves: Curves },
): Promise<Hit> {
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
  return { target, gamma: choice.gamma, value: choice.cost, reached: choice.reached, evaluations };
}

/** A size given as a share of the unpruned network's file, in bytes. */
function inBytes(context: RunContext, target: Target): Target {
  if (target.kind !== "size" || target.value > 1) return target;
  const whole = writeOnnx(withEmptyHeads(context, context.backbone.network)).length;
  return { ...target, value: Math.floor(target.value * whole) };
}

async function choose(
  context: RunContext,
  target: Target,
  search: {
    readonly harvest: Harvest;
    readonly gammas: Float64Array;
    readonly counted: (
      value: (planned: Planned) => number | Promise<number>,
    ) => (gamma: number) => Promise<number>;
  },
): Promise<GammaChoice> {
  const { gammas, counted } = search;
  switch (target.kind) {
    case "flops": {
      const whole = costOf(withEmptyHeads(context, context.backbone.network)).total.macs;
      const share = counted((planned) => costOf(bareCut(context, planned)).total.macs / whole);
      return bisectGamma(share, target.value, { gammas });
    }
    case "size": {
      const bytes = counted((planned) => writeOnnx(bareCut(context, planned)).length);
      return bisectGamma(bytes, target.value, { gammas });
    }
    case "ms": {
      const time = counted(async (planned) => {
        const models = [{ name: "cut", network: bareCut(context, planned) }];
        const measured = await profileModels(context.engine, models, { runs: 20, signal: context.signal });
        return measured.get("cut")?.medianMs ?? Infinity;
      });
      return bisectGamma(time, target.value, { gammas: thin(gammas, timedGammas) });
    }
    case "accuracy": {
      const judge = counted((planned) => validationAccuracy(context, search.harvest, planned));
      return largestGamma(judge, target.value, thin(gammas, judgedGammas));
    }
  }
}

function plannedAt(context: RunContext, { curves }: Curves, gamma: number): Planned {
  const knees = kneesAt(curves, gamma, context);
  return { knees, plan: planAt(context.backbone.network, knees, { context, curves }) };
}

/** The cut network with heads of the right sizes, for cost and time. */
function bareCut(context: RunContext, { plan }: Planned): Network {
  return withEmptyHeads(context, applySurgery(context.backbone.network, plan));
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
export function aimSentence({ target, gamma, value, reached, evaluations }: Hit): string {
  const percent = (x: number): string => `${(100 * x).toFixed(2)} %`;
  const [found, wanted] = {
    flops: [`${percent(value)} of the MACs`, `at most ${percent(target.value)}`],
    size: [`${value} bytes`, `at most ${target.value}`],
    ms: [`${value.toFixed(3)} ms, measured`, `at most ${target.value} ms`],
    accuracy: [
      `${percent(value)} validation accuracy before fine-tuning`,
      `at least ${percent(target.value)}`,
    ],
  }[target.kind];
  const verdict = reached ? "reached" : "not reached, the nearest is taken";
  return `target ${wanted}: ${verdict} at gamma ${gamma} with ${found} (${evaluations} networks looked at)`;
}

/** How the finished network stands to the target; undefined where the plan has said it exactly already. */
export function outcomeSentence(
  { target }: Hit,
  pruned: { readonly medianMs: number | undefined; readonly fileBytes: number; readonly accuracy: number },
): string | undefined {
  const verdict = (ok: boolean): string => (ok ? "reached" : "not reached");
  switch (target.kind) {
    case "flops":
      return undefined;
    case "size":
      return `target at most ${target.value} bytes: ${verdict(pruned.fileBytes <= target.value)}, the file has ${pruned.fileBytes}`;
    case "ms": {
      if (pruned.medianMs === undefined) return undefined;
      const found = `${pruned.medianMs.toFixed(3)} ms measured at the end`;
      return `target at most ${target.value} ms: ${verdict(pruned.medianMs <= target.value)}, ${found}`;
    }
    case "accuracy": {
      const found = `${(100 * pruned.accuracy).toFixed(2)} % on validation after fine-tuning`;
      return `target at least ${(100 * target.value).toFixed(2)} %: ${verdict(pruned.accuracy >= target.value)}, ${found}`;
    }
  }
}
