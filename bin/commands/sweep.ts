/** Many runs from one harvest: tasks, gammas, seeds, controls, variants. */
import { join } from "node:path";
import { number, requiredText, text, texts, type Command } from "../command.ts";
import { targetNames } from "../../lib/jobs/prune/config.ts";
import { pruneTable } from "../../lib/jobs/prune/options.ts";
import { numbersOption, optionsOf, pruneOptions } from "../options.ts";
import { count, percent, table } from "../table.ts";

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
      without: ["task", "data", "gamma", ...targetNames, "withImages", "out"],
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
    const given = pruneOptions(args, context);
    const { out } = given;
    const result = await sweep({
      ...given,
      tasks: taskData(requiredText(args, "tasks"), text(args, "data"), "tasks"),
      gammas: numbersOption(args, "gammas") ?? [0, 0.001, 0.01, 0.03, 0.1, 0.2, 0.3],
      seeds: number(args, "seeds") ?? 1,
      variants: parseVariants(texts(args, "ablate")),
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
          share(row.kept?.mean),
          `${count(row.macs)} (${share(row.macsShare)})`,
          `${count(row.params)} (${share(row.paramsShare)})`,
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

/** A share of the baseline's; "-" where a run has none. */
function share(value: number | undefined): string {
  return value === undefined ? "-" : percent(value);
}
