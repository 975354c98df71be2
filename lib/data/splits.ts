/** Parts of a data set: given, or cut by seed; by person where persons are known. */
import { plural } from "../core/printable.ts";
import { groupBy } from "../core/group-by.ts";
import type { Random } from "../core/random.ts";
import type { Split } from "./dataset.ts";

/** What a split needs to know of a picture. */
export interface Splittable {
  readonly split?: Split;
  readonly identity?: string;
  /** Class, where there is one: every class gives the same share. */
  readonly stratum?: string;
}

export interface SplitOptions {
  /** Share cut off as test where the data give no parts. */
  readonly testFraction: number;
  /** Share of the training part cut off as validation where the data have none. */
  readonly valFraction: number;
  readonly random: Random;
}

export interface SplitResult {
  /** Beside the items. */
  readonly splits: readonly Split[];
  readonly assumptions: readonly string[];
}

/** Gives every item its part. */
export function splitItems(items: readonly Splittable[], options: SplitOptions): SplitResult {
  const splits: Split[] = items.map((item) => item.split ?? "train");
  const assumptions: string[] = [];
  const rowsIn = (part: Split): number[] => items.flatMap((_, i) => (splits[i] === part ? [i] : []));
  const cut = (part: Split, fraction: number): void => {
    const { chosen, how } = choose(items, rowsIn("train"), fraction, options.random.fork(part));
    for (const i of chosen) splits[i] = part;
    assumptions.push(
      `split: ${plural(chosen.length, "picture")} ${chosen.length === 1 ? "is" : "are"} cut off as ${part}, ${how}`,
    );
  };

  const given = items.some((item) => item.split !== undefined);
  if (!given && options.testFraction > 0) cut("test", options.testFraction);
  if (options.valFraction > 0 && !splits.includes("val") && splits.includes("train")) {
    cut("val", options.valFraction);
  }
  const shared = sharedPersons(items, splits);
  if (shared > 0) {
    assumptions.push(
      `split: ${shared === 1 ? "1 person is" : `${shared} persons are`} in the training part and in the test part, as given`,
    );
  }
  return { splits, assumptions };
}

function choose(
  items: readonly Splittable[],
  rows: readonly number[],
  fraction: number,
  random: Random,
): { chosen: number[]; how: string } {
  const persons = groupBy(rows, (i) => items[i].identity ?? `picture \0${i}`);
  const known = rows.some((i) => items[i].identity !== undefined);
  const arePersons = [...persons.keys()].some((name) => !name.startsWith("picture "));
  if (known && arePersons && persons.size > 1)
    return { chosen: wholeGroups(persons, rows.length * fraction, random), how: "whole persons" };
  const strata = groupBy(rows, (i) => items[i].stratum ?? "");
  if (known && persons.size > 1) {
    // Some pictures are there twice: they stay together, and every class gives its share all the same.
    const groups = groupBy([...persons.values()], ([first]) => items[first].stratum ?? "");
    return {
      chosen: [...groups.keys()].sort().flatMap((key) => {
        const own = groups.get(key) ?? [];
        return filled(own, own.flat().length * fraction, random.fork(key));
      }),
      how:
        strata.size > 1
          ? "the same share of every class, equal pictures together"
          : "at random, equal pictures together",
    };
  }
  const chosen = [...strata.keys()].sort().flatMap((key) => {
    const members = strata.get(key) ?? [];
    return random
      .fork(key)
      .shuffle(members)
      .slice(0, Math.round(members.length * fraction));
  });
  return { chosen, how: strata.size > 1 ? "the same share of every class" : "at random" };
}

/** Shuffled whole groups, those that bring the members nearer to `wanted`. */
function filled(groups: readonly number[][], wanted: number, random: Random): number[] {
  const chosen: number[] = [];
  for (const members of random.shuffle(groups))
    if (chosen.length + members.length / 2 <= wanted) chosen.push(...members);
  return chosen;
}

/** Shuffled whole groups, as near to `wanted` members as they go; where all are too large the smallest, never all. */
function wholeGroups(groups: ReadonlyMap<string, number[]>, wanted: number, random: Random): number[] {
  const chosen: number[] = [];
  const names = random.shuffle([...groups.keys()].sort());
  const membersOf = (name: string): number[] => groups.get(name) ?? [];
  for (const name of names.slice(0, -1)) {
    const members = membersOf(name);
    const overshoot = chosen.length + members.length - wanted;
    if (overshoot > wanted - chosen.length) continue;
    chosen.push(...members);
    if (chosen.length >= wanted) break;
  }
  if (chosen.length > 0) return chosen;
  return names.map(membersOf).reduce((least, members) => (members.length < least.length ? members : least));
}

function sharedPersons(items: readonly Splittable[], splits: readonly Split[]): number {
  const personsIn = (test: boolean): Set<string> =>
    new Set(items.flatMap((item, i) => ((splits[i] === "test") === test ? (item.identity ?? []) : [])));
  const testPersons = personsIn(true);
  return [...personsIn(false)].filter((person) => testPersons.has(person)).length;
}
