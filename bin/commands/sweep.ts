/** Many runs from one harvest: tasks, gammas, seeds, controls, variants. */
import { join } from "node:path";
import { EtlError, nearest } from "../../lib/core/errors.ts";
import type { PruneOptions } from "../../lib/jobs/prune/options.ts";
import { number, requiredText, text, texts, type Arguments, type Command } from "../command.ts";
import { numbersOption, pruneOptions, trainOptions } from "../options.ts";
import { count, percent, table } from "../table.ts";

const excluded = ["task", "data", "gamma", "target-flops", "target-size", "target-ms", "min-accuracy"];

export const sweepCommand: Command = {
  usage: "sweep",
  describe: "Many runs from one harvest: gammas, tasks, seeds, controls",
  options: {
    tasks: {
      type: "string",
      describe: "Tasks, each with its data: gender=~/celeba,age=~/utkface (or gender,age with --data)",
      demandOption: true,
    },
    data: { type: "string", describe: "Data of the tasks that name none" },
    gammas: { type: "string", describe: "Gammas (0,0.001,0.01,0.03,0.1,0.2,0.3)" },
    seeds: { type: "number", describe: "Number of seeds, from --seed on (1)" },
    ablate: {
      type: "string",
      describe: "One more run per gamma for each: scaling=paper,reconstruct=false,refit=false,rmse=heldout",
    },
    ...Object.fromEntries(Object.entries(trainOptions).filter(([name]) => !excluded.includes(name))),
    out: { type: "string", describe: "Folder of the sweep", demandOption: true },
  },
  examples: [
    ["etl sweep --tasks gender,age --data synthetic --gammas 0.01,0.1 --out sweeps/drawn", "Two tasks"],
    [
      "etl sweep --tasks gender=~/celeba --gammas 0.1,0.3 --seeds 3 --control l1,random --out sweeps/gender",
      "Controls of the same widths, three seeds",
    ],
  ],
  run: async (args, context) => {
    const { taskData } = await import("../../lib/jobs/run/options.ts");
    const { sweep } = await import("../../lib/jobs/many/sweep.ts");
    const given = pruneOptions({ ...args, task: "", data: "" }, context);
    const { out } = given;
    const result = await sweep({
      ...given,
      tasks: taskData(requiredText(args, "tasks"), text(args, "data"), "tasks"),
      gammas: numbersOption(args, "gammas") ?? [0, 0.001, 0.01, 0.03, 0.1, 0.2, 0.3],
      seeds: number(args, "seeds") ?? 1,
      variants: variantsOf(args),
    });
    context.print(
      table(
        ["task", "gamma", "network", "accuracy", "± sd", "kept", "MACs", "parameters", "CPU time"],
        result.rows.map((row) => [
          row.task,
          row.gamma === undefined ? "-" : String(row.gamma),
          [row.network, row.variant].filter((word) => word !== "").join(", "),
          percent(row.accuracy.mean),
          row.seeds.length < 2 ? "-" : (100 * row.accuracy.sd).toFixed(2),
          percent(row.kept.mean),
          `${count(row.macs)} (${percent(row.macsShare)})`,
          `${count(row.params)} (${percent(row.paramsShare)})`,
          row.cpuMs === undefined ? "-" : `${row.cpuMs.toFixed(2)} ms`,
        ]),
      ),
    );
    if (result.worth.length > 0) {
      context.print(
        table(
          ["ETL minus", "points", "± standard error", "tasks", "each"],
          result.worth.map(({ control, difference, error, tasks }) => [
            control,
            points(difference),
            error === undefined ? "-" : (100 * error).toFixed(2),
            String(tasks.length),
            tasks.map((one) => `${one.task} ${points(one.difference)}`).join(", "),
          ]),
        ),
      );
    }
    context.print(`${result.runs.length} runs; ${join(out, "sweep.csv")}, ${join(out, "report.html")}`);
    return result;
  },
};

/** A difference of accuracies in percentage points, signed. */
const points = (difference: number): string => `${difference < 0 ? "" : "+"}${(100 * difference).toFixed(2)}`;

type Variant = Partial<
  Pick<
    PruneOptions,
    | "start"
    | "scaling"
    | "reconstruct"
    | "refit"
    | "rmse"
    | "groupSelect"
    | "distill"
    | "distillOutputs"
    | "epochs"
    | "augment"
    | "shift"
    | "zoom"
    | "minFilters"
    | "roundTo"
  >
>;

const switches: Readonly<Record<string, (value: string) => Variant | undefined>> = {
  scaling: (value) => (isOneOf(value, ["paper", "compensated", "none"]) ? { scaling: value } : undefined),
  start: (value) => (isOneOf(value, ["baseline", "backbone"]) ? { start: value } : undefined),
  rmse: (value) => (isOneOf(value, ["heldout", "train"]) ? { rmse: value } : undefined),
  "group-select": (value) =>
    isOneOf(value, ["union", "last", "joint"]) ? { groupSelect: value } : undefined,
  reconstruct: (value) => truth(value, (reconstruct) => ({ reconstruct })),
  refit: (value) => truth(value, (refit) => ({ refit })),
  augment: (value) => truth(value, (augment) => ({ augment })),
  shift: (value) => atLeast(0, value, (shift) => ({ shift })),
  zoom: (value) => atLeast(0, value, (zoom) => ({ zoom })),
  distill: (value) => atLeast(0, value, (distill) => ({ distill })),
  "distill-outputs": (value) => atLeast(0, value, (distillOutputs) => ({ distillOutputs })),
  epochs: (value) => atLeast(0, value, (epochs) => ({ epochs })),
  "round-to": (value) => atLeast(1, value, (roundTo) => ({ roundTo })),
  "min-filters": (value) => atLeast(1, value, (minFilters) => ({ minFilters })),
};

function isOneOf<T extends string>(value: string, allowed: readonly T[]): value is T {
  return (allowed as readonly string[]).includes(value);
}

function truth(value: string, make: (value: boolean) => Variant): Variant | undefined {
  return isOneOf(value, ["true", "false"]) ? make(value === "true") : undefined;
}

function atLeast(least: number, value: string, make: (value: number) => Variant): Variant | undefined {
  return Number(value) >= least ? make(Number(value)) : undefined;
}

/** --ablate scaling=paper,refit=false; entries joined by + change together. */
function variantsOf(args: Arguments): Variant[] {
  return texts(args, "ablate")
    .flatMap((each) => each.split(","))
    .map((entry) => Object.assign({}, ...entry.split("+").map((part) => variantOf(part.trim()))) as Variant);
}

function variantOf(part: string): Variant {
  const [key, value = ""] = part.split("=");
  const known = switches[key];
  if (known === undefined) {
    const near = nearest(key, Object.keys(switches));
    throw new EtlError(
      "usage",
      `--ablate: ${JSON.stringify(key)}, one of ${Object.keys(switches).join(", ")} was needed`,
      {
        ...(near === undefined ? {} : { hint: `Did you mean ${near}?` }),
      },
    );
  }
  const variant = known(value);
  if (variant === undefined)
    throw new EtlError("usage", `--ablate: ${key}=${value}, a value of --${key} was needed`);
  return variant;
}
