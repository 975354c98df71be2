/** Many runs, pruned and trained, in one table and one page. */
import { flag, serviceOf, text, texts, type Command } from "../command.ts";
import { count, ms, size, table } from "../table.ts";
import type { ComparedNetwork } from "../../lib/jobs/many/compare.ts";
import { formatShareOf, plainText } from "../../lib/report/format.ts";
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
    const { compareRuns } = await import("../../lib/jobs/many/pages.ts");
    const compared = await compareRuns(texts(args, "runs"), {
      ...serviceOf(context),
      out: text(args, "out"),
      time: flag(args, "time"),
    });
    const { networks, notes, file } = compared;
    const tasks = new Set(networks.map(({ task }) => task));
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
          row.balancedAccuracy === undefined ? "-" : plainText(formatShareOf(row.balancedAccuracy, row.n)),
          count(row.macs),
          count(row.params),
          size(row.bytes),
          row.cpuMs === undefined ? "-" : ms(row.cpuMs),
          row.front ? "*" : "",
        ]),
      ),
    );
    for (const note of notes) context.print(note);
    context.print(
      "* no other network on the same test pictures is better with as few MACs, or as good with fewer",
    );
    if (file !== undefined) context.print(file);
    return compared;
  },
};

/** "97.6 % ± 0.4", or "6.35 years off". */
function said({ measure, value, unit, accuracy, accuracyError, n }: ComparedNetwork): string {
  if (measure === "accuracy") return plainText(accuracyText({ accuracy, accuracyError, n }));
  return value === null ? NO_NUMBERS : `${plainText(formatError(value, unit))} off`;
}
