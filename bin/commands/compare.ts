/** Many runs, pruned and trained, in one table and one page. */
import { EtlError } from "../../lib/core/errors.ts";
import { writeWhole } from "../../lib/core/files.ts";
import { flag, text, texts, type Command } from "../command.ts";
import { count, ms, percent, size, table } from "../table.ts";
import type { ComparedNetwork } from "../../lib/jobs/many/compare.ts";
import { plainText } from "../../lib/report/format.ts";
import { accuracyText, formatError, NO_NUMBERS } from "../../lib/report/sections/facts.ts";

const costs = ["balanced", "MACs", "parameters", "size", "CPU time", "front"];

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
    const measures = new Set(networks.map(({ measure }) => measure));
    const quality = measures.size > 1 ? "quality" : measures.has("mae") ? "mean error" : "accuracy";
    context.print(
      table(
        ["run", ...(tasks.size > 1 ? ["task"] : []), "network", quality, ...costs],
        networks.map((row) => [
          row.run,
          ...(tasks.size > 1 ? [row.task] : []),
          row.title,
          said(row),
          row.balancedAccuracy === undefined ? "-" : percent(row.balancedAccuracy),
          count(row.macs),
          count(row.params),
          size(row.bytes),
          row.cpuMs === undefined ? "-" : ms(row.cpuMs),
          row.front ? "*" : "",
        ]),
      ),
    );
    context.print("* no other network on the same test pictures is as good with as few MACs");
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

/** "97.6 % ± 0.4", or "6.35 years off". */
function said({ measure, value, unit, accuracy, accuracyError, n }: ComparedNetwork): string {
  if (measure === "accuracy") return plainText(accuracyText({ accuracy, accuracyError, n }));
  return value === null ? NO_NUMBERS : `${plainText(formatError(value, unit))} off`;
}
