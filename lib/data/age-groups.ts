/** Ages as groups: one spelling of Adience's eight, and one mapping from years to the groups of a model. */

/** Years that a group covers, both included. */
type Range = readonly [low: number, high: number];

/** The eight groups of Adience (Lee et al., section 4.1), youngest first. The last one has no end. */
export const ageGroupNames: readonly string[] = [
  "0-2",
  "4-6",
  "8-13",
  "15-20",
  "25-32",
  "38-43",
  "48-53",
  "60+",
];

/** Columns whose numbers are years; those of a column of groups are codes. */
const yearColumns = new Set(["age", "years"]);
/** A column with more numbers than this holds years, whatever it is called. */
const mostCodes = 20;
/** Ranges that end here or above have no end: "60-100" is "60+". */
const oldest = 100;

/** A single age, perhaps with a fraction. */
const YEAR = /^\d+(\.\d+)?$/;

/** What a spreadsheet makes of "4-6" and "8-13". */
export const SPREADSHEET_DATE = /^(\d{1,2}-[A-Za-z]{3}|[A-Za-z]{3}-\d{1,2})$/;

/** The years of a group's name: "25-32", "(25, 32)", "25 to 32", "60+"; undefined for any other text. */
function rangeOf(name: string): Range | undefined {
  const [, open] = /^\(?\s*(\d+)\s*(?:\+|-|and over|and older|or older)\s*\)?$/i.exec(name) ?? [];
  if (open !== undefined) return [Number(open), Infinity];
  const [, low, high] = /^\(?\s*(\d+)\s*(?:-|–|,|to)\s*(\d+)\s*\)?$/i.exec(name) ?? [];
  if (low === undefined || Number(high) < Number(low)) return undefined;
  return [Number(low), Number(high) >= oldest ? Infinity : Number(high)];
}

/** Groups that end or begin somewhere: "<18", "under 18", "up to 17"; ">65", "over 65", "older than 65". */
const BELOW = /^(?:<=?|≤|under|below|up to|younger than|less than)\s*(\d+)$/i;
const ABOVE = /^(?:>=?|≥|over|above|from|older than|more than)\s*(\d+)$/i;

/**
 * Names in the order of their numbers, where each is a range ("4-6", "60+", "<18") or a number, and one of them a range; undefined
 * where they are anything else. As text "100+" would stand before "4-6".
 */
export function byRange(names: readonly string[]): string[] | undefined {
  const places = names.map((name): Range | undefined => {
    const text = name.trim();
    const [, end] = BELOW.exec(text) ?? [];
    if (end !== undefined) return [-1, Number(end)];
    const [, start] = ABOVE.exec(text) ?? [];
    // "over 65" comes behind "65-70", which it does not hold less of
    if (start !== undefined) return [Number(start) + 0.5, Infinity];
    return YEAR.test(text) ? [Number(text), Number(text)] : rangeOf(text);
  });
  if (names.every((name) => YEAR.test(name.trim()))) return undefined;
  const known = names.flatMap((name, i) => {
    const range = places[i];
    return range === undefined ? [] : [{ name, range }];
  });
  if (known.length < names.length) return undefined;
  const compare = (a: number, b: number): number => (a === b ? 0 : a - b);
  return known
    .sort(({ range: a }, { range: b }) => compare(a[0], b[0]) || compare(a[1], b[1]))
    .map(({ name }) => name);
}

/** The group of an age: the one that holds it, else the nearer one, of two as near the younger. */
function nearestGroup(years: number, groups: readonly Range[]): number {
  const age = Math.floor(years);
  const far = groups.map(([low, high]) => Math.max(0, low - age, age - high));
  return far.indexOf(Math.min(...far));
}

/** The groups' years, where every name is one of a group; else undefined. */
function rangesOf(names: readonly string[]): Range[] | undefined {
  const ranges = names.flatMap((name) => {
    const range = rangeOf(name);
    return range === undefined ? [] : [range];
  });
  return ranges.length === names.length ? ranges : undefined;
}

/** The group of Adience's eight for an age in years. */
export function ageGroupOf(years: number): string {
  return ageGroupNames[nearestGroup(years, rangesOf(ageGroupNames) ?? [])];
}

/** Labels of a column as age groups. */
export interface AgeLabels {
  /** The groups, youngest first. */
  readonly classes: readonly string[];
  /** The group of a label; undefined where it is none of them. */
  readonly groupOf: (label: string) => string | undefined;
  /** Whether the labels are years, and became groups. */
  readonly areYears: boolean;
  /** How years became groups, where they did. */
  readonly assumptions: readonly string[];
}

/**
 * Reads a column's labels as age groups, in any spelling, or as years that become groups; undefined where they are classes of
 * another kind.
 *
 * @param labels the different labels of the column
 * @param wanted groups of a model that exists already; default: Adience's eight, where the labels are years or these
 */
export function ageLabels(
  column: string,
  labels: readonly string[],
  wanted?: readonly string[],
): AgeLabels | undefined {
  const areYears =
    labels.length > 0 &&
    labels.every((label) => YEAR.test(label)) &&
    (yearColumns.has(column.toLowerCase()) || labels.length > mostCodes);
  const found = labels.flatMap((label) => keyOf(label) ?? []);
  const known = new Set(ageGroupNames.map(keyOf));
  const adience = found.length > 0 && found.every((key) => known.has(key));
  // Beside groups a number is a year, as in the lists of Adience; where all are numbers they may be codes.
  const single = adience || found.length > 1 ? labels.filter((label) => YEAR.test(label)) : [];
  const classes =
    wanted ?? (areYears || adience ? ageGroupNames : single.length > 0 ? groupsIn(labels) : undefined);
  const ranges = classes && rangesOf(classes);
  if (classes === undefined || ranges === undefined) return undefined;
  const byKey = new Map(classes.map((name) => [keyOf(name), name]));
  return {
    classes,
    groupOf: (label) =>
      areYears || (single.length > 0 && YEAR.test(label))
        ? classes[nearestGroup(Number(label), ranges)]
        : byKey.get(keyOf(label) ?? label),
    areYears,
    assumptions: areYears
      ? [`age groups: made from the years in "${column}": ${spans(classes, ranges)}`]
      : single.length > 0
        ? [
            `age groups: single years in "${column}" (${single.slice(0, 3).join(", ")}${single.length > 3 ? ", ..." : ""}) go to the nearest group: ${spans(classes, ranges)}`,
          ]
        : [],
  };
}

/** The groups among labels, each in its first spelling, youngest first. */
function groupsIn(labels: readonly string[]): string[] {
  const groups = new Map<string, { readonly label: string; readonly range: Range }>();
  for (const label of labels) {
    const range = rangeOf(label);
    if (range !== undefined && !groups.has(range.join("-"))) groups.set(range.join("-"), { label, range });
  }
  return [...groups.values()].sort((a, b) => a.range[0] - b.range[0]).map(({ label }) => label);
}

/** What is the same for two spellings of a group. */
function keyOf(name: string): string | undefined {
  return rangeOf(name)?.join("-");
}

/** "0 to 3 are 0-2, 4 to 7 are 4-6, ..., 57 and more are 60+". */
function spans(classes: readonly string[], ranges: readonly Range[]): string {
  const last = Math.max(...ranges.map(([low]) => low));
  const groups = Array.from({ length: last + 1 }, (_, age) => nearestGroup(age, ranges));
  const starts = groups.flatMap((group, age) => (age === 0 || groups[age - 1] !== group ? [age] : []));
  return starts
    .map((start, i) => {
      const years = i + 1 === starts.length ? `${start} and more` : `${start} to ${starts[i + 1] - 1}`;
      return `${years} are ${classes[groups[start]]}`;
    })
    .join(", ");
}
