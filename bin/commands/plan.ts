import type { Command } from "../command.ts";
import { planOptions } from "../options.ts";
import { planRun } from "./run.ts";

export const planCommand: Command = {
  usage: "plan",
  describe: "Dry run: which filters would stay, and what that would cost; no weight is touched",
  options: { ...planOptions, gamma: { ...planOptions.gamma, default: 0.01 } },
  examples: [["etl plan --gamma 0.1 --task gender --data ~/celeba --out runs/gender", "Before any training"]],
  run: planRun,
};
