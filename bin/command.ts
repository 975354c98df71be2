/** What a command of the program is: arguments, examples, a run that returns the object behind `--json`. */
import type { Argv, Options } from "yargs";
import type { Progress } from "../lib/core/progress.ts";
import type { Device, EngineName } from "../lib/engine/engine.ts";
import type { ServiceOptions } from "../lib/engine/service.ts";
import type { CommandName, CommandResults } from "../lib/json.ts";

/** What every command gets beside its own arguments. */
export interface Context {
  readonly progress: Progress;
  readonly signal: AbortSignal;
  readonly seed: number;
  readonly threads: number | undefined;
  readonly engine: "auto" | EngineName;
  readonly device: Device | undefined;
  /** Prints a line for people on stdout; silent with --json and --quiet. */
  print(text: string): void;
}

/** Parsed arguments, by option name. */
export type Arguments = Readonly<Record<string, unknown>>;

export interface Command<Name extends CommandName = CommandName> {
  /** For example "prune" or "predict <model> [images..]". */
  readonly usage: string;
  readonly describe: string;
  readonly options: Readonly<Record<string, Options>>;
  /** Options of every command that this one goes without. */
  readonly fixed?: {
    readonly names: readonly string[];
    readonly because: string;
    readonly hint: string;
  };
  /** Positional arguments, beside those in `usage`. */
  readonly positionals?: Readonly<Record<string, { describe: string; type?: "string"; array?: boolean }>>;
  readonly examples: readonly (readonly [command: string, what: string])[];
  readonly check?: (yargs: Argv) => Argv;
  /** The object behind `--json`. */
  run(args: Arguments, context: Context): Promise<CommandResults[Name]>;
}

/** What a service of the library takes of it. */
export function serviceOf({ engine, device, threads, progress, signal }: Context): ServiceOptions {
  return { engine, device, threads, progress, signal };
}

/** A text argument; undefined where it was not given. */
export function text(args: Arguments, name: string): string | undefined {
  const value = last(args[name]);
  return value === undefined ? undefined : typeof value === "string" ? value : JSON.stringify(value);
}

/** A text argument that the parser has already demanded. */
export function requiredText(args: Arguments, name: string): string {
  return text(args, name) ?? "";
}

/** A list of texts; empty where it was not given. */
export function texts(args: Arguments, name: string): string[] {
  const value = args[name];
  if (value === undefined) return [];
  return (Array.isArray(value) ? value : [value]).map((each) => String(each));
}

/** A number; undefined where it was not given. */
export function number(args: Arguments, name: string): number | undefined {
  const value = last(args[name]);
  return value === undefined ? undefined : Number(value);
}

/** A switch; undefined where it was not given. */
export function flag(args: Arguments, name: string): boolean | undefined {
  const value = last(args[name]);
  return value === undefined ? undefined : Boolean(value);
}

/** An option given twice: the last one counts. */
function last(value: unknown): unknown {
  return Array.isArray(value) ? (value as unknown[]).at(-1) : value;
}
