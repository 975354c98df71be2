/** Refusals in tests: one way to take them, and to fail where something else happens. */
import { isEtlError, type ErrorKind, type EtlError } from "../../lib/core/errors.ts";

/** The EtlError that some work ends with. Fails where it ends well, with another error, or with one of another kind. */
export async function refused(work: Promise<unknown> | (() => unknown), kind?: ErrorKind): Promise<EtlError> {
  try {
    await (typeof work === "function" ? work() : work);
  } catch (error) {
    if (isEtlError(error, kind)) return error;
    throw error;
  }
  throw new Error(`not refused, an EtlError${kind === undefined ? "" : ` of kind ${kind}`} was expected`);
}

/** Message and hint of {@link refused}: "...; hint". */
export async function refusal(work: Promise<unknown> | (() => unknown), kind?: ErrorKind): Promise<string> {
  const { message, hint } = await refused(work, kind);
  return hint === undefined ? message : `${message}; ${hint}`;
}
