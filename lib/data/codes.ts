/** Codes for yes and no. */

/** What people write for yes and no, as the codes 1 and 0; anything else as it is. */
export function plainCode(value: string): string {
  const text = value.trim().toLowerCase();
  if (/^-?\d+\.0+$/.test(text)) return String(Math.trunc(Number(text)));
  if (text === "true" || text === "yes" || text === "y") return "1";
  if (text === "false" || text === "no" || text === "n") return "0";
  return value.trim();
}
