/** The same picture twice: equal bytes under an equal name or in an equal number, never divided over training and test. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { baseName } from "./sources/layout.ts";
import { insideOf } from "../core/files.ts";
import { mapLimit } from "../core/parallel.ts";
import type { DataProblem } from "../record/record.ts";
import type { RawTable } from "./dataset.ts";
import type { PlacedRow } from "./images/place.ts";

interface Twins {
  /** Without the pictures that left training because the test part has them, too. */
  readonly items: readonly PlacedRow[];
  /** Position -> a name that equal pictures share, as if they were one person: they stay in one part. */
  readonly groups: ReadonlyMap<number, { readonly identity: string }>;
  readonly assumptions: readonly string[];
}

/**
 * Finds pictures that are listed under several paths. Looked at are files of the same name and size; their bytes decide. Where
 * the parts are given, a picture of the test part leaves training (and validation), never the other way round.
 */
export async function findTwins(
  table: RawTable,
  items: readonly PlacedRow[],
  problems: DataProblem[],
): Promise<Twins> {
  const nothing = { items, groups: new Map<number, { identity: string }>(), assumptions: [] };
  if (table.root === "") return nothing;
  const alike = new Map<string, number[]>();
  for (const [i, { row, bytes }] of items.entries()) {
    const key = `${bytes} ${baseName(row.file).toLowerCase()}`;
    alike.set(key, [...(alike.get(key) ?? []), i]);
  }
  const candidates = [...alike.values()].filter((group) => group.length > 1).flat();
  if (candidates.length === 0) return nothing;
  const hashes = await mapLimit(candidates, 16, async (i) =>
    createHash("sha256")
      .update(await readFile(insideOf(table.root, items[i].row.file)))
      .digest("hex"),
  );
  const equal = new Map<string, number[]>();
  candidates.forEach((i, k) => equal.set(hashes[k], [...(equal.get(hashes[k]) ?? []), i]));
  const groups = [...equal].filter(([, members]) => members.length > 1);
  const gone = new Map<number, string>();
  for (const [, members] of groups) {
    const tested = members.find((i) => items[i].row.split === "test");
    if (tested === undefined) continue;
    for (const i of members) {
      const { split } = items[i].row;
      if (split !== undefined && split !== "test") gone.set(i, items[tested].row.file);
    }
  }
  for (const [i, twin] of gone)
    problems.push({
      file: items[i].row.file,
      problem: `the same picture as ${twin} of the test part: not trained on`,
    });
  const kept = [...items.keys()].filter((i) => !gone.has(i));
  const place = new Map(kept.map((i, position) => [i, position]));
  const shared = new Map<number, { identity: string }>();
  for (const [hash, members] of groups) {
    const known = members.map((i) => items[i].row.identity).find((identity) => identity !== undefined);
    for (const i of members) {
      const position = place.get(i);
      if (position !== undefined) shared.set(position, { identity: known ?? `picture ${hash.slice(0, 16)}` });
    }
  }
  const twice = groups.reduce((sum, [, members]) => sum + members.length - 1, 0);
  return {
    items: kept.map((i) => items[i]),
    groups: shared,
    assumptions:
      twice === 0
        ? []
        : [
            `pictures: ${twice} are there twice; equal ones stay in one part` +
              (gone.size > 0 ? `, ${gone.size} of them left training because the test part has them` : ""),
          ],
  };
}
