/** Text of somebody else (names in files, paths, labels) for a terminal and for messages. */

/** Characters that move the cursor, change colours, ring, turn the direction of writing or break the line. */
const hidden = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/** A word that no one wants to read to its end. */
const longWord = /\S{400,}/g;
const mostCharacters = 8000;

/** "4 threads" or "1 thread". */
export function plural(count: number, word: string): string {
  return `${String(count).replace(/\B(?=(\d{3})+$)/g, ",")} ${word}${count === 1 ? "" : "s"}`;
}

/**
 * The text with everything that a terminal would obey written out (`\x1b`), endless words cut in the middle, and all of it cut to
 * what can be read.
 *
 * @param length `all` for results, which are never cut
 * @param keep characters that stay as they are: line breaks where the text is meant to have some
 */
export function printable(text: string, keep = "", length: "short" | "all" = "short"): string {
  if (length === "all") return visible(text, keep);
  const short = text.length > 4 * mostCharacters ? text.slice(0, 4 * mostCharacters) : text;
  const words = short.replace(
    longWord,
    (word) => `${word.slice(0, 120)}… (${word.length} characters) …${word.slice(-40)}`,
  );
  const shown = visible(words, keep);
  return shown.length > mostCharacters
    ? `${shown.slice(0, mostCharacters)}… (${text.length} characters in all)`
    : shown;
}

function visible(text: string, keep: string): string {
  return text.replace(hidden, (character) => {
    if (keep.includes(character)) return character;
    const code = character.charCodeAt(0);
    return code < 0x100
      ? `\\x${code.toString(16).padStart(2, "0")}`
      : `\\u${code.toString(16).padStart(4, "0")}`;
  });
}
