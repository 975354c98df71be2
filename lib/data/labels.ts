/** Label text becomes numbers: class order, units, missing values. */
import { own } from "../core/own.ts";
import { needWithin } from "../core/budget.ts";
import type { TaskKind } from "../core/artifacts.ts";
import { EtlError } from "../core/errors.ts";
import { ageLabels, SPREADSHEET_DATE } from "./age-groups.ts";
import { classOrder, canonicalClass, isKnownClass, isYesNoOf, spellingOf } from "./classes.ts";
import type { RawTable } from "./dataset.ts";
import { plainCode } from "./codes.ts";
import { countedValues, renamedCounts } from "./counts.ts";
import { checkFolders } from "./folders.ts";
import { readNumbers } from "./numbers.ts";
import { FOLDER_LAYOUT, isTyped, missingIn, taskOf, type Label, type Labels } from "./reading.ts";
import {
  ask,
  checkClassCodes,
  checkGroupCodes,
  checkNamedCodes,
  checkWords,
  checkYears,
  checkYesNo,
} from "./sentinels.ts";
import { tagsAsClasses, tagsIn, tagsRefused } from "./tag-lists.ts";
import type { TaskPlan } from "./tasks.ts";

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
  if (table.layout === FOLDER_LAYOUT) checkFolders(table, plan, present);
  const names = present.flatMap((code) => order.nameOf(code) ?? []);
  const ages = plan.spec.name === "age-group" ? ageLabels(column, [...new Set(names)], forced) : undefined;
  const mayBeCodes = ages === undefined && forced === undefined && plan.declared.values === undefined;
  if (plan.spec.name === "age-group" && mayBeCodes && isTyped(table)) checkGroupCodes(plan, counts);
  if (ages?.areYears === true && isTyped(table))
    checkYears(
      plan,
      [...counts].flatMap(([value, n]) => new Array<number>(n).fill(Number(value))),
    );
  const dates =
    plan.spec.name === "age-group" && ages === undefined && plan.declared.values === undefined
      ? present.filter((value) => SPREADSHEET_DATE.test(value))
      : [];
  if (dates.length > 0 && dates.length < present.length)
    throw ask(
      plan,
      new Map(dates.map((value) => [value, counts.get(value) ?? 0])),
      "groups of years (a spreadsheet makes dates of groups such as 10-12)",
      `"values": { "${dates[0]}": "10-12", ... }`,
    );
  const classes = ages?.classes ?? forced ?? order.classes;
  const own = ages === undefined && forced === undefined && plan.declared.values === undefined;
  const tags = own && table.layout !== FOLDER_LAYOUT ? tagsIn(counts) : undefined;
  if (kind === "binary" && classes.length > 2) {
    if (tags !== undefined) throw tagsRefused(plan, counts, tags);
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
  const position = positionsOf(classes);
  const width = kind === "binary" ? 1 : classes.length;
  const where = `--task ${plan.spec.name}: column "${column}"`;
  needWithin(where, "classes", classes.length);
  needWithin(where, "targets", width * table.rows.length);
  const some = classes.slice(0, 20).join(", ") + (classes.length > 20 ? ", ..." : "");
  const unknown = new Map<string, number>();
  const otherAt = otherGender(table, plan);
  const read = (value: string, other?: string): Label => {
    if (other !== undefined && (plainCode(value) === "1") === (plainCode(other) === "1"))
      return {
        problem: `"${value}" in column "${column}" and "${other}" in "${table.columns[otherAt]}", one yes was needed`,
      };
    if (isNone(value)) return { problem: `no label in column "${column}"` };
    const given = order.nameOf(value);
    const name = ages === undefined || given === undefined ? given : ages.groupOf(given);
    // A model that was made elsewhere may call its classes by their codes.
    const index = name === undefined ? undefined : (position(name) ?? (forced && position(plainCode(value))));
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
    labels: table.rows.map((row) => read(row.labels[at], row.labels[otherAt])),
    assumptions: [
      ...order.assumptions,
      ...(ages?.assumptions ?? []),
      ...(tags === undefined ? [] : [tagsAsClasses(column, tags)]),
    ],
    unknown,
    fixed: ages !== undefined,
  };
}

/** Where a class stands: by its own spelling, else by another word for it where this means one class alone ("boy" is no "man" beside it). */
function positionsOf(classes: readonly string[]): (name: string) => number | undefined {
  const own = new Map(classes.map((name, i) => [spellingOf(name), i]));
  const same = new Map<string, number | undefined>();
  classes.forEach((name, i) => {
    const key = canonicalClass(name);
    same.set(key, same.has(key) ? undefined : i);
  });
  return (name) => own.get(spellingOf(name)) ?? same.get(canonicalClass(name));
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
  const yes = isYesNoOf(plan);
  if (yes !== undefined) {
    checkYesNoGender(plan, counts, yes);
    return;
  }
  if ((name === "gender" || name === "emotion") && !(isFolder && !plan.asked))
    checkNamedCodes(plan, counts, forced);
  if (!isFolder && forced === undefined) checkWords(plan, counts);
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

/** @throws EtlError where a column called "Male" holds other codes than yes and no, genders, or zeros that may mean no */
function checkYesNoGender(plan: TaskPlan, counts: ReadonlyMap<string, number>, yes: "female" | "male"): void {
  const no = yes === "male" ? "female" : "male";
  // "F" is false as well as female
  const words = [...counts.keys()].filter((code) => isKnownClass("gender", code));
  if (words.length > 0 && (counts.size === 1 || words.some((word) => plainCode(word) === word))) {
    const values = words.map((word) => `"${word}": "${canonicalClass(word)}"`).join(", ");
    throw ask(plan, counts, `yes and no, or which word means what,`, `"values": { ${values} }`);
  }
  const codes = renamedCounts(counts, plainCode);
  const strange = [...codes.keys()].some(
    (code) => Number.isFinite(Number(code)) && !["1", "0", "-1"].includes(code),
  );
  if (strange) throw ask(plan, codes, "which code means what", `"values": { "1": "${yes}", "0": "${no}" }`);
  // 0 lies between yes and no, and is not known; but of many zeros and few -1 the zeros are no.
  if ((codes.get("0") ?? 0) > (codes.get("-1") ?? Infinity))
    throw ask(
      plan,
      codes,
      "which of 0 and -1 means no, and which not known,",
      `"values": { "1": "${yes}", "0": "${no}" }, "missing": ["-1"]`,
    );
}

/** The column of a table that says yes or no to the other gender ("Female" beside "Male"), by position; -1 where there is none. */
function otherGender(table: RawTable, plan: TaskPlan): number {
  const yes = plan.declared.values === undefined ? isYesNoOf(plan) : undefined;
  if (yes === undefined) return -1;
  const other = yes === "male" ? "female" : "male";
  return table.columns.findIndex((column) => new RegExp(`^(?:is_?)?${other}$`, "i").test(column));
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
  const tags = codes === undefined && q === 1 ? tagsIn(known) : undefined;
  if (tags !== undefined) throw tagsRefused(plan, known, tags);
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
