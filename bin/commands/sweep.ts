/** Many runs from one harvest: tasks, gammas, seeds, controls, variants. */
import { join } from "node:path";
import { number, requiredText, texts, type Command } from "../command.ts";
import { aimNames } from "../../lib/jobs/run/options.ts";
import { pruneTable } from "../../lib/jobs/prune/options.ts";
import { numbersOption, optionsOf, pruneOptions } from "../options.ts";
import { count, ms, percent, table } from "../table.ts";
import type { SweepRow } from "../../lib/record/sweep.ts";
import {
  formatChange,
  formatDigits,
  formatGamma,
  formatPercent,
  formatPercentError,
  formatPoints,
  plainText,
} from "../../lib/report/format.ts";
import { formatSigned } from "../../lib/report/sections/judge.ts";

export const sweepCommand: Command<"sweep"> = {
  usage: "sweep",
  describe: "Many runs from one harvest: gammas, tasks, seeds, controls",
  options: {
    tasks: {
      type: "string",
      describe: "Tasks, each with its data: gender=~/celeba,age=~/utkface (or gender,age with --data)",
      demandOption: true,
    },
    data: { type: "string", describe: "Data of the tasks that name none", defaultDescription: "none" },
    gammas: { type: "string", describe: "Gammas", defaultDescription: "0,0.001,0.01,0.03,0.1,0.2,0.3" },
    seeds: { type: "number", describe: "Number of seeds, from --seed on", defaultDescription: "1" },
    ablate: {
      type: "string",
      describe: "One more run per gamma for each: scaling=paper,reconstruct=false,refit=false,rmse=heldout",
      defaultDescription: "none",
    },
    ...optionsOf(pruneTable, {
      without: ["task", "data", "gamma", ...aimNames, "table", "withImages", "out"],
    }),
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
    const { parseVariants } = await import("../../lib/jobs/many/variants.ts");
    const { sweep } = await import("../../lib/jobs/many/sweep.ts");
    const { shortVariant } = await import("../../lib/record/sweep.ts");
    // The data are those of the tasks that name none.
    const { data, ...given } = pruneOptions(args, context);
    const { out } = given;
    const result = await sweep({
      ...given,
      tasks: taskData(requiredText(args, "tasks"), data, "tasks"),
      gammas: numbersOption(args, "gammas") ?? [0, 0.001, 0.01, 0.03, 0.1, 0.2, 0.3],
      seeds: number(args, "seeds") ?? 1,
      variants: parseVariants(texts(args, "ablate")),
    });
    context.print(
      table(
        ["task", "gamma", "network", "quality", "against baseline", "MACs", "parameters", "CPU time"],
        result.rows.map((row) => [
          row.task,
          row.gamma === undefined ? "-" : formatGamma(row.gamma),
          [row.network, shortVariant(row.variant)].filter((word) => word !== "").join(", "),
          quality(row),
          kept(row),
          `${count(row.macs)} (${share(row.macsShare)})`,
          `${count(row.params)} (${share(row.paramsShare)})`,
          row.cpuMs === undefined ? "-" : ms(row.cpuMs),
        ]),
      ),
    );
    if (result.worth.length > 0) {
      context.print(
        table(
          ["ETL minus", "difference ± standard error", "tasks", "each"],
          result.worth.map(({ control, difference, error, tasks, measure, unit }) => {
            const say = (value: number, uncertain?: number): string =>
              plainText(
                measure === "mae" ? formatSigned(value, uncertain, unit) : formatPoints(value, uncertain),
              );
            return [
              control,
              `${say(difference, error)}${measure === "mae" ? " of error" : ""}`,
              String(tasks.length),
              tasks.map((one) => `${one.task} ${say(one.difference)}`).join(", "),
            ];
          }),
        ),
      );
    }
    context.print(`${result.runs.length} runs; ${join(out, "sweep.csv")}, ${join(out, "report.html")}`);
    return result;
  },
};

/** Mean and deviation over seeds, in the task's own measure. */
function quality({ mae, unit, accuracy, seeds }: SweepRow): string {
  const many = seeds.length > 1;
  if (unit === undefined || mae === undefined)
    return plainText(many ? formatPercentError(accuracy.mean, accuracy.sd) : formatPercent(accuracy.mean));
  const sure = many && mae.sd > 0 ? ` ± ${formatDigits(mae.sd, 2)}` : "";
  return plainText(`${formatDigits(mae.mean, 3)}${sure} ${unit}`.trim() + " off");
}

/** What is left of the baseline's accuracy, or how its error changed. */
function kept({ network, kept: left, errorShare }: SweepRow): string {
  if (network === "baseline") return "-";
  if (errorShare !== undefined) return `error ${plainText(formatChange(errorShare.mean))}`;
  return left === undefined ? "-" : `keeps ${percent(left.mean)}`;
}

/** A share of the baseline's; "-" where a run has none. */
function share(value: number | undefined): string {
  return value === undefined ? "-" : percent(value);
}
