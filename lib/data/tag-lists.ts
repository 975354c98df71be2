/** Cells that hold lists of tags ("Smiling|Male"): they are no labels of yes and no, and as classes every list is one of its own. */
import { EtlError } from "../core/errors.ts";
import { countsText } from "./counts.ts";
import type { TaskPlan } from "./tasks.ts";

const MARKS = ["|", ";", ",", "/"];
const SHOWN = 4;

/** The tags of a column whose cells are lists of them, the commonest first; undefined where its cells are single labels. */
export function tagsIn(counts: ReadonlyMap<string, number>): readonly string[] | undefined {
  for (const mark of MARKS) {
    const tags = new Map<string, { n: number; lists: number }>();
    let lists = 0;
    for (const [cell, n] of counts) {
      const list = plainList(cell)
        .split(mark)
        .map((tag) => tag.trim().replace(/^(["'])(.*)\1$/, "$2"))
        .filter((tag) => tag !== "");
      if (list.length > 1) lists++;
      for (const tag of new Set(list)) {
        const known = tags.get(tag) ?? { n: 0, lists: 0 };
        tags.set(tag, { n: known.n + n, lists: known.lists + 1 });
      }
    }
    const words = [...tags.keys()].every((tag) => /^\p{L}[\p{L}\p{N}_ -]*$/u.test(tag));
    // In "Lee, Ann" a comma makes no list; where tags come again in other lists, it does.
    const isShared = [...tags.values()].some((tag) => tag.lists > 1) && tags.size <= counts.size;
    if (lists > 0 && words && (isShared || (counts.size === 1 && mark !== "/")))
      return [...tags].sort(([, a], [, b]) => b.n - a.n).map(([tag]) => tag);
  }
  return undefined;
}

/** `["a", "b"]` as `"a", "b"`. */
const plainList = (cell: string): string => cell.trim().replace(/^[[{(](.*)[\])}]$/s, "$1");

/** The error where yes and no, or one of two classes, was needed, and cells are lists of tags. */
export function tagsRefused(
  plan: TaskPlan,
  counts: ReadonlyMap<string, number>,
  tags: readonly string[],
): EtlError {
  return new EtlError(
    "data",
    `--task ${plan.spec.name}: column "${plan.columns[0]}" holds lists of tags (${countsText(counts)}), a column for each tag with 1 and 0 was needed`,
    { hint: columnsHint(tags) },
  );
}

/** What is said where lists of tags become classes. */
export function tagsAsClasses(column: string, tags: readonly string[]): string {
  return `classes: column "${column}" holds lists of tags, and every list is a class of its own; to learn the tags, ${columnsHint(tags)}`;
}

function columnsHint(tags: readonly string[]): string {
  const some = tags.slice(0, SHOWN);
  const header = ["file", ...some, ...(tags.length > SHOWN ? ["..."] : [])].join(",");
  return `write a column for each tag (${header}), 1 where the list has it and 0 where not: --task multi-label --label ${JSON.stringify(some.join(","))}, or --task binary --label ${JSON.stringify(some[0])}`;
}
