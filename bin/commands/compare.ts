/** Many runs, pruned and trained, in one table and one page. */
import { flag, serviceOf, text, texts, type Command } from "../command.ts";
import { count, percent, table } from "../table.ts";

const columns = ["accuracy", "balanced", "MACs", "parameters", "bytes", "CPU time", "front"];

export const compareCommand: Command<"compare"> = {
  usage: "compare <runs..>",
  describe: "Networks of several runs in one table: pruned ones beside light ones",
  positionals: { runs: { describe: "Run folders of prune and train, or folders of sweeps", array: true } },
  options: {
    out: { type: "string", describe: "Also write a page with plots (HTML)", defaultDescription: "none" },
    time: {
      type: "boolean",
      describe: "Take all CPU times again, interleaved (those of different runs do not compare)",
      defaultDescription: "false",
    },
  },
  examples: [
    [
      "etl compare runs/attributes runs/mobilenet --out compare.html",
      "Prune a big one, or train a small one?",
    ],
  ],
  run: async (args, context) => {
    const { compareRuns } = await import("../../lib/jobs/many/pages.ts");
    const compared = await compareRuns(texts(args, "runs"), {
      ...serviceOf(context),
      out: text(args, "out"),
      time: flag(args, "time"),
    });
    const { networks, notes, file } = compared;
    const tasks = new Set(networks.map(({ task }) => task));
    context.print(
      table(
        ["run", ...(tasks.size > 1 ? ["task"] : []), "network", ...columns],
        networks.map((row) => [
          row.run,
          ...(tasks.size > 1 ? [row.task] : []),
          row.title,
          `${percent(row.accuracy)} ± ${(100 * row.accuracyError).toFixed(2)}`,
          row.balancedAccuracy === undefined ? "-" : percent(row.balancedAccuracy),
          count(row.macs),
          count(row.params),
          count(row.bytes),
          row.cpuMs === undefined ? "-" : `${row.cpuMs.toFixed(2)} ms`,
          row.front ? "*" : "",
        ]),
      ),
    );
    for (const note of notes) context.print(note);
    context.print("* no other network is as accurate with as few MACs");
    if (file !== undefined) context.print(file);
    return compared;
  },
};
