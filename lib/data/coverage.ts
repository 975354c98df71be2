/** What a data set lacks: said, or refused, before anything is trained. */
import { plural } from "../core/printable.ts";
import type { Task } from "../core/artifacts.ts";
import { EtlError } from "../core/errors.ts";
import type { DataProblem } from "../record/record.ts";
import { SPREADSHEET_DATE } from "./age-groups.ts";
import type { Dataset, Item, OpenDatasetOptions, RawTable } from "./dataset.ts";
import { baseName, listFolder } from "./sources/layout.ts";
import { oneFolderHint } from "./sources/lists.ts";
import { NO_FILE } from "./usable.ts";

export function isClassTask(task: Task): boolean {
  return task.kind === "binary" || task.kind === "categorical";
}

/** @throws EtlError kind `data` where there is a problem (`--strict`) */
export function refuseProblems(name: string, problems: readonly DataProblem[]): void {
  if (problems.length === 0) return;
  const some = problems.slice(0, 5).map(({ file, problem }) => `${file}: ${problem}`);
  const more = problems.length > 5 ? ` and ${problems.length - 5} more` : "";
  throw new EtlError(
    "data",
    `${name}: ${plural(problems.length, "row")} cannot be used (${some.join("; ")}${more}), none was allowed (--strict)`,
    { hint: "repair or remove these rows, or leave --strict away" },
  );
}

interface Found {
  readonly task: Task;
  readonly items: readonly Item[];
  readonly problems: readonly DataProblem[];
  readonly options: OpenDatasetOptions;
  /** The classes are the task's own, whether or not the data have all of them. */
  readonly fixed: boolean;
}

/** There must be something to learn, and every class must be there. @throws EtlError kind `data` */
export async function checkItems(table: RawTable, found: Found): Promise<void> {
  const { task, items, problems, options, fixed } = found;
  const first =
    problems.length > 0
      ? `; the first of ${problems.length} problems: ${problems[0].file}: ${problems[0].problem}`
      : "";
  if (items.length === 0) {
    const part = options.split === undefined ? "" : ` in the ${options.split} part`;
    throw new EtlError(
      "data",
      `${table.name}: no usable picture${part} among ${table.rows.length} rows${first}, at least one was needed`,
      { hint: (await emptyHint(table, problems)) ?? "check the file column and the label column" },
    );
  }
  const training = items.filter((item) => item.split === "train");
  if (!isClassTask(task) || options.classes !== undefined || options.split !== undefined) return;
  if (task.classes.length < 2) {
    throw new EtlError(
      "data",
      `${table.name}: column "${task.columns[0]}" holds one class only ("${task.classes[0] ?? ""}", ${items.length} pictures${first}), at least two were needed`,
      table.layout === "image folder" && task.classes.length === 1
        ? { hint: oneFolderHint(table, task.classes[0]) }
        : {},
    );
  }
  const counts = task.classes.map((_, c) => training.filter((item) => isOf(task, item, c)).length);
  const empty = fixed ? [] : task.classes.filter((_, c) => counts[c] === 0);
  if (empty.length > 0) {
    const names = empty.map((name) => `"${name}"`).join(", ");
    throw new EtlError(
      "data",
      `${table.name}: no training picture of class ${names} of column "${task.columns[0]}" (${training.length} training pictures${first}), at least one of every class was needed`,
      {
        hint:
          table.layout === "image folder"
            ? "check the folders of the classes and --limit"
            : "check the label column, the split column and --limit",
      },
    );
  }
}

/** What may be wrong where nothing can be used: the picture lies elsewhere, or the label is of another kind. */
async function emptyHint(table: RawTable, problems: readonly DataProblem[]): Promise<string | undefined> {
  const [first] = problems;
  if (first === undefined && table.rows.length === 0)
    return "a first line that names columns, and no row below it";
  if (first === undefined || table.root === "") return undefined;
  if (first.problem.startsWith(NO_FILE) || first.problem.includes(": leaves its folder ")) {
    const { pictures } = await listFolder(table.root);
    const wanted = plainName(first.file);
    const there = pictures.filter((file) => plainName(file) === wanted);
    if (there.length > 0)
      return `there is ${there[0]}: names count from ${table.root}, and are read letter by letter`;
    return first.file.includes("\uFFFD")
      ? "save the table as UTF-8, and give the pictures plain names"
      : `names count from ${table.root}: check the column with the names`;
  }
  const label = /^label "(.*?)" in column "(.*?)"/.exec(first.problem)?.[1];
  if (first.problem.startsWith("its name holds letters")) return "save the table as UTF-8";
  if (first.problem.startsWith("listed twice with different"))
    return "a row is a face, and a file one row: cut pictures of several faces into one file each";
  if (/^(box|its landmarks) .*(fractions|outside)/.test(first.problem))
    return "pixels count from the top left corner of the picture as it is shown, turned as its EXIF tag says: write x times its width, y times its height for fractions";
  if (label === undefined) return undefined;
  if (/^-?\d+,\d+$/.test(label)) return "decimal commas: write points (25.5)";
  if (/^\(?\d+\s*(-|–|,|to)\s*\d+\)?$|^\d+\+$/.test(label)) return "ranges of years: --task age-group";
  if (/^\d{4}-\d{1,2}-\d{1,2}|^\d{1,2}[./]\d{1,2}[./]\d{2,4}$/.test(label))
    return "dates: write the years between birth and photograph";
  if (/^[+-]?\d+([.,]\d+)?\s*[^\d\s.,]+$/.test(label)) return "write the numbers alone, without their unit";
  return undefined;
}

/** What is the same for a picture's name in other spellings: without folders, ending, case, %20. */
function plainName(file: string): string {
  let name = file;
  try {
    name = decodeURIComponent(name);
  } catch {
    // a "%" that is one
  }
  return baseName(name.replaceAll("\\", "/"))
    .normalize("NFC")
    .toLowerCase()
    .replace(/\.[a-z]{3,4}$/, "");
}

/** So many of these labels have a sentence of their own. */
const MOST_UNKNOWN = 8;

/** Labels that none of the classes is called, with their counts: one sentence for all rows that have one. */
export function unknownLabels(task: Task, unknown: ReadonlyMap<string, number> = new Map()): string[] {
  const sorted = [...unknown].sort(([, a], [, b]) => b - a);
  const rest = sorted.slice(MOST_UNKNOWN);
  const more =
    rest.length === 0
      ? []
      : [
          `labels: ${rest.reduce((sum, [, n]) => sum + n, 0)} rows with ${rest.length} other labels in column "${task.columns[0]}" left out as well`,
        ];
  const said = sorted
    .slice(0, MOST_UNKNOWN)
    .map(
      ([label, n]) =>
        `labels: ${n === 1 ? "1 row" : `${n} rows`} with "${label}" in column "${task.columns[0]}" left out, it is none of ${task.classes.join(", ")}${
          SPREADSHEET_DATE.test(label) ? " (a spreadsheet makes dates of groups such as 4-6: write 4-6)" : ""
        }`,
    );
  return [...said, ...more];
}

/** Classes without a picture to choose the epoch with, or to test on: said before anything is trained. */
export function missingClasses(task: Task, items: readonly Item[]): string[] {
  if (task.kind === "regression") return [];
  return (["train", "val", "test"] as const).flatMap((part) => {
    const own = items.filter(({ split }) => split === part);
    if (own.length === 0) return [];
    const where = { train: "training", val: "validation", test: "test" }[part];
    if (task.kind === "multi-label") return missingAnswers(task, own, where);
    const names = task.classes.filter((_, c) => !own.some((item) => isOf(task, item, c)));
    const quoted = names.map((name) => `"${name}"`).join(", ");
    return names.length === 0 ? [] : [`${where}: no picture of class ${quoted} (of ${own.length})`];
  });
}

/**
 * Said of the parts as they are now, of data that were drawn from, cut anew, or narrowed to the pictures with a label of every
 * task: not of those that their tables had when they were read.
 *
 * @param sets what it was made of, one for each task
 * @param inParts false where folds take the place of parts
 */
export function withPartsNow(dataset: Dataset, sets: readonly Dataset[], inParts = true): Dataset {
  const stale = new Set(sets.flatMap(({ task, items }) => missingClasses(task, items)));
  const kept = (dataset.warnings ?? []).filter((warning) => !stale.has(warning));
  const now = !inParts
    ? []
    : sets.flatMap(({ task, items }) => {
        const own = new Map(items.map((item) => [item.file, item]));
        return missingClasses(
          task,
          dataset.items.flatMap(({ file, split }) => {
            const item = own.get(file);
            return item === undefined ? [] : [{ ...item, split }];
          }),
        );
      });
  return { ...dataset, warnings: [...new Set([...kept, ...now])] };
}

/**
 * What is missing of a data set's parts once pictures are gone that could not be decoded, or are copies of tested ones: said when the
 * data set was opened is what its table lacks.
 *
 * @param left the pictures that are left
 * @throws EtlError kind `data` where a class has no training picture any more
 */
export function lostClasses(dataset: Dataset, left: readonly Item[]): readonly string[] {
  if (left.length === dataset.items.length) return [];
  const plain = (sentence: string): string => sentence.replace(/ \(of \d+\)/, "");
  let start = 0;
  return (dataset.tasks ?? [dataset.task]).flatMap((task) => {
    const [from, end] = [start, start + task.outputs];
    start = end;
    const own = ({ target, mask, ...rest }: Item): Item => ({
      ...rest,
      target: target.subarray(from, end),
      ...(mask && { mask: mask.subarray(from, end) }),
    });
    const before = new Set(missingClasses(task, dataset.items.map(own)).map(plain));
    const lost = missingClasses(task, left.map(own)).filter((sentence) => !before.has(plain(sentence)));
    const training = lost.find((sentence) => sentence.startsWith("training: "));
    if (isClassTask(task) && training !== undefined)
      throw new EtlError(
        "data",
        `${dataset.name}: ${training}, as those it had cannot be decoded or are copies of tested ones: at least one of every class was needed`,
        {
          hint: "give the class other pictures to learn from; those left out are named in what was said before",
        },
      );
    return lost;
  });
}

/** Yes/no labels that are the same for all pictures of a part. */
function missingAnswers(task: Task, items: readonly Item[], where: string): string[] {
  return (["yes", "no"] as const).flatMap((answer) => {
    const names = task.classes.filter(
      (_, j) =>
        !items.some(({ target, mask }) => (mask?.[j] ?? 1) > 0 && target[j] === (answer === "yes" ? 1 : 0)),
    );
    return names.length === 0
      ? []
      : [
          `${where}: no picture (of ${items.length}) with ${answer} for ${names.map((name) => `"${name}"`).join(", ")}`,
        ];
  });
}

function isOf(task: Task, { target }: Item, c: number): boolean {
  return task.kind === "binary" ? target[0] === c : target[c] === 1;
}
