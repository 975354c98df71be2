/** Checks etl calls in texts against the command table. */
import { checkCall, findCommand } from "../../bin/call.ts";
import type { Command } from "../../bin/command.ts";
import { commands } from "../../bin/commands.ts";
import { messageOf } from "../../lib/core/errors.ts";

/** The words of a shell line, quotes taken off. */
export function wordsOf(text: string): string[] {
  return Array.from(text.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g), (m) => m[1] ?? m[2] ?? m[3] ?? "");
}

/** The arguments of an `etl` call; undefined for other programs. */
export function etlArguments(words: readonly string[]): readonly string[] | undefined {
  if (words[0] === "etl") return words.slice(1);
  if (words[0] === "npx" && words[1] === "etl") return words.slice(2);
  if (words[0] === "npm" && words[1] === "run" && words[2] === "etl") return words.slice(4);
  return undefined;
}

/** What is wrong with a call, by the program's own check; undefined = nothing. */
export function problemOf(args: readonly string[]): string | undefined {
  if (args[0] === "--help" || args[0] === "--version" || args[0] === "help" || args[0] === "completion")
    return undefined;
  try {
    const command = findCommand(args.at(0) ?? "", commands);
    // A file of options may hold all that is demanded.
    const optional = Object.entries(command.options).map(([name, option]) => [
      name,
      { ...option, demandOption: false },
    ]);
    const options = args.includes("--config")
      ? (Object.fromEntries(optional) as Command["options"])
      : command.options;
    if (!args.includes("--help")) checkCall(args, { ...command, options });
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}
