/** `etl plan`: what would stay with data, and without data what is tied together and why. */
import type { Options } from "yargs";
import { EtlError } from "../../lib/core/errors.ts";
import type { ModelPlan } from "../../lib/jobs/cut/plan.ts";
import type { LayerJson } from "../../lib/json.ts";
import { requiredText, text, type Arguments, type Command, type Context } from "../command.ts";
import { pruneTable } from "../../lib/jobs/prune/options.ts";
import { saidSizes, optionsOf } from "../options.ts";
import { count, table } from "../table.ts";
import { planRun } from "./run.ts";

/** The options of a run, none of them demanded: a model alone is enough. */
const options: Readonly<Record<string, Options>> = {
  ...Object.fromEntries(
    Object.entries(
      optionsOf(pruneTable, { groups: ["Data", "Network", "What stays", "Output"], without: ["withImages"] }),
    ).map(([name, option]) => [
      name,
      { defaultDescription: "needed without a model", ...option, demandOption: false },
    ]),
  ),
  explain: {
    type: "string",
    describe: "With a model: what this layer is tied to, and why",
    defaultDescription: "the whole model",
  },
};

export const planCommand: Command<"plan"> = {
  usage: "plan [model]",
  describe:
    "Dry run: which filters would stay and what that would cost; of a model alone: what is tied together",
  positionals: {
    model: { describe: "Model file, run folder or backbone, to look at without data", type: "string" },
  },
  options,
  examples: [
    ["etl plan --gamma 0.1 --task gender --data ~/celeba --out runs/gender", "Before any training"],
    ["etl plan resnet50.onnx", "Coupled groups, and what every layer could lose"],
    ["etl plan resnet50.onnx --explain /layer1/layer1.0/conv3/Conv", "What this layer is tied to"],
  ],
  run: async (args, context) => {
    const model = text(args, "model");
    if (model === undefined) {
      demandRun(args);
      return planRun(args, context);
    }
    const beside = ["data", "task", "out"].filter((name) => args[name] !== undefined);
    if (beside.length > 0) {
      throw new EtlError(
        "usage",
        `plan: the model ${model} beside --${beside.join(", --")}, one was needed`,
        {
          hint: "with data, name the network by --backbone",
        },
      );
    }
    return text(args, "explain") === undefined
      ? showModel(model, args, context)
      : showLayer(model, args, context);
  },
};

function demandRun(args: Arguments): void {
  if (args["explain"] !== undefined) {
    throw new EtlError("usage", "plan: --explain without a model, a model was needed", {
      hint: "etl plan MODEL --explain LAYER",
    });
  }
  const missing = ["task", "out"].filter((name) => args[name] === undefined);
  if (missing.length === 0) return;
  throw new EtlError("usage", `plan: no --${missing.join(", no --")}, a model or a run was needed`, {
    hint: "etl plan MODEL, or etl plan --task gender --data FOLDER --out RUN",
  });
}

async function showModel(model: string, args: Arguments, context: Context): Promise<ModelPlan> {
  const { planModel } = await import("../../lib/jobs/cut/plan.ts");
  const plan = await planModel(model, saidSizes(args));
  for (const note of plan.notes) context.progress.note(note);
  context.print(
    table(
      ["layer", "operator", "inputs", "outputs", "removable", "MACs", "parameters", "reason"],
      plan.layers.map(({ name, op, inputs, outputs, removable, macs, params, reason }) => [
        name,
        op,
        String(inputs),
        String(outputs),
        String(removable),
        count(macs),
        count(params),
        reason ?? "",
      ]),
    ),
  );
  const tied = plan.groups.filter(({ layers }) => layers.length > 1);
  context.print(`${tied.length} groups of layers whose channels go together:`);
  for (const { layers, channels, frozen } of tied) {
    const fixed = frozen === 0 ? "" : `, ${frozen} of them must stay`;
    context.print(`  ${channels} channels${fixed}: ${layers.join(", ")}`);
  }
  context.print(`MACs ${count(plan.cost.macs)}, parameters ${count(plan.cost.params)}`);
  return plan;
}

async function showLayer(model: string, args: Arguments, context: Context): Promise<LayerJson> {
  const layer = requiredText(args, "explain");
  const { explainLayer } = await import("../../lib/jobs/cut/plan.ts");
  const lines = await explainLayer(model, layer, saidSizes(args));
  context.print(lines.join("\n"));
  return { model, layer, lines };
}
