/**
 * Controls on the same axes as ETL: networks of exactly the same shape whose filters were chosen otherwise, or that were
 * trained from scratch. They go through the same reconstruction, refit, head, training and measurements.
 */
import { createRandom } from "../../core/random.ts";
import { mergeMoments } from "../../math/moments.ts";
import { correlationRanking } from "../../lasso/ranking.ts";
import { scoreClasses } from "../../surgery/criteria.ts";
import { planSurgery } from "../../surgery/plan.ts";
import { tiedScores, selectSameShape } from "../../surgery/same-shape.ts";
import type { RunContext } from "./context.ts";
import { cutStage, learning } from "./surgery.ts";
import type { Answering } from "./distil.ts";
import type { Harvest } from "./harvest.ts";
import type { Control } from "./options.ts";
import type { Planned } from "./plan.ts";
import type { MeasuredModel } from "./record.ts";
import { momentsByTask } from "../run/tasks.ts";
import { trainingStage } from "./tune.ts";

/** How many times the epochs and the learning rates of the pruned network a network from scratch gets. */
const fromScratch = { epochs: 3, rate: 10 } as const;

const titles: Readonly<Record<Control, string>> = {
  l1: "Control: same widths, largest L1 norms",
  random: "Control: same widths, random filters",
  correlation: "Control: same widths, highest correlations",
  scratch: "Control: same shape, trained from scratch",
};

/** Cuts and trains one control of a plan. */
export async function controlStage(
  context: RunContext,
  {
    control,
    harvest,
    planned,
    answers,
  }: {
    readonly control: Control;
    readonly harvest: Harvest;
    readonly planned: Planned;
    readonly answers: Answering;
  },
): Promise<MeasuredModel> {
  const { config } = context;
  const scratch = control === "scratch";
  const other = scratch ? planned : { ...planned, plan: controlPlan(context, { control, harvest, planned }) };
  const cut = await cutStage(context, { harvest, planned: other, control });
  const file = `control-${control}.onnx`;
  const trained = await trainingStage(context, {
    stage: `finetune:${control}`,
    file,
    title: titles[control],
    network: cut.network,
    epochs: scratch ? fromScratch.epochs * config.epochs : config.epochs,
    units: answers.units,
    ...(scratch
      ? {
          from: [cut.stage],
          key: cut.key,
          learningRates: config.learningRates.map((rate) => fromScratch.rate * rate),
        }
      : learning(context, { cut, planned: other, answers })),
  });
  return { name: control, title: titles[control], file, ...trained };
}

function controlPlan(
  context: RunContext,
  what: { readonly control: Control; readonly harvest: Harvest; readonly planned: Planned },
): Planned["plan"] {
  const { backbone, coupling } = context;
  const { network } = backbone;
  const score = controlScores(context, what);
  return planSurgery(network, selectSameShape(coupling, what.planned.plan.keep, score), { coupling });
}

function controlScores(
  context: RunContext,
  { control, harvest }: { readonly control: Control; readonly harvest: Harvest },
): Float64Array {
  const { backbone, config, coupling } = context;
  if (control === "correlation") return tiedScores(coupling, correlations(context, harvest));
  const random = createRandom(config.seed).fork("control");
  return scoreClasses(backbone.network, coupling, {
    criterion: control === "l1" ? "l1" : "random",
    random,
  });
}

/** Absolute correlation of every filter's pooled response with the target (ETL, eq. 2), by tap; of several tasks the highest. */
function correlations(context: RunContext, { moments }: Harvest): Map<string, Float64Array> {
  return new Map(
    moments.map((all) => {
      const rhos = momentsByTask(all, context).map(
        ({ folds }) => correlationRanking(mergeMoments(folds)).rho,
      );
      return [all.tap, rhos.reduce((best, rho) => best.map((value, j) => Math.max(value, rho[j])))];
    }),
  );
}
