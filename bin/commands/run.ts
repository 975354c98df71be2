/** Commands that run the pipeline, as far as they are asked to: harvest, curves, plan, finetune, prune, resume. */
import { plural } from "../../lib/core/printable.ts";
import { join } from "node:path";
import { EtlError } from "../../lib/core/errors.ts";
import type { RunMetrics, RunRecord } from "../../lib/record/record.ts";
import type { PipelineResult, Until } from "../../lib/jobs/prune/prune.ts";
import { requiredText, text, type Arguments, type Command, type Context } from "../command.ts";
import type { CommandJson, CommandResults, HarvestJson, RunPlanJson } from "../../lib/json.ts";
import { pruneTable } from "../../lib/jobs/prune/options.ts";
import { optionsOf, pruneOptions, shown } from "../options.ts";
import { count, percent, table } from "../table.ts";
import { showFolds } from "./crossval.ts";
import { show as showTraining } from "./train.ts";

const harvestOptions = optionsOf(pruneTable, {
  groups: ["Data", "Network", "Output"],
  without: ["withImages"],
});

export const pruneCommand: Command<"prune"> = {
  usage: "prune",
  describe: "The whole job: harvest, LASSO, cut, fine-tune, measure, report",
  options: {
    ...optionsOf(pruneTable),
    data: { ...shown(pruneTable.data), defaultDescription: "synthetic" },
    out: { ...shown(pruneTable.out), demandOption: false, defaultDescription: "runs/TASK" },
  },
  examples: [
    ["etl prune --gamma 0.01 --task gender", "Try it with drawn faces"],
    ["etl prune --gamma 0.1 --task gender --data ~/celeba --out runs/gender", "CelebA, a smaller network"],
    ["etl prune --target-flops 0.3 --task gender --data ~/celeba --out runs/third", "30 % of the MACs"],
    ["etl prune --task gender,age --data ~/utkface --out runs/both", "One trunk, a head for each task"],
  ],
  run: async (args, context) => {
    const { prune } = await import("../../lib/jobs/prune/prune.ts");
    const { placed } = await import("../../lib/jobs/prune/place.ts");
    const options = await placed(pruneOptions(args, context));
    return finish(await prune(options), options.out, context);
  },
};

export const resumeCommand: Command<"resume"> = {
  usage: "resume <run>",
  describe: "Continue a run that was stopped, with the options it had",
  positionals: { run: { describe: "Run folder", type: "string" } },
  options: {},
  fixed: {
    names: ["seed", "threads", "engine", "device"],
    because: "a run goes on with what it was begun with",
    hint: "config.json in its folder has that: mend a copy, and begin anew with --config FILE --out FOLDER",
  },
  examples: [["etl resume runs/gender", "Go on where it stopped"]],
  run: async (args, context) => {
    const folder = requiredText(args, "run");
    const { goOn } = await import("../../lib/resume.ts");
    const { command, result } = await goOn(folder, { progress: context.progress, signal: context.signal });
    if (command === "train") {
      showTraining(result, folder, context);
      return { ...result, schema: "etl/train/1" };
    }
    if (command === "crossval") {
      showFolds(result, folder, context);
      return { ...result, schema: "etl/crossval/1" };
    }
    if (command === "prune") return { ...(await finish(result, folder, context)), schema: "etl/prune/1" };
    return showPart(command, result, context);
  },
};

export const harvestCommand: Command<"harvest"> = {
  usage: "harvest",
  describe: "Pooled responses of every filter, reduced to moments",
  options: {
    ...harvestOptions,
    shard: {
      type: "string",
      describe: "Only shard i/n of the training part",
      defaultDescription: "all of it",
    },
  },
  examples: [
    ["etl harvest --task age --data ~/utkface --out runs/age", "The first stage only"],
    ["etl harvest --shard 3/8 --task age --data ~/utkface --out shards/3", "An eighth of it; see etl merge"],
  ],
  run: async (args, context) => {
    const part = text(args, "shard");
    if (part !== undefined) {
      const { parseShard } = await import("../../lib/jobs/run/shard.ts");
      const { harvestShard } = await import("../../lib/jobs/many/shards.ts");
      const record = await harvestShard(pruneOptions(args, context), parseShard(part));
      context.print(
        `shard ${record.shard}/${record.of}: ${plural(record.rows, "picture")} -> ${record.file}`,
      );
      return record;
    }
    const { runPipeline } = await import("../../lib/jobs/prune/prune.ts");
    return showHarvest(await runPipeline(pruneOptions(args, context), "harvest"), context);
  },
};

export const curvesCommand: Command<"curves"> = {
  usage: "curves",
  describe: "LASSO path and characteristic curve of every tap",
  options: harvestOptions,
  examples: [["etl curves --task age --data ~/utkface --out runs/age", "Harvest and paths"]],
  run: async (args, context) => {
    const { runPipeline } = await import("../../lib/jobs/prune/prune.ts");
    return showCurves(await runPipeline(pruneOptions(args, context), "curves"), context);
  },
};

export const finetuneCommand: Command<"finetune"> = {
  usage: "finetune",
  describe: "Up to the fine-tuned networks, without the final measurements",
  options: optionsOf(pruneTable, { without: ["withImages"] }),
  examples: [
    [
      "etl finetune --task gender --data ~/celeba --gamma 0.1 --out runs/gender",
      "Baseline and pruned network",
    ],
  ],
  run: async (args, context) => {
    const { runPipeline } = await import("../../lib/jobs/prune/prune.ts");
    return showFinetuned(await runPipeline(pruneOptions(args, context), "finetune"), "finetune", context);
  },
};

/** The plan of a run: what `etl plan --data` prints. */
export async function planRun(args: Arguments, context: Context): Promise<RunPlanJson> {
  const { runPipeline } = await import("../../lib/jobs/prune/prune.ts");
  const result = await runPipeline(pruneOptions(args, context), "plan");
  return showPlan(result, context);
}

async function showPlan(result: PipelineResult, context: Context): Promise<RunPlanJson> {
  const { folder, planned } = result;
  if (planned === undefined) throw new EtlError("engine", "plan: ended without a plan");
  const { plannedNetwork } = await import("../../lib/jobs/prune/aim/widths.ts");
  const { rows, before, after } = plannedNetwork(result.context, planned.plan);
  context.print(
    table(
      ["layer", "kept", "total", "reason"],
      rows.map((row) => [row.name, String(row.kept), String(row.total), row.reason ?? ""]),
    ),
  );
  context.print(`MACs ${count(before.macs)} -> ${count(after.macs)} (${percent(after.macs / before.macs)})`);
  context.print(
    `parameters ${count(before.params)} -> ${count(after.params)} (${percent(after.params / before.params)})`,
  );
  return { folder, before, after, layers: rows };
}

function showHarvest({ folder, harvest, context: run }: PipelineResult, context: Context): HarvestJson {
  const taps = harvest.taps.map(({ tap, layer, channels }) => ({ tap, layer, channels }));
  const n = run.rows.train.length;
  context.print(`${plural(taps.length, "tap")}, ${plural(n, "picture")} -> ${folder}/moments`);
  return { folder, n, taps };
}

async function showCurves(
  { folder, curves }: PipelineResult,
  context: Context,
): Promise<CommandResults["curves"]> {
  const { curveRecords } = await import("../../lib/jobs/prune/plan.ts");
  const records = curves === undefined ? [] : curveRecords(curves);
  const named = records.some(({ task }) => task !== undefined);
  context.print(
    table(
      [...(named ? ["task"] : []), "layer", "filters", "error, none", "error, all", "largest gap"],
      records.map((record) => {
        const error = record.heldOutRmse ?? record.trainRmse;
        return [
          ...(named ? [record.task ?? ""] : []),
          record.layer,
          String(record.total),
          (error[0] ?? 0).toPrecision(4),
          Math.min(...error).toPrecision(4),
          record.gap.toExponential(1),
        ];
      }),
    ),
  );
  return { folder, curves: records };
}

function showFinetuned(
  { folder }: PipelineResult,
  part: "baseline" | "finetune",
  context: Context,
): CommandResults["finetune"] {
  const names = part === "baseline" ? [] : ["pruned.onnx", "history/finetune.json"];
  const files = ["baseline.onnx", ...names].map((name) => join(folder, name));
  context.print(files.join("\n"));
  return { folder, files };
}

/** A run that was begun to go a part of the way, when it has got there. */
async function showPart(
  part: Exclude<Until, "report">,
  result: PipelineResult,
  context: Context,
): Promise<CommandJson<"harvest" | "curves" | "plan" | "finetune">> {
  switch (part) {
    case "harvest":
      return { ...showHarvest(result, context), schema: "etl/harvest/1" };
    case "curves":
      return { ...(await showCurves(result, context)), schema: "etl/curves/1" };
    case "plan":
      return { ...(await showPlan(result, context)), schema: "etl/plan/1" };
    default:
      return { ...showFinetuned(result, part, context), schema: "etl/finetune/1" };
  }
}

/** The last words of a run, and the object behind --json. */
async function finish(record: RunRecord, folder: string, context: Context): Promise<RunMetrics> {
  const { metricsOf } = await import("../../lib/jobs/prune/record.ts");
  const metrics = metricsOf(record);
  const { networksTable } = await import("../../lib/report/terminal.ts");
  const { columns, rows } = networksTable(record);
  context.print(table(columns, rows));
  const { timingOf } = await import("../../lib/record/models.ts");
  const timing = timingOf(record);
  const times = timing === undefined ? "" : `, times with ${plural(timing.threads, "thread")}`;
  context.print(`n = ${metrics.dataset.test} test pictures${times}; report: ${join(folder, "report.html")}`);
  return metrics;
}
