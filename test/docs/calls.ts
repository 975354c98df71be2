/** Checks etl calls in texts against the command table. */
import { commands } from "../../bin/commands.ts";

/** Options that every command has; held against `etl --help` below. */
const common = new Set([
  "json",
  "quiet",
  "verbose",
  "seed",
  "threads",
  "engine",
  "device",
  "help",
  "version",
]);
const switches = new Set(["json", "quiet", "verbose", "help", "version"]);

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

/** What is wrong with a call, against the command table; undefined = nothing. */
export function problemOf(args: readonly string[]): string | undefined {
  const [name, ...rest] = args;
  if (name === "--help" || name === "--version") return undefined;
  const command = commands.find(({ usage }) => usage.split(" ")[0] === name);
  if (command === undefined) return `no command "${name ?? ""}"`;
  const seen = new Set<string>();
  let positionals = 0;
  for (let i = 0; i < rest.length; i++) {
    if (!rest[i].startsWith("--")) {
      positionals++;
      continue;
    }
    const [given, inline] = rest[i].slice(2).split("=");
    const option = given.startsWith("no-") ? given.slice(3) : given;
    const known = command.options[option];
    if (known === undefined && !common.has(option)) return `no option --${given}`;
    seen.add(option);
    const boolean = known === undefined ? switches.has(option) : known.type === "boolean";
    if (given !== option && !boolean) return `--${given}: ${option} is not a switch`;
    if (boolean) continue;
    const value = inline ?? rest[++i];
    if (value === undefined || value.startsWith("--")) return `--${given} without a value`;
    if (known?.type === "number" && !Number.isFinite(Number(value))) return `--${given} ${value}: no number`;
    if (known?.choices !== undefined && !known.choices.includes(value))
      return `--${given} ${value}: no choice`;
  }
  if (seen.has("help")) return undefined;
  const missing = Object.entries(command.options).find(
    ([option, { demandOption, hidden }]) => Boolean(demandOption) && hidden !== true && !seen.has(option),
  );
  if (missing !== undefined) return `--${missing[0]} is missing`;
  const slots = command.usage.split(" ").slice(1);
  const least = slots.filter((slot) => slot.startsWith("<")).length;
  const most = slots.some((slot) => slot.includes("..")) ? Infinity : slots.length;
  if (positionals < least || positionals > most) return `${positionals} arguments, ${command.usage}`;
  return undefined;
}
