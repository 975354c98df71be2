/** Opens a labelled data set: recognises the layout, finds the task's labels, cuts the parts, names what is wrong. */
import { plural } from "../core/printable.ts";
import { refuseUnknown, type OptionNames } from "../core/options.ts";
import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import type { Crop, Task } from "../core/artifacts.ts";
import { checkCrop } from "../core/crop.ts";
import { EtlError, nearest } from "../core/errors.ts";
import { insideOf, ioError } from "../core/files.ts";
import { createRandom } from "../core/random.ts";
import type { DataProblem } from "../record/record.ts";
import {
  WHOLE,
  type Dataset,
  type Item,
  type OpenDatasetOptions,
  type RawRow,
  type RawTable,
} from "./dataset.ts";
import { groupRows } from "./groups.ts";
import { checkItems, isClassTask, missingClasses, refuseProblems, unknownLabels } from "./coverage.ts";
import { readLabels } from "./labels.ts";
import { placeItems } from "./images/place.ts";
import { LAYOUTS } from "./sources/catalogue.ts";
import { readDescription, type Description } from "./sources/description.ts";
import { labelsCsv } from "./sources/labels-csv.ts";
import { listFolder, type Folder, type SourceLayout } from "./sources/layout.ts";
import { withListedParts } from "./sources/part-lists.ts";
import { partsInNames, withParts } from "./part-columns.ts";
import { FOLDER_LAYOUT } from "./reading.ts";
import { labelFiles } from "./sources/lists.ts";
import { withPersons } from "./persons.ts";
import { findTwins } from "./twins.ts";
import { splitItems } from "./splits.ts";
import { isSynthetic } from "./synthetic/name.ts";
import { syntheticTable } from "./synthetic/table.ts";
import { planTask, type TaskPlan } from "./tasks.ts";
import { limitRows, usableRows } from "./usable.ts";

const datasetNames: OptionNames<OpenDatasetOptions> = {
  data: true,
  task: true,
  label: true,
  crop: true,
  split: true,
  seed: true,
  valFraction: true,
  limit: true,
  strict: true,
  classes: true,
};

const TEST_FRACTION = 0.25;
const VAL_FRACTION = 0.15;

/** How the message ends of a folder that no layout knows. */
export const NO_LAYOUT = "a known layout was needed";

/** Reads all labels of a folder, before a task is chosen. @param data as {@link OpenDatasetOptions.data} */
export async function readTable(data: string): Promise<RawTable> {
  if (isSynthetic(data)) return syntheticTable(data);
  const path = resolve(data);
  let info;
  try {
    info = await stat(path);
  } catch (error) {
    const failed = ioError("cannot open the data", path, error);
    if (/\bhttps?:[/\\]/i.test(path))
      throw new EtlError(failed.kind, `${path}: an address, a folder on this machine was needed`, {
        hint: "nothing is downloaded: fetch and unpack the data first",
        cause: error,
      });
    if (nearest(basename(path), ["synthetic"]) === undefined) throw failed;
    throw new EtlError(failed.kind, failed.message, { hint: "did you mean synthetic?", cause: error });
  }
  const root = info.isDirectory() ? path : dirname(path);
  if (!info.isDirectory() && basename(path) !== "labels.csv") {
    throw new EtlError("usage", `--data: ${path} is a file, a folder or its labels.csv was needed`);
  }
  const folder = await listFolder(root);
  const layout = await layoutOf(folder);
  if (layout !== undefined) {
    const description = await descriptionIn(folder);
    const read = withFolderParts(
      described(withUnread(await layout.read(folder), folder), folder, description),
    );
    return withPersons(await withListedParts(read, folder), description?.identity);
  }
  const tables = labelFiles(folder);
  const other =
    tables.length > 0
      ? `a table is read where it is called labels.csv (columns file, split and labels; here: ${tables.join(", ")}); `
      : "";
  const byName = LAYOUTS.map(({ name, looks }) => (looks.includes("not read") ? "" : name)).filter(
    (name) => !["", "labels.csv", "image folder"].includes(name),
  );
  throw new EtlError(
    "data",
    `--data: ${path} holds ${folder.files.length} files (${folder.pictures.length} pictures${unreadSentence(folder)}), ${NO_LAYOUT}`,
    {
      hint: `${archiveHint(folder)}${other}known are labels.csv, one sub-folder of pictures per class, and by name: ${byName.join(", ")} (docs/howto-data.md says what each looks like)`,
    },
  );
}

/** "unpack faces.zip first; " where archives lie in a folder that nothing else is read of. */
function archiveHint({ files }: Folder): string {
  const packed = files.filter((file) => /\.(zip|tar|tgz|gz|bz2|xz|7z|rar|zst)$/i.test(file));
  return packed.length === 0
    ? ""
    : `unpack ${packed.slice(0, 3).join(", ")} first, archives are not looked into; `;
}

/** Where persons are the classes, every part needs all of them: nothing is kept together by person. */
function withoutOwnPersons(table: RawTable, { at }: TaskPlan): RawTable {
  const areLabels =
    at.length === 1 &&
    table.rows.every(({ identity, labels }) => identity === undefined || identity === labels[at[0]]);
  if (!areLabels) return table;
  const rows = table.rows.map(({ file, split, labels, box }): RawRow => ({
    file,
    labels,
    ...(split && { split }),
    ...(box && { box }),
  }));
  return { ...table, rows };
}

/** Folders and pictures that cannot be read are named, save where a table says which pictures there are. */
function withUnread(table: RawTable, { unread }: Folder): RawTable {
  if (unread.length === 0 || table.layout === labelsCsv.name) return table;
  return { ...table, problems: [...table.problems, ...unread] };
}

async function layoutOf(folder: Folder): Promise<SourceLayout | undefined> {
  for (const layout of LAYOUTS) if (await layout.detect(folder)) return layout;
  return undefined;
}

/** The folders that all pictures lie in are the parts where they are called so (`train/`, `test/`); two layouts have looked already. */
function withFolderParts(table: RawTable): RawTable {
  const looked = table.layout === labelsCsv.name || table.layout === FOLDER_LAYOUT;
  const found = looked ? undefined : partsInNames(table.rows);
  return found === undefined
    ? table
    : { ...table, rows: found.rows, assumptions: [...table.assumptions, found.said] };
}

async function descriptionIn({ root, files }: Folder): Promise<Description | undefined> {
  return files.includes("dataset.json") ? readDescription(join(root, "dataset.json")) : undefined;
}

/** The table with what a `dataset.json` beside the layout's own files says of it; who is on the pictures comes last. */
function described(table: RawTable, folder: Folder, description: Description | undefined): RawTable {
  if (description === undefined) return table;
  const { name, crop, pairs, tasks, parts } = description;
  const own = Object.entries(tasks).map(
    ([task, said]) =>
      [task, { ...(Object.hasOwn(table.tasks, task) && table.tasks[task]), ...said }] as const,
  );
  return {
    ...(parts === undefined || table.layout === labelsCsv.name ? table : withParts(table, parts)),
    ...(name !== undefined && { name }),
    ...(crop && { crop }),
    ...(pairs !== undefined && { pairs: insideOf(folder.root, pairs) }),
    tasks: { ...table.tasks, ...Object.fromEntries(own) },
  };
}

/** ", and 20 that cannot be read: a.pgm: pictures of the format ..."; empty where there are none. */
function unreadSentence({ unread }: Folder): string {
  const [first] = unread;
  return first === undefined
    ? ""
    : `, and ${unread.length} that cannot be read: ${first.file}: ${first.problem}`;
}

/** Opens a data set for one task. Pixels are not touched (headers are, where a box or landmarks are in pixels). */
export async function openDataset(options: OpenDatasetOptions): Promise<Dataset> {
  refuseUnknown("openDataset", options, datasetNames);
  checkOptions(options);
  const read = await readTable(options.data);
  const plan = planTask(read, options.task, options.label);
  const table = withoutOwnPersons(read, plan);
  const { task, labels, assumptions, unknown, fixed = false } = readLabels(table, plan, options.classes);
  const problems: DataProblem[] = [...table.problems];
  const rows = await usableRows(table, labels, problems);
  const random = createRandom(options.seed);
  const limited = limitRows(rows, options.limit, random.fork("limit"));
  const placed = await placeItems(limited, { table, task, ...(options.crop && { crop: options.crop }) });
  problems.push(...placed.problems);

  const given = limited.some(({ row }) => row.split !== undefined);
  const twins = await findTwins(table, placed.items, problems);
  const { splits, assumptions: cuts } = splitItems(
    twins.items.map(({ row, target }, i) => ({
      ...(row.split && { split: row.split }),
      ...(twins.groups.get(i) ?? (row.identity !== undefined && { identity: row.identity })),
      ...(isClassTask(task) && { stratum: target.join() }),
    })),
    {
      testFraction: TEST_FRACTION,
      valFraction: options.valFraction ?? VAL_FRACTION,
      random: random.fork("split"),
    },
  );
  const tested = twins.items.flatMap((_, i) => (splits[i] === "test" ? [i] : []));
  const groups = groupRows(
    table,
    task,
    tested.map((i) => twins.items[i].row),
  );
  const groupsOf = new Map(tested.map((i, k) => [i, groups.codes[k]]));
  const foldAt = table.columns.findIndex((column) => column.toLowerCase() === "fold");
  const all = twins.items.map(({ row, target, mask, crop, bytes, modifiedMs }, i): Item => {
    const { identity } = row;
    const own = groupsOf.get(i);
    const fold = foldAt < 0 ? "" : row.labels[foldAt];
    const extra = {
      ...(fold !== "" && { fold }),
      ...(own && { groups: own }),
      ...(mask && { mask }),
      ...(identity !== undefined && { identity }),
      ...(crop && { crop }),
    };
    return { file: row.file, split: splits[i], target, ...extra, bytes, modifiedMs };
  });
  const centre = options.crop === "center" ? sharedCrop(all) : undefined;
  const boxed = centre === undefined ? all : all.map(withoutCrop);
  const items = options.split === undefined ? boxed : boxed.filter((item) => item.split === options.split);
  if (options.strict === true) refuseProblems(table.name, problems);
  await checkItems(table, { task, items, problems, options, fixed });
  const warnings = [
    ...unknownLabels(task, unknown),
    ...(options.classes === undefined ? missingClasses(task, items) : []),
  ];

  const crop = options.crop === "center" ? (centre ?? WHOLE) : (options.crop ?? table.crop ?? WHOLE);
  return {
    name: table.name,
    root: table.root,
    layout: table.layout,
    task,
    items,
    crop,
    groups: groups.columns,
    assumptions: [
      `layout: ${table.layout}`,
      `crop: ${cropSentence(crop, options, table, placed.ownCrops)}`,
      `split: ${given ? "as given" : "by seed"}`,
      ...table.assumptions,
      ...assumptions,
      ...placed.assumptions,
      ...cuts,
      ...twins.assumptions,
    ],
    ...(warnings.length > 0 && { warnings }),
    problems,
    fingerprint: fingerprintOf(task, crop, items),
    ...(table.pairs !== undefined && { pairs: table.pairs }),
  };
}

function checkOptions(options: OpenDatasetOptions): void {
  const { limit, crop, valFraction = VAL_FRACTION } = options;
  if (crop !== undefined) checkCrop(crop);
  if (limit !== undefined && !(Number.isInteger(limit) && limit > 0)) {
    throw new EtlError("usage", `--limit: found ${limit}, a whole number above 0 was needed`);
  }
  if (!(valFraction >= 0 && valFraction < 1)) {
    throw new EtlError("usage", `valFraction: found ${valFraction}, a number in [0, 1) was needed`);
  }
}

function withoutCrop(item: Item): Item {
  const rest = Object.entries(item).filter(([name]) => name !== "crop");
  return Object.fromEntries(rest) as unknown as Item;
}

/** The box of all pictures, where it is one: of pictures of one shape the square in the middle is. */
function sharedCrop(items: readonly Item[]): Crop | undefined {
  const [first] = items;
  return items.every(({ crop }) => crop?.join() === first.crop?.join()) ? first.crop : undefined;
}

function cropSentence(crop: Crop, options: OpenDatasetOptions, table: RawTable, ownCrops: number): string {
  const box = crop.map((value) => Number(value.toFixed(3))).join(", ");
  if (options.crop === "center") return "the largest square in the middle of each picture (--crop center)";
  if (options.crop !== undefined) return `${box} (--crop)`;
  if (ownCrops > 0) return `${plural(ownCrops, "picture")} by their own annotated face box`;
  if (table.crop !== undefined) return `${box} (the data set's own)`;
  return "the whole picture, as nothing else is said (--crop x0,y0,x1,y1 in fractions sets the face box)";
}

/** sha256 over task, crop, parts, labels and file sizes; 16 hexadecimal digits. */
function fingerprintOf(task: Task, crop: Crop, items: readonly Item[]): string {
  const hash = createHash("sha256").update(JSON.stringify([task, crop]));
  for (const item of items) {
    const { file, split, identity, bytes } = item;
    hash.update(
      JSON.stringify([
        file,
        split,
        identity,
        bytes,
        [...item.target],
        item.mask && [...item.mask],
        item.crop,
        ...(item.fold === undefined ? [] : [item.fold]),
      ]),
    );
  }
  return hash.digest("hex").slice(0, 16);
}
