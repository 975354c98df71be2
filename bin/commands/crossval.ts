/** Cross-validation of light networks: quality, size and speed in one table. */
import { join } from "node:path";
import type { CrossvalResult, FoldsBy, FoldScores } from "../../lib/jobs/train/crossval.ts";
import { number, requiredText, text, type Command, type Context } from "../command.ts";
import { count, table } from "../table.ts";
import { trainTable } from "../../lib/jobs/train/options.ts";
import { optionsOf } from "../options.ts";
import { trainingOptions } from "./train.ts";

export const crossvalCommand: Command<"crossval"> = {
  usage: "crossval",
  describe: "Cross-validate light networks: top-1, top-2, size, time of a frame",
  options: {
    ...optionsOf(trainTable, {
      without: [
        ...["heads", "positiveWeight", "thresholds", "thresholdRate", "lossWeights"],
        ...["landmarks", "groups", "valFraction", "split"],
      ],
    }),
    backbone: {
      type: "string",
      alias: "arch",
      describe: "Networks with a comma, see etl train",
      demandOption: true,
    },
    folds: {
      type: "number",
      describe: "Number of folds",
      defaultDescription: "5, or one for each list of the data set",
    },
    by: {
      choices: ["lists", "identity", "row"] as const,
      describe: "What makes the folds: the data set's lists, persons, or single pictures",
      defaultDescription: "the first that is known",
    },
  },
  examples: [
    [
      "etl crossval --backbone lmtcnn-1-1,lmtcnn-2-1,levi-hassner --task age-group,gender --data ~/utkface --out runs/folds",
      "Age group and gender, as in the LMTCNN paper",
    ],
  ],
  run: async (args, context) => {
    const { backbone = "", ...options } = trainingOptions(args, context);
    const by = text(args, "by") as FoldsBy | undefined;
    const folds = number(args, "folds");
    const { crossval } = await import("../../lib/jobs/train/crossval.ts");
    const result = await crossval({
      ...options,
      backbones: backbone.split(",").map((name) => name.trim()),
      ...(folds === undefined ? {} : { folds }),
      ...(by === undefined ? {} : { by }),
    });
    showFolds(result, requiredText(args, "out"), context);
    return result;
  },
};

/** The table of a cross-validation. */
export function showFolds(result: CrossvalResult, folder: string, context: Context): void {
  const [first] = result.rows;
  const heads = first.tasks.flatMap(({ task, top2 }) => [
    `${task} top-1`,
    ...(top2 === undefined ? [] : [`${task} top-2`]),
  ]);
  context.print(
    table(
      ["network", ...heads, "MB", "MACs", "ms/frame"],
      result.rows.map((row) => [
        row.networks === 1 ? row.title : `${row.title} (${row.networks} networks)`,
        ...row.tasks.flatMap(({ top1, top2 }) => [shown(top1), ...(top2 === undefined ? [] : [shown(top2)])]),
        (row.bytes / 1e6).toFixed(1),
        count(row.macs),
        row.frameMs.toFixed(2),
      ]),
    ),
  );
  const parts = result.folds.map(({ train, val, test }) => `${train}/${val}/${test}`).join(", ");
  context.print(`± standard deviation over ${result.folds.length} folds by ${result.by}; ms on one thread`);
  context.print(`training/validation/test: ${parts}`);
  for (const { title, stopped = [] } of result.rows)
    for (const { task, fold, why } of stopped)
      context.print(`${title}, ${task}, fold ${fold}: training ended early: ${why}`);
  context.print(join(folder, "crossval.json"));
}

function shown({ mean, sd }: FoldScores): string {
  return `${(100 * mean).toFixed(2)} ± ${(100 * sd).toFixed(2)} %`;
}
