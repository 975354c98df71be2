/** Command merge: shards of a harvest become the harvest of a run. */
import { EtlError } from "../../lib/core/errors.ts";
import { pruneTable } from "../../lib/jobs/prune/options.ts";
import { flag, requiredText, texts, type Command } from "../command.ts";
import { shown } from "../options.ts";
import { count } from "../table.ts";

export const mergeCommand: Command<"merge"> = {
  usage: "merge <shards..>",
  describe: "Add up the shards of a harvest into one run folder",
  positionals: { shards: { describe: "Run folders with shards, or moments/shard-*.bin files", array: true } },
  options: {
    out: { type: "string", describe: "Run folder", demandOption: true },
    replace: shown(pruneTable.replace),
  },
  examples: [
    ["etl merge shards/1 shards/2 --out runs/gender", "Shards 1/2 and 2/2; then etl prune --out runs/gender"],
  ],
  run: async (args, context) => {
    const { mergeShards } = await import("../../lib/jobs/many/shards.ts");
    const shards = texts(args, "shards");
    if (shards.length === 0) throw new EtlError("usage", "merge: no shard, at least one was needed");
    const merged = await mergeShards(shards, requiredText(args, "out"), {
      progress: context.progress,
      replace: flag(args, "replace"),
    });
    context.print(
      `${merged.shards} shards, ${count(merged.n)} pictures, ${merged.taps} taps -> ${merged.folder}`,
    );
    return merged;
  },
};
