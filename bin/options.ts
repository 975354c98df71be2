/** From the tables of options to the command line, and from its arguments back to options. */
import type { Options } from "yargs";
import type { SaidSizes } from "../lib/network/fit.ts";
import type { CropChoice } from "../lib/core/crop.ts";
import type { Crop } from "../lib/core/artifacts.ts";
import { EtlError } from "../lib/core/errors.ts";
import { pruneTable, type PruneOptions } from "../lib/jobs/prune/options.ts";
import { trainTable } from "../lib/jobs/train/options.ts";
import { optionGroups, type Option } from "../lib/jobs/run/option.ts";
import { flag, number, text, texts, type Arguments, type Context } from "./command.ts";

/** Options that hold lists: given twice, both count. Of every other the last counts. */
export const listFlags: ReadonlySet<string> = new Set([
  ...["gammas", "ablate", "bind"],
  ...[...Object.values<Option>(pruneTable), ...Object.values<Option>(trainTable)]
    .filter(({ kind }) => kind === "names" || kind === "numbers")
    .map(({ flag: name }) => name),
]);

type Table = Readonly<Record<string, Option>>;
type Group = Option["group"];

/**
 * A table as options of the command line, in the order of the groups.
 *
 * @param groups only these
 * @param without names that are left out
 */
export function optionsOf(
  table: Table,
  {
    groups = optionGroups,
    without = [],
  }: { readonly groups?: readonly Group[]; readonly without?: readonly string[] } = {},
): Record<string, Options> {
  const entries = Object.entries(table).filter(([name]) => !without.includes(name));
  return Object.fromEntries(
    groups.flatMap((group) =>
      entries
        .filter(([, option]) => option.group === group)
        .map(([, option]) => [option.flag, shown(option)]),
    ),
  );
}

/** One option as the parser and its help take it. The default is said, not set: only what was given is handed on. */
export function shown(option: Option): Options {
  const { kind, group, describe, choices, required, alias } = option;
  const type = kind === "switch" ? "boolean" : kind === "number" ? "number" : "string";
  const base = option.otherwise ?? option.default;
  return {
    describe,
    group: `${group}:`,
    ...(alias !== undefined && { alias }),
    ...(choices === undefined || kind === "names" ? { type } : { choices }),
    ...(base !== undefined && { defaultDescription: said(base) }),
    ...(required && { demandOption: true }),
  };
}

/** A default as one would type it. */
function said(value: unknown): string {
  return Array.isArray(value) ? value.join(",") : JSON.stringify(value).replace(/^"(.*)"$/, "$1");
}

/** The options of a table that were given, by their names in the library. */
export function givenOf(table: Table, args: Arguments): Record<string, unknown> {
  return present(
    Object.fromEntries(Object.entries(table).map(([name, option]) => [name, valueOf(option, args)])),
  );
}

function valueOf({ flag: name, kind }: Option, args: Arguments): unknown {
  switch (kind) {
    case "text":
      return text(args, name);
    case "block":
      return blockOption(args, name);
    case "number":
      return number(args, name);
    case "switch":
      return flag(args, name);
    case "numbers":
      return numbersOption(args, name);
    case "names":
      return namesOption(args, name);
    case "bytes":
      return bytesOption(args, name);
    case "size":
      return sizeOption(args, name);
    case "sides":
      return sizePair(args);
    case "bindings":
      return bindings(args);
    case "crop":
      return cropOption(args);
  }
}

/** What every job is given beside its options. */
export function common({ seed, threads, engine, device, progress, signal }: Context): object {
  return { seed, engine, progress, signal, ...present({ threads, device }) };
}

/** The entries that are there. */
export function present(options: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

/** Options of a run from parsed arguments. The library checks them. */
export function pruneOptions(args: Arguments, context: Context): PruneOptions {
  return { ...common(context), ...givenOf(pruneTable, args) } as unknown as PruneOptions;
}

/** A number of filters, or `auto`. */
export function blockOption(args: Arguments, name: string): number | "auto" | undefined {
  const given = text(args, name);
  const value = given === "auto" ? given : number(args, name);
  if (!Number.isNaN(value)) return value;
  throw new EtlError("usage", `--${name}: ${JSON.stringify(given)}, auto or a number was needed`);
}

/** --size as height and width; one number is both. */
function sizePair(args: Arguments): readonly [number, number] | undefined {
  const given = text(args, "size");
  if (given === undefined) return undefined;
  const [, height, width] = /^\s*(\d+)(?:\s*[x,]\s*(\d+))?\s*$/i.exec(given) ?? [];
  const size = [Number(height), Number(width ?? height)] as const;
  if (size.every((side) => side > 0)) return size;
  throw new EtlError("usage", `--size: ${JSON.stringify(given)}, height and width were needed`, {
    hint: "for example --size 360x640",
  });
}

/** --bind as numbers by the names of dimensions. */
function bindings(args: Arguments): Readonly<Record<string, number>> | undefined {
  const given = texts(args, "bind");
  if (given.length === 0) return undefined;
  const pairs = given
    .flatMap((each) => each.split(","))
    .map((each) => {
      const [, name, value] = /^\s*(.*\S)\s*=\s*(\d+)\s*$/.exec(each) ?? [];
      if (Number(value) > 0) return [name, Number(value)] as const;
      throw new EtlError("usage", `--bind: ${JSON.stringify(each)}, NAME=NUMBER was needed`, {
        hint: "for example --bind height=128,width=96",
      });
    });
  return Object.fromEntries(pairs);
}

/** --size and --bind, for what a file leaves open. */
export function saidSizes(args: Arguments): SaidSizes {
  return { size: sizePair(args), bind: bindings(args) };
}

/** --crop as four numbers, `whole` or `center`. */
export function cropOption(args: Arguments): CropChoice | undefined {
  const given = text(args, "crop");
  return given === "center" ? given : boxOption(args, "whole or center");
}

/** --crop where it has to be one box for all pictures: four numbers, or `whole`. */
export function boxOption(args: Arguments, words = "whole"): Crop | undefined {
  const given = text(args, "crop");
  if (given === "whole") return [0, 0, 1, 1];
  if (given !== undefined && /^[a-z]/i.test(given))
    throw new EtlError("usage", `--crop: ${JSON.stringify(given)}, x0,y0,x1,y1 or ${words} was needed`);
  const values = numbersOption(args, "crop");
  if (values === undefined) return undefined;
  if (values.length !== 4) {
    throw new EtlError("usage", `--crop: ${values.length} numbers, four (x0,y0,x1,y1) were needed`, {
      hint: "fractions of the picture, for example --crop 0.18,0.35,0.82,0.87",
    });
  }
  return [values[0], values[1], values[2], values[3]];
}

/** A comma list of numbers. */
export function numbersOption(args: Arguments, name: string): number[] | undefined {
  const given = texts(args, name);
  if (given.length === 0) return undefined;
  return given
    .flatMap((each) => each.split(","))
    .map((each) => {
      const value = Number(each);
      if (each.trim() === "" || !Number.isFinite(value)) {
        throw new EtlError("usage", `--${name}: ${JSON.stringify(each)}, a number was needed`);
      }
      return value;
    });
}

/** A comma list of names. */
function namesOption(args: Arguments, name: string): string[] | undefined {
  const given = texts(args, name);
  if (given.length === 0) return undefined;
  return [...new Set(given.flatMap((each) => each.split(",")).map((each) => each.trim()))];
}

/** A number of bytes: 500000, 500kB, 2.5MB, 1GB (powers of 1000), 2MiB (of 1024). */
export function bytesOption(args: Arguments, name: string): number | undefined {
  const given = text(args, name);
  if (given === undefined) return undefined;
  const [, amount, prefix = "", binary = ""] = /^\s*([\d.]+)\s*(?:([kmg])(i?))?b?\s*$/i.exec(given) ?? [];
  const power = ["", "k", "m", "g"].indexOf(prefix.toLowerCase());
  const bytes = Math.floor(Number(amount) * (binary === "" ? 1000 : 1024) ** power);
  if (bytes > 0 && Number.isSafeInteger(bytes)) return bytes;
  throw new EtlError("usage", `--${name}: ${JSON.stringify(given)}, a number of bytes was needed`, {
    hint: "for example 2500000, 2.5MB or 2MiB",
  });
}

/** A number of bytes, or a share: 12%. */
function sizeOption(args: Arguments, name: string): number | undefined {
  const [, percent] = /^\s*([\d.]+)\s*%\s*$/.exec(text(args, name) ?? "") ?? [];
  if (percent === undefined) return bytesOption(args, name);
  if (Number(percent) > 0 && Number(percent) <= 100) return Number(percent) / 100;
  throw new EtlError("usage", `--${name}: ${percent}%, a share above 0 and up to 100% was needed`);
}
