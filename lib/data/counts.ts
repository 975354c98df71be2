/** Values of a column with how often each is there, as they are shown where a meaning has to be asked for. */

/** Not more values than this are shown. */
const SHOWN = 8;

/** How often each value is there; empty ones are not counted. In the order of their first places. */
export function countedValues(values: Iterable<string>): Map<string, number> {
  const counts = new Map<string, number>();
  for (const value of values) if (value !== "") counts.set(value, (counts.get(value) ?? 0) + 1);
  return counts;
}

/** The counts of values under other names; those of one name together. */
export function renamedCounts(
  counts: ReadonlyMap<string, number>,
  nameOf: (value: string) => string,
): Map<string, number> {
  const renamed = new Map<string, number>();
  for (const [value, n] of counts) renamed.set(nameOf(value), (renamed.get(nameOf(value)) ?? 0) + n);
  return renamed;
}

/** "8 times 1, 7 times 0, 1 time -1"; of many values the commonest. */
export function countsText(counts: ReadonlyMap<string, number>): string {
  const sorted = [...counts].sort(([, a], [, b]) => b - a);
  const shown = sorted.slice(0, SHOWN).map(([value, n]) => `${n} ${n === 1 ? "time" : "times"} ${value}`);
  const more = sorted.length - shown.length;
  return `${shown.join(", ")}${more > 0 ? ` and ${more} other values` : ""}`;
}
