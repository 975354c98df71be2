/** Arguments, exit codes, progress; no logic. */
import yargs, { type Argv } from "yargs";
import { isEtlError, messageOf, EtlError, type ErrorKind } from "../lib/core/errors.ts";
import { everydayError } from "../lib/core/files.ts";
import { printable } from "../lib/core/printable.ts";
import { version } from "../lib/core/version.ts";
import { speak } from "../lib/core/voice.ts";
import { checkThreads } from "../lib/engine/engine.ts";
import type { CommandName } from "../lib/json.ts";
import { checkCall, checkOptions, commandOf, findCommand, isAsked, nameOf, repeated } from "./call.ts";
import type { Arguments, Command, Context } from "./command.ts";
import { commands } from "./commands.ts";
import { withConfig } from "./config.ts";
import { globalOptions } from "./globals.ts";
import { failureJson, resultJson } from "./json.ts";
import { createProgress } from "./progress.ts";

/** 0 done, 1 the job failed, 2 the call is wrong, 130 interrupted with the state kept. */
const exitCodes: Readonly<Record<ErrorKind, number>> = {
  usage: 2,
  data: 1,
  format: 1,
  unsupported: 1,
  io: 1,
  engine: 1,
  interrupted: 130,
};

/** Signals that stop a job in good order. */
const stops = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Runs the program and returns its exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  const abort = new AbortController();
  const stopListening = (): void => {
    for (const signal of stops) process.off(signal, onInterrupt);
  };
  const onInterrupt = (signal: NodeJS.Signals): void => {
    if (abort.signal.aborted) {
      // As if nobody listened: to leave in good order would wait for the thread that computes, and trip over it.
      stopListening();
      process.kill(process.pid, signal);
      return;
    }
    process.stderr.write("\nstopping: what was done is kept (Ctrl-C again to stop at once)\n");
    abort.abort();
  };
  for (const signal of stops) process.on(signal, onInterrupt);
  const stopSpeaking = speak("flags");
  try {
    await parse(argv, abort.signal);
    return 0;
  } catch (error) {
    return fail(error, argv);
  } finally {
    stopSpeaking();
    stopListening();
  }
}

async function parse(argv: readonly string[], signal: AbortSignal): Promise<void> {
  const { call, warnings } = await checked(argv);
  let work: (() => Promise<void>) | undefined;
  const asked = isAsked(argv, "json") && !isAsked(argv, "get-yargs-completions");
  const help = asked && isAsked(call, "help");
  // With --help among its words the parser prints the text itself.
  const parser = parserOf(help ? call.filter((word) => word !== "--help") : call);
  for (const command of commands) {
    parser.command(
      command.usage,
      command.describe,
      (y) => withOptions(y, command),
      (args) => {
        work = () => execute(command, args, { signal, warnings });
      },
    );
  }
  if (asked && isAsked(call, "version")) {
    process.stdout.write(resultJson("version", { version }));
  } else if (help) {
    process.stdout.write(resultJson("help", { text: await parser.getHelp() }));
  } else {
    await parser.parseAsync();
    await work?.();
  }
}

/** The call as the parser is to see it: looked over, with what a file of options adds. */
async function checked(
  argv: readonly string[],
): Promise<{ call: readonly string[]; warnings: readonly string[] }> {
  const plain = (call: readonly string[]) => ({ call, warnings: [] });
  // A shell that completes a line asks about calls that are not finished.
  if (isAsked(argv, "get-yargs-completions")) return plain(argv);
  const [name, target] = commandOf(argv, commands);
  if (name === undefined) {
    checkOptions(argv, "etl", globalOptions);
    if (isAsked(argv, "version")) return plain(["--version"]);
    if (isAsked(argv, "json") && !isAsked(argv, "help"))
      throw new EtlError("usage", "etl: no command, one was needed with --json");
    return plain(["--help"]);
  }
  if (name === "completion") {
    // As other programs have it: etl completion zsh. The parser goes by the shell that it runs in.
    if (target === "bash" || target === "zsh") process.env["SHELL"] = target;
    else if (target !== undefined)
      throw new EtlError("usage", `etl completion: ${JSON.stringify(target)}, bash or zsh was needed`);
    return plain(["completion"]);
  }
  if (name === "help") {
    return plain(target === undefined ? ["--help"] : [nameOf(findCommand(target, commands)), "--help"]);
  }
  const command = findCommand(name, commands);
  if (isAsked(argv, "help")) return plain([name, "--help"]);
  if (isAsked(argv, "version")) return plain(["--version"]);
  const call = await withConfig(argv, command);
  return { call, warnings: repeated(checkCall(call, command)) };
}

function parserOf(argv: readonly string[]): Argv {
  return yargs([...argv])
    .scriptName("etl")
    .usage(
      "$0 <command>\n\nFinds the filters a face task needs, cuts the network down to them and fine-tunes it.",
    )
    .version(version)
    .options(globalOptions)
    .alias("h", "help")
    .completion("completion", "Print what makes bash or zsh complete: etl completion >> ~/.bashrc")
    .strict()
    .wrap(Math.min(110, process.stdout.columns || 110))
    .exitProcess(false)
    .fail((message: string | null, error?: Error) => {
      if (error !== undefined) throw error;
      throw new EtlError("usage", `etl: ${(message ?? "wrong call").trim()}`, {
        hint: "see etl help, or etl help <command>",
      });
    });
}

function withOptions(parser: Argv, command: Command): Argv {
  for (const [name, positional] of Object.entries(command.positionals ?? {}))
    parser.positional(name, positional);
  parser.options(command.options);
  for (const name of command.fixed?.names ?? []) parser.hide(name);
  for (const [example, what] of command.examples) parser.example(example, what);
  return command.check?.(parser) ?? parser;
}

async function execute(
  command: Command,
  args: Arguments,
  { signal, warnings }: { readonly signal: AbortSignal; readonly warnings: readonly string[] },
): Promise<void> {
  const json = args["json"] === true;
  const quiet = args["quiet"] === true;
  const threads = args["threads"];
  if (threads !== undefined) checkThreads(Number(threads));
  if (!Number.isSafeInteger(args["seed"])) {
    throw new EtlError("usage", `--seed: ${String(args["seed"])}, a whole number was needed`);
  }
  const context: Context = {
    progress: createProgress(process.stderr, { quiet, verbose: args["verbose"] === true }),
    signal,
    seed: Number(args["seed"]),
    threads: threads === undefined ? undefined : Number(threads),
    engine: args["engine"] as Context["engine"],
    device: args["device"] as Context["device"],
    print: (line) => {
      if (!json && !quiet) process.stdout.write(`${printable(line, "\n\t", "all")}\n`);
    },
  };
  for (const warning of warnings) context.progress.warn(warning);
  const result = await command.run(args, context);
  if (json) process.stdout.write(resultJson(nameOf(command) as CommandName, result));
}

function fail(thrown: unknown, argv: readonly string[]): number {
  const error = isEtlError(thrown) ? thrown : (everydayError(thrown) ?? thrown);
  const verbose = isAsked(argv, "verbose");
  if (isAsked(argv, "json")) process.stdout.write(failureJson(error));
  if (isEtlError(error)) {
    process.stderr.write(
      `${error.kind === "interrupted" ? "stopped" : "error"}: ${printable(error.message)}\n`,
    );
    if (error.hint !== undefined) process.stderr.write(`hint: ${printable(error.hint)}\n`);
  } else {
    process.stderr.write(`error: ${printable(messageOf(error))}\n`);
    if (!verbose)
      process.stderr.write("hint: this looks like a defect of etl; run again with --verbose for the stack\n");
  }
  if (verbose && error instanceof Error) process.stderr.write(`${error.stack ?? ""}\n`);
  return isEtlError(error) ? exitCodes[error.kind] : 1;
}
