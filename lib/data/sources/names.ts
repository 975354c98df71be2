/** Words for the parts of a data set. */
import type { Split } from "../dataset.ts";

const SPLITS: ReadonlyMap<string, Split> = new Map([
  ["train", "train"],
  ["training", "train"],
  ["val", "val"],
  ["valid", "val"],
  ["validation", "val"],
  ["dev", "val"],
  ["test", "test"],
  ["testing", "test"],
  ["eval", "test"],
  ["evaluation", "test"],
  // FER2013 and its like: the public and the private leader board.
  ["publictest", "val"],
  ["privatetest", "test"],
]);

/** The part that a word names, whatever its case; undefined for any other word. */
export function partOf(word: string): Split | undefined {
  return SPLITS.get(word.trim().toLowerCase());
}

/** Columns that say which part a picture belongs to. */
export const PART_COLUMNS = ["split", "usage", "partition", "set", "subset", "part"] as const;
