/**
 * What is wrong with a call, before anything runs: an unknown option is named before a missing one, with the nearest
 * that exists, because the missing one is as a rule the one that was mistyped.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Options } from "yargs";
import { EtlError, nearest } from "../lib/core/errors.ts";
import { own } from "../lib/core/own.ts";
import { TASKS } from "../lib/data/tasks.ts";
import type { Command } from "./command.ts";
import { builtIn, elsewhere, globalOptions, otherCommands } from "./globals.ts";
import { listFlags } from "./options.ts";

export type OptionMap = Readonly<Record<string, Options>>;

/** A call taken apart. */
export interface Call {
  readonly command: Command;
  /** Words that belong to no option, without the command. */
  readonly words: readonly string[];
  /** The values of every option, in the order given. */
  readonly given: ReadonlyMap<string, readonly string[]>;
}

/** One option of a call as written: `--target-flops=0.3`. */
interface Written {
  /** With its dashes: `--gama`. */
  readonly as: string;
  /** Undefined where no option has this name. */
  readonly name: string | undefined;
  /** Undefined where a value is missing; "true" and "false" of a switch. */
  readonly value: string | undefined;
}

/** The command's name: "predict" of "predict [inputs..]". */
export const nameOf = ({ usage }: Command): string => usage.split(" ")[0];

/** The command of a call, and the words after it; empty where none is named. */
export function commandOf(argv: readonly string[], commands: readonly Command[]): string[] {
  return takeApart(argv, everyOption(commands)).words;
}

/** The options that a call gives, whatever is wrong with it. */
export function givenIn(argv: readonly string[], options: OptionMap): Call["given"] {
  return valuesOf(takeApart(argv, options).written);
}

/** Whether a switch stands in a call that may be wrong. */
export function isAsked(argv: readonly string[], name: string): boolean {
  const end = argv.indexOf("--");
  const before = end < 0 ? argv : argv.slice(0, end);
  return before.some(
    (each) => [`--${name}`, `--${name}=true`].includes(each) || (name === "help" && each === "-h"),
  );
}

/** @throws EtlError `usage` where no command has this name */
export function findCommand(name: string, commands: readonly Command[]): Command {
  const found = commands.find((command) => nameOf(command) === name);
  if (found !== undefined) return found;
  const near =
    own(otherCommands, name.toLowerCase()) ?? nearest(name, [...commands.map(nameOf), "help", "completion"]);
  throw new EtlError("usage", `etl: unknown command ${JSON.stringify(name)}, a command was needed`, {
    hint: near === undefined ? "etl --help lists the commands" : `did you mean: etl ${near}?`,
  });
}

/**
 * Looks a call over.
 *
 * @throws EtlError `usage` with the first thing that is wrong: unknown options, values, words too many, what is missing
 */
export function checkCall(argv: readonly string[], command: Command): Call {
  const options: OptionMap = { ...globalOptions, ...command.options };
  const { words, written } = checkOptions(argv, `etl ${nameOf(command)}`, options, command);
  const call: Call = { command, words: words.slice(1), given: valuesOf(written) };
  checkWords(call, options);
  checkMissing(call, options);
  checkFixed(call);
  return call;
}

/** @throws EtlError `usage` for an option of every command that this one goes without */
function checkFixed({ command, given }: Call): void {
  const { fixed } = command;
  const name = fixed?.names.find((each) => given.has(each));
  if (fixed === undefined || name === undefined) return;
  const value = given.get(name)?.at(-1) ?? "";
  throw new EtlError("usage", `etl ${nameOf(command)}: --${name} ${value}, ${fixed.because}`, {
    hint: fixed.hint,
  });
}

/** @throws EtlError `usage` for an option that is unknown, then for one whose value makes no sense */
export function checkOptions(
  argv: readonly string[],
  where: string,
  options: OptionMap,
  command?: Command,
): ReturnType<typeof takeApart> {
  const parts = takeApart(argv, options);
  for (const each of parts.written) if (each.name === undefined) unknown(each, options, where, command);
  for (const { as, name, value } of parts.written)
    if (name !== undefined) checkValue(as, options[name], value);
  return parts;
}

/** The options of all commands: what takes a value takes one in all of them. */
function everyOption(commands: readonly Command[]): OptionMap {
  return Object.assign({}, ...commands.map(({ options }) => options), globalOptions) as OptionMap;
}

/** Options that other programs have for what is written without one here: `etl predict RUN IMAGE`. */
function placeHint(word: string, { usage, examples }: Command): string | undefined {
  const isModel =
    /^(m|model|run|network|weights)$/.test(word) && /\W(model|models|run|runs|inputs)\W/.test(usage);
  const isPicture =
    /^(i|images?|img|inputs?|files?|path|pictures?|source)$/.test(word) && usage.includes("inputs");
  return isModel || isPicture ? `without an option: ${examples[0][0]}` : undefined;
}

/** A switch takes no value. */
export const isSwitch = (option: Options): boolean => option.type === "boolean";

function takeApart(argv: readonly string[], options: OptionMap): { words: string[]; written: Written[] } {
  const words: string[] = [];
  const written: Written[] = [];
  const end = argv.indexOf("--");
  const before = end < 0 ? argv : argv.slice(0, end);
  for (let at = 0; at < before.length; at++) {
    const token = before[at];
    if (!isOption(token)) {
      words.push(token);
      continue;
    }
    const [, dashes, spelled, , attached] = /^(--?)([^=]+)(=([^]*))?$/.exec(token) ?? [
      "",
      "--",
      token.slice(2),
    ];
    const name = dashes === "--" ? nameIn(options, spelled) : spelled === "h" ? "help" : undefined;
    const as = `${dashes}${spelled}`;
    const next = before.at(at + 1);
    if (name === undefined || builtIn.includes(name as "help")) {
      written.push({ as, name, value: attached ?? "true" });
      // What follows an unknown option is its value where another option or nothing comes after.
      if (
        name === undefined &&
        attached === undefined &&
        next !== undefined &&
        !isOption(next) &&
        words.length > 0
      )
        at++;
    } else if (isSwitch(options[name])) {
      const value = attached ?? (next === "true" || next === "false" ? before[++at] : undefined);
      written.push({ as, name, value: value ?? String(!isNegated(options, spelled)) });
    } else {
      const takes = attached === undefined && next !== undefined && !isOption(next);
      written.push({
        as,
        name,
        value: isNegated(options, spelled) ? undefined : takes ? before[++at] : attached,
      });
    }
  }
  if (end >= 0) words.push(...argv.slice(end + 1));
  return { words, written };
}

/** A negative number is a value. */
const isOption = (token: string): boolean => /^-./.test(token) && !/^-\.?\d/.test(token);

/** `targetFlops`, `no-refit` and aliases are also names of `target-flops`, `refit` and what they stand for. */
function nameIn(options: OptionMap, spelled: string): string | undefined {
  const known = (name: string): string | undefined =>
    [name, kebab(name)].find((each) => Object.hasOwn(options, each) || builtIn.includes(each as "help")) ??
    Object.keys(options).find((each) => options[each].alias === name);
  return known(spelled) ?? (spelled.startsWith("no-") ? known(spelled.slice(3)) : undefined);
}

function isNegated(options: OptionMap, spelled: string): boolean {
  return spelled.startsWith("no-") && !Object.hasOwn(options, spelled);
}

/** "targetFlops" -> "target-flops". */
export const kebab = (name: string): string =>
  name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

function valuesOf(written: readonly Written[]): Map<string, string[]> {
  const given = new Map<string, string[]>();
  for (const { name, value } of written)
    if (name !== undefined) given.set(name, [...(given.get(name) ?? []), value ?? ""]);
  return given;
}

function unknown({ as }: Written, options: OptionMap, where: string, command?: Command): never {
  const bare = as.replace(/^-+/, "");
  const negated = bare.startsWith("no-");
  const word = (negated ? bare.slice(3) : bare).toLowerCase();
  const candidates = Object.entries(options)
    .filter(([, option]) => !negated || isSwitch(option))
    .flatMap(([name, { alias = [] }]) => [name, alias].flat());
  const usual =
    where === "etl" && word === "v"
      ? "version"
      : (negated ? [] : (own(elsewhere, word) ?? [])).find((each) => candidates.includes(each.split(" ")[0]));
  const near = usual ?? nearest(word, [...candidates, ...builtIn]);
  const place = command === undefined || near !== undefined ? undefined : placeHint(word, command);
  throw new EtlError("usage", `${where}: unknown option ${as}, one of those that it has was needed`, {
    hint:
      place ??
      (near === undefined
        ? `${where.replace("etl", "etl help")} lists them`
        : `did you mean --${negated ? "no-" : ""}${near}?`),
  });
}

function checkValue(as: string, option: Options | undefined, value: string | undefined): void {
  if (option === undefined) return;
  const bad = (found: string, needed: string, hint?: string): never => {
    throw new EtlError("usage", `${as}: ${found}, ${needed} was needed`, { hint });
  };
  if (isSwitch(option)) {
    if (value !== "true" && value !== "false")
      bad(
        JSON.stringify(value),
        "a switch without a value",
        `write ${as}, or --no-${as.replace(/^--(no-)?/, "")}`,
      );
    return;
  }
  const choices = (option.choices ?? []).map(String);
  if (value === undefined || value.trim() === "") {
    const one =
      choices.length > 0 ? `one of ${choices.join(", ")}` : option.type === "number" ? "a number" : "a value";
    return bad(as.startsWith("--no-") ? "it is no switch" : "nothing after it", one);
  }
  if (choices.length > 0 && !choices.includes(value)) {
    const usual = own(elsewhere, value.toLowerCase()) ?? [];
    const near = usual.find((each) => choices.includes(each)) ?? nearest(value, choices);
    const trained = as === "--backbone" ? `trained networks are pruned: etl prune ${as} ${value}` : undefined;
    bad(
      JSON.stringify(value),
      `one of ${choices.join(", ")}`,
      near === undefined ? trained : `did you mean ${near}?`,
    );
  }
  if (option.type === "number" && !Number.isFinite(Number(value)))
    bad(JSON.stringify(value), "a number", numberHint(as, value));
}

/** What a number with something behind it was meant as: 30%, 5ms; or one with a comma: 0,5. */
function numberHint(as: string, value: string): string | undefined {
  const [, decimals] = /^\s*0?,(\d+)\s*$/.exec(value) ?? [];
  if (decimals !== undefined) return `with a point: ${as} 0.${decimals}`;
  const [, side] = /^\s*(\d+)x\1\s*$/.exec(value) ?? [];
  if (side !== undefined) return `one side is both: ${as} ${side}`;
  const [, digits, rest = ""] = /^\s*(-?\d*\.?\d+)\s*([a-z%]+)\s*$/i.exec(value) ?? [];
  if (digits === undefined) return undefined;
  if (as === "--target-time" && rest !== "%") return `in milliseconds it is --target-ms ${digits}`;
  return rest === "%"
    ? `as a share: ${as} ${Number((Number(digits) / 100).toPrecision(12))}`
    : `without the unit: ${as} ${digits}`;
}

/** "<model>", "[images..]". */
function places({ usage }: Command): { name: string; many: boolean; needed: boolean }[] {
  return Array.from(usage.matchAll(/([<[])(\w+)(\.\.)?[\]>]/g), ([, open, name, dots]) => ({
    name,
    many: dots === "..",
    needed: open === "<",
  }));
}

function checkWords({ command, words, given }: Call, options: OptionMap): void {
  for (const word of words) refuseOtherDash(word, options);
  const slots = places(command);
  if (slots.some(({ many }) => many) || words.length <= slots.length) return;
  const word = words[slots.length];
  const option = optionFor(word, options, given);
  const name = nameOf(command);
  const takes =
    slots.length === 0
      ? "only options were"
      : `${slots.map((slot) => slot.name).join(" and ")} alone ${slots.length === 1 ? "was" : "were"}`;
  throw new EtlError(
    "usage",
    `etl ${name}: ${JSON.stringify(word)} without an option before it, ${takes} needed`,
    {
      hint:
        splitHint(word, given) ??
        namedHint(word, options) ??
        (option === undefined ? `see etl help ${name}` : `did you mean --${option} ${word}?`),
    },
  );
}

/** Dashes as texts and chats make them of two hyphens: an en dash, an em dash, a minus. */
const otherDash = /^-?[\u2010-\u2015\u2212][-\u2010-\u2015\u2212]*/;

function refuseOtherDash(word: string, options: OptionMap): void {
  const bare = word.replace(otherDash, "");
  if (bare === word || nameIn(options, bare.split("=")[0]) === undefined) return;
  throw new EtlError("usage", `${word}: begins with a dash that is no hyphen, two hyphens were needed`, {
    hint: `did you mean --${bare}?`,
  });
}

/** An option that is written in another way: task=gender, /task; or stands behind `--`. */
function namedHint(word: string, options: OptionMap): string | undefined {
  const [, lead, spelled, , value] = /^(--?|\/|)([a-z][\w-]*)([=:](.*))?$/i.exec(word) ?? [];
  const name = spelled === undefined ? undefined : nameIn(options, spelled);
  if (name === undefined) return undefined;
  if (lead.startsWith("-")) return "after -- nothing is an option: leave the -- out";
  return lead === "" && value === undefined
    ? undefined
    : `did you mean --${spelled}${value === undefined ? "" : ` ${value}`}?`;
}

/** A value that a blank has cut in two: --task gender age, --target-size 10 MB. */
function splitHint(word: string, given: Call["given"]): string | undefined {
  const isTask = (each: string): boolean => TASKS.has(each.split("=")[0]);
  const isNumber = (each: string): boolean => /^\d+(\.\d+)?(e-?\d+)?$/i.test(each);
  for (const [name, values] of given) {
    const value = values.at(-1) ?? "";
    const tasks = ["task", "tasks"].includes(name) && isTask(value) && isTask(word);
    const list = listFlags.has(name) && isNumber(value) === isNumber(word);
    if (tasks || list) return `several with a comma: --${name} ${value},${word}`;
    if (isNumber(value) && /^(%|ms|[kmg]?i?b)$/i.test(word))
      return `without the blank: --${name} ${value}${word}`;
  }
  return undefined;
}

/** The option that a word alone was meant for. */
function optionFor(word: string, options: OptionMap, given: Call["given"]): string | undefined {
  const free = (name: string): boolean => Object.hasOwn(options, name) && !given.has(name);
  const tasks = word.split(",").map((each) => each.split("=")[0]);
  const task = ["task", "tasks"].find(free);
  if (task !== undefined && tasks.every((each) => TASKS.has(each))) return task;
  if (free("out") && existsSync(join(word, "run.json"))) return "out";
  if (free("data") && (/[/\\~]|^\.|^synthetic/.test(word) || existsSync(word))) return "data";
  const choosing = Object.keys(options).find(
    (name) => free(name) && (options[name].choices ?? []).includes(word),
  );
  if (choosing !== undefined) return choosing;
  const demanded = Object.keys(options).filter((name) => options[name].demandOption === true && free(name));
  return demanded.find((name) => name !== "out") ?? demanded.at(0) ?? (free("data") ? "data" : undefined);
}

function checkMissing({ command, words, given }: Call, options: OptionMap): void {
  const missing = [
    ...places(command)
      .filter(({ needed }, at) => needed && at >= words.length)
      .map(({ name }) => `<${name}>`),
    ...Object.keys(options)
      .filter((name) => options[name].demandOption === true && !given.has(name))
      .map((name) => `--${name}`),
  ];
  if (missing.length === 0) return;
  const name = nameOf(command);
  const [example] = command.examples[0];
  throw new EtlError(
    "usage",
    `etl ${name}: no ${listed(missing)}, ${missing.length === 1 ? "it was" : "they were"} needed`,
    { hint: `for example: ${example} (see etl help ${name})` },
  );
}

/** "a, b and c". */
function listed(words: readonly string[]): string {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1) ?? ""}`;
}

/** Options given more than once, of which only the last counts. */
export function repeated({ given }: Call): string[] {
  return [...given].flatMap(([name, values]) =>
    new Set(values).size > 1 && !listFlags.has(name)
      ? [`--${name} is given ${values.length} times: the last, ${values.at(-1) ?? ""}, counts`]
      : [],
  );
}
