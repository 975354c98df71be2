/** Label text becomes numbers: class order, units, missing values. */
import { own } from "../core/own.ts";
import { needWithin } from "../core/budget.ts";
import type { Task, TaskKind } from "../core/artifacts.ts";
import { EtlError, shellWord } from "../core/errors.ts";
import { ageLabels } from "./age-groups.ts";
import { classOrder, canonicalClass, isKnownClass, isYesNoOf } from "./classes.ts";
import type { RawTable } from "./dataset.ts";
import { isMissing, plainCode } from "./codes.ts";
import { countedValues, renamedCounts } from "./counts.ts";
import { ask, checkClassCodes, checkNamedCodes, checkNumberCodes, checkYesNo } from "./sentinels.ts";
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
  const isNone = missingIn(table, plan);
  const values = new Set(table.rows.map((row) => row.labels[plan.at[0]]).filter((value) => !isNone(value)));
  const numbers = [...values].map(Number);
  const continuous = numbers.some((value) => !Number.isInteger(value)) || values.size > 20;
  if (numbers.every(Number.isFinite) && continuous) return "regression";
  return values.size === 2 && plan.spec.name !== "emotion" ? "binary" : "categorical";
}

/** Whether a label says that there is none; the name of a folder never does, nor what `dataset.json` gives a meaning. */
function missingIn(table: RawTable, { declared }: TaskPlan): (value: string) => boolean {
  const { values = {}, missing } = declared;
  if (table.layout === FOLDER_LAYOUT) return (value) => value === "" || missing?.includes(value) === true;
  return (value) => !Object.hasOwn(values, value) && isMissing(value, missing);
}

function readClasses(
  table: RawTable,
  plan: TaskPlan,
  kind: "binary" | "categorical",
  forced: readonly string[] | undefined,
): Labels {
  const at = plan.at[0];
  const column = plan.columns[0];
  const isNone = missingIn(table, plan);
  const counts = countedValues(table.rows.map((row) => row.labels[at]).filter((value) => !isNone(value)));
  const present = [...counts.keys()];
  if (plan.declared.values === undefined) checkClasses(table, plan, counts, forced);
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
    if (present.every((value) => Number.isFinite(Number(value))))
      throw ask(
        plan,
        counts,
        "two values, or what each of them means,",
        `"values": { "1": "yes", "0": "no" }`,
      );
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
    if (isNone(value)) return { problem: `no label in column "${column}"` };
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

/** @throws EtlError where a label may be a class, or say that there is none, or is a code whose name is not known */
function checkClasses(
  table: RawTable,
  plan: TaskPlan,
  counts: ReadonlyMap<string, number>,
  forced: readonly string[] | undefined,
): void {
  const { declared, spec, columns } = plan;
  const { name } = spec;
  const isFolder = table.layout === FOLDER_LAYOUT;
  if (isYesNoOf(plan) !== undefined) {
    const codes = renamedCounts(counts, plainCode);
    const strange = [...codes.keys()].some(
      (code) => Number.isFinite(Number(code)) && !["1", "0", "-1"].includes(code),
    );
    if (strange) throw ask(plan, codes, "which code means what", `"values": { "1": "male", "0": "female" }`);
    return;
  }
  if ((name === "gender" || name === "emotion") && !(isFolder && !plan.asked))
    checkNamedCodes(plan, counts, forced);
  if (isFolder || forced !== undefined || declared.missing !== undefined || name === "age-group") return;
  checkClassCodes(plan, counts);
  const nones = table.rows.filter((row) => row.labels[plan.at[0]].toLowerCase() === "none").length;
  if (
    nones === 0 ||
    name === "gender" ||
    name === "emotion" ||
    [...counts.keys()].every((value) => plainCode(value) !== value || Number.isFinite(Number(value)))
  )
    return;
  throw ask(
    plan,
    new Map([["none", nones], ...counts]),
    `whether "none" is a class of "${columns[0]}" or says that there is no label`,
    `"missing": ["none"] (no label), or "values": { "none": "none", ... } (a class)`,
  );
}

function readYesNo(table: RawTable, plan: TaskPlan): Labels {
  const q = plan.at.length;
  needWithin(`--task ${plan.spec.name}`, "targets", q * table.rows.length);
  const counts = new Map<string, number>();
  for (const row of table.rows)
    for (const i of plan.at)
      counts.set(plainCode(row.labels[i]), (counts.get(plainCode(row.labels[i])) ?? 0) + 1);
  const codes = plan.declared.codes;
  const isNone = missingIn(table, plan);
  const known = new Map([...counts].filter(([code]) => !isNone(code)));
  if (codes === undefined) checkYesNo(plan, known);
  const read = (labels: readonly string[]): Label => {
    const target = new Float32Array(q);
    const mask = new Float32Array(q).fill(1);
    for (let j = 0; j < q; j++) {
      const value = plainCode(labels[plan.at[j]]);
      const meaning = own(codes, value);
      if (meaning === "yes" || (codes === undefined && value === "1")) target[j] = 1;
      else if (isNone(value) || meaning === "unknown") mask[j] = 0;
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
  const isNone = missingIn(table, plan);
  if (isTyped(table) && declared.missing === undefined) checkNumbers(table, plan, isNone);
  const read = (labels: readonly string[]): Label => {
    const target = new Float32Array(q);
    for (let j = 0; j < q; j++) {
      const value = labels[plan.at[j]];
      if (isNone(value)) return { problem: `no label in column "${plan.columns[j]}"` };
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

/** Whether somebody wrote the labels into a table of their own: what the numbers of a public set mean is known. */
function isTyped({ layout }: RawTable): boolean {
  return layout === "labels.csv";
}

/** @throws EtlError where a number may say that there is no label */
function checkNumbers(table: RawTable, plan: TaskPlan, isNone: (value: string) => boolean): void {
  const { spec, at } = plan;
  if (spec.unit === CROP_UNIT) {
    const hidden = table.rows.filter(({ labels }) =>
      at.some((i, j) => j % 2 === 0 && Number(labels[i]) === -1 && Number(labels[at[j + 1]]) === -1),
    ).length;
    if (hidden > 0)
      throw ask(
        plan,
        new Map([["-1,-1", hidden]]),
        "whether these are points outside the picture or points that are not there",
        `"missing": ["-1"]`,
      );
    return;
  }
  const [low, high] = spec.range ?? [-Infinity, Infinity];
  const counts = countedValues(
    table.rows
      .map(({ labels }) => labels[at[0]])
      .filter((value) => !isNone(value) && Number(value) >= low && Number(value) <= high),
  );
  checkNumberCodes(plan, counts, spec.unit === "degrees");
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
  // What is no angle at all (999) says nothing of the unit.
  const angles = targets.map((target) => Math.abs(target[0])).filter((value) => value <= 360);
  const largest = angles.reduce((most, value) => Math.max(most, value), 0);
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
