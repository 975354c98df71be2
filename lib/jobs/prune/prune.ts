/** The stages in order: from a backbone and labelled faces to a pruned, fine-tuned, measured network and a report. */
import { plural } from "../../core/printable.ts";
import { statSync } from "node:fs";
import { EtlError } from "../../core/errors.ts";
import { allocationOf, formName, isUnsteady, timeOver } from "../../record/models.ts";
import type { Latency, RunRecord } from "../../record/record.ts";
import { mergeMoments } from "../../math/moments.ts";
import type { Network } from "../../network/network.ts";
import { openContext, type RunContext } from "./context.ts";
import { controlStage } from "./controls.ts";
import { cutStage, learning } from "./surgery.ts";
import { graphStage } from "./graph.ts";
import { harvestStage, type Harvest } from "./harvest.ts";
import { headed, solveHeads } from "./head.ts";
import { evaluateStage, type Evaluated } from "./measure.ts";
import { profileStage, type Lineage } from "../run/profile.ts";
import { resolveOptions } from "./config.ts";
import { type PruneOptions } from "./options.ts";
import { checkInt8, int8Stage, type Int8 } from "./int8.ts";
import { originOf } from "./origin.ts";
import { curvesStage, planStage, roundingSentence, type Curves, type Planned } from "./plan.ts";
import { reportStage, type MeasuredModel } from "./record.ts";
import { inRunFolder } from "../run/folder.ts";
import type { RunState } from "../run/state.ts";
import { closeWorld } from "../run/world.ts";
import { partsFile, partsStage } from "../run/used.ts";
import { meanOver, momentsByTask } from "../run/tasks.ts";
import { aimSentence, outcomeSentence } from "./aim/sentences.ts";
import { targetStage, type Aim } from "./aim/target.ts";
import { responsesStage } from "./respond.ts";
import { unitsOf, type Units } from "../run/units.ts";
import { calibrated, trainingStage, type Trained } from "./tune.ts";

const stops = ["harvest", "curves", "baseline", "plan", "finetune", "report"] as const;

/** The last stage to run. */
export type Until = (typeof stops)[number];

/** Where a run was to stop, as `run.json` has it: `report` where nothing is said. */
export function untilOf(state: Pick<RunState, "until"> | undefined): Until {
  return stops.find((stop) => stop === state?.until) ?? "report";
}

/** A run that was begun further is not cut short by a look at it. */
function furthest(before: RunState | undefined, now: Until): Until | undefined {
  const last = stops[Math.max(stops.indexOf(now), before === undefined ? 0 : stops.indexOf(untilOf(before)))];
  return last === "report" ? undefined : last;
}

/** What a run gave, as far as it went. */
export interface PipelineResult {
  readonly folder: string;
  readonly harvest: Harvest;
  readonly curves?: Curves;
  readonly planned?: Planned;
  readonly record?: RunRecord;
  /** Where a target was given: the gamma that was chosen for it, and whether the target was reached. */
  readonly aim?: Aim;
  readonly context: Pick<RunContext, "config" | "dataset" | "tasks" | "rows" | "backbone" | "coupling">;
}

/**
 * Runs the whole pipeline: harvest, LASSO paths, knees, surgery, fine-tuning, evaluation, profile, report. What is in
 * `options.out` from an earlier run with the same inputs is not done again.
 *
 * @throws EtlError; `interrupted` where `options.signal` was aborted: the state is kept, run again to go on
 */
export async function prune(options: PruneOptions): Promise<RunRecord> {
  const { record } = await runPipeline(options, "report");
  if (record === undefined)
    throw new EtlError("engine", "prune: ended without a record, all stages were needed");
  return record;
}

/** Runs the stages up to and including `until`. */
export async function runPipeline(options: PruneOptions, until: Until): Promise<PipelineResult> {
  const config = resolveOptions(options);
  const { signal, progress, replace } = options;
  const purpose = until === "report" ? "make" : until === "curves" || until === "plan" ? "look" : "part";
  const asked = (before: RunState | undefined): Until | undefined => furthest(before, until);
  return inRunFolder(
    config.out,
    { config, signal, progress, replace, purpose, until: asked },
    async (folder) => {
      const context = await openContext(config, folder, options);
      try {
        return await runStages(context, until);
      } finally {
        await closeWorld(context);
      }
    },
  );
}

async function runStages(opened: RunContext, until: Until): Promise<PipelineResult> {
  const { folder } = opened;
  checkInt8(opened);
  await partsStage(opened);
  const harvest = await harvestStage(opened);
  const start = { folder: folder.path, harvest, context: opened };
  if (until === "harvest") return start;
  const curves = await curvesStage(opened, harvest);
  if (until === "curves") return { ...start, curves };
  if (until === "baseline") {
    await trainBaseline(opened, harvest);
    return { ...start, curves };
  }
  const { context, aim } = await targetStage(opened, { harvest, curves });
  const base = { ...start, context, ...(aim === undefined ? {} : { aim }) };
  const planned = await planStage(context, curves);
  if (until === "plan") return { ...base, curves, planned };
  const record = await trainAndMeasure(context, { harvest, curves, planned, aim }, until);
  if (record !== undefined) await folder.finish(["record.json", partsFile]);
  return { ...base, curves, planned, ...(record === undefined ? {} : { record }) };
}

/** The full network on the same data: closed-form head, then fine-tuning. */
async function trainBaseline(
  context: RunContext,
  harvest: Harvest,
): Promise<{ probe: Network; baseline: Trained; units: readonly Units[]; key: unknown }> {
  const { tasks, backbone, config } = context;
  const heads = solveHeads(context, harvest.features);
  const units = momentsByTask(harvest.features, context).map(({ folds }, t) =>
    unitsOf(mergeMoments(folds), tasks[t].task.kind === "regression"),
  );
  const probe = await calibrated(context, headed(backbone.network, backbone.features, heads, tasks));
  const key = { backbone: backbone.fingerprint, data: context.dataset.fingerprint, folds: config.folds };
  const baseline = await trainingStage(context, {
    stage: "baseline",
    file: "baseline.onnx",
    title: "baseline",
    network: probe,
    from: ["harvest"],
    key,
    epochs: config.baselineEpochs,
    learningRates: config.baselineLearningRates ?? config.learningRates,
    units,
  });
  return { probe, baseline, units, key };
}

async function trainAndMeasure(
  context: RunContext,
  {
    harvest,
    curves,
    planned,
    aim,
  }: { harvest: Harvest; curves: Curves; planned: Planned; aim?: Aim | undefined },
  until: Until,
): Promise<RunRecord | undefined> {
  const { config } = context;
  const { probe, baseline, units, key } = await trainBaseline(context, harvest);
  const origin = originOf(context, baseline);
  const answers = { network: baseline.network, units, key: keyOf(context, "baseline") };
  const cut = await cutStage(origin, { harvest, planned });
  const pruned = await trainingStage(context, {
    stage: "finetune",
    file: "pruned.onnx",
    title: "pruned",
    network: cut.network,
    epochs: config.epochs,
    units,
    ...learning(origin, { cut, planned, answers }),
  });
  const controls: MeasuredModel[] = [];
  for (const control of config.controls)
    controls.push(await controlStage(origin, { control, harvest, planned, answers }));
  if (until === "finetune") return undefined;

  const models: MeasuredModel[] = [
    { name: "baseline", title: "Baseline (all filters, fine-tuned)", file: "baseline.onnx", ...baseline },
    { name: "probe", title: "Probe (frozen features, closed-form head)", network: probe, history: [] },
    {
      name: "pruned",
      title: `ETL, ${allocationOf(config) ?? `gamma ${config.gamma}`}`,
      file: "pruned.onnx",
      ...pruned,
    },
    ...controls,
  ];
  for (const name of ["baseline", "pruned"])
    models.push(...(await graphStage(context, modelOf(models, name))));
  const int8: Int8[] = [];
  for (const name of config.int8 ? ["baseline", "pruned"] : [])
    int8.push(await int8Stage(context, modelOf(models, name)));
  models.push(...int8.flatMap(({ model }) => model ?? []));
  const evaluated: Evaluated[] = [];
  for (const model of models) {
    const { stage } = model;
    const lineage: Lineage =
      stage === undefined
        ? { from: ["harvest"], key: { probe: key } }
        : { from: [stage], key: keyOf(context, stage) };
    evaluated.push(await evaluateStage(context, model, lineage));
  }
  const timed = models.filter(({ name }) => name !== "probe");
  const from = timed.flatMap(({ stage }) => stage ?? []);
  const stages = from.map((stage) => keyOf(context, stage));
  const latency = await profileStage(context, timed, {
    from,
    key: { baseline: key, cut: cut.key, stages },
    baseline: "baseline",
  });
  return reportStage(context, {
    curves,
    knees: planned.knees,
    plan: planned.plan,
    responses: await responsesStage(context, harvest),
    models,
    evaluated,
    latency,
    time: aim?.targets.find(({ time }) => time !== undefined)?.time,
    notes: notesOf(context, [
      ...(planned.plan.rounding === undefined ? [] : [roundingSentence(planned.plan.rounding)]),
      ...int8.map(({ note }) => note),
      ...aimNotes(context, aim, { evaluated, latency }),
    ]),
  });
}

/** What was aimed at, and what came out: printed, and kept in the record. */
function aimNotes(
  { folder, progress }: RunContext,
  aim: Aim | undefined,
  measured: {
    readonly evaluated: readonly Evaluated[];
    readonly latency: Readonly<Partial<Record<string, Latency>>>;
  },
): string[] {
  if (aim === undefined) return [];
  const bytes = formName("pruned", "int8");
  const delivered = measured.latency[bytes] === undefined ? "pruned" : bytes;
  const [own, whole] = [measured.latency[delivered], measured.latency["baseline"]];
  const pruned = {
    medianMs: own?.medianMs,
    timeShare: own && whole && timeOver(own, whole),
    unsteady: whole !== undefined && isUnsteady({ latency: whole }),
    fileBytes: statSync(folder.file(`${delivered}.onnx`)).size,
    accuracy: meanOver(
      measured.evaluated.find(({ name }) => name === delivered)?.tasks ?? [],
      ({ validation }) => validation.accuracy,
    ),
  };
  return aim.targets.flatMap((hit) => {
    const outcome = outcomeSentence(hit, pruned);
    if (outcome !== undefined) progress.note(outcome);
    return [aimSentence(hit, aim.widths), ...(outcome === undefined ? [] : [outcome])];
  });
}

function modelOf(models: readonly MeasuredModel[], name: string): MeasuredModel {
  const model = models.find((one) => one.name === name);
  if (model === undefined) throw new Error(`there is no ${name}`);
  return model;
}

function keyOf({ folder }: RunContext, stage: string): string | undefined {
  return folder.state().stages[stage]?.key;
}

function notesOf(context: RunContext, more: readonly string[]): string[] {
  const { store, backbone, rows } = context;
  const notes = [...backbone.notes, ...more];
  if (store.source === "files")
    notes.push("Pictures were decoded each time: the decoded cache could not be written.");
  if (rows.test.length < 200)
    notes.push(
      `Only ${plural(rows.test.length, "test picture")}: small differences between networks are chance.`,
    );
  return notes;
}
