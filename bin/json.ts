/** What `--json` prints: one object on one line, whatever happens. Types: lib/json.ts. */
import { isEtlError, messageOf } from "../lib/core/errors.ts";
import type { CommandName, FailureJson } from "../lib/json.ts";

/** The result of a command, with the name of its layout in front. */
export function resultJson(command: CommandName | "help" | "version", result: object): string {
  const first = { schema: schemaOf(command, result) };
  return `${JSON.stringify({ ...first, ...result, ...first })}\n`;
}

/** `resume` hands on the result of another command, which says so itself. */
function schemaOf(command: string, result: object): string {
  return "schema" in result && typeof result.schema === "string" ? result.schema : `etl/${command}/1`;
}

/** A failure in the same way; the exit code says that it is one. */
export function failureJson(error: unknown): string {
  const known = isEtlError(error);
  const failure: FailureJson = {
    schema: "etl/error/1",
    error: {
      kind: known ? error.kind : "defect",
      message: messageOf(error),
      ...(known && error.hint !== undefined && { hint: error.hint }),
    },
  };
  return `${JSON.stringify(failure)}\n`;
}
