/** Label text becomes numbers: class order, units, missing values. */
import { own } from "../core/own.ts";
import { needWithin } from "../core/budget.ts";
import type { Task, TaskKind } from "../core/artifacts.ts";
import { EtlError, shellWord } from "../core/errors.ts";
import { ageLabels } from "./age-groups.ts";
import { classOrder, canonicalClass, isKnownClass } from "./classes.ts";
import type { RawTable } from "./dataset.ts";
import { plainCode } from "./codes.ts";
import { CROP_UNIT, type TaskPlan } from "./tasks.ts";

/** A label as numbers, or the reason why there is none. */
export type Label =
  { readonly target: Float32Array; readonly mask?: Float32Array } | { readonly problem: string };

export interface Labels {
  readonly task: Task;
  /** Beside `table.rows`. Landmarks are still in pixels of the picture. */
  readonly labels: readonly Label[];
  readonly assumptions: readonly string[];
  /** Labels that are none of the classes, and how many rows have each. */
  readonly unknown?: ReadonlyMap<string, number>;
  /** The classes are the task's own, whether or not the data have all of them. */
  readonly fixed?: boolean;
}

/** Layout whose only labels are names of folders. */
const FOLDER_LAYOUT = "image folder";

const MISSING = new Set(["", "na", "n/a", "nan", "none", "null", "?"]);

/** Largest label that can be an angle in radians: pi, with room for rounding. */
const LARGEST_RADIANS = 3.2;

/**
 * Reads the label columns of a planned task.
 *
 * @param classes class names in output order, of a model that exists already
 */
export function readLabels(table: RawTable, plan: TaskPlan, classes?: readonly string[]): Labels {
  const kind = plan.declared.kind ?? plan.spec.kind ?? guessKind(table, plan);
  switch (kind) {
    case "binary":
    case "categorical":
      return readClasses(table, plan, kind, classes);
    case "multi-label":
      return readYesNo(table, plan);
    case "regression":
      return readNumbers(table, plan);
  }
}

function guessKind(table: RawTable, plan: TaskPlan): TaskKind {
  if (plan.declared.values !== undefined) {
    return Object.keys(plan.declared.values).length === 2 ? "binary" : "categorical";
  }
  const values = new Set(
    table.rows.map((row) => row.labels[plan.at[0]]).filter((value) => !isMissing(value)),
  );
  const numbers = [...values].map(Number);
  const continuous = numbers.some((value) => !Number.isInteger(value)) || values.size > 20;
  if (numbers.every(Number.isFinite) && continuous) return "regression";
  return values.size === 2 && plan.spec.name !== "emotion" ? "binary" : "categorical";
}

function isMissing(value: string): boolean {
  return MISSING.has(value.toLowerCase());
}

function readClasses(
  table: RawTable,
  plan: TaskPlan,
  kind: "binary" | "categorical",
  forced: readonly string[] | undefined,
): Labels {
  const at = plan.at[0];
  const column = plan.columns[0];
  const present = [...new Set(table.rows.map((row) => row.labels[at]))].filter((value) => !isMissing(value));
  const order = classOrder(plan, present);
  const foldersOnly = table.layout === FOLDER_LAYOUT && !plan.asked && plan.declared.values === undefined;
  if (foldersOnly && !present.some((value) => isKnownClass(plan.spec.name, value))) {
    const some = present.slice(0, 8).join(", ");
    throw new EtlError(
      "data",
      `--task ${plan.spec.name}: none of the ${present.length} folder names (${some}) is a known ${plan.spec.title}, folders named after classes were needed`,
      {
        hint:
          present.length === 1
            ? `if the classes lie below it: --data ${shellWord(`${table.root}/${present[0]}`)}`
            : "write a labels.csv (docs/data.md), or say that the folders are the classes with --label class",
      },
    );
  }
  const names = present.flatMap((code) => order.nameOf(code) ?? []);
  const ages = plan.spec.name === "age-group" ? ageLabels(column, [...new Set(names)], forced) : undefined;
  const classes = ages?.classes ?? forced ?? order.classes;
  if (kind === "binary" && classes.length > 2) {
    const some = classes.slice(0, 8).join(", ");
    throw new EtlError(
      "data",
      `--task ${plan.spec.name}: column "${column}" holds ${classes.length} values (${some}${classes.length > 8 ? ", ..." : ""}), two were needed`,
      { hint: "say in dataset.json what the codes mean (values), or use --task categorical" },
    );
  }
  const position = new Map(classes.map((name, i) => [canonicalClass(name), i]));
  const width = kind === "binary" ? 1 : classes.length;
  const where = `--task ${plan.spec.name}: column "${column}"`;
  needWithin(where, "classes", classes.length);
  needWithin(where, "targets", width * table.rows.length);
  const some = classes.slice(0, 20).join(", ") + (classes.length > 20 ? ", ..." : "");
  const unknown = new Map<string, number>();
  const read = (value: string): Label => {
    if (isMissing(value)) return { problem: `no label in column "${column}"` };
    const given = order.nameOf(value);
    const name = ages === undefined || given === undefined ? given : ages.groupOf(given);
    // A model that was made elsewhere may call its classes by their codes.
    const index =
      name === undefined
        ? undefined
        : (position.get(canonicalClass(name)) ?? (forced && position.get(plainCode(value))));
    if (index === undefined) {
      unknown.set(value, (unknown.get(value) ?? 0) + 1);
      return { problem: `label "${value}" in column "${column}", one of ${some} was needed` };
    }
    const target = new Float32Array(width);
    if (kind === "binary") target[0] = index;
    else target[index] = 1;
    return { target };
  };
  return {
    task: taskOf(plan, kind, { classes, outputs: width }),
    labels: table.rows.map((row) => read(row.labels[at])),
    assumptions: [...order.assumptions, ...(ages?.assumptions ?? [])],
    unknown,
    fixed: ages !== undefined,
  };
}

function readYesNo(table: RawTable, plan: TaskPlan): Labels {
  const q = plan.at.length;
  needWithin(`--task ${plan.spec.name}`, "targets", q * table.rows.length);
  const counts = new Map<string, number>();
  for (const row of table.rows)
    for (const i of plan.at)
      counts.set(plainCode(row.labels[i]), (counts.get(plainCode(row.labels[i])) ?? 0) + 1);
  const codes = plan.declared.codes;
  const [zero, minus] = [counts.has("0"), counts.has("-1")];
  if (zero && minus && codes === undefined) {
    const found = ["1", "0", "-1"].map((code) => `${counts.get(code) ?? 0} times ${code}`).join(", ");
    throw new EtlError(
      "data",
      `--task ${plan.spec.name}: the labels are ${found}: which of 0 and -1 means no, and which not known, was needed`,
      {
        hint: `say it in dataset.json: "tasks": { "${plan.spec.name}": { "codes": { "1": "yes", "-1": "no", "0": "unknown" } } }, or with 0 and -1 the other way round`,
      },
    );
  }
  const read = (labels: readonly string[]): Label => {
    const target = new Float32Array(q);
    const mask = new Float32Array(q).fill(1);
    for (let j = 0; j < q; j++) {
      const value = plainCode(labels[plan.at[j]]);
      const meaning = own(codes, value);
      if (meaning === "yes" || (codes === undefined && value === "1")) target[j] = 1;
      else if (isMissing(value) || meaning === "unknown") mask[j] = 0;
      else if (meaning !== "no" && (codes !== undefined || (value !== "0" && value !== "-1"))) {
        return { problem: `label "${value}" in column "${plan.columns[j]}", 0 or 1 was needed` };
      }
    }
    const known = mask.reduce((sum, value) => sum + value, 0);
    if (known === 0) return { problem: "no label in any column" };
    return known === q ? { target } : { target, mask };
  };
  const names = plan.declared.values;
  return {
    task: taskOf(plan, "multi-label", {
      classes: plan.columns.map((column) => own(names, column) ?? column),
      outputs: q,
    }),
    labels: table.rows.map((row) => read(row.labels)),
    assumptions: [],
  };
}

function readNumbers(table: RawTable, plan: TaskPlan): Labels {
  const { spec, declared } = plan;
  if (table.layout === FOLDER_LAYOUT && !plan.asked) {
    throw new EtlError(
      "usage",
      `--task ${spec.name}: ${table.name} is read as one folder per class, and names of folders are no ${spec.unit ?? "numbers"}: a layout with labels was needed`,
      { hint: "write a labels.csv (docs/data.md), or say that the folders are meant with --label class" },
    );
  }
  const assumptions: string[] = [];
  const q = plan.at.length;
  const read = (labels: readonly string[]): Label => {
    const target = new Float32Array(q);
    for (let j = 0; j < q; j++) {
      const value = labels[plan.at[j]];
      if (isMissing(value)) return { problem: `no label in column "${plan.columns[j]}"` };
      target[j] = Number(value);
      if (!Number.isFinite(target[j])) {
        return { problem: `label "${value}" in column "${plan.columns[j]}", a number was needed` };
      }
    }
    return { target };
  };
  const labels = table.rows.map((row) => read(row.labels));
  const targets = labels.flatMap((label) => ("target" in label ? [label.target] : []));

  let factor = 1;
  if (spec.unit === "degrees") {
    // Inside: radians. Shown: degrees, whatever the file holds.
    const unit = declared.unit ?? guessAngleUnit(targets, plan.columns[0], assumptions);
    if (unit !== "degrees" && unit !== "radians") {
      throw new EtlError("data", `dataset.json: unit "${unit}", degrees or radians was needed`);
    }
    factor = unit === "degrees" ? (spec.scale ?? 1) : 1;
  }
  for (const target of targets) for (let j = 0; j < q; j++) target[j] *= factor;

  const unit = spec.unit ?? declared.unit;
  const plausible = spec.range === undefined ? labels : withinRange(labels, plan, spec.range);
  const tolerance = declared.tolerance ?? spec.tolerance ?? tenth(targets, plan.columns[0], assumptions);
  return {
    task: taskOf(plan, "regression", {
      classes: [],
      outputs: q,
      scale: spec.scale ?? 1,
      tolerance,
      ...(unit !== undefined && { unit }),
      ...(spec.unit === CROP_UNIT && !MIRRORED_POINTS.has(q / 2) && { mirror: "forbid" as const }),
    }),
    labels: plausible,
    assumptions,
  };
}

/** Labels that nothing can have (an age of 999, 400 degrees) become problems. */
function withinRange(
  labels: readonly Label[],
  { spec, columns }: TaskPlan,
  [low, high]: readonly [number, number],
): readonly Label[] {
  const scale = spec.unit === "degrees" ? (spec.scale ?? 1) : 1;
  return labels.map((label) => {
    if (!("target" in label)) return label;
    const value = label.target[0] / scale;
    // Room for the rounding of single precision.
    if (value >= low - 1e-4 && value <= high + 1e-4) return label;
    const shown = Number(value.toPrecision(5));
    return {
      problem: `label ${shown} in column "${columns[0]}", ${low} to ${high} ${spec.unit ?? ""} was needed`,
    };
  });
}

/** Numbers of landmarks whose left-right partners are known. */
const MIRRORED_POINTS = new Set([5, 68]);

function guessAngleUnit(
  targets: readonly Float32Array[],
  column: string,
  assumptions: string[],
): "degrees" | "radians" {
  const largest = targets.reduce((most, target) => Math.max(most, Math.abs(target[0])), 0);
  const unit = largest > LARGEST_RADIANS ? "degrees" : "radians";
  assumptions.push(
    `unit: column "${column}" is taken for ${unit} (largest absolute value ${Number(largest.toPrecision(4))}); dataset.json can say it`,
  );
  return unit;
}

/** A tenth of the range of the labels: what counts as right where nothing else is known. */
function tenth(targets: readonly Float32Array[], column: string, assumptions: string[]): number {
  let [low, high] = [Infinity, -Infinity];
  for (const target of targets) {
    low = Math.min(low, target[0]);
    high = Math.max(high, target[0]);
  }
  const tolerance = high > low ? Number(((high - low) / 10).toPrecision(3)) : 1;
  assumptions.push(
    `tolerance: a prediction of "${column}" within ${tolerance} counts as right (a tenth of the range of the labels)`,
  );
  return tolerance;
}

function taskOf(
  plan: TaskPlan,
  kind: TaskKind,
  rest: Pick<Task, "classes" | "outputs"> & Partial<Task>,
): Task {
  return {
    name: plan.spec.name,
    kind,
    columns: plan.columns,
    scale: 1,
    mirror: plan.declared.mirror ?? plan.spec.mirror,
    ...rest,
  };
}
