/** Many runs, pruned and trained, in one table and one page. */
import { EtlError } from "../../lib/core/errors.ts";
import { writeWhole } from "../../lib/core/files.ts";
import { absentNotes } from "../../lib/record/absent.ts";
import { recordsByTask } from "../../lib/record/tasks.ts";
import { flag, text, texts, type Command } from "../command.ts";
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
    const { comparedNetworks, timedTogether } = await import("../../lib/jobs/many/compare.ts");
    const { readRecords, runsOf } = await import("../../lib/jobs/many/records.ts");
    const given = texts(args, "runs");
    const folders = (await Promise.all(given.map(runsOf))).flat();
    const read = await readRecords(folders);
    const service = {
      engine: context.engine,
      device: context.device,
      threads: context.threads,
      progress: context.progress,
      signal: context.signal,
    };
    const records = flag(args, "time") === true ? await timedTogether(folders, read, service) : read;
    const networks = comparedNetworks(records);
    const tasks = new Set(networks.map(({ task }) => task));
    if (networks.length === 0) {
      throw new EtlError("usage", "compare: runs without networks, at least one network was needed");
    }
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
    for (const note of absentNotes(records.flatMap(recordsByTask))) context.print(note);
    context.print("* no other network is as accurate with as few MACs");
    const out = text(args, "out");
    if (out !== undefined) {
      const { readReportAssets } = await import("../../lib/report/assets.ts");
      const { renderReport } = await import("../../lib/report/report.ts");
      await writeWhole(out, renderReport(records, await readReportAssets()));
      context.print(out);
    }
    return { networks, ...(out === undefined ? {} : { file: out }) };
  },
};
