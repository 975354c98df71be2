/** What every function that takes options makes of them first. */
import { EtlError, nearest } from "./errors.ts";

/** The name of every option of `T`: the compiler holds the list complete. */
export type OptionNames<T> = Readonly<Record<keyof T, true>>;

/**
 * Refuses what is no option: a name mistyped in plain JavaScript would else change nothing, in silence.
 *
 * @param where the function as its caller knows it
 * @throws EtlError `usage` with the nearest name that is an option
 */
export function refuseUnknown(
  where: string,
  options: object,
  names: Readonly<Record<string, unknown>>,
): void {
  const wrong = Object.keys(options).find((name) => !Object.hasOwn(names, name));
  if (wrong === undefined) return;
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

/** What a stopped job throws: `interrupted`, with the signal's reason as the cause. */
export function interrupted(signal: AbortSignal, message: string, hint?: string): EtlError {
  return new EtlError("interrupted", message, { hint, cause: signal.reason });
}

/** @throws EtlError `interrupted` where the signal was given */
export function stopIfAborted(signal: AbortSignal | undefined, message: string): void {
  if (signal?.aborted === true) throw interrupted(signal, message);
}
