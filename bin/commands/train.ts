/** Commands on the light networks of the literature: train. */
import { join } from "node:path";
import type { TrainResult } from "../../lib/jobs/train/train.ts";
import type { TrainOptions } from "../../lib/jobs/train/options.ts";
import { requiredText, type Arguments, type Command, type Context } from "../command.ts";
import { shownMetrics } from "../../lib/record/absent.ts";
import type { Metrics } from "../../lib/record/record.ts";
import { formatShareOf, plainText } from "../../lib/report/format.ts";
import { accuracyText, formatError } from "../../lib/report/sections/facts.ts";
import { trainTable } from "../../lib/jobs/train/options.ts";
import { common, givenOf, optionsOf } from "../options.ts";
import { count, ms, percent, size, table } from "../table.ts";

export const trainCommand: Command<"train"> = {
  usage: "train",
  describe: "Train a light network of the literature, measure it, report",
  options: optionsOf(trainTable),
  examples: [
    [
      "etl train --backbone mobilenet-v1 --width 0.5 --size 128 --task attributes --data ~/celeba --out runs/mobilenet",
      "A small network from nothing",
    ],
    [
      "etl train --backbone lmtcnn-1-1 --task age-group,gender --data ~/utkface --out runs/lmtcnn",
      "Two tasks at once",
    ],
  ],
  run: async (args, context) => {
    const { train } = await import("../../lib/jobs/train/train.ts");
    const result = await train(trainingOptions(args, context));
    show(result, requiredText(args, "out"), context);
    return result;
  },
};

/** Options of a training from parsed arguments. The library checks them. */
export function trainingOptions(args: Arguments, context: Context): TrainOptions {
  return { ...common(context), ...givenOf(trainTable, args) } as unknown as TrainOptions;
}

/** How often it was right, with what the number of pictures leaves open. */
function quality({
  balancedAccuracy,
  ...test
}: Pick<Metrics, "accuracy" | "accuracyError" | "n" | "balancedAccuracy">): string {
  const balanced =
    balancedAccuracy === undefined ? "" : `, balanced ${formatShareOf(balancedAccuracy, test.n)}`;
  return plainText(accuracyText(test) + balanced);
}

/** The last words of a training: every label where there are many, then the whole. */
export function show(result: TrainResult, folder: string, context: Context): void {
  const { labels, trained, accuracyError, balancedAccuracy, atZero, others } = result;
  const { accuracy } = trained;
  const n = result.dataset.test;
  if (labels !== undefined && labels.labels.length > 1) {
    const rows = labels.labels.map(({ name, accuracy, f1, positives, n }) => [
      name,
      percent(accuracy),
      percent(Math.max(positives, n - positives) / n),
      positives === 0 ? "-" : percent(f1),
      String(positives),
    ]);
    context.print(table(["label", "accuracy", "always the commoner", "F1", "positives"], rows));
    const { precision, recall, f1, majority, line } = labels;
    context.print(
      `weighted by support: precision ${percent(precision)}, recall ${percent(recall)}, F1 ${percent(f1)}`,
    );
    if (line !== undefined)
      context.print(`accuracy over the share of positives: slope ${line.slope.toFixed(3)}`);
    context.print(`always the commoner answer: ${percent(majority)}`);
  }
  const main =
    result.mae === undefined
      ? quality({ accuracy, accuracyError, n, ...(balancedAccuracy !== undefined && { balancedAccuracy }) })
      : `mean absolute error ${plainText(formatError(result.mae, result.unit ?? ""))}, within tolerance ${plainText(accuracyText({ accuracy, accuracyError, n }))}`;
  context.print(`${result.task}: ${main}, best epoch ${result.bestEpoch}`);
  if (atZero !== undefined) context.print(`the same outputs decided at 0: ${quality(atZero)}`);
  for (const { task, test } of others) context.print(`${task}: ${quality(shownMetrics(test))}`);
  const { macs, params, bytes, cpuMs } = trained;
  context.print(`${count(macs)} MACs, ${count(params)} parameters, ${size(bytes)}, ${ms(cpuMs)} a picture`);
  context.print(`n = ${result.dataset.test} test pictures; report: ${join(folder, "report.html")}`);
}
