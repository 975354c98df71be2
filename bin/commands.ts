/** The commands, in the order of `--help`. */
import type { Command } from "./command.ts";
import { backbonesCommand, doctorCommand, reportCommand } from "./commands/about.ts";
import { alignCommand } from "./commands/align.ts";
import { benchCommand } from "./commands/bench.ts";
import { compareCommand } from "./commands/compare.ts";
import { crossvalCommand } from "./commands/crossval.ts";
import { cutCommand } from "./commands/cut.ts";
import { drawCommand } from "./commands/draw.ts";
import { mergeCommand } from "./commands/merge.ts";
import { planCommand } from "./commands/plan.ts";
import {
  curvesCommand,
  finetuneCommand,
  harvestCommand,
  pruneCommand,
  resumeCommand,
} from "./commands/run.ts";
import { quantizeCommand } from "./commands/quantize.ts";
import { sweepCommand } from "./commands/sweep.ts";
import { trainCommand } from "./commands/train.ts";
import { demoCommand, exportCommand } from "./commands/export.ts";
import { evaluateCommand, predictCommand, profileCommand, verifyCommand } from "./commands/use.ts";

export const commands: readonly Command[] = [
  pruneCommand,
  sweepCommand,
  resumeCommand,
  harvestCommand,
  mergeCommand,
  curvesCommand,
  planCommand,
  cutCommand,
  quantizeCommand,
  finetuneCommand,
  trainCommand,
  crossvalCommand,
  evaluateCommand,
  profileCommand,
  benchCommand,
  predictCommand,
  verifyCommand,
  alignCommand,
  drawCommand,
  reportCommand,
  compareCommand,
  exportCommand,
  demoCommand,
  backbonesCommand,
  doctorCommand,
];
