/** `--config FILE`: options from a JSON file, by their names in the library. The command line stands above it. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { isRecord } from "../lib/core/own.ts";
import type { Options } from "yargs";
import { EtlError, nearest, shellWord } from "../lib/core/errors.ts";
import { readJson } from "../lib/core/files.ts";
import { pruneTable } from "../lib/jobs/prune/options.ts";
import type { Option } from "../lib/jobs/run/option.ts";
import { trainTable } from "../lib/jobs/train/options.ts";
import { givenIn, isSwitch, kebab, nameOf, type OptionMap } from "./call.ts";
import type { Command } from "./command.ts";
import { globalOptions } from "./globals.ts";

/** Names in the library of options whose flag is another word: `controls` is `--control`. */
const otherWords: ReadonlyMap<string, string> = new Map([
  ...[pruneTable, trainTable]
    .flatMap((table) => Object.entries<Option>(table))
    .map(([name, { flag }]) => [name, flag] as const)
    .filter(([name, flag]) => kebab(name) !== flag),
  ["archs", "backbone"],
  ["backbones", "backbone"],
  ["variants", "ablate"],
]);

/** What a file may name: the words of the library first. */
function keysOf(names: readonly string[], options: OptionMap): string[] {
  const others = [...otherWords].filter(([, flag]) => names.includes(flag)).map(([key]) => key);
  return [
    ...others,
    ...names.map((name) => name.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())),
    ...names.flatMap((name) => options[name].alias ?? []),
  ];
}

/**
 * The call with the options of its `--config` written out, where it does not give them itself.
 *
 * @throws EtlError `io` or `format` for a file that cannot be read; `usage` for a key that is no option of the command
 */
export async function withConfig(argv: readonly string[], command: Command): Promise<readonly string[]> {
  const options: OptionMap = { ...globalOptions, ...command.options };
  const given = givenIn(argv, options);
  const file = given.get("config")?.at(-1);
  if (file === undefined || file === "") return argv;
  if (existsSync(join(file, "config.json")))
    throw new EtlError("usage", `--config: ${file} is a folder, a JSON file was needed`, {
      hint: `did you mean ${shellWord(join(file, "config.json"))}?`,
    });
  const found: unknown = await readJson(file);
  if (!isRecord(found)) {
    throw new EtlError("format", `${file}: no object, an object of options was needed`, {
      hint: 'for example { "task": "gender", "gamma": 0.1 }',
    });
  }
  const names = Object.keys(options).filter((name) => name !== "config");
  const more = Object.entries(found).flatMap(([key, value]) => {
    const name =
      names.find((each) => kebab(key) === each || options[each].alias === key) ?? otherWords.get(key);
    if (name === undefined || !names.includes(name)) {
      const near = nearest(key, keysOf(names, options));
      throw new EtlError(
        "usage",
        `${file}: unknown option ${JSON.stringify(key)}, options of etl ${nameOf(command)} were needed`,
        {
          hint:
            near === undefined
              ? `etl help ${nameOf(command)} lists them`
              : `did you mean ${JSON.stringify(near)}?`,
        },
      );
    }
    // An empty list is a list that was not given.
    const nothing = value === null || (Array.isArray(value) && value.length === 0);
    return given.has(name) || nothing ? [] : [written(name, options[name], value, `${file}: ${key}`)];
  });
  const end = argv.indexOf("--");
  return end < 0 ? [...argv, ...more] : [...argv.slice(0, end), ...more, ...argv.slice(end)];
}

/** As it would stand on the command line. */
function written(name: string, option: Options, value: unknown, where: string): string {
  const bad = (needed: string): never => {
    throw new EtlError("usage", `${where}: ${JSON.stringify(value)}, ${needed} was needed`);
  };
  if (isSwitch(option)) {
    if (typeof value !== "boolean") return bad("true or false");
    return value ? `--${name}` : `--no-${name}`;
  }
  if (typeof value === "boolean") return bad("a value");
  return `--${name}=${[value]
    .flat()
    .map((each) => said(each, bad))
    .join(",")}`;
}

/** Entries of lists are texts and numbers; `tasks` has `{ task, data }`, `variants` sets of options. */
function said(value: unknown, bad: (needed: string) => never): string {
  if (typeof value === "string" || typeof value === "number") return String(value);
  if (typeof value !== "object" || value === null) return bad("a text, a number or a list of them");
  const plain = (one: unknown): string => {
    const parts: unknown[] = [one].flat();
    if (parts.every((part) => ["string", "number", "boolean"].includes(typeof part))) return parts.join(",");
    return bad("texts, numbers or lists of them inside");
  };
  const entries = Object.entries(value as Record<string, unknown>);
  if ("task" in value && "data" in value) return `${plain(value.task)}=${plain(value.data)}`;
  return entries.map(([key, one]) => `${otherWords.get(key) ?? kebab(key)}=${plain(one)}`).join("+");
}
