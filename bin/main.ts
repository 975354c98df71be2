/** Arguments, exit codes, progress; no logic. */
import yargs from "yargs";
import { isEtlError, messageOf, nearest, EtlError, type ErrorKind } from "../lib/core/errors.ts";
import { everydayError } from "../lib/core/files.ts";
import { printable } from "../lib/core/printable.ts";
import { version } from "../lib/core/version.ts";
import type { Arguments, Command, Context } from "./command.ts";
import { commands } from "./commands.ts";
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
  try {
    await parse(argv, abort.signal);
    return 0;
  } catch (error) {
    return fail(error, argv);
  } finally {
    stopListening();
  }
}

async function parse(argv: readonly string[], signal: AbortSignal): Promise<void> {
  let work: (() => Promise<void>) | undefined;
  const parser = yargs([...argv])
    .scriptName("etl")
    .usage(
      "$0 <command>\n\nFinds the filters a face task needs, cuts the network down to them and fine-tunes it.",
    )
    .version(version)
    .options({
      json: { type: "boolean", describe: "Print the result as one JSON object, the last line on stdout" },
      quiet: { type: "boolean", describe: "Warnings only, no progress" },
      verbose: { type: "boolean", describe: "Show the stack of an error" },
      seed: { type: "number", default: 0, describe: "Seed of everything random" },
      threads: { type: "number", describe: "Compute threads (default: all cores)" },
      engine: { choices: ["auto", "ort", "tfjs"] as const, default: "auto", describe: "What computes" },
      device: { choices: ["cpu", "cuda"] as const, describe: "On what (default: see etl doctor)" },
    })
    .alias("h", "help")
    .strict()
    .demandCommand(1, "name a command")
    .wrap(Math.min(110, process.stdout.columns || 110))
    .exitProcess(false)
    .fail((message: string | null, error?: Error) => {
      if (error !== undefined) throw error;
      throw new EtlError("usage", `etl: ${plain(message ?? "wrong call", argv)}`, {
        hint: "see etl --help, or etl <command> --help",
      });
    });
  for (const command of commands) {
    parser.command(
      command.usage,
      command.describe,
      (y) => {
        for (const [name, positional] of Object.entries(command.positionals ?? {}))
          y.positional(name, positional);
        y.options(command.options);
        for (const [example, what] of command.examples) y.example(example, what);
        return command.check?.(y) ?? y;
      },
      (args) => {
        work = () => execute(command, args, signal);
      },
    );
  }
  await parser.parseAsync();
  await work?.();
}

/** yargs' message, with the nearest command where the command is unknown. */
function plain(message: string, argv: readonly string[]): string {
  const first = argv.find((each) => !each.startsWith("-"));
  const names = commands.map((command) => command.usage.split(" ")[0]);
  if (first !== undefined && !names.includes(first)) {
    const near = nearest(first, names);
    return `unknown command ${JSON.stringify(first)}${near === undefined ? "" : `, did you mean ${near}?`}`;
  }
  return message.trim().split("\n").at(-1) ?? message;
}

async function execute(command: Command, args: Arguments, signal: AbortSignal): Promise<void> {
  const json = args["json"] === true;
  const quiet = args["quiet"] === true;
  const threads = args["threads"];
  if (threads !== undefined && !(Number.isInteger(threads) && Number(threads) >= 1)) {
    throw new EtlError(
      "usage",
      `--threads: ${JSON.stringify(threads)}, a whole number of at least 1 was needed`,
    );
  }
  if (!Number.isSafeInteger(args["seed"])) {
    throw new EtlError("usage", `--seed: ${String(args["seed"])}, a whole number was needed`);
  }
  const context: Context = {
    progress: createProgress(process.stderr, quiet),
    signal,
    seed: Number(args["seed"]),
    threads: threads === undefined ? undefined : Number(threads),
    engine: args["engine"] as Context["engine"],
    device: args["device"] as Context["device"],
    print: (line) => {
      if (!json && !quiet) process.stdout.write(`${printable(line, "\n\t", "all")}\n`);
    },
  };
  const result = await command.run(args, context);
  if (json) process.stdout.write(`${JSON.stringify(result)}\n`);
}

function fail(thrown: unknown, argv: readonly string[]): number {
  const error = isEtlError(thrown) ? thrown : (everydayError(thrown) ?? thrown);
  const verbose = argv.includes("--verbose");
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
