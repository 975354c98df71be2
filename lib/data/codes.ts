/** Codes for yes and no. */

/** What people write for yes and no, as the codes 1 and 0; anything else as it is. */
export function plainCode(value: string): string {
  const text = value.trim().toLowerCase();
  if (/^-?\d+\.0+$/.test(text)) return String(Math.trunc(Number(text)));
  if (text === "true" || text === "t" || text === "yes" || text === "y") return "1";
  if (text === "false" || text === "f" || text === "no" || text === "n") return "0";
  return value.trim();
}

const MISSING = new Set([
  ...["", "na", "n/a", "n.a.", "#n/a", "<na>", "nan", "none", "null", "nil", "?", "-", "--"],
  ...["unknown", "unk", "undefined", "missing", "not available"],
]);

/** Whether a label says that there is none. @param missing more texts that say so */
export function isMissing(value: string, missing: readonly string[] = []): boolean {
  return MISSING.has(value.toLowerCase()) || missing.includes(value);
}
