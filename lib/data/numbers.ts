/** Labels that are numbers: unit, range, and what cannot be meant. */
import { EtlError } from "../core/errors.ts";
import { countedValues } from "./counts.ts";
import type { RawTable } from "./dataset.ts";
import { FOLDER_LAYOUT, isTyped, missingIn, taskOf, type Label, type Labels } from "./reading.ts";
import { ask, checkNumberCodes, checkYears, isMoreThanSlips } from "./sentinels.ts";
import { insteadOf } from "./sources/lists.ts";
import { CROP_UNIT, type TaskPlan } from "./tasks.ts";

/** Largest label that can be an angle in radians: pi, with room for rounding. */
const LARGEST_RADIANS = 3.2;

/** What people and programs write for a number; `0x1F` and `1_000` are none. */
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

const COMMA = /^[+-]?\d+,\d+$/;

/** Reads number labels: the target is the label in the task's unit, angles in radians. */
export function readNumbers(table: RawTable, plan: TaskPlan): Labels {
  const { spec, declared } = plan;
  if (table.layout === FOLDER_LAYOUT && !plan.asked) {
    throw new EtlError(
      "usage",
      `--task ${spec.name}: ${table.name} is read as one folder per class, and names of folders are no ${spec.unit ?? "numbers"}: a layout with labels was needed`,
      {
        hint: `${insteadOf(table)}, or say that the folders are meant with --label class`,
      },
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
      target[j] = NUMBER.test(value.trim()) ? Number(value) : NaN;
      if (!Number.isFinite(target[j])) {
        return { problem: `label "${value}" in column "${plan.columns[j]}", a number was needed` };
      }
    }
    return { target };
  };
  const labels = table.rows.map((row) => read(row.labels));
  const targets = labels.flatMap((label) => ("target" in label ? [label.target] : []));
  if (targets.length > 0) refuseSpellings(table, plan, isNone);
  const { factor: times = 1 } = declared;
  for (const target of targets) for (let j = 0; j < q; j++) target[j] *= times;

  if (spec.unit === "years" && isTyped(table))
    checkYears(
      plan,
      targets.map(([value]) => value),
    );
  if (spec.unit === "degrees") {
    // Inside: radians. Shown: degrees, whatever the file holds.
    const unit = declared.unit ?? guessAngleUnit(targets, plan, assumptions);
    if (unit !== "degrees" && unit !== "radians") {
      throw new EtlError("data", `dataset.json: unit "${unit}", degrees or radians was needed`);
    }
    if (unit === "degrees") fromFullTurns(targets, plan.columns[0], assumptions);
    const scale = unit === "degrees" ? (spec.scale ?? 1) : 1;
    for (const target of targets) for (let j = 0; j < q; j++) target[j] *= scale;
  }

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

/**
 * Numbers in another spelling (fractions with a comma, 1 234, a typographic minus, 30s) beside plain ones: without their rows the others
 * are no fair sample.
 *
 * @throws EtlError
 */
function refuseSpellings(table: RawTable, plan: TaskPlan, isNone: (value: string) => boolean): void {
  const { spec, at, columns } = plan;
  const texts = table.rows.flatMap(({ labels }) => at.map((i) => labels[i]));
  refuseCommas(texts, plan);
  const found = texts.filter((text) => /\d/.test(text) && !NUMBER.test(text.trim()) && !isNone(text));
  if (!isTyped(table) || found.length < FEW_SPELLINGS || !isMoreThanSlips(found.length, texts.length)) return;
  const different = [...new Set(found)];
  const some = different.slice(0, 3);
  const missing = some.map((text) => JSON.stringify(text)).join(", ");
  throw new EtlError(
    "data",
    `--task ${spec.name}: ${found.length} of ${texts.length} labels in column "${columns[0]}" are no plain numbers (${some.join(", ")}): numbers such as -1234.5 were needed`,
    {
      hint: `without these rows the others are no fair sample: write them as numbers${
        different.length > some.length || at.length > 1
          ? ""
          : `; if they say that there is no label, say so in dataset.json: "tasks": { "${spec.name}": { "column": "${columns[0]}", "missing": [${missing}] } }`
      }`,
    },
  );
}

/** Fewer than this are slips in a table of any length. */
const FEW_SPELLINGS = 3;

/** @throws EtlError */
function refuseCommas(texts: readonly string[], { spec, columns }: TaskPlan): void {
  const found = texts.filter((text) => COMMA.test(text));
  if (found.length === 0) return;
  throw new EtlError(
    "data",
    `--task ${spec.name}: ${found.length} labels in column "${columns[0]}" hold a comma (${found[0]}), points were needed`,
    { hint: 'decimal commas: write points ("25.5")' },
  );
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

/**
 * Labels that nothing can have (an age of 999, 400 degrees) become problems.
 *
 * @throws EtlError where these are most of them: the numbers mean something else
 */
function withinRange(
  labels: readonly Label[],
  plan: TaskPlan,
  [low, high]: readonly [number, number],
): readonly Label[] {
  const { spec, columns } = plan;
  const scale = spec.unit === "degrees" ? (spec.scale ?? 1) : 1;
  const found = labels.map((label) => {
    if (!("target" in label)) return label;
    const value = label.target[0] / scale;
    // Room for the rounding of single precision.
    if (value >= low - 1e-4 && value <= high + 1e-4) return label;
    const shown = Number(value.toPrecision(5));
    return {
      problem: `label ${shown} in column "${columns[0]}", ${low} to ${high} ${spec.unit ?? ""} was needed`,
    };
  });
  const values = labels.flatMap((label) => ("target" in label ? [label.target[0] / scale] : []));
  const left = found.reduce((sum, label) => sum + ("target" in label ? 1 : 0), 0);
  if (values.length >= MANY && left * 2 < values.length) throw otherUnit(plan, values, left);
  return found;
}

/** Fewer labels than this say nothing of their column. */
const MANY = 10;

function otherUnit({ spec, columns }: TaskPlan, values: readonly number[], left: number): EtlError {
  const [column] = columns;
  const sorted = values.toSorted((a, b) => a - b);
  const [low = 0, high = 0] = spec.range ?? [];
  const middle = sorted[sorted.length >> 1];
  const shown = [sorted[0], sorted[sorted.length - 1]].map((value) => Number(value.toPrecision(5)));
  const years = spec.unit === "years";
  return new EtlError(
    "data",
    `--task ${spec.name}: column "${column}" runs from ${shown.join(" to ")}, only ${left} of ${values.length} labels are in ${low} to ${high} ${spec.unit ?? ""}: most of them were needed`,
    {
      hint:
        years && middle > 1850 && middle < 2100
          ? "years of birth: write the age, the year of the photograph minus the year of birth"
          : `say in dataset.json what to multiply them by${years ? " (months: 0.08333)" : ""}: "tasks": { "${spec.name}": { "column": "${column}", "factor": ${years ? 0.08333 : 0.01} } }`,
    },
  );
}

/** Numbers of landmarks whose left-right partners are known. */
const MIRRORED_POINTS = new Set([5, 68]);

function guessAngleUnit(
  targets: readonly Float32Array[],
  plan: TaskPlan,
  assumptions: string[],
): "degrees" | "radians" {
  const [column] = plan.columns;
  // What is no angle at all (999) says nothing of the unit.
  const angles = targets.map((target) => Math.abs(target[0])).filter((value) => value <= 360);
  const largest = angles.reduce((most, value) => Math.max(most, value), 0);
  const shown = Number(largest.toPrecision(4));
  // Heads turn further than one radian, and hardly ever to just under it: these may be fractions of 90 degrees.
  if (largest > 0.9 && largest <= 1 && angles.length >= MANY)
    throw ask(
      plan,
      angles.length,
      `(none beyond ${shown}): radians, or fractions of an angle,`,
      `"unit": "radians" } } (or "unit": "degrees", "factor": 90`,
    );
  const unit = largest > LARGEST_RADIANS ? "degrees" : "radians";
  assumptions.push(
    `unit: column "${column}" is taken for ${unit} (largest absolute value ${shown}); dataset.json can say it`,
  );
  return unit;
}

/** Degrees that are counted from 0 to 360, in place: 354 is -6. */
function fromFullTurns(targets: readonly Float32Array[], column: string, assumptions: string[]): void {
  const values = targets.map(([value]) => value);
  const beyond = new Set(values.filter((value) => value > 180 && value <= 360));
  // One or two such values among others are codes for something, or mistakes.
  if (beyond.size < 3 || values.some((value) => value < 0)) return;
  for (const target of targets) if (beyond.has(target[0])) target[0] -= 360;
  assumptions.push(`labels: column "${column}" counts from 0 to 360 degrees; 350 is taken for -10`);
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
