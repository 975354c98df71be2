/** What every function that takes options makes of them first. */
import { EtlError, nearest } from "./errors.ts";

/** The name of every option of `T`: the compiler holds the list complete. */
export type OptionNames<T> = Readonly<Record<keyof T, true>>;

/**
 * Refuses what is no option: a name mistyped in plain JavaScript would else change nothing, in silence. And what cannot be meant by an
 * option that many functions share: a seed in quotes would be another seed.
 *
 * @param where the function as its caller knows it
 * @param free shared options that may be something else here
 * @throws EtlError `usage` with the nearest name that is an option, or with what was found and needed
 */
export function refuseUnknown(
  where: string,
  options: object,
  names: Readonly<Record<string, unknown>>,
  free: readonly string[] = [],
): void {
  const wrong = Object.keys(options).find((name) => !Object.hasOwn(names, name));
  if (wrong === undefined) {
    checkShared(where, options, free);
    return;
  }
  const known = Object.keys(names);
  const near = nearest(wrong, known);
  throw new EtlError(
    "usage",
    `${where}: unknown option ${JSON.stringify(wrong)}, one of its options was needed`,
    {
      hint: near === undefined ? `its options: ${known.join(", ")}` : `did you mean ${near}?`,
    },
  );
}

/** @throws EtlError `usage` where one of these is not given */
export function refuseMissing(where: string, options: object, names: readonly string[]): void {
  const given = options as Readonly<Record<string, unknown>>;
  const missing = names.find((name) => given[name] === undefined);
  if (missing !== undefined) throw new EtlError("usage", `${where}: no ${missing}, it was needed`);
}

const methods = ["start", "update", "finish", "note", "warn"] as const;
const hasMethods = (value: unknown, names: readonly string[]): boolean =>
  typeof value === "object" &&
  value !== null &&
  names.every((name) => typeof (value as Record<string, unknown>)[name] === "function");

/** What options that many functions share have to be. */
const shared: Readonly<Record<string, { readonly needed: string; holds(value: unknown): boolean }>> = {
  seed: { needed: "a whole number", holds: Number.isSafeInteger },
  out: { needed: "a path", holds: (value) => typeof value === "string" && value !== "" },
  replace: { needed: "true or false", holds: (value) => typeof value === "boolean" },
  signal: {
    needed: "the signal of an AbortController",
    holds: (value) => hasMethods(value, ["throwIfAborted", "addEventListener"]),
  },
  progress: {
    needed: `an object with ${methods.join(", ")}`,
    holds: (value) => hasMethods(value, methods),
  },
};

function checkShared(where: string, options: object, free: readonly string[]): void {
  for (const [name, value] of Object.entries(options) as [string, unknown][]) {
    const isShared = Object.hasOwn(shared, name) && value !== undefined && !free.includes(name);
    const rule = isShared ? shared[name] : undefined;
    if (rule?.holds(value) === false)
      throw new EtlError("usage", `${where}: ${name} is ${shownValue(value)}, ${rule.needed} was needed`);
  }
}

const shownValue = (value: unknown): string =>
  typeof value === "object" && value !== null
    ? "an object"
    : typeof value === "string"
      ? JSON.stringify(value)
      : String(value);

/** What a stopped job throws: `interrupted`, with the signal's reason as the cause. */
export function interrupted(signal: AbortSignal, message: string, hint?: string): EtlError {
  return new EtlError("interrupted", message, { hint, cause: signal.reason });
}

/** @throws EtlError `interrupted` where the signal was given */
export function stopIfAborted(signal: AbortSignal | undefined, message: string): void {
  if (signal?.aborted === true) throw interrupted(signal, message);
}
