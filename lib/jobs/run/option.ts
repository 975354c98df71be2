/**
 * One option of the program, said once. The command line takes flag, kind, help and default from here, the library its
 * defaults and checks, a sweep the options that its variants may change.
 */
import { isRecord } from "../../core/own.ts";
import { EtlError, nearest } from "../../core/errors.ts";
import { optionWord } from "../../core/voice.ts";

/**
 * What is read from the command line. `numbers` and `names` are comma lists; `bytes` is 2.5MB, `size` that or a share
 * (12%); `sides` is HEIGHTxWIDTH, `bindings` NAME=NUMBER; `crop` is four numbers; `switch` is yes or no; `block` is a whole number or `auto`.
 */
type OptionKind =
  | "text"
  | "number"
  | "switch"
  | "numbers"
  | "names"
  | "bytes"
  | "size"
  | "sides"
  | "bindings"
  | "crop"
  | "block";

/** Headings of `--help`, in this order. */
export const optionGroups = [
  "Data",
  "Network",
  "What stays",
  "Surgery",
  "Training",
  "Measuring",
  "Output",
] as const;

/** A condition, and the words that say what it asks for: "a number in [0, 1)". */
export interface Need {
  readonly needed: string;
  holds(value: never): boolean;
}

export interface Option {
  /** As on the command line, without the dashes. */
  readonly flag: string;
  /** An older name that stays, on the command line and in the library. */
  readonly alias?: string;
  readonly kind: OptionKind;
  readonly group: (typeof optionGroups)[number];
  /** What it does, in a line of help; the default is added to it. */
  readonly describe: string;
  readonly default?: unknown;
  /** Where the default follows from something else: "that of the paper". */
  readonly otherwise?: string;
  readonly choices?: readonly string[];
  readonly need?: Need;
  readonly required?: true;
  /** A sweep may change it from run to run (`--ablate`). */
  readonly variant?: true;
}

/** One entry for every option of `T`, by its name in the library. */
export type OptionTable<T> = { readonly [K in keyof Required<T>]: Option };

/** @param most where more would only take up memory, without end */
export const count = (least: number, most = Infinity): Need => ({
  needed: most < Infinity ? `a whole number from ${least} to ${most}` : `a whole number of at least ${least}`,
  holds: (value: number) => Number.isInteger(value) && value >= least && value <= most,
});
export const block: Need = {
  needed: "auto or a whole number of at least 1",
  holds: (value: number | "auto") => value === "auto" || (Number.isInteger(value) && value >= 1),
};
export const positive: Need = {
  needed: "a positive number",
  holds: (value: number) => value > 0 && Number.isFinite(value),
};
export const atLeastZero: Need = {
  needed: "a number of at least 0",
  holds: (value: number) => value >= 0 && Number.isFinite(value),
};
export const belowOne: Need = {
  needed: "a number in [0, 1)",
  holds: (value: number) => value >= 0 && value < 1,
};
export const share: Need = {
  needed: "a number in (0, 1]",
  holds: (value: number) => value > 0 && value <= 1,
};
export const rates: Need = {
  needed: "one or more positive numbers",
  holds: (values: readonly number[]) =>
    values.length > 0 && values.every((rate) => rate > 0 && Number.isFinite(rate)),
};

/** The defaults of a table, by name. */
export function defaultsOf(table: Readonly<Record<string, Option>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(table).flatMap(([name, option]) =>
      option.default === undefined ? [] : [[name, option.default]],
    ),
  );
}

/**
 * Looks at every value that is there.
 *
 * @throws EtlError `usage` that names the option, what was found and what was needed
 */
export function checkOptions(table: Readonly<Record<string, Option>>, values: object): void {
  for (const [name, value] of Object.entries(values) as [string, unknown][]) {
    const option = Object.hasOwn(table, name) ? table[name] : undefined;
    if (option !== undefined && value !== undefined) checkOption(option, value, name);
  }
}

/** Options that change nothing beside others: what ignores them, and what was needed for them to mean something. */
export interface Ignored {
  readonly names: readonly string[];
  /** As one writes it: "--no-check". */
  readonly by: string;
  readonly needed: string;
}

/** The first of some options that a call gives in vain: it is there, and not what would hold anyway. */
export function ignoredIn(
  table: Readonly<Record<string, Option>>,
  values: object,
  rules: readonly (Ignored | false)[],
): readonly [name: string, rule: Ignored] | undefined {
  const given = values as Readonly<Record<string, unknown>>;
  for (const rule of rules) {
    if (rule === false) continue;
    const name = rule.names.find((each) => {
      const usual = Object.hasOwn(table, each) ? table[each].default : undefined;
      return given[each] !== undefined && JSON.stringify(given[each]) !== JSON.stringify(usual);
    });
    if (name !== undefined) return [name, rule];
  }
  return undefined;
}

/** @throws EtlError `usage` for an option that would change nothing, see {@link ignoredIn} */
export function refuseIgnored(...call: Parameters<typeof ignoredIn>): void {
  const [table, values] = call;
  const found = ignoredIn(...call);
  if (found === undefined) return;
  const [name, { by, needed }] = found;
  const value: unknown = (values as Readonly<Record<string, unknown>>)[name];
  const flag = Object.hasOwn(table, name) ? table[name].flag : name;
  const given =
    typeof value === "boolean"
      ? `--${value ? "" : "no-"}${flag}`
      : `${optionWord(flag, name)} ${[value].flat().join(",")}`;
  throw new EtlError("usage", `${given}: ${by} ignores it, ${needed} was needed`);
}

const isNumber = (value: unknown): boolean => typeof value === "number";
const isText = (value: unknown): boolean => typeof value === "string";
const isList = (value: unknown, holds: (one: unknown) => boolean): boolean =>
  (Array.isArray(value) || ArrayBuffer.isView(value)) &&
  Array.from(value as unknown as unknown[]).every(holds);

/** What plain JavaScript may hand over instead: "0.1" for 0.1, "false" for false. */
const kinds: Readonly<Record<OptionKind, Need>> = {
  text: { needed: "a text", holds: isText },
  number: { needed: "a number", holds: isNumber },
  switch: { needed: "true or false", holds: (value: unknown) => typeof value === "boolean" },
  numbers: { needed: "a list of numbers", holds: (value: unknown) => isList(value, isNumber) },
  names: { needed: "a list of names", holds: (value: unknown) => isList(value, isText) },
  bytes: { needed: "a number of bytes", holds: isNumber },
  size: { needed: "a number of bytes or a share", holds: isNumber },
  sides: { needed: "height and width", holds: (value: unknown) => isList(value, isNumber) },
  bindings: {
    needed: "numbers by name",
    holds: (value: unknown) => isRecord(value) && Object.values(value).every(isNumber),
  },
  crop: {
    needed: "four numbers or center",
    holds: (value: unknown) => isList(value, isNumber) || value === "center",
  },
  block: { needed: "auto or a number", holds: (value: unknown) => isNumber(value) || value === "auto" },
};

/**
 * @param name as the library calls it
 * @throws EtlError `usage` where the value is of another kind, none of the choices, or not what is needed
 */
export function checkOption({ flag, kind, choices, need }: Option, value: unknown, name: string): void {
  const bad = (found: unknown, needed: string, near?: string): never => {
    throw new EtlError("usage", `${optionWord(flag, name)}: ${String(found)}, ${needed} was needed`, {
      ...(near !== undefined && { hint: `did you mean ${near}?` }),
    });
  };
  if (!kinds[kind].holds(value as never)) bad(JSON.stringify(value), kinds[kind].needed);
  if (choices !== undefined) {
    for (const one of [value].flat() as string[])
      if (!choices.includes(one)) bad(one, `one of ${choices.join(", ")}`, nearest(one, choices));
  }
  if (need !== undefined && !need.holds(value as never)) {
    const near = need === share || need === belowOne ? shareOfPercent(Number(value)) : undefined;
    bad(Array.isArray(value) ? value.join(",") : value, need.needed, near);
  }
}

/** What a share given in percent was meant as: 30 -> "0.3". */
export function shareOfPercent(value: number): string | undefined {
  return value > 1 && value <= 100 ? String(Number((value / 100).toPrecision(12))) : undefined;
}
