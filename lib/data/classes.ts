/** The order and the names of classes: the same in every data set that speaks of the same thing. */
import { byRange } from "./age-groups.ts";
import { plainCode } from "./codes.ts";
import type { TaskPlan } from "./tasks.ts";

/** Order of outputs where the names are known: female before male, neutral before the emotions. */
const KNOWN: readonly string[] = [
  "female",
  "male",
  "neutral",
  "happiness",
  "sadness",
  "surprise",
  "fear",
  "disgust",
  "anger",
  "contempt",
];

/** Other words for the same class. */
const SYNONYMS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    f: "female",
    females: "female",
    woman: "female",
    women: "female",
    girl: "female",
    girls: "female",
    w: "female",
    m: "male",
    males: "male",
    man: "male",
    men: "male",
    boy: "male",
    boys: "male",
    happy: "happiness",
    sad: "sadness",
    surprised: "surprise",
    fearful: "fear",
    afraid: "fear",
    disgusted: "disgust",
    angry: "anger",
    contemptuous: "contempt",
    neutrality: "neutral",
  }),
);

/** What is the same for two ways to write one word or code: case, blanks around it, how an accent is stored, ".0" behind a number. */
export const spellingOf = (name: string): string =>
  name
    .trim()
    .normalize("NFC")
    .toLowerCase()
    .replace(/^(-?\d+)\.0+$/, "$1");

/** A name by which classes of different data sets are compared. */
export function canonicalClass(name: string): string {
  const lower = spellingOf(name);
  return SYNONYMS.get(lower) ?? lower;
}

export interface ClassOrder {
  /** Class names in output order. */
  readonly classes: readonly string[];
  /** What a code of the label file means; undefined where it is not known. */
  readonly nameOf: (code: string) => string | undefined;
  readonly assumptions: readonly string[];
}

/**
 * Puts the classes of a label column in order: known names in their fixed order, codes and ranges by number, others by name.
 *
 * @param present the codes in the label column
 */
export function classOrder(plan: TaskPlan, present: readonly string[]): ClassOrder {
  const declared = plan.declared.values;
  if (declared !== undefined) {
    const values = new Map(Object.entries(declared));
    const named = new Set([...values.values()].map(canonicalClass));
    // "1" speaks of "1.0" as well
    const numbers = new Map([...values].map(([code, name]) => [plainCode(code), name]));
    const numbered = (code: string): string | undefined =>
      Number.isFinite(Number(code)) ? numbers.get(plainCode(code)) : undefined;
    return {
      classes: ordered([...values.keys()], (code) => values.get(code) ?? code),
      // A file may hold the names themselves in place of the codes.
      nameOf: (code) =>
        values.get(code) ?? (named.has(canonicalClass(code)) ? code : undefined) ?? numbered(code),
      assumptions: [],
    };
  }
  const column = plan.columns[0];
  const yes = isYesNoOf(plan);
  if (yes !== undefined) {
    const codes = new Set(present.map(plainCode));
    const both = codes.has("0") && codes.has("-1");
    // Where there are 1, 0 and -1, 0 stands between yes and no: it is not known.
    const names = new Map([
      ["1", yes],
      [both || codes.has("-1") ? "-1" : "0", yes === "male" ? "female" : "male"],
    ]);
    return {
      classes: ["female", "male"],
      nameOf: (code) => names.get(plainCode(code)),
      assumptions: both ? [`labels: column "${column}" holds 1, 0 and -1; 0 is taken for not known`] : [],
    };
  }
  const named = plan.spec.name === "gender" || plan.spec.name === "emotion";
  const yesNo = plan.spec.kind !== "categorical" && !named ? yesNoCodes(present) : undefined;
  if (yesNo !== undefined) {
    return {
      classes: ["no", "yes"],
      nameOf: (code) => yesNo.get(plainCode(code)),
      assumptions: [
        `classes: 1 is taken for yes, ${yesNo.has("0") ? "0" : "-1"} for no, in column "${column}"`,
      ],
    };
  }
  // "Yes" and "yes" are one class, and so are 1 and 1.0, and two ways to store one accent: the spelling that comes first stands for all.
  const spelling = new Map<string, string>();
  for (const code of present) spelling.set(spellingOf(code), spelling.get(spellingOf(code)) ?? code);
  const nameOf = (code: string): string =>
    named ? canonicalName(code) : (spelling.get(spellingOf(code)) ?? code);
  const left = named ? strangers(plan.spec.name, present) : new Set<string>();
  const found = present.filter((code) => !left.has(code));
  const own = present.filter((code) => !left.has(code) && !isKnownClass(plan.spec.name, code));
  const some = own.slice(0, 5).join(", ");
  return {
    classes: ordered(byRange(found) ?? found.sort(byText), nameOf),
    nameOf: (code) => (left.has(code) ? undefined : nameOf(code)),
    assumptions:
      own.length > 0
        ? [
            `classes: ${some}${own.length > 5 ? ", ..." : ""} no usual ${plan.spec.name}, taken as ${own.length === 1 ? "a class" : "classes"} of the table's own`,
          ]
        : [],
  };
}

/** A gender whose column says yes or no to it ("Male", "is_female"); undefined for any other column. */
export function isYesNoOf({ spec, columns }: TaskPlan): "female" | "male" | undefined {
  const [, sex] = /^(?:is_?)?(male|female)$/i.exec(columns[0]) ?? [];
  return spec.name !== "gender" || sex === undefined
    ? undefined
    : sex.toLowerCase() === "male"
      ? "male"
      : "female";
}

/** What annotators write where they see none of the emotions. */
const NO_EMOTION = new Set([
  "uncertain",
  "no face",
  "no-face",
  "noface",
  "non-face",
  "nonface",
  "none",
  "ambiguous",
]);

/** Labels that are none of the classes where these have names: beside female and male there are no others here. */
function strangers(task: string, present: readonly string[]): ReadonlySet<string> {
  const isStrange = (code: string): boolean =>
    task === "gender" ? !isKnownClass(task, code) : NO_EMOTION.has(code.toLowerCase());
  const strange = present.filter(isStrange);
  const known = new Set(present.filter((code) => !isStrange(code)).map(canonicalClass));
  return new Set(known.size >= 2 ? strange : []);
}

/** What the codes of a column that says yes or no mean; undefined where it says anything else. */
function yesNoCodes(present: readonly string[]): ReadonlyMap<string, string> | undefined {
  const codes = new Set(present.map(plainCode));
  const no = codes.has("-1") ? "-1" : "0";
  return codes.size === 2 && codes.has("1") && codes.has(no)
    ? new Map([
        ["1", "yes"],
        [no, "no"],
      ])
    : undefined;
}

function canonicalName(code: string): string {
  const canonical = canonicalClass(code);
  return KNOWN.includes(canonical) ? canonical : code;
}

/** Codes by number where all are numbers, else as they come; then known names in front. */
function ordered(codes: readonly string[], nameOf: (code: string) => string): string[] {
  const rank = (name: string): number => {
    const at = KNOWN.indexOf(canonicalClass(name));
    return at < 0 ? KNOWN.length : at;
  };
  const numeric = codes.every((code) => Number.isFinite(Number(code)));
  const sorted = numeric ? [...codes].sort(byNumber) : codes;
  const names = new Map<string, string>();
  for (const name of sorted.map(nameOf)) names.set(spellingOf(name), names.get(spellingOf(name)) ?? name);
  return [...names.values()].sort((a, b) => rank(a) - rank(b));
}

function byNumber(a: string, b: string): number {
  return Number(a) - Number(b);
}

function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Whether a name can be a class of the task: of gender and emotion the names are known, of others any will do. */
export function isKnownClass(task: string, name: string): boolean {
  const at = KNOWN.indexOf(canonicalClass(name));
  if (task === "gender") return at === 0 || at === 1;
  return task === "emotion" ? at >= 2 : true;
}
