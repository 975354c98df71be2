/** Words for the parts of a data set. */
import type { Split } from "../dataset.ts";

const SPLITS: ReadonlyMap<string, Split> = new Map([
  ["train", "train"],
  ["training", "train"],
  ["trn", "train"],
  ["trainval", "train"],
  ["val", "val"],
  ["valid", "val"],
  ["validate", "val"],
  ["validation", "val"],
  ["dev", "val"],
  ["devel", "val"],
  ["development", "val"],
  ["test", "test"],
  ["tests", "test"],
  ["testing", "test"],
  ["tst", "test"],
  ["eval", "test"],
  ["evaluation", "test"],
  ["holdout", "test"],
  ["heldout", "test"],
  // FER2013 and its like: the public and the private leader board.
  ["publictest", "val"],
  ["privatetest", "test"],
]);

/** What people write behind the word: `train_set`, `Test images`, `val2017`. */
const BEHIND = /(sets?|data|dataset|parts?|splits?|subset|imgs?|images?|pictures|photos|faces)$/;

/** The part that a word names, whatever its case; undefined for any other word. */
export function partOf(word: string): Split | undefined {
  const plain = word.trim().toLowerCase();
  const own = SPLITS.get(plain);
  if (own !== undefined) return own;
  // A number in front orders folders (01_train), a year behind names an edition (train2017).
  const letters = plain
    .replace(/^\d{1,2}[\s_.-]+/, "")
    .replace(/[\s_.-]*(19|20)\d\d$/, "")
    .replaceAll(/[\s_.-]/g, "");
  return SPLITS.get(letters) ?? SPLITS.get(letters.replace(BEHIND, ""));
}

/** Columns that say which part a picture belongs to; blanks, `_` and `-` are left out of the names. */
export const PART_COLUMNS = [
  "split",
  "usage",
  "partition",
  "splitid",
  "splitname",
  "datasplit",
  "phase",
  "set",
  "subset",
  "part",
] as const;
