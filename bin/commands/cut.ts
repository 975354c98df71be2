/** `etl cut`: data-free surgery on any model file. */
import { plural } from "../../lib/core/printable.ts";
import { EtlError } from "../../lib/core/errors.ts";
import type { Criterion } from "../../lib/surgery/criteria.ts";
import { pruneTable } from "../../lib/jobs/prune/options.ts";
import { saidSizes, blockOption, bytesOption, present, shown } from "../options.ts";
import { flag, number, requiredText, text, type Command } from "../command.ts";
import { count, ms, percent, size } from "../table.ts";
import { openOptions, replaceOption } from "./shared.ts";

const criteria = ["l1", "l2", "random"] as const;

export const cutCommand: Command<"cut"> = {
  usage: "cut <model>",
  describe: "A smaller network from any model file, without data",
  positionals: { model: { describe: "Model file, run folder or backbone", type: "string" } },
  options: {
    out: { type: "string", describe: "ONNX file to write", demandOption: true },
    criterion: { choices: criteria, default: "l1", describe: "What makes a filter worth keeping" },
    keep: {
      type: "number",
      describe: "Share of every layer's filters that stays, in (0, 1]",
      defaultDescription: "a target decides",
    },
    "target-flops": {
      type: "number",
      describe: "Share of the MACs that is left at most, in (0, 1]",
      defaultDescription: "none",
    },
    "target-size": {
      type: "string",
      describe: "Largest size of the file: bytes, or 10MB, 500kB",
      defaultDescription: "none",
    },
    "target-ms": {
      type: "number",
      describe: "Largest CPU time of a run in ms",
      defaultDescription: "none",
    },
    "target-time": {
      type: "number",
      describe: "Largest share of the model's own CPU time, in (0, 1]",
      defaultDescription: "none",
    },
    table: shown(pruneTable.table),
    "round-to": {
      type: "string",
      describe: "Keep multiples of so many filters; auto: as many as the kernels compute at a time",
      defaultDescription: "1 with --keep, auto with a target",
    },
    ...openOptions,
    "plan-out": {
      type: "string",
      describe: "JSON file for the plan: which channels of which layer stay",
      defaultDescription: "none",
    },
    replace: replaceOption,
    check: {
      type: "boolean",
      default: true,
      describe: "Compare with the masked original before writing (--no-check)",
    },
    runs: {
      type: "number",
      describe: "Timed runs of original and result",
      defaultDescription: "50 with a target of time, else none",
    },
  },
  examples: [
    [
      "etl cut resnet50.onnx --keep 0.5 --out half.onnx --plan-out plan.json",
      "Half of every layer, by L1 norm",
    ],
    ["etl cut resnet50.onnx --criterion random --target-flops 0.3 --out small.onnx", "30 % of the MACs"],
    ["etl cut resnet50.onnx --target-size 10MB --round-to 8 --out small.onnx", "A file of at most 10 MB"],
  ],
  run: async (args, context) => {
    const { cutModel } = await import("../../lib/jobs/cut/cut.ts");
    const { planRows } = await import("../../lib/jobs/cut/plan.ts");
    const result = await cutModel({
      model: requiredText(args, "model"),
      out: requiredText(args, "out"),
      criterion: criterionOption(text(args, "criterion")),
      check: flag(args, "check") ?? true,
      seed: context.seed,
      engine: context.engine,
      progress: context.progress,
      signal: context.signal,
      ...present({
        keep: number(args, "keep"),
        targetFlops: number(args, "target-flops"),
        targetSize: bytesOption(args, "target-size"),
        targetMs: number(args, "target-ms"),
        targetTime: number(args, "target-time"),
        table: text(args, "table"),
        roundTo: blockOption(args, "round-to"),
        planOut: text(args, "plan-out"),
        replace: flag(args, "replace"),
        ...saidSizes(args),
        runs: number(args, "runs"),
        device: context.device,
        threads: context.threads,
      }),
    });
    const { before, after, latency, difference } = result;
    const line = (what: string, a: number, b: number, show = count): void => {
      context.print(`${what} ${show(a)} -> ${show(b)} (${percent(b / a)})`);
    };
    line("MACs", before.macs, after.macs);
    line("parameters", before.params, after.params);
    line("file", before.fileBytes, after.fileBytes, size);
    if (latency) {
      const [a, b] = [latency.before.medianMs, latency.after.medianMs];
      context.print(
        `CPU time ${ms(a)} -> ${ms(b)} (${percent(b / a)}), median of ${plural(latency.after.runs, "run")}, ${plural(latency.after.threads, "thread")}`,
      );
    }
    if (result.time) {
      const { predictedMs, measuredMs, wholeMs } = result.time;
      const here = measuredMs === undefined ? "" : `, measured ${ms(measuredMs)}`;
      context.print(`predicted ${ms(predictedMs)}${here}, the whole model ${ms(wholeMs)}`);
    }
    const whole = result.layers.filter(
      ({ keptOutputs, totalOutputs }) => keptOutputs.length === totalOutputs,
    );
    context.print(`${result.layers.length - whole.length} of ${result.layers.length} layers are smaller`);
    for (const { name, reason } of whole) context.print(`  ${name} stays whole: ${reason ?? ""}`);
    if (difference !== undefined) {
      const at = (result.comparedAt ?? []).join(" and ");
      context.print(
        `same as the masked original at ${at}, difference ${difference.toExponential(1)} of the output`,
      );
    }
    context.print(result.out);
    return { ...result, layers: planRows(result.layers) };
  },
};

function criterionOption(name: string | undefined): Criterion {
  const found = criteria.find((each) => each === name);
  if (found === undefined)
    throw new EtlError("usage", `--criterion: ${String(name)}, one of ${criteria.join(", ")} was needed`);
  return found;
}
