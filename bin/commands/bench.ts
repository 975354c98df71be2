/** Command bench: what a network costs on this machine. */
import { number, requiredText, text, type Command } from "../command.ts";
import { pruneTable } from "../../lib/jobs/prune/options.ts";
import { shown } from "../options.ts";
import { table } from "../table.ts";

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
    batch: { type: "number", describe: "Pictures per run", defaultDescription: "32" },
    rounds: { type: "number", describe: "Timed runs of each kind, alternating", defaultDescription: "5" },
  },
  examples: [
    ["etl bench --backbone face-resnet --batch 32 --json", "The default backbone"],
    ["etl bench --backbone model.onnx --threads 1", "A model file, on one thread"],
  ],
  run: async (args, context) => {
    const { benchBackbone } = await import("../../lib/jobs/use/bench.ts");
    const { engine, device, threads, progress, signal } = context;
    const result = await benchBackbone(requiredText(args, "backbone"), {
      ...{ engine, device, threads, progress, signal },
      weights: text(args, "weights"),
      batch: number(args, "batch"),
      rounds: number(args, "rounds"),
    });
    const row = (what: string, ms: number): string[] => [what, `${ms.toFixed(2)} ms`];
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
