/** JSON of somebody else. Runs in a browser, too. */
import { needWithin } from "./budget.ts";
import { EtlError, messageOf } from "./errors.ts";

/**
 * Parses JSON of somebody else. What is nested without end would be parsed, and exhaust the stack of whoever walks it.
 *
 * @param name what the text is called in errors
 * @throws EtlError `format` for what is no JSON, `unsupported` for what is nested deeper than allowed
 */
export function parseJson(text: string, name: string): unknown {
  needWithin(name, "nesting", nestingOf(text));
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new EtlError("format", `${name}: not valid JSON (${messageOf(error)}), a JSON file was needed`, {
      cause: error,
    });
  }
}

/** How many brackets of a JSON text are open at once; those in its texts are none. */
function nestingOf(text: string): number {
  let [open, most, inText] = [0, 0, false];
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (inText && code === 0x5c) i++;
    else if (code === 0x22) inText = !inText;
    else if (inText) continue;
    else if (code === 0x5b || code === 0x7b) most = Math.max(most, ++open);
    else if (code === 0x5d || code === 0x7d) open--;
  }
  return most;
}
