/** Many runs from one harvest: tasks, gammas, seeds, controls, variants. */
import { plural } from "../../lib/core/printable.ts";
import { join } from "node:path";
import { number, requiredText, texts, type Command } from "../command.ts";
import { refuseIgnored } from "../../lib/jobs/run/option.ts";
import { targetOptions } from "../../lib/jobs/run/options.ts";
import { pruneTable } from "../../lib/jobs/prune/options.ts";
import { numbersOption, optionsOf, pruneOptions } from "../options.ts";
import { table } from "../table.ts";

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
      without: ["task", "data", "gamma", ...targetOptions, "withImages", "out"],
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
    const { nameTheirData, taskData } = await import("../../lib/jobs/run/options.ts");
    const { parseVariants } = await import("../../lib/jobs/many/variants.ts");
    const { sweep } = await import("../../lib/jobs/many/sweep.ts");
    const { sweepTable, worthTable } = await import("../../lib/report/terminal.ts");
    // The data are those of the tasks that name none.
    const { data, ...given } = pruneOptions(args, context);
    const { out } = given;
    const tasks = requiredText(args, "tasks");
    refuseIgnored({}, { data }, [
      nameTheirData(tasks) && {
        names: ["data"],
        by: "a sweep whose tasks have data of their own",
        needed: "a task without",
      },
    ]);
    const result = await sweep({
      ...given,
      tasks: taskData(tasks, data, "tasks"),
      gammas: numbersOption(args, "gammas") ?? [0, 0.001, 0.01, 0.03, 0.1, 0.2, 0.3],
      seeds: number(args, "seeds") ?? 1,
      variants: parseVariants(texts(args, "ablate")),
    });
    const shown = sweepTable(result.rows);
    context.print(table(shown.columns, shown.rows));
    const worth = worthTable(result.worth);
    if (worth.rows.length > 0) context.print(table(worth.columns, worth.rows));
    context.print(
      `${plural(result.runs.length, "run")}; ${join(out, "sweep.csv")}, ${join(out, "report.html")}`,
    );
    return result;
  },
};
