/** What makes a call of the documentation small: a small backbone, one epoch, one thread. What the call says stays. */
import { commands } from "../../../bin/commands.ts";
import type { SweepOptions } from "../../../lib/jobs/many/sweep.ts";
import type { PruneOptions } from "../../../lib/jobs/prune/options.ts";

/** Sides of pictures are for networks that are built: the small backbone has its own. */
const built = new Set(["train", "crossval"]);

/** Options that are added where a command has them and the call does not give them. */
function additions(backbone: string): Readonly<Record<string, string>> {
  return {
    backbone,
    limit: "64",
    epochs: "1",
    "baseline-epochs": "1",
    "learning-rate": "1e-3",
    "batch-size": "16",
    "val-fraction": "0.2",
    runs: "2",
    rounds: "1",
    size: "96",
    threads: "1",
  };
}

/** Commands that take no addition of a name, though they have the option. */
const exceptions: Readonly<Record<string, readonly string[]>> = {
  verify: ["backbone"],
  predict: ["backbone"],
  // Two timed runs of a model that is cut are two more than the command makes.
  cut: ["runs"],
};

/** The arguments of an `etl` call, with what makes it small. */
export function smallArguments(args: readonly string[], backbone: string): string[] {
  const command = commands.find(({ usage }) => usage.split(" ")[0] === args[0]);
  if (command === undefined || args.includes("--help")) return [...args];
  const given = new Set(args.filter((arg) => arg.startsWith("--")).map((arg) => arg.slice(2).split("=")[0]));
  const added = Object.entries(additions(backbone)).filter(
    ([name]) =>
      (name === "threads" || name in command.options) &&
      command.fixed?.names.includes(name) !== true &&
      (name !== "size" || built.has(args[0])) &&
      // A latency table has its own number of turns.
      (name !== "rounds" || !args.includes("--table")) &&
      !given.has(name) &&
      !(exceptions[args[0]] ?? []).includes(name),
  );
  return [...args, ...added.map(([name, value]) => `--${name}=${value}`)];
}

/** The options of a `prune` call in a ts block, with what makes it small. */
export function smallOptions<T extends PruneOptions | SweepOptions>(options: T, backbone: string): T {
  return {
    ...{ backbone, limit: 64, epochs: 1, baselineEpochs: 1, learningRates: [1e-3], batchSize: 16 },
    valFraction: 0.2,
    ...{ runs: 2, threads: 1 },
    ...options,
  };
}
