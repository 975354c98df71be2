/** The same picture twice: equal bytes, whatever their names, are never divided over training and test. */
import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { leftText } from "./images/likeness.ts";
import { isRow, pictureBytes } from "./images/pixel-rows.ts";
import { insideOf } from "../core/files.ts";
import { mapLimit } from "../core/parallel.ts";
import type { DataProblem } from "../record/record.ts";
import type { RawTable, Split } from "./dataset.ts";
import type { PlacedRow } from "./images/place.ts";
import { baseName } from "./sources/layout.ts";

interface Twins {
  /** Without the pictures that left training because the test or validation part has them, too. */
  readonly items: readonly PlacedRow[];
  /** Position -> a name that equal pictures share, as if they were one person: they stay in one part. */
  readonly groups: ReadonlyMap<number, { readonly identity: string }>;
  readonly assumptions: readonly string[];
}

/** Bytes from the middle of a file that are looked at before all of it is. */
const SAMPLE = 512;

/**
 * Finds pictures that are there several times. Files of the same size are compared by some bytes of their middle, those that
 * agree by all of their bytes. Where the parts are given, a picture of the test part leaves training (and validation), never the other way round.
 */
export async function findTwins(
  table: RawTable,
  items: readonly PlacedRow[],
  problems: DataProblem[],
): Promise<Twins> {
  const nothing = { items, groups: new Map<number, { identity: string }>(), assumptions: [] };
  if (table.root === "") return nothing;
  const path = (i: number): string => insideOf(table.root, items[i].row.file);
  const sized = sharing(
    [...items.keys()],
    items.map(({ bytes }) => bytes),
  );
  const candidates = sharing(
    sized,
    await mapLimit(sized, 16, (i) =>
      // one that cannot be read has no twin; whoever decodes it says what is wrong with it
      sampleOf(path(i), items[i].bytes).catch(() => `unread ${i}`),
    ),
  );
  const copies = changedCopies(items, table.namesOnce === true);
  if (candidates.length === 0 && copies.length === 0) return nothing;
  const hashes = await mapLimit(candidates, 16, async (i) =>
    createHash("sha256")
      .update(await pictureBytes(path(i)))
      .digest("hex"),
  );
  const equal = byKey(candidates, hashes);
  const same = [...equal].filter(([, members]) => members.length > 1);
  const grouped = new Set(same.flatMap(([, members]) => members));
  const changed = copies
    .map(([name, members]) => [name, members.filter((i) => !grouped.has(i))] as const)
    .filter(([, members]) => members.length > 1);
  const groups = [...same, ...changed];
  /** What leaves training, and the picture of the test (or validation) part that it is. */
  const gone = new Map<number, number>();
  for (const [, members] of groups) {
    const inPart = (part: Split): number | undefined => members.find((i) => items[i].row.split === part);
    const holder = inPart("test") ?? inPart("val");
    if (holder === undefined) continue;
    for (const i of members) {
      const { split } = items[i].row;
      if (split !== undefined && split !== "test" && split !== items[holder].row.split) gone.set(i, holder);
    }
  }
  for (const [i, twin] of gone)
    problems.push({
      file: items[i].row.file,
      problem: `the same picture as ${items[twin].row.file} of the ${items[twin].row.split === "val" ? "validation" : "test"} part: not trained on`,
    });
  const kept = [...items.keys()].filter((i) => !gone.has(i));
  const place = new Map(kept.map((i, position) => [i, position]));
  const shared = new Map<number, { identity: string }>();
  for (const [hash, members] of groups) {
    const known = members.map((i) => items[i].row.identity).find((identity) => identity !== undefined);
    for (const i of members) {
      const position = place.get(i);
      if (position !== undefined)
        shared.set(position, { identity: known ?? `picture ${equal.has(hash) ? hash.slice(0, 16) : hash}` });
    }
  }
  const unlike = same.filter(([, members]) => new Set(members.map((i) => items[i].target.join())).size > 1);
  const twice = same.reduce((sum, [, members]) => sum + members.length - 1, 0);
  return {
    items: kept.map((i) => items[i]),
    groups: shared,
    assumptions: [
      ...(changed.length > 0
        ? [
            `pictures: ${changed.length === 1 ? "1 has" : `${changed.length} have`} copies by their names (${changed[0][1]
              .slice(0, 2)
              .map((i) => items[i].row.file)
              .join(", ")}); they stay in one part`,
          ]
        : []),
      ...(twice === 0
        ? []
        : [
            `pictures: ${twice === 1 ? "1 is" : `${twice} are`} there twice; equal ones stay in one part` +
              (gone.size > 0 ? `; ${leftText([...gone.keys()].map((i) => items[i].row.split))}` : ""),
            ...(unlike.length > 0
              ? [
                  `pictures: ${unlike.length === 1 ? "1 has" : `${unlike.length} have`} another label under another name (${unlike[0][1]
                    .map((i) => items[i].row.file)
                    .slice(0, 2)
                    .join(", ")})`,
                ]
              : []),
          ]),
    ],
  };
}

/**
 * What people add to the name of a photograph that they flipped or changed otherwise: `12_flip.jpg` or `flip_12.jpg` beside `12.jpg`,
 * `12_blur_rot90.jpg`; and what Roboflow adds to each of the pictures that it makes of one: `12_jpg.rf.0a1b2c3d.jpg`.
 */
const CHANGED =
  /(?:\.rf\.[0-9a-f]{8,}|(?:[\s_.-]+(?:[hv]?flip(?:ped)?|flop|mirror(?:ed)?|rot(?:ated?)?|aug(?:mented)?|copy|blur(?:red)?|nois[ey]|bright(?:er|ness)?|darker|contrast|zoom(?:ed)?|shift(?:ed)?|gr[ae]y(?:scale)?|jitter(?:ed)?)[\s_.-]*\d*)+)$/i;
const CHANGED_BEFORE =
  /(^|\/)(?:h?flip(?:ped)?|flop|mirror(?:ed)?|rot(?:ated?)?|aug(?:mented)?|copy)[\s_.-]+(?=[^/]+$)/i;

/** Pictures and their changed copies in the same folder, and those of equal names where a name is given once. */
function changedCopies(
  items: readonly PlacedRow[],
  namesOnce: boolean,
): (readonly [name: string, members: number[]])[] {
  const stems = items.map(({ row }) => (namesOnce ? baseName(row.file) : row.file).replace(/\.\w+$/, ""));
  const photographs = stems.map((stem) => stem.replace(CHANGED, "").replace(CHANGED_BEFORE, "$1"));
  const copied = new Set(photographs.filter((name, i) => name !== stems[i]));
  if (copied.size === 0 && !namesOnce) return [];
  const members = namesOnce ? [...stems.keys()] : [...stems.keys()].filter((i) => copied.has(photographs[i]));
  const byName = byKey(
    members,
    members.map((i) => photographs[i]),
  );
  return [...byName].filter(([, own]) => own.length > 1);
}

/** Members by key; `keys` beside `members`. */
function byKey<K>(members: readonly number[], keys: readonly K[]): Map<K, number[]> {
  const groups = new Map<K, number[]>();
  members.forEach((member, k) => {
    const group = groups.get(keys[k]);
    if (group === undefined) groups.set(keys[k], [member]);
    else group.push(member);
  });
  return groups;
}

/** The members that are not alone with their key. */
function sharing(members: readonly number[], keys: readonly unknown[]): number[] {
  return [...byKey(members, keys).values()].filter((group) => group.length > 1).flat();
}

/** The size of a file and bytes from its middle: headers of pictures are alike. */
async function sampleOf(path: string, bytes: number): Promise<string> {
  if (isRow(path)) return (await pictureBytes(path)).toString("latin1");
  const handle = await open(path, "r");
  try {
    const start = Math.max(0, (bytes >> 1) - (SAMPLE >> 1));
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(SAMPLE), 0, SAMPLE, start);
    return `${bytes} ${buffer.toString("latin1", 0, bytesRead)}`;
  } finally {
    await handle.close();
  }
}
