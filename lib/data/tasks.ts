/** The tasks the toolkit knows, and how a task finds its columns in a data set. */
import type { Task, TaskKind } from "../core/artifacts.ts";
import { EtlError, nearest } from "../core/errors.ts";
import { isMissing, plainCode } from "./codes.ts";
import type { RawTable, TaskDeclaration } from "./dataset.ts";
import { CELEBA_ATTRIBUTES } from "./sources/celeba-attributes.ts";

/** A task before it meets a data set. */
export interface TaskSpec {
  readonly name: string;
  readonly title: string;
  /** undefined: the labels decide. */
  readonly kind?: TaskKind;
  /** Names a label column may have, best first; compared without regard to case. */
  readonly columns: readonly string[];
  readonly unit?: string;
  /** Regression: target = label x scale. */
  readonly scale?: number;
  /** In `unit`. */
  readonly tolerance?: number;
  readonly mirror: Task["mirror"];
  /** Smallest and largest value that can be meant, in `unit`; others are left out. */
  readonly range?: readonly [number, number];
}

/** Columns that do not say what they label. */
const ANY_LABEL = new Set(["class", "label"]);

const DEGREE = Math.PI / 180;

/** Unit of landmark targets: fractions of the crop's width and height. */
export const CROP_UNIT = "crop";

/** What numbers in a column of this name mean, whatever task they are read for. */
type Meaning = Pick<TaskSpec, "unit" | "scale" | "tolerance" | "mirror" | "range">;

const angle = (mirror: Task["mirror"]): Meaning => ({
  unit: "degrees",
  scale: DEGREE,
  tolerance: 15,
  mirror,
  range: [-180, 180],
});
const YEARS: Meaning = { unit: "years", tolerance: 5, mirror: "keep", range: [0, 122] };
/** A mirrored head turns and leans the other way; it nods as before. */
const MEANINGS: ReadonlyMap<string, Meaning> = new Map<string, Meaning>([
  ...["yaw", "pan", "pose_yaw", "roll", "pose_roll"].map((name) => [name, angle("negate")] as const),
  ...["pitch", "tilt", "pose_pitch"].map((name) => [name, angle("keep")] as const),
  ["age", YEARS],
  ...["valence", "arousal"].map((name) => [name, { mirror: "keep" }] as const),
]);

const SPECS: readonly TaskSpec[] = [
  {
    name: "gender",
    title: "gender (two classes)",
    kind: "binary",
    columns: ["gender", "sex", "male", "is_male", "female", "is_female"],
    mirror: "keep",
  },
  {
    name: "emotion",
    title: "emotion (classes, or valence)",
    columns: ["emotion", "expression", "valence"],
    mirror: "keep",
  },
  { name: "valence", title: "valence", kind: "regression", columns: ["valence"], mirror: "keep" },
  {
    name: "head-pose",
    title: "head pose (yaw)",
    kind: "regression",
    columns: ["yaw", "pan", "pose_yaw"],
    ...angle("negate"),
  },
  {
    name: "age",
    title: "age in years",
    kind: "regression",
    columns: ["age"],
    ...YEARS,
  },
  {
    name: "age-group",
    title: "age group (classes)",
    kind: "categorical",
    columns: ["age_group", "age-group", "agegroup", "age"],
    mirror: "keep",
  },
  {
    name: "attributes",
    title: "the 40 CelebA attributes",
    kind: "multi-label",
    columns: CELEBA_ATTRIBUTES,
    mirror: "keep",
  },
  {
    name: "landmarks",
    title: "landmarks (x0,y0,x1,y1,...)",
    kind: "regression",
    columns: [],
    unit: CROP_UNIT,
    tolerance: 0.05,
    mirror: "landmarks",
  },
  { name: "binary", title: "any two classes", kind: "binary", columns: [], mirror: "keep" },
  {
    name: "categorical",
    title: "any classes",
    kind: "categorical",
    columns: ["class", "label"],
    mirror: "keep",
  },
  { name: "regression", title: "any number", kind: "regression", columns: [], mirror: "forbid" },
  { name: "multi-label", title: "any yes/no labels", kind: "multi-label", columns: [], mirror: "keep" },
];

/** The tasks the toolkit knows by name. */
export const TASKS: ReadonlyMap<string, TaskSpec> = new Map(SPECS.map((spec) => [spec.name, spec]));

/** A task with its columns found: what {@link readLabels} needs. */
export interface TaskPlan {
  readonly spec: TaskSpec;
  /** Indices into `table.columns`. */
  readonly at: readonly number[];
  readonly columns: readonly string[];
  /** What the data set says about the task, where it speaks of these columns. */
  readonly declared: TaskDeclaration;
  /** Whether the user or the data set named the columns; else they are the usual ones, or the only one. */
  readonly asked: boolean;
}

/**
 * Finds a task's columns: `label` first, then what the data set declares, then the task's usual names.
 *
 * @param name for example "gender", or a task that the data set declares
 * @param label column names, comma-separated
 * @throws EtlError kind `usage` for an unknown task or a missing column, with what was found and the nearest
 */
export function planTask(table: RawTable, name: string, label?: string): TaskPlan {
  const declared = Object.hasOwn(table.tasks, name) ? table.tasks[name] : undefined;
  const spec = TASKS.get(name) ?? (declared && specOf(name));
  if (spec === undefined) {
    const known = [...new Set([...TASKS.keys(), ...Object.keys(table.tasks)])];
    const near = nearest(name, known);
    const parts = name.split(/[;+&\s]+/);
    throw new EtlError("usage", `--task: found "${name}", one of ${known.join(", ")} was needed`, {
      hint:
        parts.length > 1 && parts.every((part) => TASKS.has(part))
          ? `several with a comma: ${parts.join(",")}`
          : near !== undefined
            ? `did you mean "${near}"?`
            : "labels of your own: --task binary (or categorical, regression), as in " +
              `etl plan --task binary --label ${label ?? "COLUMN"}`,
    });
  }
  if (label !== undefined) {
    const columns = label.split(",").map((column) => column.trim());
    const own = declared !== undefined && sameColumns(declared, columns);
    return { ...plan(table, spec, columns, own ? declared : {}), asked: true };
  }
  const columns = declared?.columns ?? (declared?.column === undefined ? undefined : [declared.column]);
  return {
    ...plan(table, spec, columns ?? usualColumns(table, spec), declared ?? {}),
    asked: columns !== undefined,
  };
}

function plan(
  table: RawTable,
  spec: TaskSpec,
  columns: readonly string[],
  declared: TaskDeclaration,
): Omit<TaskPlan, "asked"> {
  const at = columns.map((column) => columnAt(table, spec, column));
  const kind = declared.kind ?? spec.kind;
  if (at.length > 1 && kind !== "multi-label" && spec.unit !== CROP_UNIT) {
    throw new EtlError(
      "usage",
      `--task ${spec.name}: ${at.length} label columns (${columns.join(", ")}), one was needed`,
      { hint: "--task multi-label takes several" },
    );
  }
  const found = at.map((i) => table.columns[i]);
  const meaning = kind === "regression" && at.length === 1 ? MEANINGS.get(found[0].toLowerCase()) : undefined;
  return { spec: { ...spec, ...meaning }, at, columns: found, declared };
}

/** What an undeclared, unknown task of a data set is taken for. */
function specOf(name: string): TaskSpec {
  return { name, title: name, columns: [name], mirror: "keep" };
}

function sameColumns(declared: TaskDeclaration, columns: readonly string[]): boolean {
  const own = declared.columns ?? [declared.column ?? ""];
  return own.length === columns.length && own.every((column, i) => column === columns[i]);
}

function columnAt(table: RawTable, spec: TaskSpec, column: string): number {
  const exact = table.columns.indexOf(column);
  return exact >= 0 ? exact : lowerAt(table, column, () => missing(table, spec, `"${column}"`, [column]));
}

function lowerAt(table: RawTable, column: string, otherwise: () => EtlError): number {
  const wanted = column.toLowerCase();
  const at = table.columns.findIndex((candidate) => candidate.toLowerCase() === wanted);
  if (at < 0) throw otherwise();
  return at;
}

function usualColumns(table: RawTable, spec: TaskSpec): string[] {
  if (spec.unit === CROP_UNIT) return landmarkColumns(table, spec);
  const lower = new Map(table.columns.map((column) => [column.toLowerCase(), column]));
  refuseTwoCalled(table, spec);
  const found = spec.columns.flatMap((column) => lower.get(column.toLowerCase()) ?? []);
  if (spec.kind === "multi-label") {
    const all = spec.columns.length > 0 ? found : yesNoColumns(table);
    if (all.length > 0) return all;
  } else if (found.length > 0) {
    return [found[0]];
  }
  // An image folder has one column, and it is the label of whatever task was asked for.
  const [only, another] = table.columns;
  if (another === undefined && ANY_LABEL.has(only) && spec.kind !== "multi-label") return [only];
  const usual = spec.columns.slice(0, 4).map((column) => `"${column}"`);
  throw missing(table, spec, usual.length > 0 ? usual.join(" or ") : "named by --label", spec.columns);
}

/** Two columns whose names differ in case alone ("gender", "Gender"): which one is meant has to be said. */
function refuseTwoCalled(table: RawTable, spec: TaskSpec): void {
  for (const name of spec.columns) {
    const same = table.columns.filter((column) => column.toLowerCase() === name.toLowerCase());
    if (same.length < 2) continue;
    throw new EtlError(
      "usage",
      `--task ${spec.name}: ${table.name} has the columns ${same.join(", ")}, one was needed`,
      {
        hint: `say which: --label ${same[0]}`,
      },
    );
  }
}

/** x0, y0, x1, y1, ... as far as they go; counted from 1 where three points are there, as two are the corners of a box. */
function landmarkColumns(table: RawTable, spec: TaskSpec): string[] {
  const found: string[] = [];
  const has = new Set(table.columns);
  const first = !has.has("x0") && has.has("x3") && has.has("y3") ? 1 : 0;
  for (let i = first; has.has(`x${i}`) && has.has(`y${i}`); i++) found.push(`x${i}`, `y${i}`);
  if (found.length === 0) throw missing(table, spec, '"x0", "y0", "x1", "y1", ...', ["x0", "y0"]);
  return found;
}

/** Columns with yes and no, in whatever words, and with labels that are not known. */
function yesNoColumns(table: RawTable): string[] {
  const yesNo = new Set(["0", "1", "-1"]);
  const isYesNo = (label: string): boolean => yesNo.has(plainCode(label)) || isMissing(label);
  return table.columns.filter(
    (_, i) =>
      table.rows.some((row) => plainCode(row.labels[i]) === "1") &&
      table.rows.every((row) => isYesNo(row.labels[i])),
  );
}

function missing(table: RawTable, spec: TaskSpec, needed: string, candidates: readonly string[]): EtlError {
  const shown = table.columns.slice(0, 50);
  const more = table.columns.length - shown.length;
  const found = `${shown.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
  const near = candidates.map((name) => nearest(name, table.columns)).find((name) => name !== undefined);
  const tasks = Object.keys(table.tasks);
  const hints = [
    ...(near === undefined ? [] : [`did you mean --label ${near}?`]),
    ...(tasks.length === 0 ? [] : [`the data set declares the tasks ${tasks.join(", ")}`]),
  ];
  return new EtlError(
    "usage",
    `--task ${spec.name}: ${table.name} has the columns ${found === "" ? "(none)" : found}, a column ${needed} was needed`,
    {
      hint: hints.length > 0 ? hints.join("; ") : (table.instead ?? "name the column with --label COLUMN"),
    },
  );
}
