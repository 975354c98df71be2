/**
 * Codes whose meaning nothing in a table says: asked for, never guessed. The message has the counts of each value and the line of
 * `dataset.json` that settles it.
 */
import { EtlError } from "../core/errors.ts";
import { canonicalClass, isKnownClass } from "./classes.ts";
import { countsText } from "./counts.ts";
import type { TaskPlan } from "./tasks.ts";

type Counts = ReadonlyMap<string, number>;

/** Numbers that people write for "not known". */
const STAND_INS = new Set([-1, -2, -9, -99, -999, -9999, 9, 99, 255, 999, 9999, 99999]);

/** A value that stands so far from the others (in widths of their range) is none of them. */
const FAR = 0.4;

/** @param counts of each value, or how many numbers there are
 * @param declaration what could be said, for example `"missing": ["-1"]` */
export function ask(plan: TaskPlan, counts: Counts | number, needed: string, declaration: string): EtlError {
  const { name } = plan.spec;
  const [column] = plan.columns;
  const many = plan.columns.length > 1;
  return new EtlError(
    "data",
    `--task ${name}: ${many ? "the labels are" : `column "${column}" ${typeof counts === "number" ? "holds" : "is"}`} ${typeof counts === "number" ? `${counts} numbers` : countsText(counts)}${needed.startsWith("(") ? " " : ": "}${needed} was needed`,
    {
      hint: `say it in dataset.json, for example: "tasks": { "${name}": { ${many ? "" : `"column": "${column}", `}${declaration} } }`,
    },
  );
}

/** One label in so many may be a slip of the pen; more of one kind mean something. */
const SLIPS = 100;

/** Whether so many of all labels are more than slips. */
export function isMoreThanSlips(n: number, all: number): boolean {
  return n * SLIPS > all;
}

/** Yes and no in other languages: proposed, never read. */
const YES = /^(s[ií]|oui|ja|sim|wahr|vrai|verdadero|vero|x|present|да)$/i;
const NO = /^(non|nein|nee|n[ãa]o|falsch|faux|falso|absent|нет)$/i;

/** @throws EtlError where codes of yes and no are others than 1, 0 and -1, or all of these, or words that are not known */
export function checkYesNo(plan: TaskPlan, counts: Counts): void {
  const all = [...counts.values()].reduce((sum, n) => sum + n, 0);
  const codes = [...counts].flatMap(([code, n]) =>
    code !== "" && (Number.isFinite(Number(code)) || isMoreThanSlips(n, all)) ? [code] : [],
  );
  const strange = codes.filter((code) => !["1", "0", "-1"].includes(code));
  const both = codes.includes("0") && codes.includes("-1");
  if (strange.length === 0 && !both) return;
  const shown = new Map(["1", "0", "-1", ...strange].map((code) => [code, counts.get(code) ?? 0]));
  if (both && strange.length === 0)
    throw ask(
      plan,
      shown,
      "which of 0 and -1 means no, and which not known,",
      `"codes": { "1": "yes", "-1": "no", "0": "unknown" }`,
    );
  const guess = (code: string): string =>
    code === "1" || YES.test(code)
      ? "yes"
      : code === "0" || NO.test(code) || (code === "2" && !codes.includes("0"))
        ? "no"
        : "unknown";
  const codesText = codes.slice(0, 5).map((code) => `"${code}": "${guess(code)}"`);
  for (const [code, n] of shown) if (n === 0) shown.delete(code);
  throw ask(plan, shown, "what each of them means", `"codes": { ${codesText.join(", ")} }`);
}

/** @throws EtlError where the classes are numbers, and one of them looks like "not known" */
export function checkClassCodes(plan: TaskPlan, counts: Counts): void {
  const codes = [...counts.keys()].map(Number);
  if (codes.length < 2 || !codes.every(Number.isInteger)) return;
  const [low, high] = [Math.min(...codes), Math.max(...codes)];
  if (codes.length === 2 && low === -1 && high === 1) return;
  const others = codes.filter((code) => code !== high);
  const strange = [
    ...codes.filter((code) => code < 0 && high >= 0),
    ...(STAND_INS.has(high) && high > 2 * Math.max(...others, 1) + 1 ? [high] : []),
  ];
  if (strange.length === 0) return;
  const list = strange.map((code) => `"${code}"`).join(", ");
  throw ask(plan, counts, "whether each is a class or says that there is none", `"missing": [${list}]`);
}

/** @throws EtlError where the classes of a task whose names are known are codes */
export function checkNamedCodes(plan: TaskPlan, counts: Counts, forced: readonly string[] | undefined): void {
  const codes = [...counts.keys()];
  const areCodes =
    codes.length > 0 && codes.every((code) => /^(-?\d+(\.\d+)?|true|false|yes|no|y|n)$/i.test(code));
  if (!areCodes || (forced !== undefined && codes.every((code) => forced.includes(code)))) return;
  const names =
    plan.spec.name === "gender"
      ? ["female", "male"]
      : ["neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt"];
  const sorted = [...codes].sort((a, b) => Number(a) - Number(b)).slice(0, names.length);
  const values = sorted.map((code, i) => `"${code}": "${names[i]}"`).join(", ");
  throw ask(plan, counts, "which code means what", `"values": { ${values} }`);
}

/** @throws EtlError where groups of ages are numbers that may be codes, or years */
export function checkGroupCodes(plan: TaskPlan, counts: Counts): void {
  const codes = [...counts.keys()];
  if (codes.length === 0 || !codes.every((code) => /^-?\d+(\.0+)?$/.test(code))) return;
  const sorted = [...codes].sort((a, b) => Number(a) - Number(b)).slice(0, 3);
  const values = sorted.map((code, i) => `"${code}": "${["0-2", "4-6", "8-13"][i]}"`).join(", ");
  throw ask(plan, counts, "which years each of them means", `"values": { ${values}, ... }`);
}

/** Not more labels than this are classes of which one may be a number by mistake; more of them are names. */
const MOST_MIXED = 12;

/** @throws EtlError where numbers stand beside words, one of two genders is a word that is not known, or letters are broken */
export function checkWords(plan: TaskPlan, counts: Counts): void {
  const { name } = plan.spec;
  const codes = [...counts.keys()];
  const broken = codes.find((code) => code.includes("\uFFFD"));
  if (broken !== undefined)
    throw new EtlError(
      "data",
      `--task ${name}: column "${plan.columns[0]}" holds "${broken}", letters in UTF-8 were needed`,
      { hint: "the table was saved in another encoding: save it as UTF-8" },
    );
  if (name === "age-group") return;
  const numbers = codes.filter((code) => /^-?\d+(\.0+)?$/.test(code));
  const isMixed = numbers.length > 0 && numbers.length < codes.length && codes.length <= MOST_MIXED;
  const genders = new Set(codes.filter((code) => isKnownClass("gender", code)).map(canonicalClass));
  const isHalf = name === "gender" && genders.size === 1 && codes.length > 1;
  if (!isMixed && !isHalf) return;
  const values = codes.slice(0, 4).map((code) => `"${code}": "..."`);
  throw ask(
    plan,
    counts,
    isMixed ? "what the numbers mean beside the words" : "which of them means female, and which male,",
    `"values": { ${values.join(", ")}${codes.length > 4 ? ", ..." : ""} }`,
  );
}

/** So many ages of 0 are no single baby, where nobody else is younger than this. */
const [MANY_ZEROS, NO_BABIES] = [3, 5];

/**
 * @param counts of numbers that a label can be, as text
 * @param isSigned whether negative numbers are as good as others (angles)
 * @throws EtlError where the smallest or the largest stands apart and is one that people write for "not known"
 */
export function checkNumberCodes(plan: TaskPlan, counts: Counts, isSigned: boolean): void {
  const values = [...counts.keys()].map(Number).sort((a, b) => a - b);
  if (values.length < 3) return;
  const strange = [
    { value: values[0], others: values.slice(1) },
    { value: values[values.length - 1], others: values.slice(0, -1) },
  ].filter(({ value, others }) => {
    if (value === 0 && plan.spec.unit === "years")
      return (counts.get("0") ?? 0) >= MANY_ZEROS && others[0] >= NO_BABIES;
    if (!STAND_INS.has(value)) return false;
    const [low, high] = [others[0], others[others.length - 1]];
    if (value < 0 && low >= 0) return !isSigned;
    return Math.max(low - value, value - high) > FAR * (high - low);
  });
  if (strange.length === 0) return;
  const texts = strange.map(({ value }) => [...counts.keys()].find((text) => Number(text) === value) ?? "");
  const shown = new Map(texts.map((text) => [text, counts.get(text) ?? 0]));
  const rest = values.filter((value) => !strange.some((one) => one.value === value));
  throw ask(
    plan,
    shown,
    `(the others lie between ${rest[0]} and ${rest[rest.length - 1]}): whether it is a label or says that there is none`,
    `"missing": [${texts.map((text) => `"${text}"`).join(", ")}]`,
  );
}

/**
 * @param values the labels, in years if they are years
 * @throws EtlError where the column may count months, fractions of a life, or groups
 */
export function checkYears(plan: TaskPlan, values: readonly number[]): void {
  const { declared, columns } = plan;
  if (declared.unit !== undefined || declared.factor !== undefined) return;
  const [column] = columns;
  const [, other] = /(month|week|day)/i.exec(column) ?? [];
  if (other !== undefined) {
    const factor = { month: 0.08333, week: 0.01917, day: 0.002738 }[other.toLowerCase()] ?? 1;
    throw ask(plan, values.length, `(by its name, ${other.toLowerCase()}s): years`, `"factor": ${factor}`);
  }
  const highest = values.reduce((most, value) => Math.max(most, value), 0);
  const whole = values.every(Number.isInteger);
  if (values.length < (whole ? 12 : 5) || highest > (whole ? 9 : 1)) return;
  throw ask(
    plan,
    values.length,
    `(up to ${Number(highest.toPrecision(4))}): ${whole ? "years, or codes of groups of years," : "years, or fractions of a longest life,"}`,
    whole
      ? `"unit": "years" } } (codes: "age-group": { "column": "${column}", "values": { "0": "0-2", ... }`
      : `"factor": 100 } } (1 is 100 years; or "unit": "years"`,
  );
}
