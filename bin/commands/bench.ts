/** Command bench: what a network costs on this machine. */
import { EtlError } from "../../lib/core/errors.ts";
import { jsonText } from "../../lib/core/files.ts";
import { needSpare, writeSpare } from "../../lib/core/spare.ts";
import {
  flag,
  number,
  requiredText,
  serviceOf,
  text,
  type Arguments,
  type Command,
  type Context,
} from "../command.ts";
import type { LatencyTable } from "../../lib/latency/table.ts";
import { pruneTable } from "../../lib/jobs/prune/options.ts";
import { refuseIgnored } from "../../lib/jobs/run/option.ts";
import { shown } from "../options.ts";
import { ms, percent, table } from "../table.ts";
import { replaceOption } from "./shared.ts";

export const benchCommand: Command<"bench"> = {
  usage: "bench",
  describe: "Time of forward, harvest and training per picture, for planning a run",
  options: {
    backbone: { ...shown(pruneTable.backbone), demandOption: true, defaultDescription: undefined },
    weights: {
      type: "string",
      describe: "Weight file",
      defaultDescription: "its own, random where it has none",
    },
    batch: { type: "number", describe: "Pictures per run", defaultDescription: "32; with --table 1" },
    rounds: { type: "number", describe: "Timed runs of each kind, alternating", defaultDescription: "5" },
    table: {
      type: "boolean",
      describe: "Instead: a latency table for etl prune and etl cut on another machine; with --out",
      defaultDescription: "false",
    },
    out: { type: "string", describe: "With --table: JSON file to write", defaultDescription: "none" },
    replace: replaceOption,
  },
  examples: [
    ["etl bench --backbone face-resnet --batch 32 --json", "The default backbone"],
    ["etl bench --backbone model.onnx --threads 1", "A model file, on one thread"],
    ["etl bench --table --backbone face-resnet --out phone.json", "For --target-ms and --table elsewhere"],
  ],
  run: async (args, context) => {
    const making = flag(args, "table") === true;
    refuseIgnored({}, args, [
      making
        ? { names: ["rounds"], by: "--table", needed: "a bench without --table" }
        : { names: ["out"], by: "a bench without --table", needed: "--table" },
    ]);
    if (making) return writeTable(args, context);
    const { benchBackbone } = await import("../../lib/jobs/use/bench.ts");
    const result = await benchBackbone(requiredText(args, "backbone"), {
      ...serviceOf(context),
      weights: text(args, "weights"),
      batch: number(args, "batch"),
      rounds: number(args, "rounds"),
    });
    const row = (what: string, time: number): string[] => [what, ms(time)];
    context.print(
      `${result.backbone} (${result.engine}, ${result.threads} threads, batch ${result.batch}, medians of ${result.rounds})`,
    );
    context.print(
      table(
        ["one picture", "time"],
        [
          row("forward", result.forwardMs),
          row("forward with taps (harvest)", result.forwardTapsMs),
          row("training step", result.trainMs),
        ],
      ),
    );
    return result;
  },
};

async function writeTable(args: Arguments, context: Context): Promise<LatencyTable> {
  const out = text(args, "out");
  if (out === undefined) throw new EtlError("usage", "bench --table: no --out, a file to write was needed");
  const replace = flag(args, "replace");
  await needSpare(out, { replace });
  const { benchTable } = await import("../../lib/jobs/use/bench.ts");
  const result = await benchTable(requiredText(args, "backbone"), {
    ...serviceOf(context),
    seed: context.seed,
    weights: text(args, "weights"),
    batch: number(args, "batch"),
  });
  await writeSpare(new Map([[out, new TextEncoder().encode(jsonText(result))]]), { replace });
  const off = (share: number): string => percent(share);
  context.print(`${result.network} on ${result.cpu}, ${result.engine}, blocks of ${result.block} channels`);
  context.print(
    table(
      ["threads", "numbers", "whole network", "error, median", "largest"],
      result.entries.map(({ threads: count, int8, wholeMs, error }) => [
        String(count),
        int8 ? "int8" : "float",
        ms(wholeMs),
        off(error.median),
        off(error.largest),
      ]),
    ),
  );
  context.print(out);
  return result;
}
